"""What a real TiDB said of thousands of tables: the scan of each as files finds the same duplicate keys."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import key_oracle
import pytest
from source_folder import csv_text, scan, sql_text

from safe_lightning.core.columns import Backend
from safe_lightning.scan.fast import FastEngine
from safe_lightning.scan.model import Engine, KeyScan, KeyStatus, Limits, ScanOptions, TableScan

FAMILIES = sorted({record.identity.split("-")[0] for record in key_oracle.records()})


@cache
def raw_records() -> dict[str, dict[str, Any]]:
    lines = gzip.decompress((key_oracle.FOLDER / "key_equality.jsonl.gz").read_bytes()).splitlines()
    return {raw["id"]: raw for raw in map(json.loads, lines)}


def create_table(raw: dict[str, Any]) -> str:
    """Write the table of a record as its README describes it."""
    types = raw["type"] if isinstance(raw["type"], list) else [raw["type"]]
    names = ["c"] if len(types) == 1 and isinstance(raw["type"], str) else [f"c{n}" for n in range(1, len(types) + 1)]
    columns = [f"{name} {of_type}" for name, of_type in zip(names, types, strict=True)]
    return f"CREATE TABLE t ({', '.join([*columns, raw['key']])});\n"


def config_of(record: key_oracle.Record) -> dict[str, Any]:
    return {
        "mydumper": {"csv": {"header": False}},
        "tidb": {"sql-mode": record.sql_mode, "session-vars": {"time_zone": record.time_zone}},
    }


def write_tables(folder: Path, records: list[key_oracle.Record], kind: str) -> None:
    for number, record in enumerate(records):
        name = f"db.t{number}"
        (folder / f"{name}-schema.sql").write_text(create_table(raw_records()[record.identity]))
        data = csv_text(record.rows) if kind == "csv" else sql_text("t", record.rows)
        (folder / f"{name}.{kind}").write_bytes(data)


def expected(record: key_oracle.Record, backend: Backend) -> list[list[int]]:
    is_ok = record.is_physical_ok if backend is Backend.PHYSICAL else [code == 0 for code in record.verdicts]
    groups = [[row for row in group if is_ok[row]] for group in record.groups]
    return sorted(group for group in groups if len(group) > 1)


def found_groups(key: KeyScan) -> list[list[int]]:
    return sorted(sorted((place.row or 0) - 1 for place in example.rows) for example in key.examples)


def disagreements(
    folder: Path,
    records: list[key_oracle.Record],
    kind: str,
    backend: Backend = Backend.PHYSICAL,
    engine: Engine | None = None,
) -> Iterator[str]:
    """Scan all tables of records that share a mode at once."""
    write_tables(folder, records, kind)
    limits = Limits(examples_most=1000, rows_shown_most=100)
    options = ScanOptions(new_collation=records[0].new_collation, limits=limits)
    found = scan(folder, config_of(records[0]), backend=backend, options=options, engine=engine)
    tables: dict[str, TableScan] = {table.table.table: table for table in found.tables}
    for number, record in enumerate(records):
        [key] = tables[f"t{number}"].keys
        wanted = expected(record, backend)
        if key.status is KeyStatus.NOT_CHECKED:
            yield f"not checked: {record.identity}: {key.reason}"
        elif found_groups(key) != wanted or key.duplicate_keys != len(wanted):
            yield f"{record.identity}: {found_groups(key)}, not {wanted}"
        elif key.duplicate_rows != sum(map(len, wanted)):
            yield f"{record.identity}: {key.duplicate_rows} rows"


def by_mode(records: list[key_oracle.Record]) -> list[list[key_oracle.Record]]:
    groups: dict[Any, list[key_oracle.Record]] = {}
    for record in records:
        if record.rows:
            groups.setdefault((record.sql_mode, record.time_zone, record.new_collation), []).append(record)
    return list(groups.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_server_agrees_on_the_duplicates_of_every_table_as_csv(tmp_path: Path, family: str) -> None:
    lines: list[str] = []
    for number, records in enumerate(by_mode(list(key_oracle.records_of(family)))):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines += disagreements(folder, records, "csv")
    assert lines == []


@pytest.mark.parametrize("family", FAMILIES)
def test_the_server_agrees_on_the_duplicates_of_dumps(tmp_path: Path, family: str) -> None:
    lines: list[str] = []
    for number, records in enumerate(by_mode(list(key_oracle.records_of(family))[::20])):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines += disagreements(folder, records, "sql", Backend.LOGICAL)
    assert lines == []


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fast_engine_agrees_where_it_takes_a_table(tmp_path: Path, family: str) -> None:
    lines: list[str] = []
    for number, records in enumerate(by_mode(list(key_oracle.records_of(family))[::20])):
        folder = tmp_path / str(number)
        folder.mkdir()
        lines += disagreements(folder, records, "csv", engine=FastEngine())
    assert lines == []
