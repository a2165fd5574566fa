"""Pieces of files as they were read, and the proof that together they are the files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.findings import InputError, Level, SourceFinding


@dataclass(frozen=True)
class RangeJob:
    """A piece of a file to read: rows that start in [start, limit). Only the first piece's start is certain."""

    file: int
    number: int
    start: int
    limit: int


@dataclass
class Tally:
    """How often something was found, and where first (the line counted from the segment's start, from 0)."""

    message: str
    level: Level
    offset: int
    line: int
    count: int = 0


@dataclass
class Segment:
    """Consecutive rows of a file, read at one go by one worker.

    Rows [first_row, stop_row) are the worker's numbers; ``lines`` counts the line feeds between start and stop;
    ``whole_rows`` of the rows were handed out whole. ``is_reference`` tells that the reference reader read it.
    ``error`` has its line counted from the segment's start; where a row is at fault, ``error_row`` is its number and
    ``cut_at`` its offset: the segment stops there. ``cut_rows`` of the rows from it on have numbers already.
    """

    file: int
    worker: int
    start: int
    stop: int
    first_row: int
    stop_row: int
    lines: int = 0
    is_reference: bool = False
    is_stopped: bool = False
    is_at_end: bool = False
    error: InputError | None = None
    error_line: int = 0
    error_row: int | None = None
    cut_at: int = 0
    cut_rows: int = 0
    whole_rows: int = 0
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    unknown_columns: dict[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many rows it has."""
        return self.stop_row - self.first_row

    def count(self, code: str, message: str, level: Level, place: tuple[int, int], times: int = 1) -> None:
        """Count a finding at (offset, line)."""
        tally = self.tallies.setdefault((code, message), Tally(message, level, *place))
        tally.count += times


@dataclass
class ReadRange:
    """A job that was done: its segments one behind the other."""

    job: RangeJob
    segments: list[Segment]

    @property
    def start(self) -> int:
        """Where reading began."""
        return self.segments[0].start

    @property
    def stop(self) -> int:
        """Where reading stopped: the start of the first row that is not in it."""
        return self.segments[-1].stop


def cut_ranges(file: int, start: int, size_bytes: int, range_bytes: int) -> list[RangeJob]:
    """Cut a file into about equal ranges."""
    count = max(1, round((size_bytes - start) / range_bytes))
    cuts = [start + (size_bytes - start) * number // count for number in range(count + 1)]
    return [RangeJob(file, number, cuts[number], cuts[number + 1]) for number in range(count)]


def first_unproven(ranges: Sequence[ReadRange]) -> int | None:
    """Find the first range that did not begin exactly where the one before it stopped; None if all did.

    A range in front of which a row reaches over its whole length has nothing to read, and is proven by that.
    """
    for place in range(1, len(ranges)):
        before, here = ranges[place - 1], ranges[place]
        is_empty = before.stop >= here.job.limit and not any(segment.rows for segment in here.segments)
        if before.stop != here.start and not is_empty:
            return place
        if is_empty:
            here.segments = [Segment(here.job.file, here.segments[0].worker, before.stop, before.stop, 0, 0)]
    return None


@dataclass(frozen=True)
class PlacedSegment:
    """A segment with what comes before it in its file."""

    segment: Segment
    row_before: int
    line: int


def place_segments(segments: Iterable[Segment], first_line: int) -> list[PlacedSegment]:
    """Count the rows and lines in front of each of a file's segments, which are in order."""
    placed, row, line = [], 0, first_line
    for segment in segments:
        placed.append(PlacedSegment(segment, row, line))
        row += segment.rows
        line += segment.lines
    return placed


def located_error(placed: PlacedSegment) -> SourceFinding | None:
    """Return the error that ended a segment, with its line in the file."""
    error = placed.segment.error
    if error is None:
        return None
    line = None if error.line is None else placed.line + placed.segment.error_line
    moved = InputError(
        error.code,
        error.reason,
        error.file,
        line,
        error.offset,
        file_offset=error.file_offset,
        is_silent=error.is_silent,
    )
    return moved.finding()
