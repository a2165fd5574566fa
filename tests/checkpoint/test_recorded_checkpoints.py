"""Every recorded checkpoint, of either driver, reads as the dump beside it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pymysql
import pytest
import second_opinion
from mariadb import MariaDB
from recorded_stores import dump_groups, found, load_sql, load_tsv, server_of

from safe_lightning.core.checkpoint import Checkpoint, UnreadableCheckpoint
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_file import decode, encode, read_summary
from safe_lightning.lightning.checkpoint_mysql import read_mysql

LIMIT = 1 << 24


FILES = [p for p in found("*checkpoint.pb*") if p.suffix != ".json"]


def case(path: Path) -> str:
    return "/".join(path.parts[-4:])


def expected_tables(dump: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    return {name: expected_table(table) for name, table in dump["checkpoints"].items()}


def expected_table(table: dict[str, Any]) -> tuple[Any, ...]:
    engines = {int(number): engine for number, engine in table.get("engines", {}).items()}
    chunks = [
        (engine.get("status", 0) >= 60 or chunk.get("pos", 0) >= chunk.get("end_offset", 0), chunk.get("kvc_kvs", 0))
        for engine in engines.values()
        for chunk in engine.get("chunks", {}).values()
    ]
    statuses = {number: engine.get("status", 0) for number, engine in engines.items()}
    return table.get("status", 0), statuses, sum(done for done, _ in chunks), len(chunks), sum(k for _, k in chunks)


def told_tables(checkpoint: Checkpoint) -> dict[str, tuple[Any, ...]]:
    return {
        str(record.table): (record.status, record.engines, record.chunks_done, record.chunks_total, record.kvs)
        for record in checkpoint.tables
    }


@pytest.mark.parametrize("path", FILES, ids=case)
def test_a_recorded_file_reads_as_its_dump_says(path: Path) -> None:
    dump_file = path.with_name(path.name + ".json")
    dump = json.loads(dump_file.read_text()) if dump_file.is_file() else None
    if (dump and "undecodable_from_here" in dump) or second_opinion.parse(path.read_bytes()) is None:
        with pytest.raises(UnreadableCheckpoint, match=r"byte \d+"):
            read_summary(path, LIMIT)
        return
    checkpoint = read_summary(path, LIMIT)
    data = path.read_bytes()
    assert encode(decode(data)) == data
    if dump is None:
        message = second_opinion.as_values(second_opinion.parse(data))
        dump = {"checkpoints": message["tables"], "task_checkpoint": message["task"]}
    assert told_tables(checkpoint) == expected_tables(dump)
    assert (checkpoint.task.task_id if checkpoint.task else 0) == (dump["task_checkpoint"] or {}).get("task_id", 0)


ROWS = re.compile(r"^(\w+)\t(\w+)\t\d+\t[^\t]*\t(\d+)$", re.MULTILINE)


SUCCESSES = [p for p in found("checkpoint.pb") if "success" in p.parts[-3] and p.parts[-2] == "after"]


@pytest.mark.parametrize("path", SUCCESSES, ids=case)
def test_rows_counted_by_positions_are_the_rows_in_the_target(path: Path) -> None:
    counted = ROWS.findall((path.parent / "rows.tsv").read_text())
    rows = {str(TableName(schema, table)): int(number) for schema, table, number in counted}
    checkpoint = read_summary(path, LIMIT)
    told = {str(record.table): record.rows for record in checkpoint.tables if record.chunks_total}
    assert told == {name: rows[name] for name in told}


def records(dump: Path) -> list[dict[str, str]]:
    names, *rows = (line.split("\t") for line in dump.read_text().splitlines())
    return [dict(zip(names, row, strict=True)) for row in rows]


def expected_of_tsv(dumps: list[Path]) -> dict[str, tuple[Any, ...]]:
    tables = {dump.stem.rsplit(".", 1)[1].split("_")[0]: records(dump) for dump in dumps}
    told: dict[str, dict[str, Any]] = {
        row["table_name"]: {"status": int(row["status"]), "engines": {}} for row in tables["table"]
    }
    for row in tables["engine"]:
        told[row["table_name"]]["engines"][row["engine_id"]] = {"status": int(row["status"]), "chunks": {}}
    for row in tables["chunk"]:
        engine = told[row["table_name"]]["engines"][row["engine_id"]]
        engine["chunks"][row["path"], row["offset"]] = {k: int(row[k]) for k in ("pos", "end_offset", "kvc_kvs")}
    return expected_tables({"checkpoints": told})


GROUPS = dump_groups()


@pytest.mark.parametrize("name", GROUPS)
def test_a_recorded_mysql_store_reads_as_its_rows_say(server: MariaDB, name: str) -> None:
    load_tsv(server, "recorded", GROUPS[name])
    checkpoint = read_mysql(server_of(server), "recorded", "here", 20)
    assert told_tables(checkpoint) == expected_of_tsv(GROUPS[name])
    [task, *_] = [*records(next(p for p in GROUPS[name] if ".task_" in p.name)), {}]
    assert (checkpoint.task.task_id if checkpoint.task else 0) == int(task.get("task_id", 0))


@pytest.mark.parametrize("path", [p for p in found("checkpoint.sql") if p.stat().st_size], ids=case)
def test_a_recorded_sql_dump_reads_as_its_rows_say(server: MariaDB, path: Path) -> None:
    load_sql(server, "recorded", path)
    checkpoint = read_mysql(server_of(server), "recorded", "here", 20)
    with server.connect() as connection, connection.cursor(pymysql.cursors.DictCursor) as cursor:
        cursor.execute("SELECT * FROM recorded.table_v10")
        tables = {row["table_name"]: (row["status"], row["table_id"]) for row in cursor.fetchall()}
        cursor.execute("SELECT table_name, COUNT(*) n, SUM(kvc_kvs) k FROM recorded.chunk_v5 GROUP BY table_name")
        chunks = {row["table_name"]: (row["n"], int(row["k"])) for row in cursor.fetchall()}
    assert {str(r.table): (r.status, r.table_id) for r in checkpoint.tables} == tables
    assert {str(r.table): (r.chunks_total, r.kvs) for r in checkpoint.tables if r.chunks_total} == chunks
