"""What a checkpoint says was encoded for each table: the sums of its chunks, as Lightning's own local checksum."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from safe_lightning.core.checkpoint import IMPORTED, UnreadableCheckpoint
from safe_lightning.core.tables import TableName, Totals
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_file import read_file
from safe_lightning.lightning.checkpoint_model import FileTable
from safe_lightning.lightning.checkpoint_mysql import choose_tables
from safe_lightning.lightning.checkpoint_server import Store, number_of, text_of
from safe_lightning.lightning.mysql_connection import Session, open_session
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.policy.model import CheckpointPolicy

#: A file is decoded whole for this; larger ones hold more chunks than are worth the memory.
_FILE_BYTES_MOST = 256 << 20
_LOGICAL = "tidb"


def read_totals(store: CheckpointStore, policy: CheckpointPolicy) -> dict[TableName, Totals]:
    """Return the totals of every table that the checkpoint holds as imported whole; none for the logical backend.

    There chunks count rows and have no checksum. Raises CouldNotLook where there is no checkpoint or it cannot be read.
    """
    if not store.enabled:
        raise CouldNotLook("the task keeps no checkpoint (checkpoint.enable = false)")
    if store.driver == "mysql":
        return _read_server(store, policy)
    if store.path is None:
        raise CouldNotLook(f"the checkpoint {store.url or 'a place not named'} is remote: it cannot be read from here")
    found = read_file(store.path, min(policy.size_most, _FILE_BYTES_MOST))
    if found is None:
        raise CouldNotLook(f"there is no checkpoint at {store.path}")
    if found.task and found.task.backend == _LOGICAL:
        return {}
    return {_name(name, store): _sum(table) for name, table in found.tables.items() if _is_whole(table)}


def _name(text: str, store: CheckpointStore) -> TableName:
    try:
        return TableName.parse(text)
    except ValueError as error:
        raise UnreadableCheckpoint(f"{store.location} holds a name that is {error}") from error


def _is_whole(table: FileTable) -> bool:
    return bool(table.engines) and all(engine.status >= IMPORTED for engine in table.engines.values())


def _sum(table: FileTable) -> Totals:
    """Add up the chunks, and what stood in the table before where the import recorded that (parallel, incremental)."""
    chunks = (chunk for engine in table.engines.values() for chunk in engine.chunks.values())
    parts = (Totals(chunk.kvc_checksum, chunk.kvc_kvs, chunk.kvc_bytes) for chunk in chunks)
    return _joined([Totals(table.kv_checksum, table.kv_kvs, table.kv_bytes), *parts])


def _joined(parts: Iterable[Totals]) -> Totals:
    return reduce(
        lambda a, b: Totals((a.checksum or 0) ^ (b.checksum or 0), a.kvs + b.kvs, a.bytes + b.bytes),
        parts,
        Totals(0, 0, 0),
    )


def _read_server(store: CheckpointStore, policy: CheckpointPolicy) -> dict[TableName, Totals]:
    if store.server is None:
        raise CouldNotLook("the task does not say which server keeps the checkpoint (checkpoint.dsn)")
    with open_session(store.server, policy.timeout) as session:
        names = session.query(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s", [store.schema]
        )
        tables, _ = choose_tables(store.schema, (text_of(name) for (name,) in names))
        if not tables:
            raise CouldNotLook(f"there is no checkpoint in {store.location}")
        found = _sum_on_server(session, Store(session, store.schema, tables))
    return {_name(name, store): totals for name, totals in found.items()}


def _sum_on_server(session: Session, store: Store) -> dict[str, Totals]:
    if "task" in store.tables:
        backends = session.query(f"SELECT backend FROM {store.name('task')}")  # noqa: S608
        if any(text_of(backend) == _LOGICAL for (backend,) in backends):
            return {}
    base = {name: store.column("table", name, default="0") for name in ("kv_checksum", "kv_kvs", "kv_bytes")}
    tables = session.query(f"SELECT table_name, {', '.join(base.values())} FROM {store.name('table')}")  # noqa: S608
    chunks = session.query(
        "SELECT table_name, BIT_XOR(kvc_checksum), SUM(kvc_kvs), SUM(kvc_bytes) "  # noqa: S608
        f"FROM {store.name('chunk')} GROUP BY table_name"
    )
    least = session.query(f"SELECT table_name, MIN(status) FROM {store.name('engine')} GROUP BY table_name")  # noqa: S608
    whole = {text_of(name) for name, status in least if number_of(status) >= IMPORTED}
    found: dict[str, list[Totals]] = {}
    for name, *numbers in (*tables, *chunks):
        found.setdefault(text_of(name), []).append(_totals(*map(number_of, numbers)))
    return {name: _joined(parts) for name, parts in found.items() if name in whole}


def _totals(checksum: int, kvs: int, size: int) -> Totals:
    return Totals(checksum, kvs, size)
