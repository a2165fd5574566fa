"""Read-only looks at one table of the target that tell why its checksum differs: ids, entries, agreement, records."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checksum import Limits, tried
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server

#: TiDB's errors for rows and index entries that disagree: ErrAdminCheckTable, ErrDataInconsistent….
_INCONSISTENT = {8003, 8133, 8134, 8138, 8139, 8140, 8141, 8223}
_ABSENT = {1049, 1146}
#: Of the tables of the schema for task information those that hold pairs or rows of conflicts, whatever their suffix.
_RECORDS = ("conflict_error_v", "conflict_records")


@dataclass(frozen=True)
class StoredIds:
    """The ids that stand in a table's keys: its own, and those of its indexes with their names, as far as told."""

    table_id: int | None
    index_names: Mapping[int, str]


def look_at_ids(server: Server, table: TableName, timeout_seconds: float) -> StoredIds:
    """Ask for the ids that stand in a table's keys; only TiDB tells them. Raises CouldNotLook."""
    with open_session(server, timeout_seconds) as session:
        return StoredIds(_table_id(session, table), _index_names(session, table))


def _table_id(session: Session, table: TableName) -> int | None:
    statement = "SELECT tidb_table_id FROM information_schema.tables WHERE table_schema = %s AND table_name = %s"
    return next((int(number) for (number,) in _asked(session, statement, table) if number), None)


def _index_names(session: Session, table: TableName) -> dict[int, str]:
    statement = (
        "SELECT DISTINCT index_id, key_name FROM information_schema.tidb_indexes "
        "WHERE table_schema = %s AND table_name = %s"
    )
    return {int(number): _text(name) for number, name in _asked(session, statement, table) if number}


def _asked(session: Session, statement: str, table: TableName) -> Sequence[tuple[Any, ...]]:
    try:
        return session.query(statement, [table.schema, table.table])
    except ServerRefused:
        return ()  # only TiDB has it


def count_entries(server: Server, table: TableName, index: str, limits: Limits, stop: threading.Event) -> int:
    """Count the entries of one index on a snapshot. Raises CouldNotLook."""

    def count(session: Session) -> int:
        [(found,)] = session.query(f"SELECT COUNT(*) FROM {table} USE INDEX ({quote(index)})")  # noqa: S608
        return int(found)

    return tried(server, limits, stop, count)


def check_table(server: Server, table: TableName, limits: Limits, stop: threading.Event) -> str:
    """Let TiDB compare rows and index entries; "" where they agree, else its own words. Raises CouldNotLook."""

    def check(session: Session) -> str:
        if not session.is_tidb:
            raise CouldNotLook(f"{session.place} is not TiDB, which alone knows ADMIN CHECK TABLE")
        try:
            session.query(f"ADMIN CHECK TABLE {table}")
        except ServerRefused as error:
            if error.code in _INCONSISTENT:
                return str(error)
            raise
        return ""

    return tried(server, limits, stop, check)


def count_stale_records(
    server: Server, schema: str, table: TableName, task_id: int | None, timeout_seconds: float
) -> int:
    """Count the conflict records that other tasks left of a table; 0 where there is no such schema.

    Raises CouldNotLook, also where there are records and the id of this import's task is not known.
    """
    with open_session(server, timeout_seconds) as session:
        try:
            names = [_text(name) for (name,) in session.query(f"SHOW TABLES FROM {quote(schema)}")]
        except ServerRefused as error:
            if error.code in _ABSENT:
                return 0
            raise
        wanted = [TableName(schema, name) for name in names if name.startswith(_RECORDS)]
        return sum(_records_of_others(session, records, table, task_id) for records in wanted)


def _records_of_others(session: Session, records: TableName, table: TableName, task_id: int | None) -> int:
    """Count what a table of records holds of one table, but for the task's own."""
    [(every,)] = session.query(f"SELECT COUNT(*) FROM {records} WHERE table_name = %s", [str(table)])  # noqa: S608
    if not every:
        return 0
    if task_id is None:
        raise CouldNotLook(f"{records} holds {every} records of {table}, of which task is not known")
    statement = f"SELECT COUNT(*) FROM {records} WHERE table_name = %s AND task_id <> %s"  # noqa: S608
    [(others,)] = session.query(statement, [str(table), task_id])
    return int(others)


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
