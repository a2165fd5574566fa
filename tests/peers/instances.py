"""The metadata of a parallel import as Lightning's releases lay it out, filled by hand."""

from __future__ import annotations

from pathlib import Path

from mariadb import MariaDB

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.secret import Secret
from safe_lightning.lightning.task import Server, Task

ORDERS, ITEMS = TableName("shop", "orders"), TableName("shop", "items")

_COUNTERS = ("row_id_base", "row_id_max", "total_kvs_base", "total_bytes_base", "checksum_base", "total_kvs",
             "total_bytes", "checksum")  # fmt: skip
_SIZES = ("tikv_source_bytes", "tiflash_source_bytes", "tikv_avail", "tiflash_avail")


def lay_out(server: MariaDB, schema: str = "lightning_metadata", tasks: str = "task_meta_v2") -> None:
    """Make the schema as 7.0 and later do; with ``task_meta`` as before."""
    counters = ", ".join(f"{name} BIGINT UNSIGNED NOT NULL DEFAULT 0" for name in _COUNTERS)
    sizes = ", ".join(f"{name} BIGINT UNSIGNED NOT NULL DEFAULT 0" for name in _SIZES)
    server.run(
        f"CREATE SCHEMA IF NOT EXISTS {schema} CHARACTER SET utf8mb4",
        f"CREATE TABLE {schema}.{tasks} (task_id BIGINT UNSIGNED NOT NULL PRIMARY KEY, pd_cfgs VARCHAR(2048) NOT NULL "
        f"DEFAULT '', status VARCHAR(32) NOT NULL, state TINYINT NOT NULL DEFAULT 0, {sizes})",
        f"CREATE TABLE IF NOT EXISTS {schema}.table_meta (task_id BIGINT UNSIGNED, table_id BIGINT NOT NULL, "
        f"table_name VARCHAR(64) NOT NULL, {counters}, status VARCHAR(32) NOT NULL, "
        "has_duplicates BOOL NOT NULL DEFAULT 0, PRIMARY KEY (table_id, task_id))",
    )


def add_task(server: MariaDB, task_id: int, status: str, state: int = 0, table: str = "task_meta_v2") -> None:
    server.run(
        f"INSERT INTO lightning_metadata.{table} (task_id, status, state) VALUES ({task_id}, '{status}', {state})"
    )


def add_share(server: MariaDB, task_id: int, table: TableName, status: str, kvs: int = 0) -> None:
    number = 100 + len(str(table))
    server.run(
        "INSERT INTO lightning_metadata.table_meta (task_id, table_id, table_name, status, total_kvs, total_bytes, "
        f"checksum) VALUES ({task_id}, {number}, '{table}', '{status}', {kvs}, {kvs * 50}, {2**64 - 1 - kvs})"
    )


def server_of(running: MariaDB) -> Server:
    return Server(host=running.host, port=running.port, password=Secret(running.password))


def task_on(running: MariaDB, *, is_parallel: bool = True) -> Task:
    """A task over a folder that names no tables: whoever is at work on any of the target's counts."""
    return Task(argv=(), cwd=Path("/"), backend="local", target=server_of(running), parallel_import=is_parallel)
