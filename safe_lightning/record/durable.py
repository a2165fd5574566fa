"""Writing that survives a kill -9 or a power cut, and what becomes of it when the disk refuses."""

from __future__ import annotations

import errno
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_JOURNAL_BYTES_MOST = 64 << 20


def write_durably(path: Path, data: bytes) -> None:
    """Write a file whole or not at all: a temporary name, fsync, rename, fsync of the folder. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte to an open file. Raises OSError."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def to_bytes(value: object, *, indent: int | None = None) -> bytes:
    """Return a JSON value as UTF-8; what UTF-8 cannot hold (a file name's stray bytes) becomes a JSON escape."""
    return json.dumps(value, ensure_ascii=False, indent=indent).encode("utf-8", "backslashreplace")


class Journal:
    """A file of JSON lines, each on the disk before `append` returns."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._is_cut = False
        self._lock = threading.Lock()

    def append(self, entry: Mapping[str, object]) -> None:
        """Add one line. Raises OSError; a line that was cut by it does not spoil the next one."""
        with self._lock:
            line = (b"\n" if self._is_cut else b"") + to_bytes(entry) + b"\n"
            self._is_cut = True
            write_all(self._descriptor, line)
            self._is_cut = False
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def read_journal(path: Path) -> list[dict[str, Any]]:
    """Read the lines of a journal; what was cut by a crash or a full disk is passed over. Raises OSError."""
    try:
        with path.open("rb") as file:
            lines = file.read(_JOURNAL_BYTES_MOST).splitlines()
    except FileNotFoundError:
        return []
    entries = []
    for line in lines:
        with suppress(ValueError, RecursionError):
            entry = json.loads(line)
            if isinstance(entry, dict):
                entries.append(entry)
    return entries


class WriteHealth:
    """Whether everything that was to be recorded has been recorded; the first trouble is told once."""

    def __init__(self, on_trouble: Callable[[str], None] | None = None) -> None:
        self.trouble = ""
        self._on_trouble = on_trouble
        self._lock = threading.Lock()

    @contextmanager
    def guard(self, what: str) -> Iterator[None]:
        """Keep a write error from reaching the running import, and remember it."""
        try:
            yield
        except OSError as error:
            self.note(f"{what} could not be recorded: {error.strerror or error}")

    def note(self, trouble: str) -> None:
        """Remember a trouble; only the first is told."""
        with self._lock:
            if self.trouble:
                return
            self.trouble = trouble
        if self._on_trouble:
            self._on_trouble(trouble)
