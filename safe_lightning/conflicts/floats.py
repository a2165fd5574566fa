"""FLOAT and DOUBLE columns: the nearest binary number, with or without (M,D).

Source: `pkg/types/convert.go` (`StrToFloat`), `pkg/types/datum.go` (`ProduceFloatWithSpecifiedTp`),
`pkg/types/helper.go` (`TruncateFloat`).
"""

from __future__ import annotations

import math
import struct

from safe_lightning.conflicts.canonical import INCORRECT_VALUE, OUT_OF_RANGE, Altered, Canonical, Cast, refusal
from safe_lightning.conflicts.number_text import read_number, trim_space
from safe_lightning.core.columns import ColumnType, KeyMode

DOUBLE_MOST = 1.7976931348623157e308
FLOAT_MOST = 3.4028234663852886e38

_FLOAT = struct.Struct(">f")
_DOUBLE = struct.Struct(">d")


def float_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of a FLOAT or DOUBLE column; the key is the eight bytes of the value as a double, -0 being 0."""
    strict = mode.strict
    is_single = column.name == "float"

    def cast(field: bytes) -> Canonical:
        value, altered, code = _read(field)
        value, limit_altered, limit_code = _limit(value, column)
        code = code or limit_code
        if code and strict:
            return refusal(code)
        if is_single:
            value = _FLOAT.unpack(_FLOAT.pack(value))[0]
        return Canonical(_DOUBLE.pack(value + 0.0), b"%r" % value, altered | limit_altered)

    return cast


def _read(field: bytes) -> tuple[float, Altered, int]:
    number = read_number(trim_space(field))
    value = float(number.digits)
    altered, code = number.altered, 0 if number.is_complete else INCORRECT_VALUE
    if math.isinf(value):
        return math.copysign(DOUBLE_MOST, value), altered | Altered.CLAMPED, INCORRECT_VALUE
    return value, altered, code


def _limit(value: float, column: ColumnType) -> tuple[float, Altered, int]:
    """Keep a value within (M,D), UNSIGNED and the range of FLOAT, in TiDB's order: the first that fails names it."""
    altered, code = Altered.NOTHING, 0
    if column.length is not None and column.scale is not None:
        rounded = round_to_scale(value, column.scale)
        most = power_of_ten(column.length - column.scale) - 1.0 / power_of_ten(column.scale)
        altered = Altered.NOTHING if rounded == value else Altered.ROUNDED
        value = max(-most, min(most, rounded))
        if value != rounded:
            altered, code = altered | Altered.CLAMPED, OUT_OF_RANGE
    if column.unsigned and value < 0:
        return 0.0, altered | Altered.CLAMPED, OUT_OF_RANGE
    if code == 0 and column.name == "float" and abs(value) > FLOAT_MOST:
        return math.copysign(FLOAT_MOST, value), altered | Altered.CLAMPED, OUT_OF_RANGE
    return value, altered, code


def round_to_scale(value: float, scale: int) -> float:
    """Round to decimal places in binary arithmetic, ties to even; a value too big to scale stays as it is."""
    shift = power_of_ten(scale)
    scaled = value * shift
    return value if math.isinf(scaled) else float(round(scaled)) / shift


def power_of_ten(exponent: int) -> float:
    """Return a power of ten as Go's `math.Pow10` does: the product of two table entries, not always the nearest."""
    return float(f"1e{exponent // 32 * 32}") * float(f"1e{exponent % 32}")
