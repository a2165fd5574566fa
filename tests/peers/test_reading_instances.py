"""What the instances of a parallel import write into the target is read, whatever release wrote it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from instances import ITEMS, ORDERS, add_share, add_task, lay_out, server_of, task_on
from mariadb import MariaDB

from safe_lightning.api import Policy
from safe_lightning.core.parallel import InstanceState, Metadata
from safe_lightning.core.tables import TableName, Totals
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.metadata import read_metadata
from safe_lightning.lightning.task import Server
from safe_lightning.services import EngineServices


def read(server: MariaDB) -> Metadata:
    return read_metadata(task_on(server), 20.0)


def test_no_schema_is_no_metadata(target: MariaDB) -> None:
    assert read(target) == Metadata("lightning_metadata", False)


def test_a_schema_that_the_last_instance_is_dropping_is_none(target: MariaDB) -> None:
    target.run("CREATE SCHEMA lightning_metadata")
    assert read(target).exists is False


@pytest.mark.parametrize(
    ("status", "exited", "state"),
    [
        ("initialized", 0, "unfinished"),
        ("schedule_set", 0, "unfinished"),
        ("initialized", 1, "stopped"),
        ("schedule_set", 1, "stopped"),
        ("skip_switch", 0, "finished"),
        ("switched", 0, "finished"),
        ("", 0, "unfinished"),
        ("a word of a later release", 0, "unfinished"),
    ],
)
def test_the_state_of_a_task_follows_from_its_row(target: MariaDB, status: str, exited: int, state: str) -> None:
    lay_out(target)
    add_task(target, 7, status, exited)
    (instance,) = read(target).instances
    assert (instance.task_id, instance.state) == (7, InstanceState(state))


@pytest.mark.parametrize(
    ("status", "words", "is_waited_for", "has_totals"),
    [
        ("initialized", "not begun", True, False),
        ("allocated", "row ids allotted", True, False),
        ("restore", "being imported", True, False),
        ("restore_finished", "imported", True, False),
        ("checksuming", "comparing the checksum of all", False, True),
        ("checksum_skipped", "imported, its checksum left to the last instance", False, True),
        ("finish", "done", False, True),
        ("novel", "status 'novel'", False, False),
    ],
)
def test_the_status_of_a_table_is_told_in_words(
    target: MariaDB, status: str, words: str, is_waited_for: bool, has_totals: bool
) -> None:
    lay_out(target)
    add_task(target, 7, "initialized")
    add_share(target, 7, ORDERS, status, kvs=3000)
    [(share,)] = [instance.shares for instance in read(target).instances]
    assert (share.table, share.words, share.is_waited_for) == (ORDERS, words, is_waited_for)
    assert share.totals == (Totals(2**64 - 3001, 3000, 150_000) if has_totals else None)


@pytest.mark.parametrize(
    ("states", "whole"),
    [
        ([("switched", 0), ("skip_switch", 0)], "finished"),
        ([("switched", 0), ("initialized", 1)], "stopped"),
        ([("initialized", 1), ("schedule_set", 0), ("skip_switch", 0)], "unfinished"),
    ],
)
def test_the_whole_import_is_as_its_worst_instance(target: MariaDB, states: list[tuple[str, int]], whole: str) -> None:
    lay_out(target)
    for number, (status, exited) in enumerate(states):
        add_task(target, number, status, exited)
    assert read(target).state == whole


def test_tables_without_a_task_row_are_an_instance_too(target: MariaDB) -> None:
    lay_out(target)
    add_share(target, 7, ORDERS, "restore")
    add_share(target, 8, ORDERS, "checksum_skipped")
    assert [(found.task_id, found.status, found.state) for found in read(target).instances] == [
        (7, None, "unfinished"), (8, None, "finished"),
    ]  # fmt: skip


def test_tasks_of_an_older_release_are_read_beside_the_newer(target: MariaDB) -> None:
    lay_out(target, tasks="task_meta")
    add_task(target, 1, "schedule_set", table="task_meta")
    lay_out(target)
    add_task(target, 2, "switched")
    assert [instance.task_id for instance in read(target).instances] == [1, 2]


def test_a_release_without_the_later_columns_is_read(target: MariaDB) -> None:
    lay_out(target)
    add_task(target, 7, "initialized")
    add_share(target, 7, ITEMS, "restore")
    target.run(
        "ALTER TABLE lightning_metadata.task_meta_v2 DROP COLUMN state",
        "ALTER TABLE lightning_metadata.table_meta DROP COLUMN has_duplicates",
    )
    (instance,) = read(target).instances
    assert (instance.has_exited, instance.shares[0].has_duplicates) == (False, False)


def test_a_name_that_was_cut_is_kept_as_it_is(target: MariaDB) -> None:
    lay_out(target)
    add_task(target, 7, "initialized")
    target.run("INSERT INTO lightning_metadata.table_meta (task_id, table_id, table_name, status) VALUES "
               "(7, 1, '`shop`.`orders_of_a_very_long_na', 'restore')")  # fmt: skip
    [(share,)] = [instance.shares for instance in read(target).instances]
    assert (share.table, share.stored_name) == (None, "`shop`.`orders_of_a_very_long_na")


def test_the_schema_is_the_one_that_the_task_names(target: MariaDB) -> None:
    lay_out(target, schema="Meta_X")
    target.run("INSERT INTO Meta_X.task_meta_v2 (task_id, status) VALUES (5, 'initialized')")
    task = replace(task_on(target), values={"lightning.meta-schema-name": "Meta_X"})
    found = read_metadata(task, 20.0)
    assert (found.schema, [instance.task_id for instance in found.instances]) == ("Meta_X", [5])


@pytest.fixture
def clerk(target: MariaDB) -> Iterator[Server]:
    lay_out(target)
    target.run("CREATE USER clerk@'127.0.0.1' IDENTIFIED BY 'x'")
    root = server_of(target)
    yield replace(root, user="clerk", password=type(root.password)("x"))
    target.run("DROP USER clerk@'127.0.0.1'")


def test_metadata_that_is_closed_to_us_is_not_taken_for_none(target: MariaDB, clerk: Server) -> None:
    with pytest.raises(CouldNotLook, match=r"refused \(1044\)"):
        read_metadata(replace(task_on(target), target=clerk), 20.0)


@pytest.mark.parametrize(("is_parallel", "alive"), [(False, False), (True, None)])
def test_only_a_parallel_import_needs_rights_on_the_metadata(
    target: MariaDB, clerk: Server, is_parallel: bool, alive: bool | None
) -> None:
    task = replace(task_on(target), target=clerk, parallel_import=is_parallel)
    assert EngineServices(task, Policy()).others_alive() is alive


def test_a_server_that_hangs_is_given_up_in_time(target: MariaDB) -> None:
    started = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(CouldNotLook, match="did not answer"):
        read_metadata(replace(task_on(target), target=Server(port=silent.getsockname()[1])), 0.5)
    assert time.monotonic() - started < 10


def test_hostile_rows_are_names_and_nothing_else(target: MariaDB) -> None:
    lay_out(target)
    with target.connect() as connection, connection.cursor() as cursor:
        for number, name in enumerate(["`a``b`.`c`", "''; DROP TABLE x", "`☃`.`\n`"]):
            cursor.execute(
                "INSERT INTO lightning_metadata.table_meta (task_id, table_id, table_name, status) "
                "VALUES (1, %s, %s, 'restore')",
                (number, name),
            )
    [shares] = [instance.shares for instance in read(target).instances]
    assert {share.table for share in shares} == {TableName("a`b", "c"), None, TableName("☃", "\n")}
