"""What a failed physical import leaves, written by hand: files, and rows in every schema of Lightning's."""

from __future__ import annotations

import uuid
from pathlib import Path

from mariadb import MariaDB
from pymysql.cursors import Cursor

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableBaseline
from safe_lightning.lightning.engine_folders import engine_folder
from safe_lightning.rehearsal.toml_text import write_toml

FAILED, HALF, DONE = TableName("app", "failed"), TableName("app", "half"), TableName("app", "done")
TASK, OTHER_TASK = 2**62 + 77, 5
SCHEMAS = ("app", "cp", "lightning_metadata", "lightning_task_info")
NOTHING_BEFORE = [TableBaseline(table, False, None, 1.0, "r1") for table in (FAILED, HALF, DONE)]

_MOMENTS = "create_time timestamp DEFAULT CURRENT_TIMESTAMP, update_time timestamp DEFAULT CURRENT_TIMESTAMP"
_NAME = "table_name varchar(261)"
_OF_TABLE = f"task_id bigint, {_NAME}"
TABLES = {
    "app.failed": "id int PRIMARY KEY",
    "app.half": "id int PRIMARY KEY",
    "app.done": "id int PRIMARY KEY",
    "cp.task_v2": "id int PRIMARY KEY, task_id bigint, tidb_port int, lightning_ver text, source_dir text, "
    "backend text, importer_addr text, tidb_host text, pd_addr text, sorted_kv_dir text",
    "cp.table_v10": f"{_OF_TABLE} PRIMARY KEY, status int, table_id bigint, {_MOMENTS}",
    "cp.engine_v5": f"{_NAME}, engine_id int, status int, {_MOMENTS}, PRIMARY KEY (table_name, engine_id)",
    "cp.chunk_v5": f"{_NAME}, engine_id int, path varchar(500), `offset` bigint, pos bigint, end_offset bigint, "
    "prev_rowid_max bigint, rowid_max bigint, kvc_bytes bigint, kvc_kvs bigint, kvc_checksum bigint, "
    f"file_size bigint, compression int, {_MOMENTS}, PRIMARY KEY (table_name, engine_id, path, `offset`)",
    "lightning_metadata.task_meta_v2": "task_id bigint PRIMARY KEY, status varchar(32), state tinyint",
    "lightning_metadata.table_meta": f"{_OF_TABLE}, status varchar(32), checksum bigint unsigned, total_kvs bigint, "
    "total_bytes bigint, has_duplicates bool",
    "lightning_task_info.conflict_error_v4": f"id int AUTO_INCREMENT PRIMARY KEY, {_OF_TABLE}, raw_key blob",
    "lightning_task_info.type_error_v2": f"id int AUTO_INCREMENT PRIMARY KEY, {_OF_TABLE}, error text",
}


def write_files(server: MariaDB, folder: Path) -> None:
    """Write task, source and engine folders: of two tables of the import, and one that is none of theirs."""
    for name in ("export", "tmp", "no-tools"):
        (folder / name).mkdir(exist_ok=True)
    for table in (FAILED, HALF, DONE):
        (folder / "export" / f"app.{table.table}.csv").write_text("id\n1\n2\n3\n")
        schema = f"CREATE TABLE {table.table} (id int PRIMARY KEY);"
        (folder / "export" / f"app.{table.table}-schema.sql").write_text(schema)
    place = folder / "sorted"
    folders = [engine_folder(place, table, number) for table in (FAILED, HALF) for number in (-1, 0)]
    for engine in (*folders, place / str(uuid.UUID(int=7)), folders[0].with_name(f"{folders[0].name}.sst")):
        engine.mkdir(parents=True, exist_ok=True)
        (engine / "LOCK").touch()
        (engine / "000001.sst").write_bytes(b"x" * 100)
    login = {"host": "127.0.0.1", "port": server.port, "user": "root", "password": server.password}
    dsn = f"root:{server.password}@tcp(127.0.0.1:{server.port})/"
    task = {
        "tikv-importer": {"backend": "local", "sorted-kv-dir": str(place)},
        "mydumper": {"data-source-dir": str(folder / "export")},
        "tidb": {**login, "status-port": 1, "pd-addr": "127.0.0.1:1"},
        "checkpoint": {"driver": "mysql", "schema": "cp", "dsn": dsn},
    }
    (folder / "task.toml").write_text(write_toml(task))


def insert(cursor: Cursor, place: str, **values: object) -> None:
    """Insert one row."""
    names, marks = ", ".join(f"`{name}`" for name in values), ", ".join(["%s"] * len(values))
    cursor.execute(f"INSERT INTO {place} ({names}) VALUES ({marks})", tuple(values.values()))


def fill_server(server: MariaDB, folder: Path) -> None:
    """Write checkpoint, target tables and Lightning's own rows, each table of which another task has some as well."""
    with server.connect() as connection, connection.cursor() as cursor:
        for schema in SCHEMAS:
            cursor.execute(f"DROP SCHEMA IF EXISTS {schema}")
            cursor.execute(f"CREATE SCHEMA {schema} COLLATE utf8mb4_bin")
        for place, columns in TABLES.items():
            cursor.execute(f"CREATE TABLE {place} ({columns})")
        cursor.execute(
            "CREATE VIEW lightning_task_info.conflict_view AS SELECT * FROM lightning_task_info.conflict_error_v4"
        )
        cursor.execute("INSERT INTO app.failed VALUES (1), (2), (3)")
        cursor.execute("INSERT INTO app.done VALUES (1), (2)")
        _fill_checkpoint(cursor, server.port, folder)
        _fill_own_schemas(cursor)


def _fill_checkpoint(cursor: Cursor, port: int, folder: Path) -> None:
    insert(
        cursor, "cp.task_v2", id=1, task_id=TASK, tidb_port=port, tidb_host="127.0.0.1", lightning_ver="v8.5.4",
        source_dir=f"file://{folder}/export", backend="local", importer_addr="", pd_addr="127.0.0.1:1",
        sorted_kv_dir=str(folder / "sorted"),
    )  # fmt: skip
    for table, status, engine, read in ((FAILED, 18, 120, 9), (HALF, 30, 30, 0), (DONE, 200, 120, 9)):
        insert(cursor, "cp.table_v10", task_id=TASK, table_name=str(table), status=status, table_id=0)
        for number in (-1, 0):
            insert(cursor, "cp.engine_v5", table_name=str(table), engine_id=number, status=engine)
        insert(
            cursor, "cp.chunk_v5", table_name=str(table), engine_id=0, path=f"app.{table.table}.csv", offset=0,
            pos=read, end_offset=9, prev_rowid_max=read // 3,
            rowid_max=3, kvc_bytes=read, kvc_kvs=read // 3, kvc_checksum=0, file_size=9,
            compression=0,
        )  # fmt: skip


def _fill_own_schemas(cursor: Cursor) -> None:
    for task, status in ((TASK, "initialized"), (OTHER_TASK, "switched")):
        insert(cursor, "lightning_metadata.task_meta_v2", task_id=task, status=status, state=0)
    for task, table, status in ((TASK, FAILED, "restore"), (TASK, HALF, "restore"), (OTHER_TASK, FAILED, "finish")):
        insert(
            cursor, "lightning_metadata.table_meta", task_id=task, table_name=str(table), status=status, checksum=0,
            total_kvs=0, total_bytes=0, has_duplicates=0,
        )  # fmt: skip
    for task, table in ((TASK, FAILED), (TASK, FAILED), (TASK, HALF), (OTHER_TASK, FAILED)):
        key = b"\x00\xff'"
        insert(cursor, "lightning_task_info.conflict_error_v4", task_id=task, table_name=str(table), raw_key=key)
    insert(cursor, "lightning_task_info.type_error_v2", task_id=TASK, table_name=str(FAILED), error="it's bad \\")
