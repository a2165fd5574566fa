"""A copy of the checkpoint before anything changes it: whole, durable, restorable, or refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from mariadb import MariaDB
from pymysql.constants import CLIENT

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_backup import back_up
from safe_lightning.lightning.checkpoint_mysql import read_mysql
from safe_lightning.lightning.secret import Secret
from safe_lightning.lightning.task import CheckpointStore, Server
from safe_lightning.policy.model import CheckpointPolicy

POLICY = CheckpointPolicy()
SCHEMA, QUOTED = "cp `b'k` %_é", "`cp ``b'k`` %_é`"
TABLE = "`app`.`t``x%_'\\n\U0001f409`"


def of_file(path: Path) -> CheckpointStore:
    return CheckpointStore(path=path)


def of_server(server: MariaDB, schema: str = SCHEMA) -> CheckpointStore:
    address = Server(host=server.host, port=server.port, password=Secret(server.password))
    return CheckpointStore(driver="mysql", schema=schema, server=address)


def test_a_file_is_copied_byte_for_byte_and_each_time_anew(tmp_path: Path) -> None:
    (tmp_path / "cp.pb").write_bytes(bytes(range(256)) * 5000)
    copies = [back_up(of_file(tmp_path / "cp.pb"), tmp_path, POLICY) for _ in range(2)]
    assert copies[0] != copies[1]
    assert {copy.read_bytes() for copy in copies} == {bytes(range(256)) * 5000}
    assert stat.S_IMODE(copies[0].stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["missing", "directory", "fifo", "remote"])
def test_what_is_no_file_is_not_copied(tmp_path: Path, kind: str) -> None:
    path, folder = tmp_path / "cp.pb", tmp_path / "backups"
    folder.mkdir()
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    store = CheckpointStore(url="s3://bucket/cp.pb") if kind == "remote" else of_file(path)
    with pytest.raises((CouldNotLook, OSError)):
        back_up(store, folder, POLICY)
    assert list(folder.iterdir()) == []


def test_without_a_place_for_the_copy_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "cp.pb").write_bytes(b"x")
    with pytest.raises(OSError, match="nowhere"):
        back_up(of_file(tmp_path / "cp.pb"), tmp_path / "nowhere", POLICY)


@pytest.fixture
def filled(server: MariaDB) -> Iterator[MariaDB]:
    """A store of Lightning's own column types, with values that quoting could break."""
    server.run(
        f"DROP SCHEMA IF EXISTS {QUOTED}",
        f"CREATE SCHEMA {QUOTED} DEFAULT CHARSET utf8mb4",
        f"CREATE TABLE {QUOTED}.task_v3 (id tinyint PRIMARY KEY, task_id bigint, source_dir varchar(256))",
        f"""CREATE TABLE {QUOTED}.table_v9 (task_id bigint, table_name varchar(261) PRIMARY KEY, hash binary(32),
            status tinyint unsigned, table_id bigint, create_time timestamp NULL, update_time timestamp NULL)""",
        f"""CREATE TABLE {QUOTED}.engine_v5 (table_name varchar(261), engine_id int, status tinyint unsigned,
            PRIMARY KEY (table_name, engine_id DESC))""",
        f"""CREATE TABLE {QUOTED}.chunk_v5 (table_name varchar(261), engine_id int, path varchar(2048),
            `offset` bigint, end_offset bigint, pos bigint, prev_rowid_max bigint, rowid_max bigint,
            kvc_kvs bigint unsigned, kvc_checksum bigint unsigned, columns text,
            PRIMARY KEY (table_name, engine_id, path(500), `offset`))""",
    )
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"USE {QUOTED}")
        cursor.execute("INSERT INTO task_v3 VALUES (1, -5, 'file:///a''b')")
        row = (7, TABLE, bytes(range(32)), 18, 1 << 62, "2024-03-10 01:59:59", None)
        cursor.execute("INSERT INTO table_v9 VALUES (%s, %s, %s, %s, %s, %s, %s)", row)
        cursor.execute("INSERT INTO engine_v5 VALUES (%s, -1, 90), (%s, 0, 12)", (TABLE, TABLE))
        chunks = [(TABLE, 0, f"f{i}.csv", i, 9, 9, i, i + 1, 1, (1 << 64) - 1, 'a\n\\"\0é') for i in range(3000)]
        cursor.executemany("INSERT INTO chunk_v5 VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)", chunks)
    yield server
    server.run(f"DROP SCHEMA IF EXISTS {QUOTED}")


def content(server: MariaDB) -> list[list[tuple[object, ...]]]:
    tables = ["task_v3", "table_v9", "engine_v5", "chunk_v5"]
    return [sorted(server.run(f"SELECT * FROM {QUOTED}.{name}"), key=str) for name in tables]


@pytest.mark.parametrize("sql_mode", ["", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES", "TRADITIONAL"])
def test_a_schema_is_written_so_that_it_can_be_restored(filled: MariaDB, tmp_path: Path, sql_mode: str) -> None:
    before, store = content(filled), of_server(filled)
    read = read_mysql(store.server or Server(), SCHEMA, "here", 20)
    copy = back_up(store, tmp_path, POLICY)
    filled.run(f"DROP SCHEMA {QUOTED}")
    with filled.connect() as connection:
        connection.client_flag |= CLIENT.MULTI_STATEMENTS
        connection.connect()
        with connection.cursor() as cursor:
            cursor.execute("SET sql_mode = %s", (sql_mode,))
            cursor.execute(copy.read_text())
            while cursor.nextset():
                pass
    assert content(filled) == before
    restored = read_mysql(store.server or Server(), SCHEMA, "here", 20)
    assert [record.status for record in restored.tables] == [record.status for record in read.tables] == [18]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_the_copy_names_its_counts_and_not_the_password(filled: MariaDB, tmp_path: Path) -> None:
    text = back_up(of_server(filled), tmp_path, POLICY).read_text()
    assert [line for line in text.splitlines() if line.startswith("-- ")] == [
        "-- 3000 rows of `chunk_v5`",
        "-- 2 rows of `engine_v5`",
        "-- 1 rows of `table_v9`",
        "-- 1 rows of `task_v3`",
    ]
    assert filled.password not in text


def test_a_schema_that_is_too_large_for_a_checkpoint_is_not_copied(filled: MariaDB, tmp_path: Path) -> None:
    with pytest.raises(CouldNotLook, match="larger than 10000 bytes"):
        back_up(of_server(filled), tmp_path, CheckpointPolicy(size_most=10_000))
    assert list(tmp_path.iterdir()) == []


def test_a_schema_that_is_not_there_is_no_empty_copy(server: MariaDB, tmp_path: Path) -> None:
    with pytest.raises(CouldNotLook, match="has no table in `nosuch`"):
        back_up(of_server(server, "nosuch"), tmp_path, POLICY)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_gone_is_said(tmp_path: Path) -> None:
    store = CheckpointStore(driver="mysql", server=Server(port=1))
    with pytest.raises(CouldNotLook, match="cannot be reached"):
        back_up(store, tmp_path, POLICY)
    assert list(tmp_path.iterdir()) == []
