"""Parquet: every type that a key can have, as Lightning 8.5 hands it on."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.findings import InputError
from safe_lightning.source.parquet_reader import ParquetReader

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

UTC = "UTC"
LONG = "123456789012345678901234567890.50"
EARLY = dt.datetime(1960, 1, 1)
MOMENT = dt.datetime(2024, 1, 2, 3, 4, 5, 120_000)
COLUMNS: list[tuple[str, Any, list[object], list[object]]] = [
    ("int64", pa.int64(), [1, -5], [1, -5]),
    ("int8", pa.int8(), [1, -5], [1, -5]),
    ("uint32", pa.uint32(), [4294967295, 7], [-1, 7]),
    ("uint64", pa.uint64(), [2**64 - 1, 7], [-1, 7]),
    ("bool", pa.bool_(), [True, False], [1, 0]),
    ("float", pa.float32(), [1.5, -2.0], [1.5, -2.0]),
    ("double", pa.float64(), [0.1, 1e300], [0.1, 1e300]),
    ("decimal", pa.decimal128(9, 2), [Decimal("1.50"), Decimal("-0.05")], [b"1.50", b"-0.05"]),
    ("whole", pa.decimal128(9, 0), [Decimal(7), Decimal(-7)], [b"7", b"-7"]),
    ("long", pa.decimal128(38, 2), [Decimal(LONG), Decimal("-1.00")], [LONG.encode(), b"-1.00"]),
    ("date", pa.date32(), [dt.date(2024, 2, 29), dt.date(1969, 12, 31)], [b"2024-02-29", b"1969-12-31"]),
    ("time_ms", pa.time32("ms"), [dt.time(1, 2, 3, 450_000), dt.time(0)], [b"01:02:03.45", b"00:00:00"]),
    ("time_us", pa.time64("us"), [dt.time(23, 59, 59, 1), dt.time(0)], [b"23:59:59.000001", b"00:00:00"]),
    ("stamp", pa.timestamp("us"), [MOMENT, EARLY], [b"2024-01-02 03:04:05.12", b"1960-01-01 00:00:00"]),
    ("stamp_utc", pa.timestamp("ms", UTC), [MOMENT] * 2, [b"2024-01-02 03:04:05.12Z"] * 2),
    ("stamp_ns", pa.timestamp("ns"), [1999, -1], [b"1970-01-01 00:00:00.000001", b"1969-12-31 23:59:59.999999"]),
    ("text", pa.string(), ["é", ""], ["é".encode(), b""]),
    ("bytes", pa.binary(), [b"\xff", b""], [b"\xff", b""]),
    ("fixed", pa.binary(2), [b"ab", b"cd"], [b"ab", b"cd"]),
    ("dictionary", pa.dictionary(pa.int8(), pa.string()), ["x", "y"], [b"x", b"y"]),
]  # fmt: skip


def written(folder: Path, table: Any, **options: Any) -> Path:
    path = folder / "t.parquet"
    pq.write_table(table, path, **options)
    return path


@pytest.mark.parametrize(("name", "of_type", "values", "expected"), COLUMNS, ids=[name for name, *_rest in COLUMNS])
def test_types(tmp_path: Path, name: str, of_type: Any, values: list[object], expected: list[object]) -> None:
    path = written(tmp_path, pa.table({name: pa.array([*values, None], of_type)}))
    assert [row.fields for row in ParquetReader(path)] == [[value] for value in [*expected, None]]


def test_decimals_that_are_stored_as_integers_stay_numbers_without_a_fraction(tmp_path: Path) -> None:
    columns = {
        "whole": pa.array([Decimal(-7)], pa.decimal128(9, 0)),
        "part": pa.array([Decimal("-0.05")], pa.decimal128(9, 2)),
    }
    path = written(tmp_path, pa.table(columns), store_decimal_as_integer=True)
    assert [row.fields for row in ParquetReader(path)] == [[-7, b"-0.05"]]


def test_old_timestamps_count_as_utc(tmp_path: Path) -> None:
    path = written(
        tmp_path, pa.table({"t": pa.array([MOMENT], pa.timestamp("us"))}), use_deprecated_int96_timestamps=True
    )
    assert [row.fields for row in ParquetReader(path)] == [[b"2024-01-02 03:04:05.12Z"]]


def test_rows_are_numbered_over_all_row_groups(tmp_path: Path) -> None:
    path = written(tmp_path, pa.table({"a": list(range(10_000))}), row_group_size=700)
    found = list(ParquetReader(path))
    assert [(row.number, row.offset, row.fields) for row in found[:: len(found) - 1]] == [
        (1, 0, [0]),
        (10_000, 9_999, [9_999]),
    ]


def test_only_the_wanted_columns_are_read(tmp_path: Path) -> None:
    reader = ParquetReader(written(tmp_path, pa.table({"A": [1], "b": [2], "C": [3]})), wanted={"c", "a", "x"})
    assert (reader.columns, reader.all_columns) == (("a", "c"), ("a", "b", "c"))
    assert [row.fields for row in reader] == [[1, 3]]


@pytest.mark.parametrize("column", [pa.array([[1], [2]]), pa.array([{"a": 1}])])
def test_nested_columns_are_refused(tmp_path: Path, column: Any) -> None:
    with pytest.raises(InputError, match="nested"):
        ParquetReader(written(tmp_path, pa.table({"n": column})))


def test_a_type_that_cannot_be_reproduced_is_not_guessed(tmp_path: Path) -> None:
    path = written(tmp_path, pa.table({"h": pa.array([1.5], pa.float16())}))
    with pytest.raises(CouldNotLook, match="FLOAT16"):
        ParquetReader(path)


@pytest.mark.parametrize("size", [0, 4, 100, 500])
def test_a_file_that_breaks_off(tmp_path: Path, size: int) -> None:
    path = written(tmp_path, pa.table({"a": list(range(1000))}))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(InputError, match="cannot be read") as caught:
        list(ParquetReader(path, "s.t.parquet"))
    assert caught.value.file == "s.t.parquet"


def test_a_damaged_page(tmp_path: Path) -> None:
    values = [number * number % 1_000_003 for number in range(100_000)]
    path = written(tmp_path, pa.table({"a": values}), compression="gzip", use_dictionary=False)
    data = bytearray(path.read_bytes())
    data[1000:3000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(InputError, match="cannot be read"):
        list(ParquetReader(path))


def test_without_pyarrow_nothing_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(CouldNotLook, match="pyarrow"):
        ParquetReader(tmp_path / "t.parquet")
