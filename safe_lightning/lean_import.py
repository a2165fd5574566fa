"""Importing structlog at half its cost, for it counts at every start.

structlog imports rich for tracebacks that nobody renders here, and asyncio for methods that nobody awaits; each
takes about as long as structlog itself.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def import_structlog() -> ModuleType:
    """Import structlog without rich, and with asyncio loaded when somebody first uses it."""
    sys.modules.setdefault("asyncio", _Deferred("asyncio"))
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
