"""The structure of a chunk of SQL that begins at a row's parenthesis: rows, values, where reading goes on.

Only what dump tools write is plain: values without blanks around them, rows apart by commas and blanks. What is
unusual within a row makes it odd; what could hide a parenthesis (comments, other quotes) ends the chunk.
"""

from __future__ import annotations

import re

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import Bytes, Flags, Index, count_before, repeated
from safe_lightning.conflicts.kernel.vectorised.lanes import HIGH, Content, Texts
from safe_lightning.conflicts.kernel.vectorised.sql_header import Header, skip_header
from safe_lightning.conflicts.kernel.vectorised.structure import LINE_FEED, Events, Scratch, are_inside, drop_escaped
from safe_lightning.core.lean_dataclass import dataclass

COMMA, OPEN, CLOSE, SEMICOLON, DASH, ESCAPE = b",();-\\"
_HIDING = b"`/*"
_BETWEEN_ROWS = re.compile(rb"[ \t-\r,]*")
BARE_BYTES = 24
"""Numbers and words that are longer make a row odd."""


@dataclass(frozen=True)
class SqlSigns:
    """The quote of the dump's texts, and whether a backslash escapes."""

    quote: int
    has_escape: bool

    @property
    def other_quote(self) -> int:
        """The quote that its texts do not stand in."""
        return ord('"') if self.quote == ord("'") else ord("'")

    @property
    def all(self) -> set[int]:
        """All bytes that may mean something."""
        escape = {ESCAPE} if self.has_escape else set()
        return {self.quote, self.other_quote, COMMA, OPEN, CLOSE, SEMICOLON, *_HIDING, *escape}


@dataclass(frozen=True)
class SqlStructure:
    """Whole rows, each from its parenthesis ``open`` to ``close``, and the commas that separate values.

    ``odd_at`` are places that make their row odd. ``stop`` is where reading goes on, ``is_bad`` that the exact reader
    has to do that, ``goes_on`` that there is more to read in the chunk.
    """

    open: Index
    close: Index
    separators: Index
    escapes: Index
    doubled: Index
    odd_at: Index
    stop: int
    is_bad: bool
    goes_on: bool


def find_sql_events(content: Bytes, signs: set[int], scratch: Scratch) -> Events:
    """Find the bytes that may mean something; of dashes only the first of two."""
    marks = scratch.mark(content, signs)
    scratch.mark_pairs(content, marks, DASH)
    at = np.flatnonzero(marks)
    return Events(at, content.take(at))


def scan_sql(content: Bytes, signs: SqlSigns, scratch: Scratch) -> SqlStructure:
    """Find the structure of a chunk."""
    all_events = find_sql_events(content, signs.all, scratch)
    events, escapes = drop_escaped(all_events, ESCAPE if signs.has_escape else None)
    quotes = events.are(signs.quote)
    inside = are_inside(quotes)
    free = ~inside & ~quotes
    heads = _Heads(content, events, quotes, free)
    kept = free & heads.are_outside(events.at)
    bad_at = min(heads.cut, _first_hidden(events, kept, signs), _first_stray_escape(events, inside, escapes, heads))
    rows = Events(events.at.compress(kept), events.kind.compress(kept))
    open_at, close_at, bad_at = _pair(content, rows, min(bad_at, len(content)))
    odd_at, doubled = _odd_quotes(events, quotes, inside, kept)
    is_cut_by_head = bad_at >= heads.cut and heads.cut < len(content)
    done = int(close_at[-1]) + 1 if len(close_at) else 0
    return SqlStructure(
        open_at,
        close_at,
        rows.at.compress(rows.are(COMMA)),
        escapes,
        doubled,
        odd_at,
        heads.cut if is_cut_by_head else done,
        bad_at < len(content) and (not is_cut_by_head or heads.is_unusual),
        is_cut_by_head and heads.goes_on,
    )


class _Heads:
    """The heads of the statements behind the first one: what stands between a semicolon and the next row.

    ``cut`` is behind the semicolon whose head cannot be followed here: it is unusual, unfinished, or has quotes in it
    (then reading ``goes_on`` there).
    """

    def __init__(self, content: Bytes, events: Events, quotes: Flags, free: Flags) -> None:
        self.cut = len(content) + 1
        self.is_unusual = self.goes_on = False
        self._starts: list[int] = []
        self._stops: list[int] = []
        semicolons = events.at.compress(free & events.are(SEMICOLON))
        if len(semicolons):
            self._follow(content.tobytes(), semicolons.tolist(), events.at.compress(quotes))

    def _follow(self, content: bytes, semicolons: list[int], quotes: Index) -> None:
        stop = 0
        for semicolon in semicolons:
            if semicolon < stop:
                continue
            stop = skip_header(content, semicolon + 1)
            if stop < 0:
                self.cut, self.is_unusual = semicolon + 1, stop == Header.UNUSUAL
                return
            first, last = np.searchsorted(quotes, (semicolon, stop))
            if first < last:
                self.cut, self.goes_on = semicolon + 1, True
                return
            self._starts.append(semicolon + 1)
            self._stops.append(stop)

    def are_outside(self, places: Index) -> Flags:
        """Tell which places are in no head, and in front of the cut."""
        if not self._starts:
            return places < self.cut
        head = np.searchsorted(np.array(self._starts, np.intp), places, "right")
        stops = np.array([0, *self._stops], np.intp)
        outside: Flags = (places >= stops[head]) & (places < self.cut)
        return outside


def _first_hidden(events: Events, kept: Flags, signs: SqlSigns) -> int:
    """Return the first place that might hide what follows it."""
    hiding = events.are(DASH) | events.are(signs.other_quote)
    for sign in _HIDING:
        hiding |= events.are(sign)
    found = events.at.compress(hiding & kept)
    return int(found[0]) if len(found) else 1 << 62


def _first_stray_escape(events: Events, inside: Flags, escapes: Index, heads: _Heads) -> int:
    """Return the first escape outside of texts."""
    before = count_before(events.at, escapes)
    stray = escapes[~np.append(False, inside)[before] & heads.are_outside(escapes)]
    return int(stray[0]) if len(stray) else 1 << 62


def _pair(content: Bytes, events: Events, bad_at: int) -> tuple[Index, Index, int]:
    """Pair the parentheses in front of the first bad place; what does not fit or stands between rows is bad, too."""
    which = np.flatnonzero(events.are(OPEN) | events.are(CLOSE) | events.are(SEMICOLON))
    at, kind = events.at[which], events.kind[which]
    before = np.append(SEMICOLON, kind)[:-1]
    is_wrong = (kind == CLOSE) != (before == OPEN)
    if is_wrong.any():
        bad_at = min(bad_at, int(at[np.argmax(is_wrong)]))
    count = int(np.searchsorted(at, bad_at))
    at, kind, before = at[:count], kind[:count], before[:count]
    behind = np.flatnonzero(before == CLOSE)
    behind = behind[behind > 0]
    wrong = _first_stray(content, at[behind - 1] + 1, at[behind])
    if wrong is not None:
        bad_at = int(at[behind[wrong] - 1]) + 1
        at, kind = at[: behind[wrong]], kind[: behind[wrong]]
    close_at = at.compress(kind == CLOSE)
    return at.compress(kind == OPEN)[: len(close_at)], close_at, bad_at


def _first_stray(content: Bytes, start: Index, stop: Index) -> int | None:
    """Return the first gap between rows in which more stands than commas and blanks."""
    size = stop - start
    plain = (size >= 1) & (content.take(start, mode="clip") == COMMA)
    plain &= (size == 1) | ((size == 2) & (content.take(start + 1, mode="clip") == LINE_FEED))
    for place in np.flatnonzero(~plain).tolist():
        if _BETWEEN_ROWS.fullmatch(content[start[place] : stop[place]].data) is None:
            return int(place)
    return None


def _odd_quotes(events: Events, quotes: Flags, inside: Flags, kept: Flags) -> tuple[Index, Index]:
    """Find quotes that are not right at the edges of values, and the second ones of pairs that mean one quote."""
    at = events.at
    touches = np.append(np.append(False, at[1:] == at[:-1] + 1), False)
    edges = (kept & (events.are(COMMA) | events.are(OPEN) | events.are(CLOSE))) | quotes
    opens_well = touches[:-1] & np.append(False, edges[:-1])
    closes_well = touches[1:] & np.append(edges[1:], False)
    opening, closing = quotes & inside, quotes & ~inside
    doubled = opening & touches[:-1] & np.append(False, closing[:-1])
    return at.compress((opening & ~opens_well) | (closing & ~closes_well)), at.compress(doubled)


def odd_bare_rows(content: Content, starts: Index, stops: Index, quote: int) -> Flags:
    """Tell which rows of a table of bounds have values of no text that are empty, long, or have blanks in them."""
    rows, fields = starts.shape
    start, size = starts.ravel(), (stops - starts).ravel()
    bare = np.flatnonzero(content.all.take(start) != quote)
    is_odd = size == 0
    is_odd[bare] |= size[bare] > BARE_BYTES
    chosen = bare[size[bare] <= BARE_BYTES]
    texts = Texts.read(content, start[chosen], size[chosen])
    for number, lane in enumerate(texts.lanes):
        visible = (lane | ((lane & ~HIGH) + repeated(0x5F))) & HIGH  # above 0x20
        is_odd[chosen] |= (visible ^ HIGH) & texts.kept(number) != 0
    odd: Flags = is_odd.reshape(rows, fields).any(axis=1)
    return odd
