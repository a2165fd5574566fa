"""Numbers and binary literals of SQL dumps and Parquet files: TiDB casts them in another way than text.

Source: `pkg/types/datum.go` (`ConvertTo` and what it calls), `pkg/types/time.go` (`parseDateTimeFromNum`), v8.5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal

from safe_lightning.conflicts.bits import YEARS
from safe_lightning.conflicts.canonical import (
    INCORRECT_VALUE,
    OUT_OF_RANGE,
    SERVER_FAILS,
    TOO_LONG,
    TRUNCATED,
    WRONG_VALUE,
    Altered,
    Canonical,
    Canonicaliser,
    NotReproducible,
    refusal,
)
from safe_lightning.conflicts.canonicaliser import canonicalise
from safe_lightning.conflicts.datetimes import number_cast
from safe_lightning.conflicts.durations import DURATION_MOST, print_span
from safe_lightning.conflicts.integers import UINT64, integer_range
from safe_lightning.core.columns import (
    BYTE_TYPES,
    CHARACTER_TYPES,
    DATE_TYPES,
    INTEGER_BITS,
    Backend,
    ColumnType,
    KeyMode,
)
from safe_lightning.source.rows import BinaryLiteral, Field

AS_TEXT = frozenset({"decimal", "float", "double"}) | CHARACTER_TYPES | BYTE_TYPES
"""Types for which an integer means the same as its digits."""
LONGEST_SPAN = 8_385_959
DATETIME_FROM = 10_000_000_000
"""An integer from here on may be a date and time; between the longest span and this it is too long a span."""

FieldCanonicaliser = Callable[[Field], Canonical]
IntegerCast = Callable[[int], Canonical]


def canonicalise_field(
    column: ColumnType, mode: KeyMode, prefix_length: int | None = None, *, signed: bool = False
) -> FieldCanonicaliser:
    """Make the function from a field of any file to its canonical form; for text it is `canonicalise`.

    Integers are what their source made of them: in a SQL dump those that are not negative are unsigned for Lightning's
    own encoder, in Parquet (`signed`) none is.

    Raises `NotReproducible` like `canonicalise`; so does the function itself, for single values of uncommon kinds.
    """
    text = canonicalise(column, mode, prefix_length)
    of_integer = _integer_cast(column, mode, text, signed=signed or mode.backend is Backend.LOGICAL)

    def canonical(field: Field) -> Canonical:
        if field is None or isinstance(field, bytes):
            return text(field)
        if isinstance(field, BinaryLiteral):
            return _cast_binary(field.data, column, mode, text, of_integer)
        if isinstance(field, int):
            return of_integer(field)
        return _cast_float(field, column, mode, text, of_integer)

    return canonical


def _integer_cast(column: ColumnType, mode: KeyMode, text: Canonicaliser, *, signed: bool) -> IntegerCast:
    if column.name in INTEGER_BITS:
        return lambda value: _to_integer(value, column, mode)
    if column.name in AS_TEXT:
        return lambda value: text(b"%d" % value)
    if column.name in DATE_TYPES:
        of_number = number_cast(column, mode)
        if column.name == "timestamp" and not signed:
            return lambda value: refusal(SERVER_FAILS) if value >= 0 else of_number(value)
        return of_number
    simple = {"year": _to_year, "bit": _to_bit, "time": _to_time, "enum": _to_member, "set": _to_member}
    cast = simple[column.name]
    return lambda value: cast(value, column, mode, text)


def _outcome(text: bytes, altered: Altered, code: int, mode: KeyMode) -> Canonical:
    return refusal(code) if code and mode.strict else Canonical(text, text, altered)


def _to_integer(value: int, column: ColumnType, mode: KeyMode) -> Canonical:
    """Cast to an integer column. Lightning 8.1 to 8.5 lets a negative number wrap around in its own encoder."""
    low, high = integer_range(column)
    if column.unsigned and value < 0 and mode.backend is Backend.PHYSICAL:
        value += 1 << 64
    clamped = max(low, min(high, value))
    altered, code = (Altered.NOTHING, 0) if clamped == value else (Altered.CLAMPED, OUT_OF_RANGE)
    return _outcome(b"%d" % clamped, altered, code, mode)


def _to_year(value: int, _column: ColumnType, mode: KeyMode, _text: Canonicaliser) -> Canonical:
    if value >> 63 > 0:
        return refusal(SERVER_FAILS)
    if 0 < value < 100:
        value += 2000 if value < 70 else 1900
    clamped = 0 if value <= 0 else max(YEARS[0], min(YEARS[1], value))
    altered, code = (Altered.NOTHING, 0) if clamped == value else (Altered.CLAMPED, OUT_OF_RANGE)
    return _outcome(b"%04d" % clamped, altered, code, mode)


def _to_bit(value: int, column: ColumnType, mode: KeyMode, _text: Canonicaliser) -> Canonical:
    bits = column.length or 1
    value %= 1 << 64
    fits = not value >> bits
    data = (value if fits else (1 << bits) - 1).to_bytes((bits + 7) // 8, "big")
    return _outcome(data, Altered.NOTHING if fits else Altered.CLAMPED, 0 if fits else TOO_LONG, mode)


def _to_time(value: int, column: ColumnType, mode: KeyMode, text: Canonicaliser) -> Canonical:
    if value < -LONGEST_SPAN:
        # TiDB leaves the value unset there, which is NULL.
        return refusal(WRONG_VALUE) if mode.strict else Canonical(None)
    if LONGEST_SPAN < value < DATETIME_FROM:
        return _outcome(print_span(DURATION_MOST, column.fsp), Altered.CLAMPED, WRONG_VALUE, mode)
    return text(b"%d" % value)


def _to_member(value: int, column: ColumnType, mode: KeyMode, _text: Canonicaliser) -> Canonical:
    """Take an integer for the number of an element, or for the bits of a set; a name cannot be meant."""
    count = len(column.members)
    if column.name == "enum":
        if 0 < value <= count:
            return Canonical(b"%d" % value, column.members[value - 1].encode())
    elif 0 <= value < 1 << count:
        names = [name for index, name in enumerate(column.members) if value >> index & 1]
        return Canonical(b"%d" % value, ",".join(names).encode())
    elif value < 0 and count == 64:
        raise NotReproducible("a negative number into a SET of 64 elements")
    return refusal(TRUNCATED) if mode.strict else Canonical(b"0", b"", Altered.ZEROED)


def _cast_float(
    value: float, column: ColumnType, mode: KeyMode, text: Canonicaliser, of_integer: IntegerCast
) -> Canonical:
    if not math.isfinite(value):
        raise NotReproducible(f"{value} as a {column.name}")
    exact = Decimal(repr(value))
    if column.name in ("float", "double"):
        return text(b"%r" % value)
    if column.name == "decimal":
        return text(f"{exact:e}".encode())
    if column.name in AS_TEXT:
        digits = f"{exact:f}"
        return text((digits.rstrip("0").rstrip(".") if "." in digits else digits).encode())
    if column.name in INTEGER_BITS and not (column.unsigned and round(value) < 0):
        result = of_integer(round(value))
        return result if value == round(value) else result._replace(altered=result.altered | Altered.ROUNDED)
    if column.name in DATE_TYPES:
        return refusal(SERVER_FAILS)
    raise NotReproducible(f"a floating-point number as a {column.name}")


def _cast_binary(
    data: bytes, column: ColumnType, mode: KeyMode, text: Canonicaliser, of_integer: IntegerCast
) -> Canonical:
    if column.name in DATE_TYPES or column.name == "time":
        return refusal(SERVER_FAILS)
    if column.name in ("enum", "set"):
        return text(data)
    if column.name in CHARACTER_TYPES | BYTE_TYPES:
        return _cast_string(data, column, text)
    significant = data.lstrip(b"\0")
    if len(significant) <= 8:
        return of_integer(int.from_bytes(significant, "big"))
    return refusal(INCORRECT_VALUE) if mode.strict else of_integer(UINT64[1])


def _cast_string(data: bytes, column: ColumnType, text: Canonicaliser) -> Canonical:
    """Cast bytes that are in the column's own character set, unlike the bytes of a text, which are UTF-8."""
    if column.charset == "gbk" and not data.isascii():
        raise NotReproducible("a hexadecimal literal in GBK")
    result = text(data)
    if Altered.REPLACED in result.altered:
        raise NotReproducible("a hexadecimal literal that is not in the column's character set")
    return result
