"""Dates and times as the server prints them: checked against a picture, and their hashes."""

from __future__ import annotations

from functools import cache

import numpy as np

from safe_lightning.conflicts.kernel.binding import ColumnFlag
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags, Index, Numbers, lane_of, u64
from safe_lightning.conflicts.kernel.vectorised.column_rules import FIRST_YEAR, LAST_YEAR, ColumnRule
from safe_lightning.conflicts.kernel.vectorised.hashing import hash_lanes
from safe_lightning.conflicts.kernel.vectorised.lanes import HIGH, Content, Texts

_PICTURE = b"0000-00-00 00:00:00.000000"
_MONTH_DAYS = np.zeros(256, np.intp)
_MONTH_DAYS[1:13] = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_DAYS_BEFORE = np.cumsum(_MONTH_DAYS) - _MONTH_DAYS


def hash_dates(rule: ColumnRule, content: Content, start: Index, size: Index, seed: int) -> tuple[Numbers, Flags]:
    """Hash dates with exactly the column's time of day and fractional digits; 29 February is hard."""
    has_time = rule.has(ColumnFlag.HAS_TIME)
    wanted = 10 if not has_time else 20 + rule.scale if rule.scale else 19
    hard = size != wanted
    texts = Texts.read(content, start, size)
    pictures = _pictures(wanted)
    if len(texts.lanes) < len(pictures):
        return np.zeros(len(start), np.uint64), np.ones(len(start), bool)
    parts = []
    for lane, (picture, allowance) in zip(texts.lanes, pictures, strict=False):
        part = lane ^ picture
        hard |= ((part | (part + allowance)) & HIGH) != 0
        parts.append(part)
    year, month, day = _date_of(parts)
    hard |= (year < 1000) | (day < 1) | (day > _MONTH_DAYS[month])
    if has_time:
        hard |= (_two(parts[1], 3) > 23) | (_digit(parts[1], 6) > 5) | (_digit(parts[2], 1) > 5)
    if rule.has(ColumnFlag.IS_TIMESTAMP):
        hard |= (year < FIRST_YEAR) | (year > LAST_YEAR)
        if rule.calm_days is not None:
            hard |= ~rule.calm_days.take(_day_numbers(year, month, day), mode="clip")
    return hash_lanes(texts.lanes, size, seed), hard


@cache
def _pictures(size: int) -> tuple[tuple[np.uint64, np.uint64], ...]:
    """Return for each lane what it differs from by digits only, and what brings all other differences to the top."""
    made = []
    for at in range(0, size, 8):
        picture = _PICTURE[at : min(at + 8, size)]
        allowance = bytes(0x76 if byte == 0x30 else 0x7F for byte in picture.ljust(8, b"\0"))
        made.append((u64(lane_of(picture)), u64(lane_of(allowance))))
    return tuple(made)


def _digit(part: Numbers, place: int) -> Index:
    digit: Index = (part >> u64(8 * place) & u64(15)).astype(np.intp)
    return digit


def _two(part: Numbers, place: int) -> Index:
    return _digit(part, place) * 10 + _digit(part, place + 1)


def _date_of(parts: list[Numbers]) -> tuple[Index, Index, Index]:
    return _two(parts[0], 0) * 100 + _two(parts[0], 2), _two(parts[0], 5), _two(parts[1], 0)


def _day_numbers(year: Index, month: Index, day: Index) -> Index:
    """Count days from 1971-01-01; what is no date gets a number all the same."""
    years = year - FIRST_YEAR
    is_leap = ((year % 4 == 0) & (year % 100 != 0)) | (year % 400 == 0)
    numbers: Index = years * 365 + (years + 2) // 4 + _DAYS_BEFORE[month] + (is_leap & (month > 2)) + day - 1
    return numbers
