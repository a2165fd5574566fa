"""The mysql driver's store: whatever table versions are there, read-only, counted by the server."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import field

from safe_lightning.core.checkpoint import (
    Checkpoint,
    TableRecord,
    TaskRecord,
    UnreadableCheckpoint,
    without_keys,
)
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, quote
from safe_lightning.lightning.checkpoint_server import ServerChunks, Store, number_of, read_chunks, text_of
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server

_STORE_TABLE = re.compile(r"(task|table|engine|chunk)_v(\d{1,4})")
_UNKNOWN_SCHEMA = 1049


def read_mysql(server: Server, schema: str, location: str, timeout_seconds: float) -> Checkpoint:
    """Read the checkpoint that a server keeps; ``exists`` is False where there is no such schema or it is empty.

    A handful of statements, and of a huge store one or two for every two thousand engines. Raises CouldNotLook with one
    sentence when the server is absent, slow, refusing or dropping, UnreadableCheckpoint for what no Lightning writes.
    """
    with open_session(server, timeout_seconds) as session:
        names = _list_tables(session, schema)
        store, notes = choose_tables(schema, names)
        if not store:
            return Checkpoint("mysql", location, False, None, ())
        return _read(session, Store(session, schema, store), location, notes)


def choose_tables(schema: str, names: Iterable[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Choose the newest table of each kind; the notes name older ones that were left beside them.

    An upgrade within a release series leaves them behind (7.1.5, 7.5.5). Raises UnreadableCheckpoint where
    kinds are missing: Lightning creates all of them at once, apart from the task's before 4.0.6.

    >>> choose_tables("cp", ["table_v9", "table_v10", "engine_v5", "chunk_v5"])[0]["table"]
    'table_v10'
    """
    versions: dict[str, list[int]] = defaultdict(list)
    for name in names:
        if found := _STORE_TABLE.fullmatch(name):
            versions[found[1]].append(int(found[2]))
    missing = {"table", "engine", "chunk"} - versions.keys()
    if versions and missing:
        lacking = ", ".join(sorted(missing))
        raise UnreadableCheckpoint(f"the checkpoint schema {quote(schema)} is incomplete: no table of kind {lacking}")
    older = [f"{kind}_v{v}" for kind, found in versions.items() for v in sorted(found)[:-1]]
    left = f"{quote(schema)} also holds {', '.join(older)}: another release of Lightning would read those"
    return {kind: f"{kind}_v{max(found)}" for kind, found in versions.items()}, ((left,) if older else ())


def _list_tables(session: Session, schema: str) -> list[str]:
    try:
        return [text_of(row[0]) for row in session.query(f"SHOW TABLES FROM {quote(schema)}")]
    except ServerRefused as error:
        if error.code == _UNKNOWN_SCHEMA:
            return []
        raise


def _read(session: Session, store: Store, location: str, notes: tuple[str, ...]) -> Checkpoint:
    task = _read_task(session, store) if "task" in store.tables else None
    engines = _read_engines(session, store)
    chunks = read_chunks(session, store, {table: its.statuses for table, its in engines.items()})
    records = tuple(sorted(_read_tables(session, store, engines, chunks), key=lambda record: record.table))
    moments = [record.updated_at for record in records if record.updated_at is not None]
    created_at = _created_at(session, store)
    return Checkpoint("mysql", location, True, task, records, created_at, max(moments, default=created_at), notes)


_TASK_COLUMNS = (
    "task_id",
    "source_dir",
    "backend",
    "importer_addr",
    "tidb_host",
    "tidb_port",
    "pd_addr",
    "sorted_kv_dir",
    "lightning_ver",
)


def _read_task(session: Session, store: Store) -> TaskRecord | None:
    columns = ", ".join(store.column("task", name) for name in _TASK_COLUMNS)
    rows = session.query(f"SELECT {columns} FROM {store.name('task')} LIMIT 2")  # noqa: S608
    if not rows:
        return None
    if len(rows) > 1:
        raise UnreadableCheckpoint(f"{store.name('task')} holds more than the one row of a task")
    values = dict(zip(_TASK_COLUMNS, rows[0], strict=True))
    numbers = {name: number_of(values.pop(name)) for name in ("task_id", "tidb_port")}
    texts = {name: text_of(value or "") for name, value in values.items()}
    texts["lightning_version"] = texts.pop("lightning_ver")
    texts["source_dir"] = without_keys(texts["source_dir"])
    return TaskRecord(**numbers, **texts)  # type: ignore[arg-type]


@dataclass
class _Engines:
    statuses: dict[int, int] = field(default_factory=dict)
    updated_at: float | None = None


def _read_engines(session: Session, store: Store) -> dict[str, _Engines]:
    found: dict[str, _Engines] = defaultdict(_Engines)
    updated = store.column("engine", "update_time", "UNIX_TIMESTAMP({})")
    statement = f"SELECT table_name, engine_id, status, {updated} FROM {store.name('engine')} ORDER BY table_name"  # noqa: S608
    for table, number, status, moment in session.query(statement):
        engines = found[text_of(table)]
        engines.statuses[number_of(number)] = number_of(status)
        engines.updated_at = _latest(engines.updated_at, session.local_time(moment))
    return found


def _read_tables(
    session: Session, store: Store, engines: Mapping[str, _Engines], chunks: Mapping[str, ServerChunks]
) -> Iterable[TableRecord]:
    table_id = store.column("table", "table_id", default="0")
    created, updated = (store.column("table", name, "UNIX_TIMESTAMP({})") for name in ("create_time", "update_time"))
    nothing = ServerChunks()
    for name, status, number, *moments in session.query(
        f"SELECT table_name, status, {table_id}, {created}, {updated} FROM {store.name('table')}"  # noqa: S608
    ):
        text = text_of(name)
        its_engines, its_chunks = engines.get(text, _Engines()), chunks.get(text, nothing)
        totals = its_chunks.totals
        created_at, updated_at = map(session.local_time, moments)
        yield TableRecord(
            _table_name(text, store),
            number_of(status),
            number_of(number),
            dict(sorted(its_engines.statuses.items())),
            totals.done,
            totals.total,
            its_chunks.files_done,
            its_chunks.files_total,
            totals.kvs,
            totals.rows,
            created_at,
            _latest(updated_at, its_engines.updated_at, its_chunks.updated_at),
            its_chunks.files,
            frozenset(its_chunks.begun_engines),
        )


def _created_at(session: Session, store: Store) -> float | None:
    """Tell since when the store exists: the creation of its oldest table that is read."""
    names = list(store.tables.values())
    marks = ", ".join(["%s"] * len(names))
    [(moment,)] = session.query(
        "SELECT UNIX_TIMESTAMP(MIN(create_time)) FROM information_schema.tables "  # noqa: S608
        f"WHERE table_schema = %s AND table_name IN ({marks})",
        [store.schema, *names],
    )
    return session.local_time(moment)


def _table_name(text: str, store: Store) -> TableName:
    try:
        return TableName.parse(text)
    except ValueError as error:
        raise UnreadableCheckpoint(f"{store.name('table')} holds a name that is {error}") from error


def _latest(*moments: float | None) -> float | None:
    return max((moment for moment in moments if moment is not None), default=None)
