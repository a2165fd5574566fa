"""Values as the server prints them are the same keys as those of the source; MariaDB has the same types."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mariadb import MariaDB
from source_folder import NO_HEADER, only_key, only_table
from target_rows import IN_TARGET, OPTIONS, STRICT, compare, engines, source

from safe_lightning.conflicts.zones import Zone
from safe_lightning.lightning.task import Server
from safe_lightning.scan.existing_rows import quoted
from safe_lightning.scan.existing_values import LocalTime, OutOfReach
from safe_lightning.scan.model import Engine, KeyStatus, Place
from safe_lightning.source.sql_reader import SqlReader

VALUES: dict[str, tuple[str, str, bytes, bytes]] = {
    "integer": ("INT", "7", b"+7", b"8"),
    "zerofill": ("INT(6) ZEROFILL", "7", b"7", b"70"),
    "unsigned": ("BIGINT UNSIGNED", "18446744073709551615", b"18446744073709551615", b"18446744073709551614"),
    "decimal": ("DECIMAL(10,3)", "1.5", b"1.50", b"1.501"),
    "double": ("DOUBLE", "0.1", b"1e-1", b"0.10000000000000002"),
    "float": ("FLOAT", "1.5", b"1.5", b"1.25"),
    "date": ("DATE", "'2024-02-29'", b"20240229", b"2024-02-28"),
    "datetime": ("DATETIME(3)", "'2024-02-29 01:02:03.5'", b"2024-02-29T01:02:03.5", b"2024-02-29 01:02:03.501"),
    "time": ("TIME(1)", "'-01:02:03.4'", b"-1:02:03.4", b"01:02:03.4"),
    "year": ("YEAR", "2024", b"24", b"25"),
    "zero year": ("YEAR", "0", b"0000", b"0"),
    "bits": ("BIT(12)", "b'100100001'", b"\x01!", b'\x01"'),
    "enum": ("ENUM('a','b,c','''')", "'b,c'", b"2", b"1"),
    "set": ("SET('a','b','c')", "'a,c'", b"c,a", b"b"),
    "binary": ("BINARY(4)", "0x00275C0A", b"\x00'\\\n", b"\x00'\\\r"),
    "varbinary": ("VARBINARY(9)", "0xFF00FE", b"\xff\x00\xfe", b"\xff\x00\xfe\x00"),
    "blanks": ("VARCHAR(9)", "'a'", b"a  ", b" a"),
    "collation": ("VARCHAR(9) COLLATE utf8mb4_general_ci", "'Ä''\\\\'", b"a'\\", b"b"),
    "char": ("CHAR(5)", "'ab'", b"ab", b"abc"),
}


@engines
@pytest.mark.parametrize("name", VALUES)
def test_values_are_equal_as_the_source_own_are(
    server: MariaDB, at: Server, tmp_path: Path, engine: Engine, name: str
) -> None:
    kind, stored, same, other = VALUES[name]
    server.run(f"CREATE TABLE inc.t (a {kind}, UNIQUE (a))", f"INSERT INTO inc.t VALUES ({stored}), (NULL)")
    key = only_key(compare(at, source(tmp_path, (same,), (other,), (None,)), engine=engine))
    assert (key.status, key.reason, key.duplicate_rows) == (KeyStatus.CONFLICTS, None, 2)
    assert key.examples[0].rows == (Place("inc.t.csv", 1, 0, 1), IN_TARGET)


@engines
@pytest.mark.parametrize(
    ("kind", "key", "stored", "same", "other"),
    [
        ("TEXT", "a(3)", "'abcdef'", b"abcxyz", b"abxyz"),
        ("TEXT CHARACTER SET latin1 COLLATE latin1_bin", "a(3)", "'abcdef'", b"abcxyz", b"abxyz"),
        ("BLOB", "a(2)", "0x0001FF", b"\x00\x01\x02", b"\x00\x02"),
        ("VARCHAR(20)", "a(1)", "'\u00e4bc'", "\u00e4xy".encode(), b"a"),
        ("VARCHAR(20) NOT NULL", "a(1), b", "'abc'", b"axy", b"bxy"),
    ],
)
def test_a_prefix_is_all_that_counts(
    server: MariaDB,
    at: Server,
    tmp_path: Path,
    engine: Engine,
    kind: str,
    key: str,
    stored: str,
    same: bytes,
    other: bytes,
) -> None:
    server.run(f"CREATE TABLE inc.t (a {kind}, b INT, UNIQUE ({key}))", f"INSERT INTO inc.t VALUES ({stored}, 1)")
    found = only_key(compare(at, source(tmp_path, (same, b"1"), (other, b"1")), engine=engine))
    assert (found.status, found.duplicate_rows) == (KeyStatus.CONFLICTS, 2)


@engines
@pytest.mark.parametrize(
    ("stored", "written", "meet"),
    [
        # 01:30 in New York comes twice on this day; TiDB writes the first, and the second is no row's.
        ("2024-11-03 05:30:00", b"2024-11-03 01:30:00", True),
        ("2024-11-03 06:30:00", b"2024-11-03 01:30:00", False),
        ("2024-07-01 04:00:00", b"2024-07-01", True),
        ("2024-07-01 00:00:00", b"2024-07-01", False),
    ],
)
def test_timestamps_are_compared_as_instants(
    server: MariaDB, at: Server, tmp_path: Path, engine: Engine, stored: str, written: bytes, meet: bool
) -> None:
    server.run(
        "SET time_zone = '+00:00'",
        "CREATE TABLE inc.t (a TIMESTAMP NOT NULL UNIQUE)",
        f"INSERT INTO inc.t VALUES ('{stored}')",
    )
    options = replace(OPTIONS, time_zone="America/New_York")
    key = only_key(compare(at, source(tmp_path, (written,)), options=options, engine=engine))
    assert key.status is (KeyStatus.CONFLICTS if meet else KeyStatus.CLEAN)


@pytest.mark.parametrize(
    ("kind", "stored", "config", "written", "status"),
    [
        ("DATE", "'0000-00-00'", STRICT, b"2024-01-01", KeyStatus.CLEAN),
        ("DATE NOT NULL", "'0000-00-00'", STRICT, b"2024-01-01", KeyStatus.CLEAN),
        ("DATE", "'0000-00-00'", NO_HEADER, b"no date", KeyStatus.CONFLICTS),
        ("ENUM('a')", "''", STRICT, b"a", KeyStatus.CLEAN),
        ("ENUM('a')", "''", NO_HEADER, b"zz", KeyStatus.CONFLICTS),
        ("ENUM('a','')", "''", NO_HEADER, b"a", KeyStatus.NOT_CHECKED),
        ("FLOAT", "1.2345678", NO_HEADER, b"1.2345678", KeyStatus.NOT_CHECKED),
        (
            "VARCHAR(9)",
            "'a\\\\''b'",
            {**NO_HEADER, "tidb": {"sql-mode": "NO_BACKSLASH_ESCAPES"}},
            b"a\\'b",
            KeyStatus.CONFLICTS,
        ),
    ],
)
def test_what_the_import_could_not_have_written_is_met_by_nothing_or_not_told(
    server: MariaDB, at: Server, tmp_path: Path, kind: str, stored: str, config: Any, written: bytes, status: KeyStatus
) -> None:
    server.run(
        "SET sql_mode = ''", f"CREATE TABLE inc.t (a {kind}, UNIQUE (a))", f"INSERT INTO inc.t VALUES ({stored})"
    )
    key = only_key(compare(at, source(tmp_path, (written,)), config))
    assert (key.status, key.reason is None) == (status, status is not KeyStatus.NOT_CHECKED)


@given(
    st.lists(st.lists(st.none() | st.binary(max_size=20), min_size=2, max_size=2), min_size=1, max_size=5),
    st.booleans(),
)
def test_any_bytes_are_read_back_as_they_were_written(rows: list[list[bytes | None]], has_escapes: bool) -> None:
    literals = [
        b"(" + b",".join(b"NULL" if value is None else quoted(value, has_escapes=has_escapes) for value in row) + b")"
        for row in rows
    ]
    reader = SqlReader([b"INSERT INTO `t` (`a`,`b`) VALUES\n" + b",\n".join(literals)], "", has_escapes)
    assert [row.fields for row in reader] == rows


@given(
    st.sampled_from(["UTC", "+05:45", "America/New_York", "Australia/Lord_Howe", "Asia/Shanghai"]),
    st.lists(st.integers(1, (1 << 31) - 1), min_size=1, max_size=8),
)
def test_a_moved_time_is_the_same_instant(zone_name: str, instants: list[int]) -> None:
    zone = Zone(zone_name)
    to_local = LocalTime(zone)
    # The same hour twice: the second time it is remembered.
    for instant in [*instants, *(instant // 3600 * 3600 + 61 for instant in instants)]:
        printed = datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S").encode()
        expected = zone.to_local(instant)
        if zone.to_instant(expected) != instant:
            with pytest.raises(OutOfReach):
                to_local(printed)
        else:
            assert to_local(printed + b".5") == b"%04d-%02d-%02d %02d:%02d:%02d.5" % expected[:6]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 6), st.sampled_from(["a", "A", "b", "b ", "", None])), min_size=1, max_size=8),
    st.sets(st.integers(0, 6), max_size=4),
)
def test_any_rows_conflict_as_by_brute_force(
    server: MariaDB, at: Server, tmp_path: Path, rows: list[tuple[int, str | None]], standing: set[int]
) -> None:
    server.run(
        "CREATE OR REPLACE TABLE inc.t (a INT PRIMARY KEY, b VARCHAR(3) COLLATE utf8mb4_general_ci, UNIQUE ab (b, a))",
        *(f"INSERT INTO inc.t VALUES ({number}, 'B')" for number in standing),
    )
    fields = [(b"%d" % number, None if text is None else text.encode()) for number, text in rows]
    told = {key.name: key for key in only_table(compare(at, source(tmp_path, *fields))).keys}
    pairs = [None if text is None else (text.rstrip().upper(), number) for number, text in rows]
    assert told["PRIMARY"].duplicate_keys == clashing([number for number, _ in rows], standing)
    assert told["ab"].duplicate_keys == clashing(pairs, {("B", number) for number in standing})


def clashing(keys: Sequence[object], standing: Collection[object]) -> int:
    counts = Counter(key for key in keys if key is not None)
    return sum(count > 1 or key in standing for key, count in counts.items())
