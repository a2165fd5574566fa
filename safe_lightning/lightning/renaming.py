"""Tables of the target renamed: the only statements of ours that move a table, and none of them drops one.

A server refuses a RENAME to a name that is taken (1050), so nothing is ever overwritten, whoever was faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server

#: What follows a table, by kind: whose names are asked for, and how often the statement names the table.
_TIES = (
    (
        "foreign key",
        "SELECT DISTINCT constraint_name FROM information_schema.key_column_usage "
        "WHERE referenced_table_name IS NOT NULL AND ((table_schema = %s AND table_name = %s) "
        "OR (referenced_table_schema = %s AND referenced_table_name = %s))",
        2,
    ),
    (
        "trigger",
        "SELECT trigger_name FROM information_schema.triggers "
        "WHERE event_object_schema = %s AND event_object_table = %s",
        1,
    ),
)


def ties_of(target: Server, table: TableName, timeout_seconds: float) -> tuple[str, ...]:
    """Name what follows a table to a new name: foreign keys of and to it, and its triggers. Raises CouldNotLook."""
    found = []
    with open_session(target, timeout_seconds) as session:
        for kind, statement, times in _TIES:
            rows = session.query(statement, [table.schema, table.table] * times)
            found += [f"{kind} {_text(name)}" for (name,) in rows]
    return tuple(sorted(set(found)))


def set_aside(target: Server, table: TableName, into: TableName, *, recreate: bool, timeout_seconds: float) -> None:
    """Rename a table, and put an empty one of the same definition in its place where ``recreate`` asks for it.

    Raises CouldNotLook; ServerRefused where the server says no to either, and then the table has its name again
    unless the server refuses that as well: look at it to know.
    """
    with _writing(target, timeout_seconds) as session:
        session.query(f"RENAME TABLE {table} TO {into}")
        if not recreate:
            return
        try:
            session.query(f"CREATE TABLE {table} LIKE {into}")
        except ServerRefused:
            session.query(f"RENAME TABLE {into} TO {table}")
            raise


def rename_tables(target: Server, pairs: Sequence[tuple[TableName, TableName]], timeout_seconds: float) -> None:
    """Rename tables in one statement: all or none. Raises CouldNotLook, ServerRefused."""
    with _writing(target, timeout_seconds) as session:
        session.query("RENAME TABLE " + ", ".join(f"{old} TO {new}" for old, new in pairs))


@contextmanager
def _writing(target: Server, timeout_seconds: float) -> Iterator[Session]:
    with open_session(target, timeout_seconds) as session:
        session.query("ROLLBACK")  # the session begins in a read-only transaction
        # A rename that waits for a lock after we have gone would come when nobody expects it any more.
        with suppress(ServerRefused):
            session.query(f"SET SESSION lock_wait_timeout = {max(1, int(timeout_seconds))}")
        yield session


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
