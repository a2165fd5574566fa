"""The rows that a task left in Lightning's own schemas of the target: `lightning_metadata` and `lightning_task_info`.

Rows are this task's where they carry its id, as the checkpoint stores it. Source: pkg/lightning/errormanager,
pkg/lightning/importer/meta_manager.go, release-8.5, and the recordings.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from safe_lightning.core.cleaning import Kind, Leaving
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.parallel import Instance, TableShare, metadata_peers
from safe_lightning.core.tables import TableName, quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_backup import new_file
from safe_lightning.lightning.checkpoint_dump import literal
from safe_lightning.lightning.checkpoint_server import number_of, text_of
from safe_lightning.lightning.metadata import TABLE_TABLE, TASK_TABLES, metadata_in, metadata_schema
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server, Task

_DEFAULT_INFO_SCHEMA = "lightning_task_info"
_INFO_TABLE = re.compile(r"(syntax_error|type_error|conflict_error|conflict_records)(_v\d{1,4})?")
_UNKNOWN_SCHEMA = 1049
_ROWS_AT_ONCE = 10_000
#: A stored name of `table_meta` is cut at this length.
_NAME_CHARACTERS = 64


def look_at_metadata(
    task: Task, task_id: int | None, tables: Collection[TableName], timeout_seconds: float
) -> list[Leaving]:
    """Look for the rows by which the instances of a parallel import know of each other. Raises CouldNotLook.

    Those of a task that is gone make others wait for it, or leave the checksum to it.
    """
    schema = metadata_schema(task)
    if task.backend != "local":
        return [Leaving(Kind.METADATA, schema, False, "only the local backend has it")]
    with open_session(task.target, timeout_seconds) as session:
        found = metadata_in(session, schema)
    if not found.instances:
        return [Leaving(Kind.METADATA, schema, False, "it holds no rows" if found.exists else "there is none")]
    own = [instance for instance in found.instances if instance.task_id == task_id]
    others = len(found.instances) - len(own)
    peers = metadata_peers(found, task_id or 0, None, is_parallel_import=task.parallel_import)
    held_by = (
        f"{len(peers)} other instance(s) may be at work by their rows, task {peers[0].task_id} first" if peers else ""
    )
    leavings = [leaving for instance in own for leaving in _of_instance(schema, instance, held_by, tables)]
    if others:
        said = f"{others} other task(s) have rows in it"
        leavings.append(Leaving(Kind.METADATA, f"{schema}, other tasks", True, said, is_ours=False))
    return leavings


def _of_instance(schema: str, instance: Instance, held_by: str, tables: Collection[TableName]) -> Iterator[Leaving]:
    for share in instance.shares:
        facts = {"schema": schema, "task_id": instance.task_id, "stored_name": share.stored_name}
        yield Leaving(
            Kind.METADATA, f"{schema}: {share.stored_name}", True, f"task {instance.task_id}: {share.words}",
            True, held_by, _table_of(share, tables), {**facts, "status": share.status},
        )  # fmt: skip
    if instance.status is not None:
        facts = {"schema": schema, "task_id": instance.task_id, "status": instance.status}
        yield Leaving(
            Kind.METADATA, f"{schema}: task {instance.task_id}", True, f"the task's own row, {instance.status}",
            True, held_by, None, facts,
        )  # fmt: skip


def _table_of(share: TableShare, tables: Collection[TableName]) -> TableName | None:
    if share.table is not None:
        return share.table
    alike = [table for table in tables if str(table)[:_NAME_CHARACTERS] == share.stored_name]
    return alike[0] if len(alike) == 1 else None


def info_schema(task: Task) -> str:
    """Name the schema of the error tables (``lightning.task-info-schema-name``); "" where the task has none."""
    return str(task.values.get("lightning.task-info-schema-name", _DEFAULT_INFO_SCHEMA))


def look_at_task_info(
    task: Task, task_id: int | None, tables: Collection[TableName], timeout_seconds: float
) -> list[Leaving]:
    """Look for the errors and conflicts that a task wrote down, table by table. Raises CouldNotLook.

    A later run under the same task resolves the conflicts of an earlier one again, and deletes rows that are good
    now (pingcap/tidb#40657).
    """
    schema = info_schema(task)
    if not schema:
        return [Leaving(Kind.TASK_INFO, "error tables", False, "the task keeps none")]
    with open_session(task.target, timeout_seconds) as session:
        counts = _count(session, schema)
    own = {name: found for (number, name), found in counts.items() if number == task_id}
    wanted = {str(table) for table in tables}
    others = sum(
        sum(found.values()) for (number, name), found in counts.items() if number != task_id and name in wanted
    )
    leavings = [_of_table(schema, task_id or 0, name, own[name]) for name in sorted(own)]
    if others:
        said = f"{others:,} rows about tables of this import, by other tasks"
        is_ours = None if task_id is None else False
        leavings.append(Leaving(Kind.TASK_INFO, f"{schema}, other tasks", True, said, is_ours))
    return leavings or [Leaving(Kind.TASK_INFO, schema, False, "it holds no rows of this import")]


def _of_table(schema: str, task_id: int, name: str, counts: Mapping[str, int]) -> Leaving:
    said = ", ".join(f"{count:,} rows in {table}" for table, count in sorted(counts.items()))
    facts = {"schema": schema, "task_id": task_id, "stored_name": name, "tables": dict(counts)}
    try:
        table = TableName.parse(name)
    except ValueError:
        return Leaving(Kind.TASK_INFO, f"{schema}: {name}", True, f"{said}, under what is no table", facts=facts)
    return Leaving(Kind.TASK_INFO, f"{schema}: {name}", True, f"task {task_id}: {said}", True, "", table, facts)


def _count(session: Session, schema: str) -> dict[tuple[int, str], dict[str, int]]:
    found: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    try:
        listed = session.query(f"SHOW FULL TABLES FROM {quote(schema)} WHERE Table_type = 'BASE TABLE'")
    except ServerRefused as error:
        if error.code == _UNKNOWN_SCHEMA:
            return {}
        raise
    for name in sorted(name for name in (text_of(row[0]) for row in listed) if _INFO_TABLE.fullmatch(name)):
        statement = f"SELECT task_id, table_name, COUNT(*) FROM {quote(schema)}.{quote(name)} GROUP BY 1, 2"  # noqa: S608
        for task_id, table, count in session.query(statement):
            found[number_of(task_id), text_of(table)][name] = number_of(count)
    return found


@dataclass(frozen=True)
class _Rows:
    """Some rows of one of Lightning's own tables."""

    place: str
    condition: str
    values: tuple[object, ...]


def _rows_of(leaving: Leaving, session: Session) -> list[_Rows]:
    facts = leaving.facts
    schema, task_id, name = str(facts["schema"]), facts["task_id"], facts.get("stored_name")
    condition = "task_id = %s"
    values: tuple[object, ...] = (task_id,)
    if name is not None:
        # Whatever collation the server gave the column, the name is compared byte by byte.
        condition, values = f"{condition} AND table_name = %s AND BINARY table_name = %s", (task_id, name, name)
    if leaving.kind is Kind.METADATA:
        wanted = set(TASK_TABLES if name is None else (TABLE_TABLE,))
    else:
        counts = facts["tables"]
        wanted = set(counts) if isinstance(counts, Mapping) else set()
    listed = {text_of(row[0]) for row in session.query(f"SHOW TABLES FROM {quote(schema)}")}
    return [_Rows(f"{quote(schema)}.{quote(table)}", condition, values) for table in sorted(wanted & listed)]


def copy_rows(server: Server, leaving: Leaving, folder: Path, timeout_seconds: float, size_most: int) -> Path:
    """Write the rows of a leaving as SQL that puts them back. Raises CouldNotLook and OSError; then nothing is left."""
    with open_session(server, timeout_seconds) as session, new_file(folder, ".sql", "rows-") as (copy, target):
        for rows in _rows_of(leaving, session):
            for row in session.query(f"SELECT * FROM {rows.place} WHERE {rows.condition}", rows.values):  # noqa: S608
                target.write(f"INSERT INTO {rows.place} VALUES ({', '.join(map(literal, row))});\n".encode())  # noqa: S608
                if target.tell() > size_most:
                    raise CouldNotLook(f"the rows of {leaving.name} take more than {size_most} bytes: not copied")
    return copy


def delete_rows(server: Server, leaving: Leaving, timeout_seconds: float) -> int:
    """Delete the rows of a leaving, some thousand at a time, and return how many are left. Raises CouldNotLook."""
    with open_session(server, timeout_seconds) as session:
        session.query("ROLLBACK")  # the session begins in a read-only transaction
        places = _rows_of(leaving, session)
        for rows in places:
            while _count_rows(session, rows):
                session.query(f"DELETE FROM {rows.place} WHERE {rows.condition} LIMIT {_ROWS_AT_ONCE}", rows.values)  # noqa: S608
        return sum(_count_rows(session, rows) for rows in places)


def _count_rows(session: Session, rows: _Rows) -> int:
    [(count,)] = session.query(f"SELECT COUNT(*) FROM {rows.place} WHERE {rows.condition}", rows.values)  # noqa: S608
    return number_of(count)


def forget_instance(task: Task, task_id: int, table: TableName, timeout_seconds: float) -> str:
    """Delete what `lightning_metadata` holds of one table of a task, as the control tool does; "" if nothing stays.

    What stays is said: rows are left where another instance may be at work, and where the target cannot be asked.
    """
    try:
        found = look_at_metadata(task, task_id, (table,), timeout_seconds)
        wanted = [leaving for leaving in found if leaving.table == table and leaving.is_ours]
        held = [leaving.held_by for leaving in wanted if leaving.held_by]
        if held:
            return f"its rows in {metadata_schema(task)} stay: {held[0]}"
        left = sum(delete_rows(task.target, leaving, timeout_seconds) for leaving in wanted)
        return f"{left} of its rows in {metadata_schema(task)} could not be deleted" if left else ""
    except CouldNotLook as error:
        return f"its rows in {metadata_schema(task)}, if there are any, stay: {error}"
