"""Our own look at a table: bounded, stoppable, tried again where that can help, and never a guess."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from mariadb import MariaDB
from recorded_stores import server_of
from sandboxes import TABLE, sandbox

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checksum import Limits, checksum_table, count_rows
from safe_lightning.lightning.task import Server

LIMITS = Limits(timeout_seconds=20.0, tries=1)
NEVER = threading.Event()


@pytest.fixture
def counted(server: MariaDB) -> TableName:
    name = TableName("verify", "we`ird.name")
    server.run(
        "CREATE DATABASE IF NOT EXISTS verify",
        f"DROP TABLE IF EXISTS {name}",
        f"CREATE TABLE {name} (a int PRIMARY KEY, b int, KEY (b))",
        f"INSERT INTO {name} SELECT seq, seq % 7 FROM verify.seq_1_to_1234",
    )
    return name


def test_rows_are_counted_exactly(server: MariaDB, counted: TableName) -> None:
    assert count_rows(server_of(server), counted, LIMITS, NEVER) == 1234


def test_a_table_that_is_not_there_is_no_empty_table(server: MariaDB) -> None:
    with pytest.raises(CouldNotLook, match=r"1146|1049"):
        count_rows(server_of(server), TableName("verify", "absent"), LIMITS, NEVER)


def test_a_server_that_is_not_tidb_is_not_asked_for_a_checksum(server: MariaDB, counted: TableName) -> None:
    with pytest.raises(CouldNotLook, match="is not TiDB"):
        checksum_table(server_of(server), counted, LIMITS, NEVER)


def slow_table(server: MariaDB) -> TableName:
    name = TableName("verify", "slow")
    server.run(
        "CREATE DATABASE IF NOT EXISTS verify",
        f"DROP TABLE IF EXISTS {name}",
        f"CREATE TABLE {name} (a int) ENGINE=InnoDB",
    )
    return name


def test_a_count_that_takes_too_long_is_ended(server: MariaDB) -> None:
    name = slow_table(server)
    with server.connect() as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {name} WRITE")
        with pytest.raises(CouldNotLook, match=r"did not answer within 0\.5 s"):
            count_rows(server_of(server), name, Limits(0.5, tries=1), NEVER)


def test_a_stop_ends_a_count_that_is_going_on(server: MariaDB) -> None:
    name, stop = slow_table(server), threading.Event()
    with server.connect() as other, other.cursor() as cursor:
        cursor.execute(f"LOCK TABLES {name} WRITE")
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(CouldNotLook, match="stopped"):
            count_rows(server_of(server), name, Limits(60.0, tries=5), stop)


def test_a_server_out_of_reach_is_tried_as_often_as_asked() -> None:
    with pytest.raises(CouldNotLook, match="cannot be reached"):
        count_rows(Server(port=1), TABLE, Limits(1.0, tries=3, retry_seconds=0.01), NEVER)


def test_a_checksum_is_the_one_that_lightning_logged(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy={"hooks": []}) as place:
        assert place.run().returncode == 0
        found = checksum_table(place.server, TABLE, Limits(20.0, concurrency=8), NEVER)
        assert (found.kvs, found.bytes) == (80, 2742)
        assert (
            f'checksum pass"] [table={TABLE}] [local="{{cksum={found.checksum},size=2742,kvs=80}}'
            in (place.sandbox.folder / "lightning.log").read_text()
        )
        place.sql("DROP TABLE app.items")
        with pytest.raises(CouldNotLook, match="1146"):
            checksum_table(place.server, TABLE, LIMITS, NEVER)
