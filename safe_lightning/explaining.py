"""Explaining runs after the fact, from their logs and captured output alone."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import IO

from safe_lightning.core.classification import End, Evidence, judge
from safe_lightning.core.evidence import StreamEvidence
from safe_lightning.core.import_report import build_report
from safe_lightning.core.log_digest import LogDigest
from safe_lightning.core.log_sieve import LogSieve
from safe_lightning.core.logline import parse_line
from safe_lightning.core.stream_digest import StreamDigest
from safe_lightning.core.verdict import ImportReport
from safe_lightning.explain_input import (
    OneRun,
    Piece,
    UnreadableInput,
    begins_run,
    in_order,
    last_runs,
    read_lines,
    standard_input,
)

__all__ = ["Explainer", "Piece", "UnreadableInput", "explain_every_run", "explain_files", "standard_input"]

_SAMPLE_BYTES = 64 << 10


class Explainer:
    """Collects lines of logs and captured output in any order of files, then judges.

    A file may hold several runs, one after the other; the last one is explained, and with ``keeps_all`` the reports
    of the earlier ones are in ``earlier``.
    """

    def __init__(self, *, keeps_all: bool = False) -> None:
        self.log = LogDigest(split_tasks=True)
        self.streams = StreamDigest()
        self.earlier: list[ImportReport] = []
        self._keeps_all = keeps_all
        self._sieve = LogSieve(self.log)
        self._is_cut = False

    def add(self, lines: Iterable[bytes]) -> None:
        """Take one file's lines, each with its line break where it has one."""
        line = b""
        for line in lines:
            self._add_line(line)
        self._note_cut(line, not line.endswith(b"\n"))

    def add_batch(self, lines: Sequence[bytes], ends_in_line: bool = False) -> None:
        """Take lines without their line breaks; those that tell nothing are not read."""
        for line in self._sieve.sift(lines):
            self._add_line(line)
        if lines:
            self._note_cut(lines[-1], ends_in_line)

    def _note_cut(self, line: bytes, has_no_end: bool) -> None:
        self._is_cut |= has_no_end and line.startswith((b"[", b"{"))

    def _add_line(self, line: bytes) -> None:
        record = parse_line(line)
        if record is None:
            self.streams.add_line(_unwrapped(line).decode("utf-8", "replace"))
            return
        if begins_run(record) and self.log.task.version:
            self._end_earlier_run()
        self.log.add(record)
        del self.log.tasks[:-1]

    def _end_earlier_run(self) -> None:
        # What the streams said of an earlier run must not colour this one.
        if self._keeps_all:
            self.earlier.append(self.report())
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


def _unwrapped(line: bytes) -> bytes:
    """Take a line out of the JSON in which a container runtime keeps it."""
    if not line.startswith(b'{"log":'):
        return line
    try:
        inner = json.loads(line).get("log")
    except (ValueError, RecursionError):  # cut or no JSON at all: then it is told as it stands
        return line
    return inner.encode("utf-8", "replace") if isinstance(inner, str) else line


def explain_files(pieces: Iterable[Piece], stdin: IO[bytes] | None = None) -> ImportReport:
    """Explain the last run in some files. Raises UnreadableInput, also where they hold nothing but binary data."""
    explainer = Explainer()
    _read_into(explainer, last_runs(in_order(list(pieces))), stdin or standard_input())
    return explainer.report()


def explain_every_run(pieces: Iterable[Piece], stdin: IO[bytes] | None = None) -> list[ImportReport]:
    """Explain every run in some files, the oldest first. Raises UnreadableInput."""
    explainer = Explainer(keeps_all=True)
    _read_into(explainer, in_order(list(pieces)), stdin or standard_input())
    return [*explainer.earlier, explainer.report()]


def _read_into(explainer: Explainer, pieces: Sequence[Piece], stdin: IO[bytes]) -> None:
    sample, cut = bytearray(), OneRun()
    for piece in pieces:
        for lines, ends_in_line in read_lines(piece, stdin):
            kept = cut.of(lines) if piece.is_one_run else lines
            if len(sample) < _SAMPLE_BYTES:
                sample += b"\n".join(kept)[:_SAMPLE_BYTES] or (b"\n" if kept else b"")
            explainer.add_batch(kept, ends_in_line)
            if piece.is_one_run and cut.is_over:
                break
    _refuse_nothing(explainer, bytes(sample), ", ".join(piece.name for piece in pieces))


def _refuse_nothing(explainer: Explainer, sample: bytes, names: str) -> None:
    if not sample:
        raise UnreadableInput(f"nothing to explain: {names or 'no file'} is empty")
    is_recognised = explainer.log.records or explainer.streams.evidence != StreamEvidence()
    if not is_recognised and b"\0" in sample:
        raise UnreadableInput(f"nothing to explain: {names} is neither a log nor captured output, but binary data")
