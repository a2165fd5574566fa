"""Tiny dumps, one feature each: which rows share a key, why, and what cannot be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from source_folder import NO_HEADER, only_key, only_table, scan, write

from safe_lightning.core.columns import Backend
from safe_lightning.core.tables import TableName
from safe_lightning.scan.fast import FastEngine
from safe_lightning.scan.model import KeyStatus, Scan, Why
from safe_lightning.scan.reference import ReferenceEngine
from safe_lightning.scan.target import TargetFacts

STRICT: dict[str, Any] = {"tidb": {"sql-mode": "STRICT_TRANS_TABLES"}, **NO_HEADER}
ENGINES = [ReferenceEngine(), FastEngine()]
engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: type(engine).__name__)


def rows_of(found: Scan) -> list[list[int | None]]:
    return [[place.row for place in example.rows] for example in only_key(found).examples]


CASES: list[tuple[str, str, str, list[list[int]], list[Why]]] = [
    ("identical rows", "a int primary key, b int", "1,2\n1,2\n2,2\n", [[1, 2]], [Why.IDENTICAL_ROWS]),
    ("other values", "a int primary key, b int", "1,2\n1,3\n", [[1, 2]], [Why.SAME_KEY]),
    ("a cast", "a int primary key, b int", "1,2\n01,2\n", [[1, 2]], [Why.AFTER_CAST]),
    ("a clamp", "a tinyint primary key, b int", "300,2\n127,2\n", [[1, 2]], [Why.AFTER_CAST]),
    ("a collation", "a varchar(9) collate utf8mb4_general_ci unique", "x\nX\n", [[1, 2]], [Why.UNDER_COLLATION]),
    ("blanks at the end", "a varchar(9) unique", 'x\n"x "\n', [[1, 2]], [Why.UNDER_COLLATION]),
    ("a cut to the column", "a varchar(2) unique", "abc\nabd\n", [[1, 2]], [Why.TRUNCATED]),
    ("a prefix", "a varchar(9), unique(a(2))", "abc\nabd\n", [[1, 2]], [Why.TRUNCATED]),
    ("a composite", "a int, b int, unique(b, a)", "1,2\n2,1\n1,2\n", [[1, 3]], [Why.IDENTICAL_ROWS]),
    ("NULL is never equal", "a int unique, b int", "\\N,1\n\\N,1\n", [], []),
    ("NULL where it is not allowed is zero", "a int not null unique, b int", "\\N,1\n0,2\n", [[1, 2]], [Why.DEFAULTED]),
    ("three of a kind", "a int primary key", "1\n2\n1\n1\n", [[1, 3, 4]], [Why.IDENTICAL_ROWS]),
    ("an invisible key", "a int, unique key k(a) invisible", "1\n1\n", [[1, 2]], [Why.IDENTICAL_ROWS]),
]


@engine
@pytest.mark.parametrize(("create", "data", "rows", "why"), [case[1:] for case in CASES], ids=[c[0] for c in CASES])
def test_rows_that_share_a_key(
    tmp_path: Path, engine: Any, create: str, data: str, rows: list[list[int]], why: list[Why]
) -> None:
    write(tmp_path, db_t_schema_sql=f"create table t({create});", db_t_csv=data)
    found = scan(tmp_path, NO_HEADER, engine=engine)
    assert rows_of(found) == rows
    assert [example.why for example in only_key(found).examples] == why
    assert only_key(found).status is (KeyStatus.CONFLICTS if rows else KeyStatus.CLEAN)
    assert only_key(found).duplicate_keys == len(rows)
    assert only_key(found).duplicate_rows == sum(map(len, rows))


@engine
def test_a_row_is_located_by_file_line_byte_and_number(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key, b text);")
    write(tmp_path, db_t_1_csv='a,b\n1,"x\ny"\n2,z\n', db_t_2_csv="b,a\n\nq,2\n")
    [example] = only_key(scan(tmp_path, engine=engine)).examples
    places = [(place.file, place.line, place.offset, place.row) for place in example.rows]
    assert places == [("db.t.1.csv", 4, 12, 2), ("db.t.2.csv", 3, 5, 1)]
    assert example.key == ("2",)


@engine
def test_all_keys_of_a_table_come_with_their_own_counts(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key, b int unique, c int, unique k(c, b));")
    write(tmp_path, db_t_csv="1,1,1\n1,2,2\n2,1,3\n3,1,1\n")
    keys = only_table(scan(tmp_path, NO_HEADER, engine=engine)).keys
    told = {key.name: (key.columns, key.duplicate_keys, key.duplicate_rows) for key in keys}
    assert told == {"PRIMARY": (("a",), 1, 2), "b": (("b",), 1, 3), "k": (("c", "b"), 1, 2)}


@engine
def test_shards_that_routes_merge_are_one_space_of_keys(tmp_path: Path, engine: Any) -> None:
    create = "create table t(a int primary key);"
    names = {f"s{n}.t{n}{rest}": text for n in (1, 2) for rest, text in (("-schema.sql", create), (".csv", "a\n7\n"))}
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    route = {"schema-pattern": "s*", "table-pattern": "t*", "target-schema": "all", "target-table": "t"}
    table = only_table(scan(tmp_path, {"routes": [route]}, engine=engine))
    assert (table.table, table.rows, table.files) == (TableName("all", "t"), 2, 2)
    assert table.keys[0].duplicate_keys == 1


@pytest.mark.parametrize(
    ("create", "names", "data", "rows"),
    [
        ("a int not null default 5 unique, b int", "b", "1\n2\n", [[1, 2]]),
        ("a int unique, b int", "b", "1\n2\n", []),
        ("a int not null unique, b int", "b", "1\n2\n", [[1, 2]]),
        ("a enum('x','y') not null unique, b int", "b", "1\n2\n", [[1, 2]]),
        ("a datetime default current_timestamp unique, b int", "b", "1\n2\n", [[1, 2]]),
        ("a bigint auto_increment primary key, b int", "b", "1\n2\n", []),
        ("a bigint auto_random primary key, b int", "b", "1\n2\n", []),
    ],
)
def test_a_column_that_is_not_in_the_file(
    tmp_path: Path, create: str, names: str, data: str, rows: list[list[int]]
) -> None:
    write(tmp_path, db_t_schema_sql=f"create table t({create});", db_t_csv=f"{names}\n{data}")
    found = scan(tmp_path)
    assert rows_of(found) == rows
    assert all(example.why is Why.DEFAULTED for example in only_key(found).examples)


def test_an_ignored_column_gets_its_default(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int default 1 unique, b int);", db_t_csv="a,b\n1,1\n2,2\n")
    ignore = {"mydumper": {"ignore-columns": [{"db": "db", "table": "t", "columns": ["a"]}]}}
    assert rows_of(scan(tmp_path, ignore)) == [[1, 2]]


@engine
def test_written_and_generated_ids_together_are_not_called_clean(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a bigint auto_increment primary key);", db_t_csv="1\n\\N\n")
    key = only_key(scan(tmp_path, NO_HEADER, engine=engine))
    assert key.status is KeyStatus.NOT_CHECKED
    assert "generated" in str(key.reason)


@engine
@pytest.mark.parametrize(("backend", "rows"), [(Backend.PHYSICAL, [[1, 2]]), (Backend.LOGICAL, [])])
def test_zero_makes_the_server_count_and_stays_zero_in_lightnings_encoder(
    tmp_path: Path, engine: Any, backend: Backend, rows: list[list[int]]
) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a bigint auto_increment primary key);", db_t_csv="0\n0\n")
    assert rows_of(scan(tmp_path, NO_HEADER, backend=backend, engine=engine)) == rows


def test_explicit_row_ids_are_a_key_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int);", db_t_csv="a,_tidb_rowid\n1,9\n2,9\n")
    [key] = only_table(scan(tmp_path)).keys
    assert (key.name, key.status, key.duplicate_rows) == ("_tidb_rowid", KeyStatus.CONFLICTS, 2)


@engine
def test_a_refused_value_is_a_finding_and_no_duplicate(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a tinyint primary key);", db_t_csv="300\n127\n300\n")
    table = only_table(scan(tmp_path, STRICT, engine=engine))
    [finding] = table.findings
    assert (finding.code, finding.file, finding.line) == ("refused-key", "db.t.csv", 1)
    assert (table.keys[0].status, table.keys[0].duplicate_keys) == (KeyStatus.CLEAN, 0)


@pytest.mark.parametrize(
    ("create", "reason"),
    [
        ("a int, b int as (a + 1), unique(b)", "generated"),
        ("a int, unique((a + 1))", "expression"),
        ("a char(3) charset gbk collate gbk_chinese_ci, unique(a", "definition cannot be used"),
    ],
)
def test_what_cannot_be_decided_is_not_checked_with_the_reason(tmp_path: Path, create: str, reason: str) -> None:
    write(tmp_path, db_t_schema_sql=f"create table t({create});", db_t_csv="1\n1\n")
    write(tmp_path, db_u_schema_sql="create table u(a int primary key);", db_u_csv="1\n2\n")
    found = scan(tmp_path, NO_HEADER)
    keys = {table.table.table: table.keys[0] for table in found.tables}
    assert keys["t"].status is KeyStatus.NOT_CHECKED
    assert reason in str(keys["t"].reason)
    assert keys["u"].status is KeyStatus.CLEAN


def test_a_table_without_a_definition_is_not_checked(tmp_path: Path) -> None:
    write(tmp_path, db_t_csv="1\n1\n")
    key = only_key(scan(tmp_path, NO_HEADER))
    assert (key.name, key.status) == ("*", KeyStatus.NOT_CHECKED)


def test_the_definition_of_an_existing_table_wins(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key);", db_t_csv="1\n1\n")
    facts = TargetFacts(True, definitions={TableName("db", "t"): "CREATE TABLE `t` (\n  `a` int DEFAULT NULL\n)"})
    table = only_table(scan(tmp_path, NO_HEADER, ask=lambda _: facts))
    assert (table.keys, table.basis) == ((), "the target's own definition")


def test_a_target_that_hides_a_table_leaves_it_unchecked(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key);", db_t_csv="1\n1\n")
    facts = TargetFacts(True, refused={TableName("db", "t"): "access denied"})
    key = only_key(scan(tmp_path, NO_HEADER, ask=lambda _: facts))
    assert (key.status, key.reason) == (KeyStatus.NOT_CHECKED, "access denied")


@pytest.mark.parametrize(("new_collation", "rows"), [(True, [[1, 2]]), (False, [])])
def test_the_target_says_which_collation_framework_counts(
    tmp_path: Path, new_collation: bool, rows: list[list[int]]
) -> None:
    from safe_lightning.scan.model import ScanOptions

    create = "create table t(a varchar(9) collate utf8mb4_general_ci unique);"
    write(tmp_path, db_t_schema_sql=create, db_t_csv="x\nX\n")
    found = scan(tmp_path, NO_HEADER, ask=lambda _: TargetFacts(new_collation), options=ScanOptions())
    assert rows_of(found) == rows


@engine
@pytest.mark.parametrize(
    ("zone", "rows"), [("America/New_York", [[1, 2]]), ("UTC", [])], ids=["in the gap", "without a gap"]
)
def test_the_tasks_time_zone_decides_about_times(tmp_path: Path, engine: Any, zone: str, rows: list[list[int]]) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a timestamp unique);")
    write(tmp_path, db_t_csv="2024-03-10 02:30:00\n2024-03-10 03:00:00\n")
    config = {**NO_HEADER, "tidb": {"session-vars": {"time_zone": zone}}}
    assert rows_of(scan(tmp_path, config, backend=Backend.LOGICAL, engine=engine)) == rows


def test_an_import_of_nothing_into_a_table_is_a_finding(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key);", db_t_csv="a\n")
    write(tmp_path, db_u_schema_sql="create table u(a int primary key);")
    codes = {table.table.table: {finding.code for finding in table.findings} for table in scan(tmp_path).tables}
    assert "no-row-at-all" in codes["t"]
    assert "no-data-file" in codes["u"]


@engine
def test_a_row_of_odd_length_is_a_finding_with_its_line(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key, b int);", db_t_csv="1,1\n2,2,2\n3\n4,4\n")
    found = only_table(scan(tmp_path, NO_HEADER, engine=engine)).findings
    assert {(one.code, one.line, one.offset) for one in found} == {("surplus-fields", 2, 4), ("missing-fields", 3, 10)}
