"""Copies of endless output: the beginning and the end of it, whatever comes between."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from safe_lightning.record.durable import WriteHealth, write_all

_LINE_BYTES_MOST = 64 << 10


class BoundedFile:
    """A file of ``head_bytes`` at most, and behind them a note and the last ``tail_bytes`` at least.

    While it is written the end lies in two files beside it (``NAME.tail`` and the older ``NAME.tail.old``), so that
    a kill -9 loses nothing; `close` joins them. What one call writes is never cut unless it is larger than
    ``tail_bytes``. Safe to call from several threads; never raises, trouble goes to ``health``.
    """

    def __init__(
        self, path: Path, head_bytes: int, tail_bytes: int, note: Callable[[int], bytes], health: WriteHealth
    ) -> None:
        self._path = path
        self._tail = path.with_name(f"{path.name}.tail")
        self._older = path.with_name(f"{path.name}.tail.old")
        self._head_bytes, self._tail_bytes = head_bytes, tail_bytes
        self._note, self._health = note, health
        self._room = head_bytes
        self._tail_length = 0
        self._left_out = 0
        self._lock = threading.Lock()
        self._file: int | None = None
        with health.guard(path.name):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._tail_file: int | None = None

    def write(self, data: bytes) -> None:
        """Add bytes."""
        with self._lock:
            if self._file is None:
                return
            with self._health.guard(self._path.name):
                if len(data) <= self._room:
                    write_all(self._file, data)
                    self._room -= len(data)
                else:
                    self._room = 0
                    self._write_tail(data)

    def close(self) -> None:
        """Join beginning and end. Writing afterwards does nothing."""
        with self._lock:
            if self._file is None:
                return
            with self._health.guard(self._path.name):
                if self._tail_file is not None:
                    self._join(self._file)
            os.close(self._file)
            self._file = None

    def _write_tail(self, data: bytes) -> None:
        kept = data[-self._tail_bytes :]
        self._left_out += len(data) - len(kept)
        if self._tail_file is None:
            self._open_tail()
        elif self._tail_length + len(kept) > self._tail_bytes:
            self._turn_tail()
        assert self._tail_file is not None
        write_all(self._tail_file, kept)
        self._tail_length += len(kept)

    def _open_tail(self) -> None:
        self._tail_file = os.open(self._tail, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        self._tail_length = 0

    def _turn_tail(self) -> None:
        assert self._tail_file is not None
        os.close(self._tail_file)
        self._tail_file = None
        if self._older.exists():
            self._left_out += self._older.stat().st_size
        self._tail.replace(self._older)
        self._open_tail()

    def _join(self, target: int) -> None:
        assert self._tail_file is not None
        os.close(self._tail_file)
        self._tail_file = None
        if self._left_out:
            write_all(target, self._note(self._left_out))
        for part in (self._older, self._tail):
            if part.exists():
                write_all(target, part.read_bytes())
                part.unlink()


class StreamCopy:
    """The recorded copy of one of the child's streams, secrets masked line by line.

    Bytes that are not UTF-8 stay as they are. A line that does not end is masked piece by piece, cut at a blank.
    """

    def __init__(self, target: BoundedFile, mask: Callable[[str], str]) -> None:
        self._target = target
        self._mask = mask
        self._open_line = b""
        self._lock = threading.Lock()

    def write(self, data: bytes) -> None:
        """Add bytes as they came from the child."""
        with self._lock:
            lines, end, rest = (self._open_line + data).rpartition(b"\n")
            if len(rest) > _LINE_BYTES_MOST:
                at = max(rest.rfind(b" "), rest.rfind(b"\t")) + 1 or len(rest)
                lines, end, rest = lines + end + rest[:at], b"", rest[at:]
            self._open_line = rest
            self._pass(lines + end)

    def close(self) -> None:
        """Write the last line, also if it has no end, and close the file."""
        with self._lock:
            self._pass(self._open_line)
            self._open_line = b""
            self._target.close()

    def _pass(self, data: bytes) -> None:
        if data:
            # Latin-1 maps every byte to one character and back, whatever the child's encoding is.
            lines = data.decode("latin-1").split("\n")
            self._target.write("\n".join(map(self._mask, lines)).encode("latin-1", "replace"))
