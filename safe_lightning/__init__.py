"""Run TiDB Lightning safely: look before the import, supervise it, tell the truth about its end."""

__version__ = "0.1.0"
