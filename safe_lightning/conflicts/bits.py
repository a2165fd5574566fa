"""BIT and YEAR columns.

Source: `pkg/types/binary_literal.go` (`ToInt`), `pkg/types/datum.go` (`convertToMysqlBit`, `ConvertToMysqlYear`).
"""

from __future__ import annotations

from safe_lightning.conflicts.canonical import (
    INCORRECT_VALUE,
    OUT_OF_RANGE,
    TOO_LONG,
    Altered,
    Canonical,
    Cast,
    refusal,
)
from safe_lightning.conflicts.integers import read_integer
from safe_lightning.conflicts.number_text import trim_space
from safe_lightning.core.columns import ColumnType, KeyMode

YEARS = (1901, 2155)


def bit_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of a BIT column: the bytes of the text are the number; the key is its bytes, zero-filled."""
    bits = column.length or 1
    size_bytes = (bits + 7) // 8
    strict = mode.strict

    def cast(field: bytes) -> Canonical:
        value, code = _to_number(field)
        if value >> bits:
            value, code = (1 << bits) - 1, TOO_LONG
        if code and strict:
            return refusal(code)
        key = value.to_bytes(size_bytes, "big")
        return Canonical(key, key, Altered.CLAMPED if code else Altered.NOTHING)

    return cast


def _to_number(field: bytes) -> tuple[int, int]:
    significant = field.lstrip(b"\0")
    return ((1 << 64) - 1, INCORRECT_VALUE) if len(significant) > 8 else (int.from_bytes(significant, "big"), 0)


def year_cast(_column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of a YEAR column; the key is the year in four digits, `0000` being a value of its own."""
    strict = mode.strict

    def cast(field: bytes) -> Canonical:
        year, altered, code = _read_year(field, strict)
        if code and strict:
            return refusal(code)
        text = b"%04d" % year
        return Canonical(text, text, altered)

    return cast


def _read_year(field: bytes, strict: bool) -> tuple[int, Altered, int]:
    """Read a year: 1 to 69 are 20xx, 70 to 99 are 19xx; zero is 2000 unless it is spelled in four bytes or signed."""
    number, altered, code = read_integer(field, unsigned=False, strict=strict)
    if code:
        return 0, Altered.ZEROED, INCORRECT_VALUE if code == INCORRECT_VALUE else OUT_OF_RANGE
    if number == 0:
        is_two_thousand = len(field) != 4 and trim_space(field).startswith(b"0")
        return (2000 if is_two_thousand else 0), altered, 0
    if 0 < number < 100:
        return number + (2000 if number < 70 else 1900), altered, 0
    if number < 0:
        return 0, altered | Altered.ZEROED, OUT_OF_RANGE
    low, high = YEARS
    clamped = max(low, min(high, number))
    return (number, altered, 0) if clamped == number else (clamped, altered | Altered.CLAMPED, OUT_OF_RANGE)
