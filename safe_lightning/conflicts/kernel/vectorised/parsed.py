"""What a chunk turned out to be, whatever it was written in: rows, fields, and where reading goes on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import Index
from safe_lightning.conflicts.kernel.vectorised.batch import Fields
from safe_lightning.conflicts.kernel.vectorised.chunk import Chunk
from safe_lightning.conflicts.kernel.vectorised.lanes import Content
from safe_lightning.conflicts.kernel.vectorised.rows import Lines, Shape, cut_lines, find_lines
from safe_lightning.conflicts.kernel.vectorised.structure import Signs, scan_csv
from safe_lightning.core.lean_dataclass import dataclass


@dataclass(frozen=True)
class Rows:
    """All rows in order, from where each begins to behind all that belongs to it; which are regular, which odd."""

    start: Index
    behind: Index
    regular: Index
    odd: Index


@dataclass(frozen=True)
class Parsed:
    """A chunk: its rows, the fields of the regular ones, all line feeds, and what values need decoding.

    ``used`` bytes are done with; ``is_stopped`` tells that the exact reader has to take over behind them, ``goes_on``
    that more can be read at once.
    """

    rows: Rows
    fields: Fields
    feeds: Index
    special: Sequence[Index]
    content: Content
    used: int
    is_stopped: bool
    is_at_limit: bool = False
    is_behind_blanks: bool = False
    goes_on: bool = False


def parse_csv(chunk: Chunk, signs: Signs, shape: Shape, limit: int, is_final: bool, is_behind_blanks: bool) -> Parsed:
    """Read a chunk that begins at a row's start. At the file's end a line end of our own makes the last row whole."""
    size = chunk.size
    text = chunk.marked((signs.end or b"\n") if is_final else b"")
    found = scan_csv(text, signs, chunk.scratch)
    lines = find_lines(text, found, shape, size)
    cut = cut_lines(lines, limit, is_behind_blanks)
    lines = lines.until(cut.lines)
    is_ghost = is_final and cut.is_behind_blanks and not cut.is_at_limit and cut.used >= size
    is_stopped = not cut.is_at_limit and (found.bad_at < len(text) or (is_final and cut.used < size))
    return Parsed(
        _rows_of(lines, size if is_ghost else None),
        _fields_of(lines, shape, found.separators),
        found.feeds,
        (found.escapes, found.doubled),
        chunk.content(cut.used),
        cut.used,
        is_stopped,
        cut.is_at_limit,
        cut.is_behind_blanks and not is_ghost,
    )


def _rows_of(lines: Lines, ghost: int | None) -> Rows:
    """Pick the rows from the lines; the file's end right behind blanks makes a row of nothing."""
    which = np.flatnonzero(lines.are_rows)
    start, behind, is_odd = lines.start[which], lines.behind[which], lines.is_odd[which]
    if ghost is not None:
        start, behind, is_odd = np.append(start, ghost), np.append(behind, ghost), np.append(is_odd, True)
    return Rows(start, behind, np.flatnonzero(~is_odd), np.flatnonzero(is_odd))


def _fields_of(lines: Lines, shape: Shape, separators: Index) -> Fields:
    which = np.flatnonzero(lines.are_rows & ~lines.is_odd)
    last = -1 if shape.trims_last else shape.separators
    return Fields(lines.start[which], lines.stop[which], lines.first[which], separators, last)
