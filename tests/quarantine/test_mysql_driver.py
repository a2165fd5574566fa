"""The same where the checkpoint is kept in a server: the entry goes in one transaction, the table keeps its rows."""

from __future__ import annotations

import os
import time

import pytest
from recorded_stores import dump_groups, load_tsv

from safe_lightning.api import TableBaseline
from safe_lightning.lightning.task import resolve_task
from safe_lightning.record.baselines import baseline_key, remember
from safe_lightning.record.state_dir import state_dir

from .conftest import QUARANTINE, ROWS, SCHEMA, TABLE, Import

STORE = "cp"


@pytest.fixture
def stored(made: Import) -> Import:
    """A store as Lightning writes it, with the failure of our one table in it, and rows in the target."""
    made.store = {"driver": "mysql", "schema": STORE}
    made.write_task()
    made.mend_source()
    server = made.server
    load_tsv(server, STORE, next(iter(dump_groups().values())))
    tables = {str(name).partition("_v")[0]: f"{STORE}.`{name}`" for (name,) in server.run(f"SHOW TABLES FROM {STORE}")}
    [(kept,)] = server.run(f"SELECT table_name FROM {tables['table']} LIMIT 1")
    with server.connect() as connection, connection.cursor() as cursor:
        for kind in ("table", "engine", "chunk"):
            cursor.execute(f"DELETE FROM {tables[kind]} WHERE table_name <> %s", [kept])
            cursor.execute(f"UPDATE {tables[kind]} SET table_name = %s", [str(TABLE)])
        cursor.execute(f"UPDATE {tables['table']} SET status = 6, create_time = NOW(), update_time = NOW()")
        cursor.execute(f"UPDATE {tables['chunk']} SET create_time = NOW(), update_time = NOW()")
        cursor.execute(
            f"UPDATE {tables['task']} SET backend = 'tidb', sorted_kv_dir = '', tidb_host = %s, tidb_port = %s, "
            "source_dir = %s",
            [server.host, server.port, f"file://{made.folder / 'export'}"],
        )
    server.run("CREATE SCHEMA app", f"CREATE TABLE app.items ({SCHEMA})", "INSERT INTO app.items VALUES (1, 'c1')")
    task = resolve_task(made.argv, made.folder, {})
    state = state_dir(str(made.state), os.environ)
    key = baseline_key(task.checkpoint.location, f"{server.host}:{server.port}")
    remember(state, key, [TableBaseline(TABLE, False, None, time.time(), "r0")])
    return made


def entries(made: Import) -> int:
    [(name,)] = made.server.run(f"SHOW TABLES FROM {STORE} LIKE 'table\\_v%'")
    return int(str(made.server.run(f"SELECT COUNT(*) FROM {STORE}.`{name}`")[0][0]))


def test_the_table_is_aside_and_its_entry_gone(stored: Import) -> None:
    assert entries(stored) == 1
    stored.policy(**QUARANTINE)
    ended = stored.run()
    assert ended.returncode == 0, ended.stderr.decode()
    assert entries(stored) == 0
    assert sorted(stored.tables().values()) == [1, ROWS]
    assert stored.steps()[0][1].startswith("done: `app`.`items` is now ")


def test_a_store_that_cannot_be_written_leaves_a_quarantine_that_can_be_finished(stored: Import) -> None:
    """The rename is done, the entry stays, and both are said; the same answer finishes it once there are rights."""
    server = stored.server
    server.run(
        "CREATE OR REPLACE USER loader@'127.0.0.1' IDENTIFIED BY 'pw'", "GRANT SELECT ON *.* TO loader@'127.0.0.1'",
        "GRANT ALL ON app.* TO loader@'127.0.0.1'",
    )  # fmt: skip
    stored.user, stored.password = "loader", "pw"
    stored.write_task()
    task = resolve_task(stored.argv, stored.folder, {})
    key = baseline_key(task.checkpoint.location, f"{server.host}:{server.port}")
    remember(stored.state, key, [TableBaseline(TABLE, False, None, time.time(), "r0")])
    stored.policy(**QUARANTINE)
    assert stored.run().returncode == 88
    ((_, result),) = stored.steps()
    assert result.startswith("failed: `app`.`items` is now `app`.`items__sl_")
    assert "its entry still stands in the checkpoint" in result
    assert (entries(stored), list(stored.tables().values())) == (1, [1])
    server.run("GRANT ALL ON *.* TO loader@'127.0.0.1'")
    ended = stored.run()
    assert ended.returncode == 0, ended.stderr.decode()
    assert (entries(stored), sorted(stored.tables().values())) == (0, [1, ROWS])
