"""A chunk of a SQL dump: its statements' rows and values."""

from __future__ import annotations

import re

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import NONE, Bytes, Flags, Index, count_before
from safe_lightning.conflicts.kernel.vectorised.batch import Fields
from safe_lightning.conflicts.kernel.vectorised.chunk import Chunk
from safe_lightning.conflicts.kernel.vectorised.lanes import Content
from safe_lightning.conflicts.kernel.vectorised.parsed import Parsed, Rows
from safe_lightning.conflicts.kernel.vectorised.sql_header import Header, skip_header
from safe_lightning.conflicts.kernel.vectorised.sql_structure import (
    OPEN,
    SqlSigns,
    SqlStructure,
    odd_bare_rows,
    scan_sql,
)
from safe_lightning.conflicts.kernel.vectorised.structure import LINE_FEED

_BLANKS = re.compile(rb"[ \t-\r,;]*")


def parse_sql(chunk: Chunk, signs: SqlSigns, fields: int, limit: int, is_final: bool) -> Parsed:
    """Read a chunk that begins at a row's start, or between statements."""
    text = chunk.marked()
    start = _first_row(text)
    if start < 0 or start == len(text):
        used = _skip_blanks(text, 0)
        is_stopped = start == Header.UNUSUAL or (is_final and used < len(text))
        return _nothing(chunk, text, used, is_stopped)
    found = scan_sql(text[start:], signs, chunk.scratch)
    count = int(np.searchsorted(found.open, limit - start))
    is_at_limit = count < len(found.open)
    used = start + (int(found.open[count]) if is_at_limit else found.stop)
    rest = used if is_at_limit else _skip_blanks(text, used)
    content = chunk.content(used)
    rows, values = _rows_of(content, found, count, start, fields, signs.quote)
    return Parsed(
        rows,
        values,
        np.flatnonzero(text == LINE_FEED),
        (found.escapes + start, found.doubled + start),
        content,
        rest,
        not is_at_limit and (found.is_bad or (is_final and not found.goes_on and rest < len(text))),
        is_at_limit,
        goes_on=not is_at_limit and found.goes_on,
    )


def _first_row(text: Bytes) -> int:
    """Return where the first row is, behind what stands between rows and statements, or a `Header`."""
    at = _skip_blanks(text, 0)
    if at == len(text) or text[at] == OPEN:
        return at
    return skip_header(text.tobytes(), at)


def _skip_blanks(text: Bytes, at: int) -> int:
    found = _BLANKS.match(text[at:].data)
    assert found is not None
    return at + found.end()


def _nothing(chunk: Chunk, text: Bytes, used: int, is_stopped: bool) -> Parsed:
    rows, fields = Rows(NONE, NONE, NONE, NONE), Fields(NONE, NONE, NONE, NONE, 0)
    feeds = np.flatnonzero(text == LINE_FEED)
    return Parsed(rows, fields, feeds, (), chunk.content(used), used, is_stopped)


def _rows_of(
    content: Content, found: SqlStructure, count: int, start: int, fields: int, quote: int
) -> tuple[Rows, Fields]:
    """Tell which rows are regular: so many values, none of them unusual."""
    opened, closed = found.open[:count] + start, found.close[:count] + start
    separators = found.separators + start
    first = count_before(separators, opened)
    odd_at = found.odd_at + start
    is_odd: Flags = count_before(separators, closed) - first != fields - 1
    is_odd |= count_before(odd_at, closed) > count_before(odd_at, opened)
    which = np.flatnonzero(~is_odd)
    if len(which):
        is_odd[which] = _have_odd_values(content, opened[which], closed[which], first[which], separators, fields, quote)
        which = np.flatnonzero(~is_odd)
    values = Fields(opened[which] + 1, closed[which], first[which], separators, fields - 1)
    return Rows(opened, closed + 1, which, np.flatnonzero(is_odd)), values


def _have_odd_values(
    content: Content, opened: Index, closed: Index, first: Index, separators: Index, fields: int, quote: int
) -> Flags:
    starts = np.empty((len(opened), fields), np.intp)
    stops = np.empty_like(starts)
    starts[:, 0], stops[:, -1] = opened + 1, closed
    if fields > 1:
        between = separators.take(first[:, None] + np.arange(fields - 1))
        starts[:, 1:], stops[:, :-1] = between + 1, between
    return odd_bare_rows(content, starts, stops, quote)
