"""The key columns of a chunk's regular rows: bounds -> NULLs -> hashes, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from safe_lightning.conflicts.kernel.binding import ColumnFlag, Dialect, Form
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags, Index, Numbers, count_before, u64
from safe_lightning.conflicts.kernel.vectorised.canonical import hash_column
from safe_lightning.conflicts.kernel.vectorised.column_rules import ColumnRule
from safe_lightning.conflicts.kernel.vectorised.lanes import Content
from safe_lightning.conflicts.kernel.vectorised.meanings import Meanings
from safe_lightning.core.lean_dataclass import dataclass

_NOT_QUOTED_NUMBERS = (Form.INTEGER, Form.DECIMAL)


@dataclass(frozen=True)
class Bounds:
    """Where the fields of one column begin and end."""

    start: Index
    stop: Index

    def of(self, rows: Index) -> Bounds:
        """Return those of some rows."""
        return Bounds(self.start[rows], self.stop[rows])


@dataclass(frozen=True)
class Values:
    """What a file's dialect says about single values."""

    quote: int | None
    escape: int | None
    nulls: tuple[bytes, ...]
    has_escaped_null: bool
    is_foreign: bool
    is_sql: bool

    @classmethod
    def of(cls, dialect: Dialect) -> Values:
        """Take it out of a dialect."""
        return cls(
            dialect.quote if dialect.has_quote else None,
            dialect.escape if dialect.has_escape else None,
            tuple(bytes(dialect.null_text[n][: dialect.null_size[n]]) for n in range(dialect.nulls)),
            bool(dialect.escaped_null and dialect.has_escape),
            bool(dialect.is_foreign),
            bool(dialect.is_sql),
        )


@dataclass(frozen=True)
class Column:
    """A column's hashes; where the value is NULL, and where it has to be made elsewhere."""

    hashes: Numbers
    null: Flags
    hard: Flags


@dataclass(frozen=True)
class Special:
    """The places of escapes and of doubled quotes, and the rows that have one."""

    places: tuple[Index, ...]
    rows: Index

    @classmethod
    def of(cls, places: Iterable[Index], start: Index, stop: Index) -> Special:
        """Find the rows."""
        some = tuple(each for each in places if len(each))
        has = np.zeros(len(start), bool)
        for each in some:
            has |= _counts(each, start, stop)
        return cls(some, np.flatnonzero(has))

    def are_within(self, start: Index, size: Index) -> Flags:
        """Tell which texts have one, of texts that are one of each row."""
        found = np.zeros(len(start), bool)
        if len(self.rows):
            begin, end = start[self.rows], start[self.rows] + size[self.rows]
            for each in self.places:
                found[self.rows] |= _counts(each, begin, end)
        return found


def _counts(places: Index, start: Index, stop: Index) -> Flags:
    within: Flags = count_before(places, stop) > count_before(places, start)
    return within


def constant_column(rows: int, value: int, is_null: bool) -> Column:
    """Return the same value for all rows."""
    return Column(np.full(rows, u64(value)), np.full(rows, is_null), np.zeros(rows, bool))


def read_column(
    rule: ColumnRule,
    values: Values,
    content: Content,
    bounds: Bounds,
    special: Special,
    meanings: Meanings,
    seed: int,
) -> Column:
    """Hash a column."""
    start, size, is_quoted = _unquote(content, bounds, values.quote)
    null, is_bare = np.zeros(len(start), bool), np.zeros(len(start), bool)
    has_special = special.are_within(start, size)
    hard = has_special.copy()
    if values.is_sql:
        is_bare = ~is_quoted
        null |= ~is_quoted & _are(content, start, size, b"null", 0x20)
        if rule.form not in _NOT_QUOTED_NUMBERS:
            hard |= ~is_quoted
    for text in values.nulls:
        null |= ~has_special & _are(content, start, size, text)
    if values.has_escaped_null and values.escape is not None:
        chosen = np.flatnonzero(has_special)
        null[chosen] |= _are(content, start[chosen], size[chosen], bytes([values.escape, ord("N")]))
    is_unread = has_special
    if values.is_foreign:
        is_unread = has_special | _are_not_ascii(content, start, size)
        hard |= is_unread
    plain = np.flatnonzero(~(null | hard))
    if len(plain) == len(start):
        hashes, hard = hash_column(rule, content, start, size, seed)
    else:
        hashes = np.zeros(len(start), np.uint64)
        hashes[plain], hard[plain] = hash_column(rule, content, start[plain], size[plain], seed)
    asked = np.flatnonzero(hard & ~(null | is_unread))
    if len(asked):
        known, are_known = meanings.recall(content, start[asked], size[asked], is_bare[asked])
        hashes[asked[are_known]] = known[are_known]
        hard[asked[are_known]] = False
    if rule.has(ColumnFlag.NULL_IS_VALUE):
        return Column(hashes, np.zeros_like(null), hard | null)
    return Column(hashes, null, hard & ~null)


def _unquote(content: Content, bounds: Bounds, quote: int | None) -> tuple[Index, Index, Flags]:
    size = bounds.stop - bounds.start
    if quote is None:
        return bounds.start, size, np.zeros(len(size), bool)
    is_quoted = (content.all.take(bounds.start) == quote) & (size > 1)
    return bounds.start + is_quoted, size - 2 * is_quoted, is_quoted


def _are(content: Content, start: Index, size: Index, text: bytes, ignored_bits: int = 0) -> Flags:
    """Tell which texts are one certain text, some bits of each byte aside."""
    same: Flags = size == len(text)
    for place, byte in enumerate(text):
        if not same.any():
            break
        chosen = np.flatnonzero(same)
        same[chosen] = content.all.take(start[chosen] + place) | ignored_bits == byte | ignored_bits
    return same


def _are_not_ascii(content: Content, start: Index, size: Index) -> Flags:
    """Tell which texts have bytes of 0x80 and above."""
    places = np.flatnonzero(content.all[: content.used] >= 0x80)
    if not len(places):
        return np.zeros(len(start), bool)
    return _counts(places, start, start + size)


def join_marks(columns: Sequence[Column], which: Sequence[int]) -> Flags:
    """Tell which rows have a NULL or hard value in one of some columns."""
    marked: Flags = np.zeros(len(columns[0].null), bool)
    for number in which:
        marked |= columns[number].null
        marked |= columns[number].hard
    return marked


def hard_bits(columns: Sequence[Column]) -> Numbers:
    """Return for each row a bit per column that is hard."""
    bits = np.zeros(len(columns[0].hard), np.uint64)
    for number, column in enumerate(columns):
        bits |= column.hard * u64(1 << number)
    return bits
