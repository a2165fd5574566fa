"""The recorded checkpoints, and how to put those of the mysql driver back into a server."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from mariadb import MariaDB
from recordings import roots

from safe_lightning.lightning.secret import Secret
from safe_lightning.lightning.task import Server


def found(pattern: str) -> list[Path]:
    return sorted(path for root in roots() for path in root.glob(f"*/*/*/{pattern}"))


KEYS = {
    "task": "id",
    "table": "table_name",
    "engine": "table_name, engine_id",
    "chunk": "table_name, path(99), `offset`",
}
TEXTS = {"table_name": "varchar(261)", "path": "varchar(2048)", "create_time": "timestamp", "update_time": "timestamp"}
NUMBERS = {
    "id",
    "task_id",
    "tidb_port",
    "status",
    "table_id",
    "engine_id",
    "offset",
    "end_offset",
    "pos",
    "prev_rowid_max",
    "rowid_max",
    "file_size",
    "type",
    "compression",
}


def column(name: str) -> str:
    if name in NUMBERS:
        return f"`{name}` bigint NOT NULL"
    if name.startswith("kv"):
        return f"`{name}` bigint unsigned NOT NULL"
    kind = TEXTS.get(name, "longtext")
    return f"`{name}` {kind} NOT NULL" + (" DEFAULT 0" if kind == "timestamp" else "")


def load_tsv(server: MariaDB, schema: str, dumps: list[Path]) -> None:
    server.run(f"DROP SCHEMA IF EXISTS {schema}", f"CREATE SCHEMA {schema} DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin")
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_mode = '', time_zone = '+00:00'")
        for dump in dumps:
            table = dump.stem.rsplit(".", 1)[1]
            names, *rows = (line.split("\t") for line in dump.read_text().splitlines())
            columns = ", ".join(map(column, names))
            cursor.execute(f"CREATE TABLE {schema}.{table} ({columns}, PRIMARY KEY ({KEYS[table.split('_')[0]]}))")
            marks = ", ".join(["%s"] * len(names))
            cursor.executemany(f"INSERT INTO {schema}.{table} VALUES ({marks})", rows)


def load_sql(server: MariaDB, schema: str, dump: Path) -> None:
    server.run(f"DROP SCHEMA IF EXISTS {schema}", f"CREATE SCHEMA {schema} DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_bin")
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"USE {schema}")
        for statement in statements(dump.read_text()):
            cursor.execute(statement)


def statements(text: str) -> Iterator[str]:
    lines = [line for line in text.splitlines() if not line.startswith("--") and "sandbox mode" not in line]
    for statement in "\n".join(lines).split(";\n"):
        if statement.strip() and not statement.lstrip().startswith("/*!"):
            yield statement


def dump_groups() -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in found("tables/*.tsv"):
        if re.search(r"\.(task|table|engine|chunk)_v\d+$", path.stem):
            schema = path.stem.rsplit(".", 1)[0]
            groups.setdefault(f"{'/'.join(path.parts[-5:-2])}:{schema}", []).append(path)
    return groups


def server_of(server: MariaDB) -> Server:
    return Server(host=server.host, port=server.port, user="root", password=Secret(server.password))
