"""Texts of one column -> the hashes of their canonical bytes, for texts in plain form; all others are hard.

What is plain is a subset of what the exact canonicalisers take, and gives the same bytes (tested against them).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from safe_lightning.conflicts.kernel.binding import Beyond, ColumnFlag, Form
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags, Index, Numbers, repeated, u64
from safe_lightning.conflicts.kernel.vectorised.column_rules import ColumnRule
from safe_lightning.conflicts.kernel.vectorised.dates import hash_dates
from safe_lightning.conflicts.kernel.vectorised.folding import Limits, hash_weights
from safe_lightning.conflicts.kernel.vectorised.hashing import hash_lanes
from safe_lightning.conflicts.kernel.vectorised.lanes import (
    HIGH,
    LOW,
    Content,
    Texts,
    are_ascii,
    count_bytes,
    mask_lanes,
)
from safe_lightning.conflicts.kernel.vectorised.numbers import hash_decimals, hash_integers

SHORT_BYTES = 32
LONG_BYTES = 256
"""Longer texts are hard: they would be as many steps for all others."""

_WEIGHED = (Beyond.UTF8MB4, Beyond.UTF8MB3)

Hashed = tuple[Numbers, Flags]


def hash_column(rule: ColumnRule, content: Content, start: Index, size: Index, seed: int) -> Hashed:
    """Hash the texts of a column; the flags tell which are hard."""
    hasher = _HASHERS.get(rule.form)
    if hasher is None:
        return np.zeros(len(start), np.uint64), np.ones(len(start), bool)
    is_short = size <= SHORT_BYTES
    if is_short.all():
        return hasher(rule, content, start, size, seed)
    hashes, hard = np.zeros(len(start), np.uint64), size > LONG_BYTES
    for chosen in (np.flatnonzero(is_short), np.flatnonzero(~is_short & ~hard)):
        if len(chosen):
            found = hasher(rule, content, start[chosen], size[chosen], seed)
            hashes[chosen], hard[chosen] = found
    return hashes, hard


def strip_blanks(content: Content, start: Index, size: Index) -> Index:
    """Return the sizes without blanks at the end."""
    chosen = np.flatnonzero(size > 0)
    chosen = chosen[content.all.take(start[chosen] + size[chosen] - 1) == 0x20]
    if len(chosen):
        size = size.copy()
    while len(chosen):
        size[chosen] -= 1
        chosen = chosen[size[chosen] > 0]
        chosen = chosen[content.all.take(start[chosen] + size[chosen] - 1) == 0x20]
    return size


def hash_strings(rule: ColumnRule, content: Content, start: Index, size: Index, seed: int) -> Hashed:
    """Hash strings that are compared by bytes, or by a collation's capitals."""
    whole = size
    if rule.has(ColumnFlag.TRIM_FIRST):
        size = strip_blanks(content, start, size)
    hashes, hard = _hash_stripped(rule, content, start, size, seed)
    # Too long by its blanks alone: whether that is worth a word is for the exact path.
    return hashes, hard | ((whole > size) & (whole > rule.size_most))


def _hash_stripped(rule: ColumnRule, content: Content, start: Index, size: Index, seed: int) -> Hashed:
    texts = Texts.read(content, start, size)
    hard = _are_beyond(rule, texts)
    used = np.minimum(size, rule.prefix)
    if rule.has(ColumnFlag.TRIM_LAST):
        used = strip_blanks(content, start, used)
    lanes = texts.lanes if used is size or (used == size).all() else mask_lanes(texts.lanes, used)
    if not rule.has(ColumnFlag.FOLDS):
        return hash_lanes(lanes, used, seed), hard
    lanes, is_odd = _fold(Texts(content, start, used, lanes))
    hashes, hard = hash_lanes(lanes, used, seed), hard | is_odd
    chosen = np.flatnonzero(hard)
    if len(chosen) and rule.weights is not None and rule.beyond in _WEIGHED and content.is_utf8:
        limits = _limits_of(rule)
        hashes[chosen], hard[chosen] = hash_weights(rule.weights, limits, content, start[chosen], size[chosen], seed)
    return hashes, hard


def _limits_of(rule: ColumnRule) -> Limits:
    counts_bytes = rule.has(ColumnFlag.COUNTS_BYTES)
    return Limits(
        characters_most=rule.size_most,
        bytes_most=rule.size_most if counts_bytes else 4 * LONG_BYTES,
        prefix=rule.prefix,
        pads=rule.has(ColumnFlag.TRIM_LAST),
        knows_four_bytes=rule.beyond is Beyond.UTF8MB4,
    )


def _are_beyond(rule: ColumnRule, texts: Texts) -> Flags:
    """Tell which texts are too long for their column or have bytes that it may not know."""
    is_ascii = are_ascii(texts)
    hard = texts.size > rule.size_most
    if is_ascii.all():
        return hard
    others = np.flatnonzero(~is_ascii)
    hard[others] = True
    if rule.has(ColumnFlag.FOLDS) or rule.beyond is Beyond.HARD:
        return hard
    part = texts.part(others)
    if rule.beyond is Beyond.ANY:
        hard[others] = part.size > min(rule.size_most, rule.prefix)
    elif texts.content.is_utf8:
        hard[others] = _are_beyond_utf8(rule, part)
    return hard


def _are_beyond_utf8(rule: ColumnRule, texts: Texts) -> Flags:
    """Do the same for UTF-8 that is known to be valid: continuation bytes are no characters."""
    characters, has_four = texts.size.copy(), np.zeros(len(texts.size), np.uint64)
    for lane in texts.lanes:
        characters -= count_bytes((lane >> u64(7)) & ~(lane >> u64(6)) & LOW)
        has_four |= lane & lane << u64(1) & lane << u64(2) & lane << u64(3) & HIGH
    most = texts.size if rule.has(ColumnFlag.COUNTS_BYTES) else characters
    hard: Flags = (most > rule.size_most) | (texts.size > rule.prefix)
    return hard | (has_four != 0) if rule.beyond is Beyond.UTF8MB3 else hard


def _fold(texts: Texts) -> tuple[list[Numbers], Flags]:
    """Make capitals; bytes out of 0x20 to 0x7E, where collations do more than that, are odd."""
    folded, odd = [], np.zeros(len(texts.size), np.uint64)
    for number, lane in enumerate(texts.lanes):
        printable = (lane + repeated(0x60)) & ~(lane + repeated(0x01)) & ~lane & HIGH
        odd |= printable ^ (texts.kept(number) & HIGH)
        small = (lane + repeated(0x1F)) & ~(lane + repeated(0x05)) & HIGH
        folded.append(lane - (small >> u64(2)))
    return folded, odd != 0


def hash_bytes(rule: ColumnRule, content: Content, start: Index, size: Index, seed: int) -> Hashed:
    """Hash strings of bytes, filled up with zero bytes where the column does that."""
    hard = size > rule.size_most
    lanes = Texts.read(content, start, size).lanes
    if rule.has(ColumnFlag.ZERO_FILLED):
        if rule.size_most > LONG_BYTES:
            return np.zeros(len(start), np.uint64), np.ones(len(start), bool)
        size = np.full_like(size, rule.size_most)
        lanes += [np.zeros(len(start), np.uint64)] * (-(-rule.size_most // 8) - len(lanes))
    used = np.minimum(size, rule.prefix)
    return hash_lanes(lanes if (used == size).all() else mask_lanes(lanes, used), used, seed), hard


_HASHERS: dict[Form, Callable[[ColumnRule, Content, Index, Index, int], Hashed]] = {
    Form.TEXT: hash_strings,
    Form.BYTES: hash_bytes,
    Form.INTEGER: hash_integers,
    Form.DECIMAL: hash_decimals,
    Form.DATE: hash_dates,
}
