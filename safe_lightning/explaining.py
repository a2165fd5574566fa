"""Explaining runs after the fact, from their logs and captured output alone."""

from __future__ import annotations

import gzip
import io
import stat
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from safe_lightning.core.classification import End, Evidence, judge
from safe_lightning.core.evidence import StreamEvidence
from safe_lightning.core.import_report import build_report
from safe_lightning.core.log_digest import LogDigest
from safe_lightning.core.logline import LogRecord, parse_line
from safe_lightning.core.stream_digest import StreamDigest
from safe_lightning.core.verdict import ImportReport

_LINE_BYTES_MOST = 4 << 20
_SAMPLE_BYTES = 64 << 10


class UnreadableInput(Exception):
    """A file to be explained cannot be read; the sentence names it and says why."""


class Explainer:
    """Collects lines of logs and captured output in any order of files, then judges.

    A file may hold several runs, one after the other; the last one is explained.
    """

    def __init__(self) -> None:
        self.log = LogDigest(split_tasks=True)
        self.streams = StreamDigest()
        self._is_cut = False

    def add(self, lines: Iterable[bytes]) -> None:
        """Take one file's lines, each with its line break where it has one."""
        line = b""
        for line in lines:
            self._add_line(line)
        self._is_cut |= line.startswith((b"[", b"{")) and not line.endswith(b"\n")

    def _add_line(self, line: bytes) -> None:
        record = parse_line(line)
        if record is None:
            self.streams.add_line(line.decode("utf-8", "replace"))
            return
        if _begins_run(record) and self.log.task.version:
            self._forget_earlier_run()
        self.log.add(record)

    def _forget_earlier_run(self) -> None:
        # What the streams said of an earlier run must not colour this one.
        self.streams = StreamDigest()
        self.log.signal = ""

    def report(self, end: End | None = None) -> ImportReport:
        """Judge what was collected; without a known end the outcome is what the words alone tell.

        A log that ends within a line may have met a full disk or be half a copy, so what it lacks proves nothing:
        that it was asked for warnings only is not assumed then.
        """
        end = end or End(is_known=False)
        seen = Evidence(
            task=self.log.task,
            streams=self.streams.evidence,
            signal_seen=self.log.signal,
            has_log=self.log.records > 0,
            log_level="info" if self._is_cut else "",
        )
        return build_report(end, seen, judge(end, seen))


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


def explain_files(pieces: Iterable[Piece], stdin: IO[bytes] | None = None) -> ImportReport:
    """Explain a run from files. Raises UnreadableInput, also where they hold nothing or nothing but binary data."""
    explainer, sample, names, cut = Explainer(), bytearray(), list[str](), _OneRun()
    for piece in pieces:
        names.append(piece.name)
        with _open(piece, stdin or standard_input()) as lines:
            try:
                read = _lines(lines, piece.length)
                explainer.add(_sampled(cut.of(read) if piece.is_one_run else read, sample))
            except (OSError, EOFError, zlib.error) as error:
                raise UnreadableInput(f"cannot read {piece.name}: {error}") from error
    _refuse_nothing(explainer, bytes(sample), ", ".join(names))
    return explainer.report()


def _refuse_nothing(explainer: Explainer, sample: bytes, names: str) -> None:
    if not sample:
        raise UnreadableInput(f"nothing to explain: {names or 'no file'} is empty")
    is_recognised = explainer.log.records or explainer.streams.evidence != StreamEvidence()
    if not is_recognised and b"\0" in sample:
        raise UnreadableInput(f"nothing to explain: {names} is neither a log nor captured output, but binary data")


def _sampled(lines: Iterator[bytes], sample: bytearray) -> Iterator[bytes]:
    for line in lines:
        if len(sample) < _SAMPLE_BYTES:
            sample += line[:_SAMPLE_BYTES]
        yield line


def _lines(file: IO[bytes], length: int | None) -> Iterator[bytes]:
    """Yield lines, an over-long one in pieces, at most so many bytes of them."""
    left = length
    while left != 0 and (line := file.readline(_LINE_BYTES_MOST if left is None else min(left, _LINE_BYTES_MOST))):
        left = None if left is None else left - len(line)
        yield line


class _OneRun:
    """Cuts a log, which may lie in several files, where its second run begins."""

    def __init__(self) -> None:
        self._runs = 0

    def of(self, lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            if b"Welcome to " in line and _begins_run(parse_line(line)):
                self._runs += 1
            if self._runs > 1:
                return
            yield line


def _begins_run(record: LogRecord | None) -> bool:
    return record is not None and record.message.startswith("Welcome to ")


@contextmanager
def _open(piece: Piece, stdin: IO[bytes]) -> Iterator[IO[bytes]]:
    if piece.name == "-":
        yield stdin
        return
    try:
        kind = stat.S_IFMT(Path(piece.name).stat().st_mode)
        if kind == stat.S_IFDIR:
            raise UnreadableInput(f"cannot read {piece.name}: it is a directory")
        with Path(piece.name).open("rb") as raw:
            if piece.start:
                raw.seek(piece.start)
            is_gzip = kind == stat.S_IFREG and raw.peek(2)[:2] == b"\x1f\x8b"
            yield gzip.GzipFile(fileobj=raw) if is_gzip else raw  # type: ignore[misc]
    except OSError as error:
        raise UnreadableInput(f"cannot read {piece.name}: {error.strerror or error}") from error


def standard_input() -> IO[bytes]:
    """Return the byte stream behind standard input."""
    return getattr(sys.stdin, "buffer", io.BytesIO())
