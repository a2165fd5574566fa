"""The bytes of a file as they are on disk, and the errors that name a byte of it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.findings import InputError

BLOCK_BYTES = 1 << 18
OUTPUT_BYTES_MOST = 1 << 20
Pieces = Iterator[bytes]
Heard = Callable[[int], None]
"""Hears of so many more bytes that were read from disk; called on the thread that reads."""


def ignore_bytes(_count: int) -> None:
    """Hear nothing."""


def read_raw(path: Path, name: str, heard: Heard = ignore_bytes, start: int = 0) -> Pieces:
    """Read the bytes of the file itself. Raises InputError where it changes meanwhile."""
    try:
        with path.open("rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            file.seek(start)
            while block := file.read(BLOCK_BYTES):
                yield block
                heard(len(block))
            after = os.fstat(file.fileno())
            if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
                raise InputError("changed-file", "the file changed while it was read", name)
    except OSError as error:
        raise InputError("unreadable-file", f"the file cannot be read ({error.strerror})", name) from error


def damaged(what: str, reason: str, name: str, offset: int) -> InputError:
    """Make the error of a file that breaks the rules of its format, which Lightning reports as well."""
    return InputError("damaged-compression", f"not valid {what}: {reason}", name, file_offset=offset)


def breaks_off(what: str, name: str, offset: int) -> InputError:
    """Make the error of a file that ends too early, which Lightning takes for its end."""
    reason = f"the {what} file breaks off here; Lightning imports what comes before and says nothing"
    return InputError("truncated-compression", reason, name, file_offset=offset, is_silent=True)


def cut_up(pieces: Pieces, size: int) -> Pieces:
    """Cut pieces into smaller ones."""
    for piece in pieces:
        for start in range(0, len(piece), size):
            yield piece[start : start + size]


def find_library(module: str, what: str) -> ModuleType:
    """Import the library of a format. Raises CouldNotLook where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CouldNotLook(f"{what} files cannot be read without the Python package {module}") from error
