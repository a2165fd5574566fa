"""Reads what the instances of a parallel import write into the target, whatever release wrote it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from safe_lightning.core.parallel import Instance, Metadata, TableShare
from safe_lightning.core.tables import TableName, Totals, quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_server import number_of, text_of
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Task

#: Both names of the tasks' table: up to 6.6, and since. An upgrade in the middle leaves both.
TASK_TABLES = ("task_meta", "task_meta_v2")
TABLE_TABLE = "table_meta"
_DEFAULT_SCHEMA = "lightning_metadata"
_UNKNOWN_SCHEMA, _UNKNOWN_TABLE = 1049, 1146
_ROWS_MOST = 200_000

_SHARE_COLUMNS = ("task_id", "table_name", "status", "checksum", "total_kvs", "total_bytes", "has_duplicates")
#: From here on the sums over an instance's own rows are written.
_SUMMED = {"checksuming", "checksum_skipped", "finish"}


def metadata_schema(task: Task) -> str:
    """Name the schema in which the instances of a parallel import meet (``lightning.meta-schema-name``)."""
    return str(task.values.get("lightning.meta-schema-name") or _DEFAULT_SCHEMA)


def read_metadata(task: Task, timeout_seconds: float) -> Metadata:
    """Read the metadata that the task's target holds, read-only. Raises CouldNotLook."""
    if not task.target.port:
        raise CouldNotLook("the task names no port of the target (tidb.port)")
    with open_session(task.target, timeout_seconds) as session:
        return metadata_in(session, metadata_schema(task))


def metadata_in(session: Session, schema: str) -> Metadata:
    """Read one metadata schema over an open session, in four statements at most. Raises CouldNotLook.

    Whoever ends last drops the tables one by one, so each may be gone a moment after it was listed.
    """
    listed = _list_tables(session, schema)
    known = [name for name in (*TASK_TABLES, TABLE_TABLE) if name in listed]
    tasks: dict[int, tuple[str, bool]] = {}
    for name in TASK_TABLES:
        if name in listed:
            tasks |= _read_tasks(session, schema, name)
    shares = _read_shares(session, schema) if TABLE_TABLE in listed else {}
    instances = []
    for number in sorted(tasks.keys() | shares.keys()):
        status, has_exited = tasks.get(number, (None, False))
        instances.append(Instance(number, status, has_exited, tuple(shares.get(number, ()))))
    return Metadata(schema, bool(known), tuple(instances))


def _list_tables(session: Session, schema: str) -> set[str]:
    return {text_of(name).lower() for (name,) in _rows(session, f"SHOW TABLES FROM {quote(schema)}")}


def _read_tasks(session: Session, schema: str, table: str) -> dict[int, tuple[str, bool]]:
    where = f"{quote(schema)}.{quote(table)}"
    # 5.1 and 5.2 have no column for the state.
    names = {text_of(row[0]).lower() for row in _rows(session, f"SHOW COLUMNS FROM {where}")}
    state = "state" if "state" in names else "0"
    rows = _rows(session, f"SELECT task_id, status, {state} FROM {where} LIMIT {_ROWS_MOST + 1}")  # noqa: S608
    return {number_of(number): (text_of(status), bool(number_of(exited))) for number, status, exited in rows}


def _read_shares(session: Session, schema: str) -> Mapping[int, list[TableShare]]:
    where = f"{quote(schema)}.{quote(TABLE_TABLE)}"
    names = {text_of(row[0]).lower() for row in _rows(session, f"SHOW COLUMNS FROM {where}")}
    columns = ", ".join(name if name in names else "0" for name in _SHARE_COLUMNS)
    found: dict[int, list[TableShare]] = defaultdict(list)
    for number, name, status, checksum, kvs, size, duplicates in _rows(
        session,
        f"SELECT {columns} FROM {where} ORDER BY table_name LIMIT {_ROWS_MOST + 1}",  # noqa: S608
    ):
        stored, word = text_of(name), text_of(status)
        totals = Totals(number_of(checksum), number_of(kvs), number_of(size)) if word in _SUMMED else None
        share = TableShare(_table_name(stored), stored, word, totals, bool(number_of(duplicates)))
        found[number_of(number)].append(share)
    return found


def _rows(session: Session, statement: str) -> list[tuple[object, ...]]:
    try:
        rows = session.query(statement)
    except ServerRefused as error:
        if error.code in (_UNKNOWN_SCHEMA, _UNKNOWN_TABLE):
            return []
        raise
    if len(rows) > _ROWS_MOST:
        raise CouldNotLook(f"{session.place} lists more than {_ROWS_MOST} rows in the metadata of parallel imports")
    return rows


def _table_name(stored: str) -> TableName | None:
    try:
        return TableName.parse(stored)
    except ValueError:
        return None
