"""A file as rows of its table: what Lightning would do in silence is counted, what ends the reading is told."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from safe_lightning.core.columns import Backend
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.files import SourceFile, discover
from safe_lightning.source.findings import Level
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema import Schema
from safe_lightning.source.schema_model import TableDefinition
from safe_lightning.source.table_rows import TableRows

SCHEMA = Schema()
SCHEMA.apply("create table t (id int primary key, name varchar(9), g int as (id + 1))")
TABLE: TableDefinition = SCHEMA.tables["t"]


def rows_of(folder: Path, name: str, data: bytes, backend: Backend = Backend.PHYSICAL, **csv: object) -> TableRows:
    (folder / name).write_bytes(data)
    source = discover(str(folder), Path("/"))
    (found,) = source.tables
    (file,) = found.files
    assert isinstance(file, SourceFile)
    return TableRows(file, found.table, TABLE, ReadingRules(CsvRules(**csv)), backend=backend)  # type: ignore[arg-type]


Seen = tuple[str, Level, int | None, int | None]

CUT = gzip.compress(b"id,name\n1,a\n", mtime=0)[:-8]
LISTS = b"INSERT INTO t (id) VALUES (1);\nINSERT INTO t (name) VALUES (2);"
CASES: list[tuple[str, bytes, int, bool, list[Seen]]] = [
    ("s.t.csv", b"id,name\n1,a\n2,b\n", 2, True, []),
    ("s.t.csv", b"name\na\n", 1, True, []),
    ("s.t.csv", b"id,name\n1,a\n2\n3\n", 3, True, [("missing-fields", Level.WARN, 3, 12)]),
    ("s.t.csv", b"id,name\n1,a,x\n", 1, True, [("surplus-fields", Level.WARN, 2, 8)]),
    ("s.t.csv", b"id,name\n", 0, True, [("no-row", Level.WARN, None, None)]),
    ("s.t.csv", b"", 0, True, [("no-row", Level.WARN, None, None)]),
    ("s.t.csv", b"id,nome\n1,a\n", 0, False, [("unknown-columns", Level.ERROR, None, None)]),
    ("s.t.csv", b'id,name\n1,"a\n', 0, False, [("unterminated-quote", Level.ERROR, 2, 10)]),
    ("s.t.csv.gz", CUT, 1, False, [("truncated-compression", Level.WARN, None, len(CUT))]),
    ("s.t.csv.gz", b"id,name\n", 0, False, [("damaged-compression", Level.ERROR, None, 0)]),
    ("s.t.sql", b"INSERT INTO t VALUES (1,'a',0);", 1, True, []),
    ("s.t.sql", b"INSERT INTO t VALUES (1,'a');", 1, True, [("missing-fields", Level.WARN, 1, 21)]),
    ("s.t.sql", LISTS, 2, True, [("changed-column-list", Level.WARN, 2, 59)]),
    ("s.t.sql", b"INSERT INTO t VALUES (1,'a',0); COMMIT;", 1, False, [("premature-end", Level.ERROR, 1, 39)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "count", "is_whole", "expected"), CASES)
def test_rows_and_findings(
    tmp_path: Path, name: str, data: bytes, count: int, is_whole: bool, expected: list[Seen]
) -> None:
    rows = rows_of(tmp_path, name, data)
    assert len(list(rows)) == rows.row_count == count
    assert rows.is_read_to_end == is_whole
    assert [(found.code, found.level, found.line, found.offset) for found in rows.findings] == expected
    assert all((found.file, str(found.table)) == (name, "`s`.`t`") for found in rows.findings)


def test_rows_with_the_same_fault_are_counted(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "s.t.csv", b"id,name\n1\n2\n3\n")
    list(rows)
    (found,) = rows.findings
    assert found.message.endswith("(in 3 rows)")


def test_the_logical_backend_stops_at_a_short_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "s.t.csv", b"id,name\n1\n", Backend.LOGICAL)
    list(rows)
    assert [(found.code, found.level) for found in rows.findings] == [("wrong-field-count", Level.ERROR)]


def test_values_come_by_column(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "s.t.csv", b"name,id\na,1\n")
    (row,) = rows
    assert rows.mapping is not None
    assert [rows.mapping.value(row.fields, column) for column in (0, 1)] == [b"1", b"a"]


def test_a_file_without_header_maps_by_position(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "s.t.csv", b"1,a,0\n", header=False)
    (row,) = rows
    assert rows.mapping is not None
    assert (rows.mapping.value(row.fields, 0), rows.findings) == (b"1", ())
