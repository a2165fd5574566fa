"""Reading what is to be explained: files of any kind, in the order of their times, in blocks of whole lines."""

from __future__ import annotations

import gzip
import io
import re
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.lines import LineBuffer
from safe_lightning.core.logline import LogRecord, parse_line

_LINE_BYTES_MOST = 4 << 20
_BLOCK_BYTES = 256 << 10
_FIRST_BYTES = 64 << 10
_BACKWARD_BYTES = 1 << 20
_TIME = re.compile(rb"\[?(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+ [+-]\d\d:\d\d)?)")
_WELCOME = b"Welcome to "
#: The run before the last one tells what the last one found.
_RUNS_READ = 2


class UnreadableInput(Exception):
    """A file to be explained cannot be read; the sentence names it and says why."""


@dataclass(frozen=True)
class Piece:
    """What is to be read: a file (``-`` is standard input) or some bytes of it.

    ``is_one_run``: reading stops where a second run begins; the end of a run that died is not recorded, and what
    follows in its log is not its own.
    """

    name: str
    start: int = 0
    length: int | None = None
    is_one_run: bool = False


def read_lines(piece: Piece, stdin: IO[bytes]) -> Iterator[tuple[list[bytes], bool]]:
    """Yield a piece's lines in batches, without their line breaks; the flag says that the last one has none.

    Of an over-long line only the beginning is delivered. Raises UnreadableInput.
    """
    with _open(piece, stdin) as file:
        buffer, left = LineBuffer(_LINE_BYTES_MOST), piece.length
        try:
            while left != 0 and (block := _read(file, left)):
                left = None if left is None else left - len(block)
                yield buffer.feed(block), False
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableInput(f"cannot read {piece.name}: {error}") from error
        if rest := buffer.close():
            yield rest, True


def _read(file: IO[bytes], left: int | None) -> bytes:
    size = _BLOCK_BYTES if left is None else min(_BLOCK_BYTES, left)
    read = getattr(file, "read1", file.read)
    return bytes(read(size))


def begins_run(record: LogRecord | None) -> bool:
    """Whether a record is the first of a run."""
    return record is not None and record.message.startswith("Welcome to ")


def in_order(pieces: Sequence[Piece]) -> list[Piece]:
    """Put logs in the order of their first times, as rotation leaves them; what has no times comes after them.

    The parts of a recorded run are in order already.
    """
    if len(pieces) < 2 or any(piece.start or piece.is_one_run or piece.name == "-" for piece in pieces):
        return list(pieces)
    times = {piece.name: first_time(piece) for piece in pieces}
    return sorted(pieces, key=lambda piece: (not times[piece.name], times[piece.name]))


def first_time(piece: Piece) -> bytes:
    """Return the time of a file's first record; nothing where it has none, or cannot be read yet."""
    try:
        with _open(piece, io.BytesIO()) as file:
            head = file.read(_FIRST_BYTES)
    except (UnreadableInput, OSError, EOFError, zlib.error):
        return b""  # it is said when the file is read
    for line in head.split(b"\n"):
        if (found := _TIME.search(line, 0, 300)) and parse_line(line):
            return found[1]
    return b""


def last_runs(pieces: Sequence[Piece]) -> list[Piece]:
    """Leave out what lies before the last two runs, which is most of a log that is appended to for years.

    Only plain files that are logs can be looked at from their end; others are read as a whole.
    """
    kept, runs = list[Piece](), 0
    for piece in reversed(pieces):
        is_log = bool(first_time(piece)) if piece.name != "-" else False
        if runs >= _RUNS_READ and is_log:
            continue
        if not _is_plain(piece):
            return [*pieces[: len(pieces) - len(kept)], *kept]
        place, found = _last_run(piece, _RUNS_READ - runs)
        runs += found
        kept.insert(0, replace(piece, start=place) if runs >= _RUNS_READ and is_log else piece)
    return kept


def _is_plain(piece: Piece) -> bool:
    if piece.name == "-" or piece.start or piece.length is not None:
        return False
    try:
        path = Path(piece.name)
        with path.open("rb") as file:
            return stat.S_ISREG(path.stat().st_mode) and file.read(2) != b"\x1f\x8b"
    except OSError:
        return False


def _last_run(piece: Piece, wanted: int) -> tuple[int, int]:
    """Find the last runs of a file from its end: where the first of them begins, and how many were found."""
    found, place = 0, 0
    try:
        with Path(piece.name).open("rb") as file:
            for at in _welcomes(file, file.seek(0, io.SEEK_END)):
                found, place = found + 1, at
                if found == wanted:
                    break
    except OSError:
        return 0, 0  # it is said when the file is read
    return place, found


def _welcomes(file: IO[bytes], end: int) -> Iterator[int]:
    """Yield the places of the lines that begin a run, the last one first."""
    behind = b""
    while end > 0:
        start = max(0, end - _BACKWARD_BYTES)
        file.seek(start)
        block = file.read(end - start) + behind
        at = len(block)
        while (at := block.rfind(_WELCOME, 0, at)) >= 0:
            line_start = block.rfind(b"\n", 0, at) + 1
            if line_start or not start:
                line = block[line_start : block.find(b"\n", at) if b"\n" in block[at:] else None]
                if begins_run(parse_line(line)):
                    yield start + line_start
        # A line that lies across two blocks is looked at with the earlier one.
        behind, end = block[: block.find(b"\n") + 1], start


class OneRun:
    """Cuts a log, which may lie in several files, where its second run begins."""

    def __init__(self) -> None:
        self._runs = 0
        self.is_over = False

    def of(self, lines: list[bytes]) -> list[bytes]:
        """Return the lines that belong to the first run."""
        for number, line in enumerate(lines):
            if _WELCOME in line and begins_run(parse_line(line)):
                self._runs += 1
            if self._runs > 1:
                self.is_over = True
                return lines[:number]
        return lines


@contextmanager
def _open(piece: Piece, stdin: IO[bytes]) -> Iterator[IO[bytes]]:
    if piece.name == "-":
        yield _unpacked(stdin)
        return
    try:
        kind = stat.S_IFMT(Path(piece.name).stat().st_mode)
        if kind == stat.S_IFDIR:
            raise UnreadableInput(f"cannot read {piece.name}: it is a directory")
        with Path(piece.name).open("rb") as raw:
            if piece.start:
                raw.seek(piece.start)
            yield _unpacked(raw) if kind == stat.S_IFREG else raw
    except OSError as error:
        raise UnreadableInput(f"cannot read {piece.name}: {error.strerror or error}") from error


def _unpacked(file: IO[bytes]) -> IO[bytes]:
    peek = getattr(file, "peek", None)
    is_gzip = peek is not None and peek(2)[:2] == b"\x1f\x8b"
    return gzip.GzipFile(fileobj=file) if is_gzip else file  # type: ignore[return-value]


def standard_input() -> IO[bytes]:
    """Return the byte stream behind standard input."""
    return getattr(sys.stdin, "buffer", io.BytesIO())
