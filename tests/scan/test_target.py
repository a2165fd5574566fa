"""What a real server tells of its tables; MariaDB speaks the same protocol and the same SHOW CREATE TABLE."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mariadb
import pytest
from mariadb import MariaDB
from source_folder import NO_HEADER, only_table, scan, write

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Secret, Server
from safe_lightning.scan.target import ask_target

TABLE = TableName("scan_db", "t")


@pytest.fixture(scope="module")
def server() -> Iterator[MariaDB]:
    if mariadb.find_server() is None:
        pytest.skip("mariadbd is not installed: nothing was tested against a real server")
    with mariadb.start() as running:
        running.run(
            "CREATE DATABASE scan_db COLLATE utf8mb4_bin", "CREATE TABLE scan_db.t (a INT, b INT, UNIQUE KEY of_b (b))"
        )
        yield running


def at(server: MariaDB) -> Server:
    return Server(host=server.host, port=server.port, user="root", password=Secret(server.password))


def test_existing_tables_are_told_and_absent_ones_are_not(server: MariaDB) -> None:
    facts = ask_target(at(server), [TABLE, TableName("scan_db", "gone"), TableName("nosuch", "t")], 5)
    assert (facts.unreachable, dict(facts.refused), list(facts.definitions)) == ("", {}, [TABLE])
    assert "of_b" in facts.definitions[TABLE]


def test_the_existing_table_decides_about_keys(server: MariaDB, tmp_path: Path) -> None:
    create = "create table t(a int primary key, b int);"
    for name, text in {"scan_db.t-schema.sql": create, "scan_db.t.csv": "1,1\n1,2\n2,2\n"}.items():
        (tmp_path / name).write_text(text)
    found = scan(tmp_path, NO_HEADER, ask=lambda tables: ask_target(at(server), tables, 5))
    [table] = [table for table in found.tables if table.table == TABLE]
    assert [(key.name, key.duplicate_rows) for key in table.keys] == [("of_b", 2)]
    assert table.basis == "the target's own definition"


def test_a_server_that_is_gone_is_a_note_and_the_schema_file_counts(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key);", db_t_csv="1\n1\n")
    gone = Server(host="127.0.0.1", port=mariadb.free_port())
    found = scan(tmp_path, NO_HEADER, ask=lambda tables: ask_target(gone, tables, 5))
    assert "cannot be reached" in found.notes[0]
    assert only_table(found).keys[0].duplicate_rows == 2
