"""Integers and decimals: which texts are their own canonical bytes, and their hashes."""

from __future__ import annotations

import numpy as np

from safe_lightning.conflicts.kernel.binding import ColumnFlag
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags, Index, Numbers, lane_of, u64
from safe_lightning.conflicts.kernel.vectorised.column_rules import ColumnRule
from safe_lightning.conflicts.kernel.vectorised.hashing import hash_lanes
from safe_lightning.conflicts.kernel.vectorised.lanes import Content, Texts, not_digits, read_lanes

MINUS, PLUS, ZERO, POINT = 0x2D, 0x2B, 0x30, 0x2E


def hash_integers(rule: ColumnRule, content: Content, start: Index, size: Index, seed: int) -> tuple[Numbers, Flags]:
    """Hash digits with an optional sign; a plus and zeros in front of a number without a minus are skipped."""
    is_minus = content.all.take(start) == MINUS
    start, size = _skip_front(content, start, size)
    texts = Texts.read(content, start, size)
    digits = size - is_minus
    most = np.where(is_minus, len(rule.lowest), len(rule.highest))
    hard = (digits < 1) | (digits > most) | (is_minus & (content.all.take(start + 1) == ZERO))
    hard |= _have_others(texts, is_minus, None)
    for sign, limit in ((False, rule.highest), (True, rule.lowest)):
        close = np.flatnonzero((digits == most) & (is_minus == sign) & ~hard)
        if len(close):
            hard[close] = _exceed(read_lanes(content, start[close] + sign, digits[close]), limit)
    return hash_lanes(texts.lanes, size, seed), hard


def _skip_front(content: Content, start: Index, size: Index) -> tuple[Index, Index]:
    first = content.all.take(start)
    is_led = (size > 1) & ((first == PLUS) | (first == ZERO))
    if not is_led.any():
        return start, size
    start, size = start.copy(), size.copy()
    chosen = np.flatnonzero(is_led & (first == PLUS))
    start[chosen] += 1
    size[chosen] -= 1
    chosen = np.flatnonzero(is_led)
    while len(chosen := chosen[(size[chosen] > 1) & (content.all.take(start[chosen]) == ZERO)]):
        start[chosen] += 1
        size[chosen] -= 1
    return start, size


def _have_others(texts: Texts, is_minus: Flags, point: Index | None) -> Flags:
    """Tell which texts have bytes that are no digits, beyond a minus in front and a point where it belongs."""
    others = np.zeros(len(texts.size), np.uint64)
    for number, lane in enumerate(texts.lanes):
        seen = lane
        if number == 0:
            seen = seen ^ is_minus * u64(MINUS ^ ZERO)
        if point is not None:
            shift = ((point & 7) << 3).astype(np.uint64)
            seen = seen ^ (point >> 3 == number) * u64(POINT ^ ZERO) << shift
        others |= not_digits(seen) & texts.kept(number)
    have: Flags = others != 0
    return have


def _exceed(lanes: list[Numbers], limit: bytes) -> Flags:
    """Compare digits with as many digits of a limit."""
    exceeds, equals = np.zeros(len(lanes[0]), bool), np.ones(len(lanes[0]), bool)
    for number, lane in enumerate(lanes):
        here, most = lane.byteswap(), np.uint64(lane_of(limit[8 * number :])).byteswap()
        exceeds |= equals & (here > most)
        equals &= here == most
    return exceeds


def hash_decimals(rule: ColumnRule, content: Content, start: Index, size: Index, seed: int) -> tuple[Numbers, Flags]:
    """Hash numbers with all digits behind the point that the column keeps."""
    texts = Texts.read(content, start, size)
    is_minus = content.all.take(start) == MINUS
    is_zero_led = content.all.take(start + is_minus) == ZERO
    whole = size - is_minus - (rule.scale + 1 if rule.scale else 0)
    hard = (whole < 1) | (is_zero_led & ((whole > 1) | is_minus))
    hard |= (whole > rule.size_most) & ~((whole == 1) & is_zero_led)
    if rule.has(ColumnFlag.UNSIGNED):
        hard |= is_minus
    point = None
    if rule.scale:
        point = np.maximum(size - 1 - rule.scale, 0)
        hard |= content.all.take(start + point) != POINT
    return hash_lanes(texts.lanes, size, seed), hard | _have_others(texts, is_minus, point)
