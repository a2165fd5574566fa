"""Rows of a chunk of CSV: which are regular, which go to the exact reader, which lines are none."""

from __future__ import annotations

import re

import numpy as np

from safe_lightning.conflicts.kernel.binding import Dialect
from safe_lightning.conflicts.kernel.vectorised.arrays import Bytes, Flags, Index, count_before
from safe_lightning.conflicts.kernel.vectorised.structure import Structure
from safe_lightning.core.lean_dataclass import dataclass

# A line of nothing but what Go trims is no row.
_BLANK_LINE = re.compile(
    rb"(?:[\t-\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)+"
)
_BLANK_STARTS = np.isin(np.arange(256), [*b"\t\n\v\f\r \xc2\xe1\xe2\xe3"])


@dataclass(frozen=True)
class Shape:
    """What a regular row looks like: so many separators, perhaps the last one in front of the line end."""

    separators: int
    end_bytes: int
    trims_last: bool

    @classmethod
    def of(cls, dialect: Dialect) -> Shape:
        """Take it out of a dialect."""
        return cls(dialect.fields - 1 + dialect.trims_last, dialect.ends or 1, bool(dialect.trims_last))


@dataclass(frozen=True)
class Lines:
    """All lines of a chunk that end in it, rows or not.

    ``stop`` is behind the text, ``behind`` behind the line end, ``first`` counts the separators in front.
    """

    start: Index
    stop: Index
    behind: Index
    first: Index
    is_empty: Flags
    is_blank: Flags
    is_odd: Flags

    @property
    def are_rows(self) -> Flags:
        """Tell which are rows."""
        return ~(self.is_empty | self.is_blank)

    def until(self, count: int) -> Lines:
        """Return the first ones."""
        return Lines(*(array[:count] for array in vars(self).values()))


@dataclass(frozen=True)
class Cut:
    """So many lines are ours, and where reading goes on.

    A row behind a line of blanks begins with those, so it is ours where they are.
    """

    lines: int
    used: int
    is_at_limit: bool
    is_behind_blanks: bool


def find_lines(content: Bytes, found: Structure, shape: Shape, text_size: int) -> Lines:
    """Find the lines in front of the first byte that breaks the rules.

    What follows ``text_size`` is a line end that is not in the file: a line in front of it is a row, blanks or not.
    """
    ends = found.ends[: np.searchsorted(found.ends, found.bad_at)]
    start = np.zeros_like(ends)
    start[1:] = ends[:-1] + 1
    stop = ends + (1 - shape.end_bytes)
    is_empty = stop == start
    first, count = _count_separators(found.separators, start, ends, is_empty, shape.separators)
    is_odd = count != shape.separators
    if shape.trims_last:
        is_odd |= ~np.isin(stop - 1, found.separators)
    is_blank = np.zeros(len(ends), bool)
    for line in np.flatnonzero((count == 0) & ~is_empty & (stop < text_size) & _BLANK_STARTS[content[start]]):
        is_blank[line] = _BLANK_LINE.fullmatch(content[start[line] : stop[line]].data) is not None
    return Lines(start, stop, np.minimum(ends + 1, text_size), first, is_empty, is_blank, is_odd)


def _count_separators(separators: Index, start: Index, ends: Index, is_empty: Flags, each: int) -> tuple[Index, Index]:
    """Return the separators in front of each line and within it; quickly where all lines have the same number."""
    rows = np.flatnonzero(~is_empty)
    total = each * len(rows)
    if each and 0 < total <= len(separators):
        own = separators[:total].reshape(-1, each)
        is_next_behind = total == len(separators) or separators[total] > ends[-1]
        if is_next_behind and (own[:, 0] >= start[rows]).all() and (own[:, -1] < ends[rows]).all():
            count = np.where(is_empty, 0, each)
            return np.cumsum(count) - count, count
    before = count_before(separators, ends)
    first = np.zeros_like(before)
    first[1:] = before[:-1]
    return first, before - first


def cut_lines(lines: Lines, limit: int, is_behind_blanks: bool) -> Cut:
    """Cut at the first line that begins at or behind the limit, and is none of those right behind blanks."""
    count = int(np.searchsorted(lines.start, limit))
    while count < len(lines.start) and _is_behind_blanks(lines, count, is_behind_blanks):
        count += 1
    is_behind = _is_behind_blanks(lines, count, is_behind_blanks)
    if count < len(lines.start):
        return Cut(count, int(lines.start[count]), True, is_behind)
    # Where the text has no line end, its last row ends with it.
    used = int(lines.behind[-1]) if count else 0
    return Cut(count, used, used >= limit and not is_behind, is_behind)


def _is_behind_blanks(lines: Lines, line: int, before: bool) -> bool:
    while line > 0 and lines.is_empty[line - 1]:
        line -= 1
    return bool(lines.is_blank[line - 1]) if line else before
