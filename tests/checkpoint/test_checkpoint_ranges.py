"""A store is summed up in ranges of table names: nothing falls between two of them, whatever the names are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from mariadb import MariaDB
from recorded_stores import server_of

from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.tables import TableName
from safe_lightning.lightning import checkpoint_server
from safe_lightning.lightning.checkpoint_mysql import read_mysql

NAMES = ["A", "a0", "äx", "b", "B c", "z`z", "Ünder", "50%_", "☃", "x" * 60]


@pytest.fixture
def store(server: MariaDB) -> Iterator[MariaDB]:
    """A store of ten tables of three engines of four chunks each; one table has chunks and no engine."""
    server.run(
        "DROP SCHEMA IF EXISTS ranges",
        "CREATE SCHEMA ranges CHARACTER SET utf8mb4",
        "CREATE TABLE ranges.table_v10 (table_name VARCHAR(261) PRIMARY KEY, status INT, table_id BIGINT)",
        "CREATE TABLE ranges.engine_v5 (table_name VARCHAR(261), engine_id INT, status INT, "
        "PRIMARY KEY (table_name, engine_id))",
        "CREATE TABLE ranges.chunk_v5 (table_name VARCHAR(261), engine_id INT, path VARCHAR(2048), `offset` BIGINT, "
        "end_offset BIGINT, pos BIGINT, prev_rowid_max BIGINT, rowid_max BIGINT, kvc_kvs BIGINT UNSIGNED)",
    )  # fmt: skip
    with server.connect() as connection, connection.cursor() as cursor:
        for number, name in enumerate(NAMES):
            text = str(TableName("app", name))
            cursor.execute("INSERT INTO ranges.table_v10 VALUES (%s, 30, %s)", (text, number))
            for engine in range(3):
                if number:
                    cursor.execute("INSERT INTO ranges.engine_v5 VALUES (%s, %s, %s)", (text, engine, 30 + 30 * engine))
                for chunk in range(4):
                    row = (text, engine, f"f{engine}.csv", chunk * 10, chunk * 10 + 10, chunk * 10 + 5 * (chunk % 3))
                    cursor.execute("INSERT INTO ranges.chunk_v5 VALUES (%s, %s, %s, %s, %s, %s, 0, 0, 1)", row)
    yield server
    server.run("DROP SCHEMA ranges")


def read(server: MariaDB) -> Checkpoint:
    return read_mysql(server_of(server), "ranges", "here", 20.0)


@pytest.mark.parametrize("engines_most", [1, 3, 4, 10])
@pytest.mark.parametrize("files_most", [1_000, 5])
def test_ranges_sum_up_to_the_whole(
    store: MariaDB, engines_most: int, files_most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_server, "FILES_KEPT_MOST", files_most)
    whole = read(store)
    monkeypatch.setattr(checkpoint_server, "_ENGINES_SUMMED_MOST", engines_most)
    assert read(store).tables == whole.tables
    assert [table.chunks_total for table in whole.tables] == [12] * len(NAMES)
    assert [table.files_total for table in whole.tables] == [3] * len(NAMES)
