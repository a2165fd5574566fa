"""Integer columns: what TINYINT to BIGINT, signed or not, make of a text.

Source: `pkg/types/convert.go` (`StrToInt`, `StrToUint`, `floatStrToIntStr`), v8.5; verdicts from a real server.
"""

from __future__ import annotations

import re

from safe_lightning.conflicts.canonical import INCORRECT_VALUE, OUT_OF_RANGE, Altered, Canonical, Cast, refusal
from safe_lightning.conflicts.number_text import read_number, trim_space
from safe_lightning.core.columns import INTEGER_BITS, ColumnType, KeyMode

INT64 = (-(1 << 63), (1 << 63) - 1)
UINT64 = (0, (1 << 64) - 1)
DIGITS_MOST = 21
"""Digits before the point, sign included, beyond which a number with an exponent counts as too big unread."""

TOO_BIG = 10**DIGITS_MOST

_PARTS = re.compile(rb"([+-]?)([0-9]*)(\.?)([0-9]*)(?:[eE]([+-]?[0-9]+))?")
_WHOLE = re.compile(rb"[+-]?[0-9]+")


def integer_range(column: ColumnType) -> tuple[int, int]:
    """Return the smallest and the largest value of an integer type."""
    bits = INTEGER_BITS[column.name]
    return (0, (1 << bits) - 1) if column.unsigned else (-(1 << bits - 1), (1 << bits - 1) - 1)


def integer_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of an integer column; the key is the number in plain decimal digits."""
    low, high = integer_range(column)
    sure_digits = len(str(high)) - 1
    strict, unsigned = mode.strict, column.unsigned

    def cast(field: bytes) -> Canonical:
        if field.isdigit() and len(field) <= sure_digits and (field[0] != 0x30 or len(field) == 1):
            return Canonical(field, field)
        value, altered, code = read_integer(field, unsigned=unsigned, strict=strict)
        if not low <= value <= high:
            value = low if value < low else high
            altered |= Altered.CLAMPED
            code = OUT_OF_RANGE if unsigned else code or OUT_OF_RANGE
        if code and strict:
            return refusal(code)
        text = b"%d" % value
        return Canonical(text, text, altered)

    return cast


def read_integer(field: bytes, *, unsigned: bool, strict: bool) -> tuple[int, Altered, int]:
    """Read a text as a 64-bit integer: the value, what was done to it, the code under which strict mode refuses it.

    The code of a cut-off text is 1366, but 1264 if what was used of it has a point or an exponent: a strict TiDB
    gives up before rounding and then takes the text for too long a number.
    """
    number = read_number(trim_space(field))
    low, high = UINT64 if unsigned else INT64
    code = 0
    if number.is_complete or not strict:
        value, altered = round_number(number.digits)
    else:
        is_whole = _WHOLE.fullmatch(number.digits) is not None
        value, altered = (_to_int(number.digits) if is_whole else 0), Altered.NOTHING
        code = INCORRECT_VALUE if is_whole else OUT_OF_RANGE
    altered |= number.altered
    if low <= value <= high:
        return value, altered, code
    return (low if value < low else high), altered | Altered.CLAMPED, OUT_OF_RANGE


def _to_int(digits: bytes) -> int:
    """Read digits with a sign; of more than Python likes to read at once only the size matters."""
    significant = digits.lstrip(b"+-0")
    value = int(significant or b"0") if len(significant) <= DIGITS_MOST else TOO_BIG
    return -value if digits[:1] == b"-" else value


def round_number(digits: bytes) -> tuple[int, Altered]:
    """Round a valid number text to an integer, half away from zero, looking at the first dropped digit only.

    A number so big that TiDB does not look at its digits comes back as one that no type holds.
    """
    match = _PARTS.fullmatch(digits)
    assert match is not None, digits
    sign, whole, _, fraction, exponent = match.groups()
    negative = sign == b"-"
    point = len(whole)
    if exponent is not None:
        power = _to_int(exponent)
        if not INT64[0] <= power <= INT64[1] or (power >= 0 and len(sign) + point + power > DIGITS_MOST):
            return (-TOO_BIG if negative else TOO_BIG), Altered.NOTHING
        point += power
    magnitude, altered = _round_at(whole + fraction, point)
    return (-magnitude if negative else magnitude), altered


def _round_at(digits: bytes, point: int) -> tuple[int, Altered]:
    """Cut a row of digits at a point that may lie outside of it, and round by the first digit behind the cut."""
    kept = digits[:point] if point > 0 else b""
    dropped = digits[point:] if point >= 0 else digits
    value = _to_int(kept) * 10 ** max(0, point - len(digits))
    if point >= 0 and dropped[:1] >= b"5":
        value += 1
    return value, Altered.ROUNDED if dropped.strip(b"0") else Altered.NOTHING
