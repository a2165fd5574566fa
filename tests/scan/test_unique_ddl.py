"""Every recorded definition as schema files: the keys that the scan lists are those that the server derived."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import key_oracle
import pytest
from source_folder import scan

from safe_lightning.scan.model import EVERY_KEY, KeyStatus, ScanOptions, TableScan

RECORDS = [json.loads(line) for line in (key_oracle.FOLDER / "unique_ddl.jsonl").read_text().splitlines()]
# A byte order mark is an error in a statement and nothing in a file.
REFUSED = [record for record in RECORDS if record["error"] and not record["statements"][0].startswith("\ufeff")]
WITH_TABLES = [record for record in RECORDS if record["error"] is None and record["tables"]]


def write(folder: Path, record: dict[str, Any]) -> None:
    if record.get("database_options"):
        (folder / "db-schema-create.sql").write_text(f"CREATE DATABASE db {record['database_options']};\n")
    text = "\n".join(f"{statement};" for statement in record["statements"])
    for table in record["tables"]:
        (folder / f"db.{table}-schema.sql").write_text(text)
        (folder / f"db.{table}.csv").write_bytes(b"")


def listed(table: TableScan) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key in table.keys:
        yield key.name.lower(), tuple(column.lower() for column in key.columns)


def recorded(table: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for key in table["unique_keys"]:
        yield key["name"].lower(), len(key["parts"])


def is_single(record: dict[str, Any]) -> bool:
    """Tell whether the statements are those that a schema file of this one table would hold."""
    return len(record["tables"]) == 1


@pytest.mark.parametrize("record", [r for r in WITH_TABLES if is_single(r)], ids=lambda record: record["id"])
def test_the_keys_of_a_definition_are_listed_as_the_server_has_them(tmp_path: Path, record: dict[str, Any]) -> None:
    write(tmp_path, record)
    sql_mode = record.get("sql_mode")
    config = {"tidb": {"sql-mode": sql_mode}} if sql_mode else {}
    found = scan(tmp_path, config, options=ScanOptions(new_collation=record["new_collation"]))
    [(name, table)] = record["tables"].items()
    [scanned] = [one for one in found.tables if one.table.table.lower() == name.lower()]
    assert sorted((key, len(columns)) for key, columns in listed(scanned)) == sorted(recorded(table))
    columns = dict(listed(scanned))
    for key in table["unique_keys"]:
        plain = [part["column"].lower() for part in key["parts"] if part["expression"] is None]
        assert [column for column in columns[key["name"].lower()] if not column.startswith("(")] == plain


@pytest.mark.parametrize("record", REFUSED[::3], ids=lambda record: record["id"])
def test_a_definition_that_the_server_refuses_is_never_called_clean(tmp_path: Path, record: dict[str, Any]) -> None:
    (tmp_path / "db.t-schema.sql").write_text("\n".join(f"{statement};" for statement in record["statements"]))
    (tmp_path / "db.t.csv").write_text("1\n1\n")
    found = scan(tmp_path, options=ScanOptions(new_collation=record["new_collation"]))
    assert [(key.name, key.status) for key in found.tables[0].keys] == [(EVERY_KEY, KeyStatus.NOT_CHECKED)]
