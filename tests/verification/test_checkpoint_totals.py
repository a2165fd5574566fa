"""What a checkpoint holds of a table adds up to the local checksum that Lightning logged for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mariadb import MariaDB
from recorded_stores import server_of
from recordings import Recording, recordings

from safe_lightning.core.tables import TableName, Totals
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.explaining import Piece, explain_files
from safe_lightning.lightning.checkpoint_totals import read_totals
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.policy.model import CheckpointPolicy

POLICY = CheckpointPolicy()


def logged(recording: Recording) -> dict[TableName, Totals]:
    """Return what this instance of Lightning summed up itself; the sums of others are in no checkpoint of its own."""
    log = recording.folder / "lightning.log"
    if not log.is_file() or not log.stat().st_size:
        return {}
    clues = explain_files([Piece(str(log))]).clues
    return {table: joined(own.own, own.base) for table, own in clues.tables.items() if own.own} if clues else {}


def joined(own: Totals, base: Totals | None) -> Totals:
    """Add what stood in the table before, where an incremental import logged it."""
    if base is None:
        return own
    return Totals((own.checksum or 0) ^ (base.checksum or 0), own.kvs + base.kvs, own.bytes + base.bytes)


def stores() -> Iterator[tuple[Recording, Path]]:
    for recording in recordings():
        path = recording.folder / "after" / "checkpoint.pb"
        if "local" in recording.folder.parent.name and path.is_file() and logged(recording):
            yield recording, path


@pytest.mark.parametrize(("recording", "path"), list(stores()), ids=lambda value: getattr(value, "name", ""))
def test_a_recorded_file_adds_up_to_what_was_logged(recording: Recording, path: Path) -> None:
    found = read_totals(CheckpointStore(path=path), POLICY)
    compared = {table: totals for table, totals in logged(recording).items() if table in found}
    assert compared
    assert {table: found[table] for table in compared} == compared


def test_the_sums_on_a_server_are_those_of_its_chunks(server: MariaDB) -> None:
    server.run(
        "DROP SCHEMA IF EXISTS cps",
        "CREATE SCHEMA cps",
        "CREATE TABLE cps.task_v1 (backend varchar(16))",
        "CREATE TABLE cps.table_v9 (table_name varchar(261), status int, kv_checksum bigint unsigned, "
        "kv_kvs bigint unsigned, kv_bytes bigint unsigned)",
        "CREATE TABLE cps.engine_v5 (table_name varchar(261), engine_id int, status int)",
        "CREATE TABLE cps.chunk_v5 (table_name varchar(261), kvc_checksum bigint unsigned, kvc_kvs bigint unsigned, "
        "kvc_bytes bigint unsigned)",
        "INSERT INTO cps.task_v1 VALUES ('local')",
        "INSERT INTO cps.table_v9 VALUES ('`a`.`done`', 150, 0, 0, 0), ('`a`.`based`', 18, 8, 1, 10), "
        "('`a`.`half`', 30, 0, 0, 0)",
        "INSERT INTO cps.engine_v5 VALUES ('`a`.`done`', -1, 120), ('`a`.`done`', 0, 120), ('`a`.`based`', 0, 120), "
        "('`a`.`half`', -1, 30), ('`a`.`half`', 0, 120)",
        "INSERT INTO cps.chunk_v5 VALUES ('`a`.`done`', 18446744073709551615, 3, 30), ('`a`.`done`', 1, 4, 40), "
        "('`a`.`based`', 7, 2, 20), ('`a`.`half`', 9, 9, 9)",
    )
    store = CheckpointStore(driver="mysql", schema="cps", server=server_of(server))
    assert read_totals(store, POLICY) == {
        TableName("a", "done"): Totals(2**64 - 2, 7, 70),
        TableName("a", "based"): Totals(15, 3, 30),
    }
    server.run("UPDATE cps.task_v1 SET backend = 'tidb'")
    assert read_totals(store, POLICY) == {}


@pytest.mark.parametrize(
    ("store", "words"),
    [
        (CheckpointStore(enabled=False), "keeps no checkpoint"),
        (CheckpointStore(path=Path("/nowhere/cp.pb")), "there is no checkpoint at"),
        (CheckpointStore(url="s3://bucket/cp"), "is remote"),
        (CheckpointStore(driver="mysql"), "does not say which server"),
    ],
)
def test_a_checkpoint_that_is_not_there_tells_nothing(store: CheckpointStore, words: str) -> None:
    with pytest.raises(CouldNotLook, match=words):
        read_totals(store, POLICY)


def test_a_logical_import_has_no_totals() -> None:
    path = next(
        path
        for recording in recordings()
        if "tidb" in recording.folder.parent.name
        and (path := recording.folder / "after" / "checkpoint.pb").is_file()
        and path.stat().st_size > 100
        and recording.outcome == "canceled"
    )
    assert read_totals(CheckpointStore(path=path), POLICY) == {}
