"""The hook ``checkpoint`` with the mysql driver and a real target: recorded stores in MariaDB, tables beside them."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from mariadb import MariaDB, free_port
from recorded_stores import dump_groups, found, load_sql, load_tsv, server_of
from safe_lightning_hooks.checkpoint import look

from safe_lightning.api import Context, Policy, Stage, Status, TableName, Task, Verdict
from safe_lightning.lightning.secret import Secret
from safe_lightning.lightning.task import CheckpointStore, Server
from safe_lightning.policy.model import CheckpointPolicy
from safe_lightning.services import EngineServices

STORE = "recorded"
GROUPS = dump_groups()
DUMPS = [path for path in found("checkpoint.sql") if path.stat().st_size]


def task_over(server: Server, backend: str = "tidb", target: Server | None = None) -> Task:
    store = CheckpointStore(driver="mysql", schema=STORE, server=server)
    return Task(argv=(), cwd=Path("/"), backend=backend, target=target or server, checkpoint=store)


def judge(task: Task, timeout: float = 20.0) -> Verdict:
    policy = Policy(checkpoint=CheckpointPolicy(timeout=timeout))
    services = EngineServices(task, policy)
    return look(Context("r1", 1, Stage.PRE_IMPORT, None, (), task, policy, services))


def tables_of(server: MariaDB) -> list[TableName]:
    (version,) = {str(row[0]) for row in server.run(f"SHOW TABLES FROM {STORE} LIKE 'table\\_v%'")}
    return [TableName.parse(str(row[0])) for row in server.run(f"SELECT table_name FROM {STORE}.{version}")]


@pytest.fixture
def target(server: MariaDB) -> Iterator[MariaDB]:
    """The server, with every schema that a test made gone afterwards."""
    kept = {row[0] for row in server.run("SHOW SCHEMAS")}
    yield server
    for (schema,) in server.run("SHOW SCHEMAS"):
        if schema not in kept:
            server.run(f"DROP SCHEMA `{str(schema).replace('`', '``')}`")


def create(server: MariaDB, *names: TableName, rows: int = 1) -> None:
    for name in names:
        schema = str(TableName(name.schema, "x")).rpartition(".")[0]
        server.run(f"CREATE SCHEMA IF NOT EXISTS {schema}", f"CREATE TABLE {name} (a INT)")
        if rows:
            server.run(f"INSERT INTO {name} SELECT seq FROM {STORE}.seq_1_to_{rows}")


def make_records_new(server: MariaDB) -> None:
    """Set the store's times to now, as if the import had just run over the tables that are there."""
    for (name,) in server.run(f"SHOW TABLES FROM {STORE}"):
        columns = {row[0] for row in server.run(f"SHOW COLUMNS FROM {STORE}.{name}")}
        for column in {"create_time", "update_time"} & columns:
            server.run(f"UPDATE {STORE}.{name} SET {column} = NOW()")


def holds_tables(name: str) -> bool:
    return any(".table_" in dump.name and dump.read_text().count("\n") > 1 for dump in GROUPS[name])


#: The stores that a recorded import met.
MET = [name for name in GROUPS if "/before:" in name and "/ctl-" not in name and holds_tables(name)]


@pytest.mark.parametrize("name", MET)
def test_a_recorded_store_whose_tables_are_gone_is_refused(target: MariaDB, name: str) -> None:
    load_tsv(target, STORE, GROUPS[name])
    verdict = judge(task_over(server_of(target)))
    assert verdict.status is Status.BLOCK
    assert verdict.code in ("checkpoint-stale", "checkpoint-failed")


@pytest.mark.parametrize("name", MET)
def test_a_recorded_store_whose_tables_stand_is_judged_by_its_records(target: MariaDB, name: str) -> None:
    load_tsv(target, STORE, GROUPS[name])
    create(target, *tables_of(target))
    make_records_new(target)
    assert judge(task_over(server_of(target))).code in (
        "checkpoint-resumable",
        "checkpoint-failed",
        "checkpoint-finished",
    )


@pytest.mark.parametrize("path", DUMPS, ids=lambda p: "/".join(p.parts[-3:-1]))
def test_a_recorded_dump_is_stale_where_its_tables_are_younger(target: MariaDB, path: Path) -> None:
    load_sql(target, STORE, path)
    create(target, *tables_of(target))
    verdict = judge(task_over(server_of(target), "local"))
    has_begun = [bool(f.data["kvs"] or f.data["status"] != 30) for f in verdict.findings if "kvs" in f.data]
    if any(has_begun):
        assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-stale")
        assert "after the checkpoint's entry of 2026-11-" in verdict.message
    else:
        assert verdict.code == ("checkpoint-resumable" if has_begun else "checkpoint-fresh")


def any_store(target: MariaDB, status: int = 200) -> list[TableName]:
    name = next(name for name in MET if "/stale-" in name)
    load_tsv(target, STORE, GROUPS[name])
    (version,) = {str(row[0]) for row in target.run(f"SHOW TABLES FROM {STORE} LIKE 'table\\_v%'")}
    target.run(f"UPDATE {STORE}.{version} SET status = {status}")
    return tables_of(target)


def test_a_table_that_was_emptied_is_stale(target: MariaDB) -> None:
    emptied, *others = any_store(target)
    create(target, *others)
    create(target, emptied, rows=0)
    make_records_new(target)
    verdict = judge(task_over(server_of(target)))
    assert verdict.code == "checkpoint-stale"
    assert f"{emptied}: the target table is empty, yet the checkpoint says" in verdict.message


def test_a_table_that_was_made_anew_is_stale(target: MariaDB) -> None:
    names = any_store(target, 60)
    create(target, *names)
    make_records_new(target)
    assert judge(task_over(server_of(target))).code == "checkpoint-resumable"
    # Creation times are whole seconds: a later one is set by moving the records back.
    for kind in ("table", "chunk", "engine"):
        (table,) = {str(row[0]) for row in target.run(f"SHOW TABLES FROM {STORE} LIKE '{kind}\\_v%'")}
        target.run(f"UPDATE {STORE}.{table} SET create_time = NOW() - INTERVAL 1 HOUR, update_time = create_time")
    assert judge(task_over(server_of(target))).code == "checkpoint-stale"


HOSTILE = [
    TableName("app", "a`b"),
    TableName("a.b", "c.d"),
    TableName("app", "50% \\ '\"; DROP TABLE x; --"),
    TableName("app", "snowman ☃ in the street"),
    TableName("app", "a\nb"),
    TableName("app", "x" * 64),
    TableName("select", "*"),
]


@pytest.mark.parametrize("name", HOSTILE, ids=str)
def test_a_hostile_name_is_looked_up_as_it_is(target: MariaDB, name: TableName) -> None:
    (first, *_) = any_store(target, 60)
    for (table,) in target.run(f"SHOW TABLES FROM {STORE}"):
        if not str(table).startswith("task"):
            target.run(f"DELETE FROM {STORE}.{table} WHERE table_name <> '{first}'")
            with target.connect() as connection, connection.cursor() as cursor:
                cursor.execute(f"UPDATE {STORE}.{table} SET table_name = %s", [str(name)])
    create(target, name)
    make_records_new(target)
    verdict = judge(task_over(server_of(target)))
    assert verdict.code == "checkpoint-resumable"
    assert [finding.table for finding in verdict.findings if finding.code == "resumable"] == [name]


def test_a_store_that_no_import_has_used_is_no_checkpoint(target: MariaDB) -> None:
    target.run(f"DROP SCHEMA IF EXISTS {STORE}")
    verdict = judge(task_over(server_of(target)))
    assert (verdict.status, verdict.code) == (Status.PASS, "checkpoint-none")


def test_an_incomplete_store_is_unreadable(target: MariaDB) -> None:
    any_store(target)
    (chunks,) = {str(row[0]) for row in target.run(f"SHOW TABLES FROM {STORE} LIKE 'chunk\\_v%'")}
    target.run(f"DROP TABLE {STORE}.{chunks}")
    verdict = judge(task_over(server_of(target)))
    assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-unreadable")
    assert "no table of kind chunk" in verdict.message


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_store_that_hangs_is_an_error_in_time(silent_port: int) -> None:
    started = time.monotonic()
    verdict = judge(task_over(Server(port=silent_port)), timeout=0.5)
    assert time.monotonic() - started < 10
    assert (verdict.status, verdict.code) == (Status.ERROR, "could-not-look")
    assert "did not answer within 0.5 s" in verdict.message


def test_a_store_that_refuses_is_an_error() -> None:
    verdict = judge(task_over(Server(port=free_port())))
    assert (verdict.status, verdict.code) == (Status.ERROR, "could-not-look")
    assert "cannot be reached" in verdict.message


def test_a_store_that_is_denied_is_an_error_without_the_password(server: MariaDB) -> None:
    denied = replace(server_of(server), password=Secret("wr0ng!"))
    verdict = judge(task_over(denied))
    assert (verdict.status, verdict.code) == (Status.ERROR, "could-not-look")
    assert "(1045)" in verdict.message
    assert "wr0ng!" not in verdict.message


def test_a_target_that_hangs_is_said_beside_what_the_store_says(target: MariaDB, silent_port: int) -> None:
    any_store(target, 6)
    verdict = judge(task_over(server_of(target), target=Server(port=silent_port)), timeout=0.5)
    assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-failed")
    assert any("did not answer within 0.5 s" in finding.message for finding in verdict.findings)
