"""Importing what takes long only where it is used, for every start waits for what is imported.

structlog imports rich for tracebacks that nobody renders here, and asyncio for methods that nobody awaits; each
takes about as long as structlog itself.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

__all__ = ["defer", "http_client", "import_structlog", "psutil", "ssl"]


def defer(name: str) -> None:
    """Have a module of the standard library loaded when somebody first uses it, whoever imports it before."""
    sys.modules.setdefault(name, _Deferred(name))


def import_structlog() -> ModuleType:
    """Import structlog without rich, and with asyncio loaded when somebody first uses it."""
    defer("asyncio")
    with _hidden("rich"):
        return importlib.import_module("structlog")


class _Deferred(ModuleType):
    """Stands for a module until one of its names is asked for.

    importlib's own LazyLoader does not do here: a plain ``import`` looks at ``__spec__``, which loads it.
    """

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


# What most runs would import in vain: nothing is asked over HTTP or TLS, and no process is looked at or killed.
if TYPE_CHECKING:
    import ssl as ssl
    from http import client as http_client

    import psutil as psutil
else:
    http_client, psutil, ssl = (sys.modules.get(name) or _Deferred(name) for name in ("http.client", "psutil", "ssl"))


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]
