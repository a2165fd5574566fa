"""The mysql driver's store and the target, on a real server and on servers that misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from mariadb import MariaDB, free_port

from safe_lightning.core.checkpoint import UnreadableCheckpoint
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_mysql import choose_tables, read_mysql
from safe_lightning.lightning.mysql_connection import open_session
from safe_lightning.lightning.secret import Secret
from safe_lightning.lightning.task import Server
from safe_lightning.lightning.tidb import open_target

SCHEMA = "cp `we'ird` 50%_é"
QUOTED = "`cp ``we'ird`` 50%_é`"
V6_TABLE = (
    "(task_id bigint, table_name varchar(261) PRIMARY KEY, hash binary(32), status tinyint unsigned, alloc_base bigint"
)
TIMES = (
    ", create_time timestamp DEFAULT CURRENT_TIMESTAMP, update_time timestamp DEFAULT CURRENT_TIMESTAMP "
    "ON UPDATE CURRENT_TIMESTAMP)"
)
ENGINE = "(table_name varchar(261), engine_id int, status tinyint unsigned" + TIMES
CHUNK = (
    "(table_name varchar(261), engine_id int unsigned, path varchar(2048), `offset` bigint, end_offset bigint, "
    "pos bigint, prev_rowid_max bigint, rowid_max bigint, kvc_bytes bigint unsigned, kvc_kvs bigint unsigned" + TIMES
)


def server_of(server: MariaDB, user: str = "root", password: str | None = None) -> Server:
    text = server.password if password is None else password
    return Server(host=server.host, port=server.port, user=user, password=Secret(text), status_port=1)


@pytest.fixture
def schema(server: MariaDB) -> Iterator[str]:
    server.run(f"CREATE SCHEMA {QUOTED} DEFAULT CHARSET utf8mb4")
    yield QUOTED
    server.run(f"DROP SCHEMA IF EXISTS {QUOTED}")


def fill_old_store(server: MariaDB) -> None:
    server.run(
        f"CREATE TABLE {QUOTED}.table_v6 {V6_TABLE}{TIMES}",
        f"CREATE TABLE {QUOTED}.engine_v5 {ENGINE}",
        f"CREATE TABLE {QUOTED}.chunk_v4 {CHUNK}",
        f"""INSERT INTO {QUOTED}.table_v6 VALUES (5, '`a"b`.`c%_''``d`', '', 30, 0, DEFAULT, DEFAULT)""",
        f"""INSERT INTO {QUOTED}.engine_v5 SELECT table_name, -1, 30, now(), now() FROM {QUOTED}.table_v6""",
        f"""INSERT INTO {QUOTED}.engine_v5 SELECT table_name, 0, 60, now(), now() FROM {QUOTED}.table_v6""",
        f"""INSERT INTO {QUOTED}.engine_v5 SELECT table_name, 1, 30, now(), now() FROM {QUOTED}.table_v6""",
        f"""INSERT INTO {QUOTED}.chunk_v4
            SELECT table_name, 0, 'x.gz', 0, 10995116277760, 500, 10, 50, 9, 10, now(), now() FROM {QUOTED}.table_v6""",
        f"""INSERT INTO {QUOTED}.chunk_v4 SELECT table_name, 1, 'y', 0, 100, 100, 60, 90, 9, 10, now(), now()
            FROM {QUOTED}.table_v6""",
        f"""INSERT INTO {QUOTED}.chunk_v4 SELECT table_name, 1, 'y', 100, 200, 100, 90, 190, 0, 0, now(), now()
            FROM {QUOTED}.table_v6""",
    )


def test_a_store_of_the_oldest_version_is_read_without_the_columns_it_lacks(server: MariaDB, schema: str) -> None:
    fill_old_store(server)
    before = time.time()
    found = read_mysql(server_of(server), SCHEMA, "here", 20)
    [record] = found.tables
    assert record.table == TableName('a"b', "c%_'`d")
    assert (record.status, record.table_id, record.engines) == (30, 0, {-1: 30, 0: 60, 1: 30})
    assert (record.chunks_done, record.chunks_total, record.files_done, record.files_total) == (2, 3, 1, 2)
    assert (record.kvs, record.rows) == (20, 20)
    assert found.task is None
    for moment in (found.created_at, found.modified_at, record.created_at, record.updated_at):
        assert moment is not None
        assert abs(moment - before) < 60


def test_no_schema_and_an_empty_schema_are_no_store(server: MariaDB, schema: str) -> None:
    assert read_mysql(server_of(server), "no such schema", "here", 20).exists is False
    assert read_mysql(server_of(server), SCHEMA, "here", 20).exists is False


def test_the_newest_version_of_each_kind_is_read_and_older_ones_are_named() -> None:
    names = ["table_v9", "table_v10", "engine_v5", "chunk_v5", "chunk_v6", "task_v2", "table_v", "other_v3"]
    chosen, notes = choose_tables("cp", names)
    assert chosen == {"table": "table_v10", "engine": "engine_v5", "chunk": "chunk_v6", "task": "task_v2"}
    assert "table_v9, chunk_v5" in notes[0]


def test_a_store_with_a_kind_missing_is_unreadable() -> None:
    with pytest.raises(UnreadableCheckpoint, match="no table of kind chunk, engine"):
        choose_tables("cp", ["table_v10", "task_v2"])


def test_a_name_that_no_lightning_writes_is_unreadable(server: MariaDB, schema: str) -> None:
    fill_old_store(server)
    server.run(f"INSERT INTO {QUOTED}.table_v6 VALUES (5, 'a.b', '', 30, 0, DEFAULT, DEFAULT)")
    with pytest.raises(UnreadableCheckpoint, match="not a back-quoted"):
        read_mysql(server_of(server), SCHEMA, "here", 20)


def test_missing_rights_are_said_and_are_not_no_checkpoint(server: MariaDB, schema: str) -> None:
    server.run("CREATE OR REPLACE USER nobody@'127.0.0.1' IDENTIFIED BY 'x'")
    with pytest.raises(CouldNotLook, match="1044"):
        read_mysql(server_of(server, "nobody", "x"), SCHEMA, "here", 20)


def test_a_wrong_password_is_said_without_the_password(server: MariaDB) -> None:
    with pytest.raises(CouldNotLook, match="1045") as caught:
        read_mysql(server_of(server, password="hunter2"), SCHEMA, "here", 20)
    assert "hunter2" not in str(caught.value)


def test_an_absent_server_is_said() -> None:
    with pytest.raises(CouldNotLook, match="cannot be reached"):
        read_mysql(Server(port=free_port()), SCHEMA, "here", 5)


def test_tls_files_that_are_missing_are_named(server: MariaDB) -> None:
    target = Server(host=server.host, port=server.port, ca_path="/nowhere/ca.pem")
    with pytest.raises(CouldNotLook, match=r"/nowhere/ca\.pem"):
        read_mysql(target, SCHEMA, "here", 5)


Serve = Callable[[socket.socket, threading.Event], None]


def say_nothing(peer: socket.socket, end: threading.Event) -> None:
    end.wait(30)


def hang_up(peer: socket.socket, end: threading.Event) -> None:
    peer.close()


def hang_up_in_the_greeting(peer: socket.socket, end: threading.Event) -> None:
    peer.sendall(b"\x4a\x00\x00\x00\x0a5.7")
    peer.close()


def speak_another_language(peer: socket.socket, end: threading.Event) -> None:
    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 50)
    peer.close()


def drip(peer: socket.socket, end: threading.Event) -> None:
    peer.sendall(b"\xff\xff\x00\x00")
    while not end.wait(0.05):
        peer.sendall(b"\x0a")


@contextmanager
def fake_server(serve: Serve) -> Iterator[int]:
    end = threading.Event()

    def run(listener: socket.socket) -> None:
        peer, _ = listener.accept()
        with peer:
            try:
                serve(peer, end)
            except OSError:
                return  # the client has had enough

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=run, args=(listener,), daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        end.set()
        thread.join(10)


@pytest.mark.parametrize(
    ("serve", "words"),
    [
        (say_nothing, "did not answer within 0.5 s"),
        (drip, "did not answer within 0.5 s"),
        (hang_up, "no proper answer"),
        (hang_up_in_the_greeting, "no proper answer"),
        (speak_another_language, "no proper answer"),
    ],
)
def test_a_server_that_misbehaves_is_said_in_time(serve: Serve, words: str) -> None:
    with fake_server(serve) as port, pytest.raises(CouldNotLook, match=words) as caught:
        read_mysql(Server(port=port, password=Secret("hunter2")), "cp", "here", 0.5)
    assert "hunter2" not in str(caught.value)


def test_a_statement_that_takes_too_long_is_ended(server: MariaDB) -> None:
    with open_session(server_of(server), 0.5) as session, pytest.raises(CouldNotLook, match="did not answer within"):
        session.query("SELECT COUNT(*) FROM mysql.seq_1_to_1000000 a JOIN mysql.seq_1_to_1000000 b")


def test_a_session_cannot_write(server: MariaDB, schema: str) -> None:
    server.run(f"CREATE TABLE {QUOTED}.t (a int)")
    with open_session(server_of(server), 5) as session, pytest.raises(CouldNotLook, match="1792"):
        session.query(f"INSERT INTO {QUOTED}.t VALUES (1)")


def test_a_socket_is_used_where_the_task_names_one(server: MariaDB) -> None:
    by_socket = Server(unix_socket=server.unix_socket, password=Secret(server.password))
    with open_session(by_socket, 5) as session:
        assert "MariaDB" in session.version


def test_times_are_moved_to_this_machines_clock(server: MariaDB) -> None:
    with open_session(server_of(server), 5) as session:
        session.clock_offset_seconds = 3600.0
        assert session.local_time("7200.5") == 3600.5
        assert session.local_time(None) is None


def test_a_table_of_the_target_is_looked_at(server: MariaDB, schema: str) -> None:
    server.run(
        f"CREATE TABLE {QUOTED}.`t``%` (a int)",
        f"CREATE TABLE {QUOTED}.u (a int)",
        f"INSERT INTO {QUOTED}.u VALUES (1)",
    )
    with open_target(server_of(server), 5) as target:
        empty, filled = target.table(TableName(SCHEMA, "t`%")), target.table(TableName(SCHEMA, "u"))
        gone = target.table(TableName(SCHEMA, "gone"))
        nowhere = target.table(TableName("no such schema", "t"))
        names = target.tables()
    assert (empty.exists, empty.is_empty, empty.table_id) == (True, True, None)
    assert empty.created_at is not None
    assert abs(empty.created_at - time.time()) < 60
    assert (filled.exists, filled.is_empty) == (True, False)
    assert (gone.exists, gone.is_empty, nowhere.exists) == (False, None, False)
    assert [name for name in names if name.schema == SCHEMA] == [TableName(SCHEMA, "t`%"), TableName(SCHEMA, "u")]
    assert not {name.schema for name in names} & {"mysql", "sys", "information_schema", "performance_schema"}


def test_a_table_that_may_not_be_seen_is_not_called_gone(server: MariaDB, schema: str) -> None:
    server.run(f"CREATE TABLE {QUOTED}.t (a int)", "CREATE OR REPLACE USER nobody@'127.0.0.1' IDENTIFIED BY 'x'")
    with open_target(server_of(server, "nobody", "x"), 5) as target, pytest.raises(CouldNotLook, match="1142"):
        target.table(TableName(SCHEMA, "t"))


def test_a_view_is_not_read(server: MariaDB, schema: str) -> None:
    server.run(f"CREATE VIEW {QUOTED}.v AS SELECT SLEEP(60)")
    with open_target(server_of(server), 5) as target:
        facts = target.table(TableName(SCHEMA, "v"))
    assert (facts.exists, facts.is_empty) == (True, None)
