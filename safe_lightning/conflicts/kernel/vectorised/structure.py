"""The structure of a chunk of CSV: which separators and line ends count, where a value needs decoding, what is wrong.

A chunk begins at the start of a row, outside of quotes. Quotes are legal only around whole fields; the first byte
that breaks this rule is remembered, and the row that has it is left to the exact reader.
"""

from __future__ import annotations

import numpy as np

from safe_lightning.conflicts.kernel.binding import Dialect
from safe_lightning.conflicts.kernel.vectorised.arrays import NONE, Bytes, Flags, Index
from safe_lightning.core.lean_dataclass import dataclass

LINE_FEED, RETURN = 10, 13
NOTHING = 0xFF
"""No sign is a byte of 0x80 and above."""


@dataclass(frozen=True)
class Signs:
    """The bytes that mean something; ``end`` is empty where every CR and LF ends a row."""

    separator: int
    quote: int | None
    escape: int | None
    end: bytes

    @classmethod
    def of(cls, dialect: Dialect) -> Signs:
        """Take them out of a dialect."""
        return cls(
            dialect.separator,
            dialect.quote if dialect.has_quote else None,
            dialect.escape if dialect.has_escape else None,
            bytes(dialect.end[: dialect.ends]),
        )

    @property
    def all(self) -> set[int]:
        """All of them, and what counts lines."""
        found = {self.separator, LINE_FEED, *(self.end or (RETURN,))}
        return found | {sign for sign in (self.quote, self.escape) if sign is not None}


@dataclass(frozen=True)
class Structure:
    """Places in a chunk, each in order.

    ``separators`` and ``ends`` (last bytes of line ends) are those outside of quotes and escapes, ``feeds`` all line
    feeds, ``escapes`` all escape signs, ``doubled`` the second of two quotes that mean one. ``bad_at`` is the first
    byte that breaks the rules, or the size.
    """

    separators: Index
    ends: Index
    feeds: Index
    escapes: Index
    doubled: Index
    bad_at: int


@dataclass(frozen=True)
class Events:
    """The bytes that mean something: where they are and which. Escapes and what these take away become NOTHING."""

    at: Index
    kind: Bytes

    def are(self, byte: int | None) -> Flags:
        """Tell which are of one kind; none are of none."""
        are: Flags = np.zeros(len(self.kind), bool) if byte is None else self.kind == byte
        return are


class Scratch:
    """Room for a flag per byte, kept from chunk to chunk: fresh memory costs more than what is done in it."""

    def __init__(self) -> None:
        self._marks: Flags = np.zeros(0, bool)
        self._others: Flags = self._marks

    def mark(self, content: Bytes, signs: set[int]) -> Flags:
        """Mark every byte that is one of some signs, for as long as nothing else is marked."""
        if len(content) > len(self._marks):
            self._marks, self._others = (np.zeros(len(content) * 5 // 4, bool) for _ in range(2))
        marks, others = self._marks[: len(content)], self._others[: len(content)]
        first, *rest = sorted(signs)
        np.equal(content, first, out=marks)
        for sign in rest:
            np.equal(content, sign, out=others)
            np.logical_or(marks, others, out=marks)
        return marks

    def mark_pairs(self, content: Bytes, marks: Flags, sign: int) -> None:
        """Mark the first byte of two equal ones, too."""
        others = self._others[: len(content)]
        np.equal(content, sign, out=others)
        np.logical_and(others[:-1], others[1:], out=others[:-1])
        np.logical_or(marks[:-1], others[:-1], out=marks[:-1])


def find_events(content: Bytes, signs: set[int], scratch: Scratch) -> Events:
    """Find every byte that is one of some signs."""
    at = np.flatnonzero(scratch.mark(content, signs))
    return Events(at, content.take(at))


def drop_escaped(events: Events, escape: int | None) -> tuple[Events, Index]:
    """Take out escapes and what they take away; return all places of escapes, too. A run of escapes pairs up."""
    which = np.flatnonzero(events.are(escape)) if escape is not None else NONE
    if not len(which):
        return events, NONE
    places = events.at[which]
    is_first = np.ones(len(which), bool)
    is_first[1:] = places[1:] != places[:-1] + 1
    number = np.arange(len(which))
    is_active = (number - np.maximum.accumulate(np.where(is_first, number, 0))) & 1 == 0
    following = np.minimum(which[is_active] + 1, len(events.at) - 1)
    is_next = events.at[following] == places[is_active] + 1
    kind = events.kind.copy()
    kind[which] = NOTHING
    kind[following[is_next]] = NOTHING
    return Events(events.at, kind), places


def are_inside(quotes: Flags, *, is_within: bool = False) -> Flags:
    """Tell at which events a text is open, its first quote among them and its last one not."""
    opened = np.cumsum(quotes, dtype=np.int32)
    opened += is_within
    inside: Flags = (opened & 1).astype(bool)
    return inside


def line_ends(events: Events, is_free: Flags, end: bytes) -> Flags:
    """Mark the last bytes of line ends."""
    if not end:
        return (events.are(LINE_FEED) | events.are(RETURN)) & is_free
    last = events.are(end[-1]) & is_free
    if len(end) == 2:
        first = events.are(end[0]) & is_free
        last[1:] &= first[:-1] & (events.at[1:] == events.at[:-1] + 1)
        last[:1] = False
    return last


def scan_csv(content: Bytes, signs: Signs, scratch: Scratch, *, is_within: bool = False) -> Structure:
    """Find the structure of a chunk, which begins within quotes only if that is said."""
    size = len(content)
    all_events = find_events(content, signs.all, scratch)
    feeds = all_events.at.compress(all_events.are(LINE_FEED))
    events, escapes = drop_escaped(all_events, signs.escape)
    quotes = events.are(signs.quote)
    inside = are_inside(quotes, is_within=is_within)
    separators = events.are(signs.separator) & ~inside
    ends = line_ends(events, ~inside, signs.end)
    bad_at, doubled = size, NONE
    if quotes.any():
        bad_at, doubled = check_quotes(events, quotes, inside, separators, ends, signs.end, size)
    return Structure(events.at.compress(separators), events.at.compress(ends), feeds, escapes, doubled, bad_at)


def check_quotes(
    events: Events, quotes: Flags, inside: Flags, separators: Flags, ends: Flags, end: bytes, size: int
) -> tuple[int, Index]:
    """Find the first quote that is not where it belongs, and the second ones of pairs that mean one quote."""
    at, edges = events.at, separators | ends | quotes
    touches = np.empty(len(at) + 1, bool)  # whether an event stands right behind the one before it
    touches[1:-1] = at[1:] == at[:-1] + 1
    touches[0], touches[-1] = at[0] == 0, False
    opens_well = touches[:-1] & np.append(True, edges[:-1])
    behind = edges | _begun_ends(events, touches, ends, inside, end[0], size) if len(end) == 2 else edges
    closes_well = (touches[1:] & np.append(behind[1:], False)) | (at == size - 1)
    opening, closing = quotes & inside, quotes & ~inside
    doubled = opening & touches[:-1] & np.append(False, closing[:-1])
    wrong = np.append(at.compress(opening & ~opens_well), at.compress(closing & ~closes_well) + 1)
    return (int(wrong.min()) if len(wrong) else size), at.compress(doubled)


def _begun_ends(events: Events, touches: Flags, ends: Flags, inside: Flags, first: int, size: int) -> Flags:
    """Mark where a line end of two bytes begins, or might, because the chunk ends."""
    goes_on = touches[1:] & np.append(ends[1:], False)
    begun: Flags = events.are(first) & ~inside & (goes_on | (events.at == size - 1))
    return begun
