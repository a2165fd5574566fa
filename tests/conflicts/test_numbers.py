"""Integers, decimals, floats, BIT and YEAR: clamped, rounded, zeroed or refused as TiDB does it."""

from __future__ import annotations

import math
import struct
from decimal import ROUND_HALF_UP, Context, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import Altered, Canonical
from safe_lightning.conflicts.canonicaliser import canonicalise
from safe_lightning.core.columns import ColumnType, KeyMode

LENIENT = KeyMode()
STRICT = KeyMode(sql_mode=frozenset({"STRICT_TRANS_TABLES"}))
INT = ColumnType("int")
BIGINT = ColumnType("bigint")
TINYINT = ColumnType("tinyint")
UNSIGNED = ColumnType("bigint", unsigned=True)
MONEY = ColumnType("decimal", 7, 2)
DOUBLE = ColumnType("double")
FLOAT = ColumnType("float")
YEAR = ColumnType("year")
HUGE = 10**31


def cast(column: ColumnType, text: str | bytes, mode: KeyMode = LENIENT) -> Canonical:
    return canonicalise(column, mode)(text.encode() if isinstance(text, str) else text)


WHOLE = [
    (BIGINT, "007", "7", 0),
    (BIGINT, " \t7\n", "7", 0),
    (BIGINT, "\u00a07\u3000", "7", 0),
    (BIGINT, "\x1c7", "0", 1366),
    (BIGINT, "7.5", "8", 0),
    (BIGINT, "-.5", "-1", 0),
    (BIGINT, "-0.4", "0", 0),
    (BIGINT, "1.55e1", "16", 0),
    (BIGINT, "7\0x", "7", 0),
    (BIGINT, "1e", "1", 1366),
    (BIGINT, "7e0x", "7", 1264),
    (BIGINT, "0x10", "0", 1366),
    (BIGINT, "٣", "0", 1366),
    (BIGINT, "1_000", "1", 1366),
    (BIGINT, "", "0", 1366),
    (BIGINT, "9223372036854775808", "9223372036854775807", 1264),
    (BIGINT, "1e-99999999999999999999", "9223372036854775807", 1264),
    (BIGINT, "0000000000000000000001e2", "9223372036854775807", 1264),
    (TINYINT, "127.5", "127", 1264),
    (TINYINT, "999x", "127", 1366),
    (UNSIGNED, "-0.5", "0", 1264),
    (UNSIGNED, "-0.4", "0", 0),
    (UNSIGNED, "18446744073709551615.4", "18446744073709551615", 0),
    (UNSIGNED, "+0.18446744073709551615e20", "18446744073709551615", 1264),
    (ColumnType("tinyint", unsigned=True), "999x", "255", 1264),
]


@pytest.mark.parametrize(("column", "text", "stored", "code"), WHOLE)
def test_integers(column: ColumnType, text: str, stored: str, code: int) -> None:
    assert cast(column, text).stored == stored.encode()
    assert cast(column, text, STRICT).refused == code


@given(value=st.integers(-HUGE, HUGE), zeros=st.integers(0, 3), places=st.integers(0, 5))
def test_integers_round_half_away_from_zero_and_stay_in_range(value: int, zeros: int, places: int) -> None:
    number = Decimal(value).scaleb(-places, Context(prec=60))
    text = f"{'-' if value < 0 else ''}{'0' * zeros}{abs(number):f}"
    rounded = int(number.to_integral_value(ROUND_HALF_UP))
    clamped = max(-(1 << 63), min((1 << 63) - 1, rounded))
    result = cast(BIGINT, text)
    assert result.stored == str(clamped).encode()
    assert (Altered.CLAMPED in result.altered) == (clamped != rounded)
    assert cast(BIGINT, text, STRICT).refused == (0 if clamped == rounded else 1264)


@given(digits=st.text("0123456789", min_size=1, max_size=25), places=st.integers(1, 30))
def test_a_negative_exponent_moves_the_point(digits: str, places: int) -> None:
    padded = digits.rjust(places + 1, "0")
    assert cast(BIGINT, f"{digits}e-{places}").key == cast(BIGINT, f"{padded[:-places]}.{padded[-places:]}").key


def test_digits_without_end_are_read_in_no_time() -> None:
    assert cast(BIGINT, "9" * 1_000_000).stored == b"9223372036854775807"
    assert cast(MONEY, "9" * 1_000_000).stored == b"99999.99"
    assert cast(MONEY, "1e" + "9" * 1_000_000).refused == 0
    assert cast(DOUBLE, "1e" + "9" * 1_000_000).stored == b"1.7976931348623157e+308"


FIXED = [
    ("1.0", "1.00", 0),
    ("\t+01.005", "1.01", 0),
    ("-0.005", "-0.01", 0),
    ("-0.001", "0.00", 0),
    ("-0", "0.00", 0),
    ("5.", "5.00", 0),
    ("\n1", "0.00", 1366),
    ("1\v", "1.00", 0),
    ("1e 2", "100.00", 0),
    ("1e\v2", "100.00", 0),
    ("1e2x", "100.00", 1366),
    ("1e", "1.00", 1366),
    ("1\0", "1.00", 1366),
    ("99999.995", "99999.99", 1264),
    ("1e-400", "0.00", 1366),
    ("9e-82", "0.00", 1366),
    ("1e400", "99999.99", 1264),
    ("-1e9223372036854775808", "99999.99", 1264),
    ("1e18446744073709551616", "0.00", 8029),
    ("1" + "0" * 81 + "7", "7.00", 1264),
    ("0." + "0" * 81 + "1", "0.00", 1366),
    ("0" * 75 + "5.5", "5.00", 1366),
]


@pytest.mark.parametrize(("text", "stored", "code"), FIXED)
def test_decimals(text: str, stored: str, code: int) -> None:
    assert cast(MONEY, text).stored == stored.encode()
    assert cast(MONEY, text, STRICT).refused == code


@pytest.mark.parametrize(("text", "code"), [("-1", 1264), ("-0.001", 0), ("-0", 0)])
def test_an_unsigned_decimal_is_never_negative(text: str, code: int) -> None:
    column = ColumnType("decimal", 7, 2, unsigned=True)
    assert cast(column, text).stored == b"0.00"
    assert cast(column, text, STRICT).refused == code


@given(
    coefficient=st.integers(-(10**40), 10**40),
    places=st.integers(0, 40),
    exponent=st.integers(-10, 10),
    shape=st.sampled_from([(5, 0), (7, 2), (10, 10), (20, 10), (65, 0), (65, 30)]),
)
def test_decimals_round_as_decimals_do(coefficient: int, places: int, exponent: int, shape: tuple[int, int]) -> None:
    digits, scale = shape
    context = Context(prec=200)
    written = Decimal(coefficient).scaleb(-places, context)
    most = (Decimal(10) ** digits - 1).scaleb(-scale, context)
    exact = written.scaleb(exponent, context).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, context)
    expected = max(-most, min(most, exact))
    result = cast(ColumnType("decimal", digits, scale), f"{written:f}e{exponent}")
    assert result.stored == f"{expected + 0:.{scale}f}".encode()
    assert (Altered.CLAMPED in result.altered) == (expected != exact)


BINARY = [
    (DOUBLE, "-0", "0", 0),
    (DOUBLE, "1e400", "1.7976931348623157e308", 1366),
    (DOUBLE, "1e-400", "0", 0),
    (DOUBLE, "nan", "0", 1366),
    (DOUBLE, "0x1p3", "0", 1366),
    (DOUBLE, "1.5x", "1.5", 1366),
    (FLOAT, "16777217", "16777216", 0),
    (FLOAT, "1e39", "3.4028234663852886e38", 1264),
    (ColumnType("double", unsigned=True), "-1", "0", 1264),
    (ColumnType("double", 5, 2), "1.005", "1", 0),
    (ColumnType("double", 5, 2), "1.015", "1.01", 0),
    (ColumnType("double", 5, 2), "1000.5", "999.99", 1264),
    (ColumnType("double", 5, 2), "0.125", "0.12", 0),
]


@pytest.mark.parametrize(("column", "text", "stored", "code"), BINARY)
def test_floats(column: ColumnType, text: str, stored: str, code: int) -> None:
    result = cast(column, text)
    assert result.key == struct.pack(">d", float(stored))
    assert cast(column, text, STRICT).refused == code


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_is_the_nearest_number_however_it_is_spelled(value: float) -> None:
    assert cast(DOUBLE, repr(value)).key == cast(DOUBLE, f" {value:+.25e} ").key == struct.pack(">d", value + 0.0)


@given(value=st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_a_float_keeps_what_fits_into_four_bytes(value: float) -> None:
    assert cast(FLOAT, repr(value)).key == struct.pack(">d", value + 0.0)
    beside = math.nextafter(value, math.inf)
    if abs(beside) < 3.4e38:
        assert cast(FLOAT, repr(beside)).key == struct.pack(">d", value + 0.0)


YEARS = [
    ("0", "2000", 0),
    ("0000", "0000", 0),
    ("00000", "2000", 0),
    ("-0", "0000", 0),
    ("-1", "0000", 1264),
    ("69", "2069", 0),
    ("70", "1970", 0),
    ("2024.6", "2025", 0),
    ("1900", "1901", 1264),
    ("2156", "2155", 1264),
    ("12abc", "2012", 1366),
    ("1e400", "0000", 1264),
    ("", "0000", 1366),
]


@pytest.mark.parametrize(("text", "stored", "code"), YEARS)
def test_years(text: str, stored: str, code: int) -> None:
    assert cast(YEAR, text).stored == stored.encode()
    assert cast(YEAR, text, STRICT).refused == code


BITS = [
    (8, b"1", b"1", 0),
    (8, b"", b"\0", 0),
    (8, b"\0\0a", b"a", 0),
    (8, b"12", b"\xff", 1406),
    (1, b"\x02", b"\x01", 1406),
    (64, b"123456789", b"\xff" * 8, 1366),
    (63, b"123456789", b"\x7f" + b"\xff" * 7, 1406),
    (12, b"a", b"\0a", 0),
]


@pytest.mark.parametrize(("bits", "field", "stored", "code"), BITS)
def test_bits_are_the_bytes_of_the_text(bits: int, field: bytes, stored: bytes, code: int) -> None:
    column = ColumnType("bit", bits)
    assert cast(column, field).key == stored
    assert cast(column, field, STRICT).refused == code


@pytest.mark.parametrize("column", [BIGINT, MONEY, DOUBLE, YEAR, ColumnType("bit", 8)])
def test_null_has_no_key_and_is_not_refused(column: ColumnType) -> None:
    result = canonicalise(column, STRICT)(None)
    assert (result.key, result.stored, result.refused) == (None, None, 0)


WHY = [
    (INT, "12x", Altered.CUT),
    (INT, "x", Altered.ZEROED),
    (INT, "0x", Altered.CUT),
    (INT, "1.5", Altered.ROUNDED),
    (INT, "1.0", Altered.NOTHING),
    (INT, "99999999999", Altered.CLAMPED),
    (MONEY, "1.234", Altered.ROUNDED),
    (MONEY, "1.230", Altered.NOTHING),
    (MONEY, "abc", Altered.ZEROED),
    (MONEY, "1.2x", Altered.CUT),
    (MONEY, "123456", Altered.CLAMPED),
    (ColumnType("double", 5, 2), "1.234", Altered.ROUNDED),
    (YEAR, "2156", Altered.CLAMPED),
]


@pytest.mark.parametrize(("column", "text", "altered"), WHY)
def test_what_was_done_to_a_number_is_told(column: ColumnType, text: str, altered: Altered) -> None:
    assert cast(column, text).altered == altered
