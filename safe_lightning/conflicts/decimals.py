"""DECIMAL columns: TiDB's fixed-point numbers, nine words of nine digits with their limits.

Source: `pkg/types/mydecimal.go` (`FromString`, `Shift`, `Round`), `pkg/types/datum.go` (`ProduceDecWithSpecifiedTp`).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from safe_lightning.conflicts.canonical import (
    BAD_NUMBER,
    INCORRECT_VALUE,
    OUT_OF_RANGE,
    Altered,
    Canonical,
    Cast,
    refusal,
)
from safe_lightning.conflicts.number_text import trim_space
from safe_lightning.core.columns import ColumnType, KeyMode

WORD_DIGITS = 9
WORDS_MOST = 9
EXPONENT_MOST = (1 << 31) // 2 - 1
"""Beyond it TiDB does not shift but takes the largest number; below its negative, zero."""

_LITERAL = re.compile(rb"([+-]?)([0-9]*)(?:\.([0-9]*))?")
_EXPONENT = re.compile(rb"([+-]?)([0-9]*)")
DEFAULT_PRECISION = 10


class Fixed(NamedTuple):
    """A number as digits with a point: `digits` without sign, `point` digits of it before the point."""

    negative: bool
    digits: bytes
    point: int


ZERO = Fixed(False, b"", 0)


def decimal_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of a DECIMAL column; the key is the number with exactly the column's digits after the point."""
    scale = column.scale or 0
    whole_most = (DEFAULT_PRECISION if column.length is None else column.length) - scale
    plain = _plain_pattern(whole_most, scale, column.unsigned)
    strict = mode.strict
    unsigned = column.unsigned

    def cast(field: bytes) -> Canonical:
        if plain(field):
            return Canonical(field, field)
        number, altered, code = read_decimal(field)
        digits, rounded = _round(number, scale)
        if len(digits) - scale > whole_most:
            digits, altered, code = b"9" * (whole_most + scale), altered | Altered.CLAMPED, code or OUT_OF_RANGE
        negative = number.negative and digits.strip(b"0") != b""
        if negative and unsigned:
            negative, digits = False, b"0"
            altered, code = altered | Altered.CLAMPED, code or OUT_OF_RANGE
        if code and strict:
            return refusal(code)
        text = _print(negative, digits, scale)
        return Canonical(text, text, altered | rounded)

    return cast


def _plain_pattern(whole_most: int, scale: int, unsigned: bool) -> re.Pattern[bytes].fullmatch:  # type: ignore[valid-type]
    """Match a text that is printed the same way; minus zero is not, so that a minus needs a digit that is not 0."""
    whole = b"(?:0|[1-9][0-9]{0,%d})" % (whole_most - 1) if whole_most else b"0"
    fraction = rb"\.[0-9]{%d}" % scale if scale else b""
    sign = b"" if unsigned else b"(?:-(?=[0.]*[1-9]))?"
    return re.compile(sign + whole + fraction).fullmatch


def _print(negative: bool, digits: bytes, scale: int) -> bytes:
    padded = digits.rjust(scale + 1, b"0")
    text = padded[:-scale] + b"." + padded[-scale:] if scale else padded
    return b"-" + text if negative else text


def _round(number: Fixed, scale: int) -> tuple[bytes, Altered]:
    """Round half up by magnitude at a scale; return the digits up to there without leading zeros."""
    cut = number.point + scale
    if cut < 0:
        return b"", Altered.ROUNDED if number.digits else Altered.NOTHING
    kept, dropped = number.digits[:cut], number.digits[cut:]
    kept = kept.ljust(cut, b"0")
    if dropped[:1] >= b"5":
        kept = b"%d" % (int(kept or b"0") + 1)
    return kept.lstrip(b"0"), Altered.ROUNDED if dropped.strip(b"0") else Altered.NOTHING


def read_decimal(field: bytes) -> tuple[Fixed, Altered, int]:
    """Read a text as TiDB's decimal: the number, what was done to it, the code under which strict mode refuses it.

    Only blanks and tabs are skipped in front. Of more than 81 digits before the point the last 81 count, and digits
    after the point are cut where the nine words are full.
    """
    text = field.lstrip(b" \t")
    match = _LITERAL.match(text)
    assert match is not None
    sign, whole, fraction = match[1], match[2], match[3] or b""
    if not whole and not fraction:
        return ZERO, Altered.ZEROED, INCORRECT_VALUE
    number, code = _fit(sign == b"-", whole, fraction)
    altered = Altered.CUT if code else Altered.NOTHING
    rest = text[match.end() :]
    if rest[:1] in (b"e", b"E"):
        return _scale(number, rest[1:], altered, code)
    if trim_space(rest):
        return number, altered | Altered.CUT, INCORRECT_VALUE
    return number, altered, code


def _words(digits: int) -> int:
    return -(-digits // WORD_DIGITS)


def _fit(negative: bool, whole: bytes, fraction: bytes) -> tuple[Fixed, int]:
    words_whole = _words(len(whole))
    if words_whole > WORDS_MOST:
        digits = whole[-WORDS_MOST * WORD_DIGITS :]
        return Fixed(negative, digits, len(digits)), OUT_OF_RANGE
    room = (WORDS_MOST - words_whole) * WORD_DIGITS
    code = INCORRECT_VALUE if words_whole + _words(len(fraction)) > WORDS_MOST else 0
    return Fixed(negative, whole + (fraction[:room] if code else fraction), len(whole)), code


def _scale(number: Fixed, exponent: bytes, altered: Altered, code: int) -> tuple[Fixed, Altered, int]:
    """Apply what stands behind an `e`: it may be nothing, garbage, or more than TiDB can count."""
    text = trim_space(exponent)
    match = _EXPONENT.match(text)
    assert match is not None
    power, is_known = _to_power(match[1] == b"-", match[2])
    if not is_known:
        number, code = ZERO, BAD_NUMBER
    elif not match[2] or match.end() != len(text):
        altered, code = altered | Altered.CUT, INCORRECT_VALUE
    if power > EXPONENT_MOST:
        return _largest(number.negative), altered | Altered.CLAMPED, OUT_OF_RANGE
    if power < -EXPONENT_MOST - 1 and code != OUT_OF_RANGE:
        return ZERO, altered | Altered.ROUNDED, INCORRECT_VALUE
    if code == OUT_OF_RANGE:
        return number, altered, code
    shifted, shift_code = _shift(number, power)
    if shift_code:
        altered |= Altered.CLAMPED if shift_code == OUT_OF_RANGE else Altered.ROUNDED
    return shifted, altered, shift_code or code


def _to_power(negative: bool, digits: bytes) -> tuple[int, bool]:
    """Count an exponent in a machine word, and tell whether it fits; one beyond all words counts as 0."""
    significant = digits.lstrip(b"0")
    value = int(significant or b"0") if len(significant) <= 20 else 1 << 64
    if value >> 64:
        return 0, False
    if value >= (1 << 63) + negative:
        return (-(1 << 63) if negative else (1 << 63) - 1), False
    return (-value if negative else value), True


def _largest(negative: bool) -> Fixed:
    digits = WORDS_MOST * WORD_DIGITS
    return Fixed(negative, b"9" * digits, digits)


def _shift(number: Fixed, power: int) -> tuple[Fixed, int]:
    """Multiply by a power of ten within the nine words.

    The code is 1264 if the whole part does not fit, 1366 if digits fell off at the end.
    """
    first = len(number.digits) - len(number.digits.lstrip(b"0"))
    last = len(number.digits.rstrip(b"0"))
    if power == 0:
        return number, 0
    if first >= last:
        return ZERO, 0
    point = number.point + power
    whole, fraction = max(point - first, 0), max(last - point, 0)
    lack = _words(whole) + _words(fraction) - WORDS_MOST
    if lack <= 0:
        return _move(number, point), 0
    if _words(fraction) < lack:
        return _largest(number.negative), OUT_OF_RANGE
    kept = (_words(fraction) - lack) * WORD_DIGITS
    if last - (fraction - kept) <= first:
        return ZERO, INCORRECT_VALUE
    digits, _ = _round(Fixed(number.negative, number.digits, point), kept)
    return Fixed(number.negative, digits, len(digits) - kept), INCORRECT_VALUE


def _move(number: Fixed, point: int) -> Fixed:
    """Move the point, adding zeros on the side where it leaves the digits."""
    if point >= 0:
        return Fixed(number.negative, number.digits.ljust(point, b"0"), point)
    return Fixed(number.negative, b"0" * -point + number.digits, 0)
