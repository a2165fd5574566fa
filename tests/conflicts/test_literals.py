"""Numbers and binary literals of SQL dumps and Parquet files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.conflicts.canonical import Altered, Canonical, NotReproducible
from safe_lightning.conflicts.canonicaliser import canonicalise
from safe_lightning.conflicts.literals import canonicalise_field
from safe_lightning.core.columns import Backend, ColumnType, KeyMode, split_sql_mode
from safe_lightning.source.rows import BinaryLiteral, Field

LENIENT = KeyMode()
STRICT = KeyMode(split_sql_mode("STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE"))
SERVER = KeyMode(backend=Backend.LOGICAL)
BIGINT_UNSIGNED = ColumnType("bigint", unsigned=True)
VARCHAR = ColumnType("varchar", 30, charset="utf8mb4", collation="utf8mb4_bin")
VARBINARY = ColumnType("varbinary", 30, charset="binary", collation="binary")
ENUM = ColumnType("enum", charset="utf8mb4", collation="utf8mb4_bin", members=("a", "3", "x"))
SET = ColumnType("set", charset="utf8mb4", collation="utf8mb4_bin", members=("a", "b", "c"))


def cast(column: ColumnType, field: Field, mode: KeyMode = LENIENT, *, signed: bool = False) -> Canonical:
    return canonicalise_field(column, mode, signed=signed)(field)


INTEGERS: list[tuple[ColumnType, int, str, int]] = [
    (ColumnType("tinyint"), 128, "127", 1264),
    (ColumnType("tinyint"), -129, "-128", 1264),
    (BIGINT_UNSIGNED, (1 << 64) - 1, "18446744073709551615", 0),
    (BIGINT_UNSIGNED, -1, "18446744073709551615", 0),
    (ColumnType("int", unsigned=True), -1, "4294967295", 1264),
    (ColumnType("decimal", 5, 2), 12, "12.00", 0),
    (ColumnType("decimal", 5, 2), 12345, "999.99", 1264),
    (VARCHAR, 123, "123", 0),
    (ColumnType("year"), 0, "0000", 0),
    (ColumnType("year"), 24, "2024", 0),
    (ColumnType("year"), 1900, "1901", 1264),
    (ColumnType("bit", 8), 1, "\x01", 0),
    (ColumnType("date"), 20240102, "2024-01-02", 0),
    (ColumnType("date"), 240102, "2024-01-02", 0),
    (ColumnType("date"), 101, "2000-01-01", 0),
    (ColumnType("date"), 100, "0000-00-00", 1292),
    (ColumnType("date"), 20240230, "0000-00-00", 1292),
    (ColumnType("datetime"), 20240102030405, "2024-01-02 03:04:05", 0),
    (ColumnType("datetime"), 700102030405, "1970-01-02 03:04:05", 0),
    (ColumnType("datetime"), 0, "0000-00-00 00:00:00", 1292),
    (ColumnType("time"), 101112, "10:11:12", 0),
    (ColumnType("time"), -101112, "-10:11:12", 0),
    (ColumnType("time"), 9_000_000, "838:59:59", 1292),
    (ENUM, 3, "x", 0),
    (ENUM, 4, "", 1265),
    (ENUM, 0, "", 1265),
    (SET, 5, "a,c", 0),
    (SET, 8, "", 1265),
]


@pytest.mark.parametrize(("column", "value", "stored", "code"), INTEGERS)
def test_integers(column: ColumnType, value: int, stored: str, code: int) -> None:
    assert cast(column, value).stored == stored.encode()
    assert cast(column, value, STRICT).refused == code


def test_a_server_does_not_wrap_negative_numbers() -> None:
    assert cast(BIGINT_UNSIGNED, -1, SERVER).stored == b"0"


def test_an_unsigned_integer_is_no_timestamp_for_lightnings_own_encoder() -> None:
    column = ColumnType("timestamp")
    assert cast(column, 20240102030405).refused == 1105
    assert cast(column, 20240102030405, signed=True).stored == b"2024-01-02 03:04:05"
    assert cast(column, 20240102030405, SERVER).stored == b"2024-01-02 03:04:05"


FLOATS: list[tuple[ColumnType, float, str, int]] = [
    (ColumnType("int"), 2.5, "2", 0),
    (ColumnType("int"), 3.5, "4", 0),
    (ColumnType("int"), 1e30, "2147483647", 1264),
    (ColumnType("decimal", 5, 2), 1.005, "1.01", 0),
    (ColumnType("double"), 0.1, "0.1", 0),
    (VARCHAR, 1e21, "1000000000000000000000", 0),
    (VARCHAR, 0.5, "0.5", 0),
    (VARCHAR, 100.0, "100", 0),
    (ColumnType("datetime"), 20240102.0, "", 1105),
]


@pytest.mark.parametrize(("column", "value", "stored", "code"), FLOATS)
def test_floats(column: ColumnType, value: float, stored: str, code: int) -> None:
    assert (cast(column, value).stored or b"") == stored.encode()
    assert cast(column, value, STRICT).refused == code


BINARY: list[tuple[ColumnType, bytes, bytes, int]] = [
    (ColumnType("int"), b"1", b"49", 0),
    (ColumnType("tinyint"), b"\x01\0", b"127", 1264),
    (BIGINT_UNSIGNED, b"123456789", b"18446744073709551615", 1366),
    (ColumnType("double"), b"\x02", b"2.0", 0),
    (ColumnType("bit", 8), b"\0\x05", b"\x05", 0),
    (VARCHAR, b"ab", b"ab", 0),
    (VARBINARY, b"\xff\0", b"\xff\0", 0),
    (ENUM, b"3", b"3", 0),
    (ColumnType("datetime"), b"1", b"", 1105),
    (ColumnType("time"), b"1", b"", 1105),
]


@pytest.mark.parametrize(("column", "data", "stored", "code"), BINARY)
def test_binary_literals(column: ColumnType, data: bytes, stored: bytes, code: int) -> None:
    assert (cast(column, BinaryLiteral(data)).stored or b"") == stored
    assert cast(column, BinaryLiteral(data), STRICT).refused == code


@pytest.mark.parametrize(
    ("column", "field"),
    [
        (ColumnType("double"), float("nan")),
        (ColumnType("time"), 1.5),
        (ColumnType("bigint", unsigned=True), -1.5),
        (VARCHAR, BinaryLiteral(b"\xff")),
        (ColumnType("varchar", 9, charset="gbk", collation="gbk_bin"), BinaryLiteral(b"\xd6\xd0")),
    ],
)
def test_what_is_not_known_is_not_guessed(column: ColumnType, field: Field) -> None:
    with pytest.raises(NotReproducible):
        cast(column, field)


@given(value=st.integers(-(1 << 63), (1 << 64) - 1))
def test_a_number_is_the_same_key_as_its_digits(value: int) -> None:
    for column in (ColumnType("bigint"), ColumnType("decimal", 20, 0), ColumnType("double"), VARCHAR):
        assert cast(column, value).key == canonicalise(column, LENIENT)(str(value).encode()).key


def test_text_and_null_are_cast_as_before() -> None:
    assert cast(ColumnType("int"), b"12x") == Canonical(b"12", b"12", Altered.CUT)
    assert cast(ColumnType("int"), None) == Canonical(None)
