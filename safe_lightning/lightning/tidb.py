"""The target cluster through a read-only session: which tables there are, since when, and whether they hold rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableFacts
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.status_api import ask_schema
from safe_lightning.lightning.task import Server

#: Schemas of the server itself and Lightning's own, by their default names.
_OTHER_SCHEMAS = {
    "information_schema",
    "inspection_schema",
    "metrics_schema",
    "mysql",
    "performance_schema",
    "sys",
    "lightning_metadata",
    "lightning_task_info",
}
_CHECKPOINT_SCHEMA = "tidb_lightning_checkpoint"
_ABSENT = {1049, 1146}


@dataclass
class SqlTarget:
    """A target over one session; the status port is only asked for what SQL does not tell."""

    server: Server
    session: Session
    timeout_seconds: float
    has_table_id: bool

    def table(self, name: TableName) -> TableFacts:
        """Look at one table. Raises CouldNotLook.

        ``created_at`` is on this machine's clock; TiDB moves it with ALTER and CREATE INDEX, not with RENAME or
        TRUNCATE. ``is_empty`` is None for a view and where the server refuses to say or takes too long.
        """
        rows = self.session.query(
            f"SELECT table_type, UNIX_TIMESTAMP(create_time), {self._id_column} FROM information_schema.tables "  # noqa: S608
            "WHERE table_schema = %s AND table_name = %s",
            [name.schema, name.table],
        )
        if not rows:
            return self._unlisted(name)
        kind, created, number = rows[0]
        is_empty = None if "VIEW" in _text(kind) else self._is_empty(name)
        facts = TableFacts(name, True, int(number) if number else None, self.session.local_time(created), is_empty)
        return self._complete(facts) if self.session.is_tidb and not number else facts

    def weigh(self, facts: TableFacts, rows_most: int) -> TableFacts:
        """Add to a table's facts how many rows it holds, ``rows_most`` at most, and whether a key forbids doubles.

        What the server refuses to say, or cannot say in time, stays unknown. Raises CouldNotLook.
        """
        name = facts.table
        try:
            statement = f"SELECT COUNT(*) FROM (SELECT 1 FROM {name} LIMIT {rows_most + 1}) counted"  # noqa: S608
            rows = self.session.query(statement)
            count = int(rows[0][0])
        except ServerRefused:
            count = None
        indexes = self.session.query(
            "SELECT index_name, SUM(UPPER(nullable) = 'YES') FROM information_schema.statistics "
            "WHERE table_schema = %s AND table_name = %s AND non_unique = 0 GROUP BY index_name",
            [name.schema, name.table],
        )
        has_key = any(not int(nullable or 0) for _, nullable in indexes)
        return replace(facts, row_count=count, has_key=has_key)

    def tables(self) -> tuple[TableName, ...]:
        """List all base tables outside the system's and Lightning's own schemas. Raises CouldNotLook."""
        rows = self.session.query(
            "SELECT table_schema, table_name FROM information_schema.tables WHERE table_type = 'BASE TABLE'"
        )
        names = (TableName(_text(schema), _text(table)) for schema, table in rows)
        return tuple(sorted(name for name in names if not _is_other(name.schema)))

    @property
    def _id_column(self) -> str:
        return "tidb_table_id" if self.has_table_id else "NULL"

    def _unlisted(self, name: TableName) -> TableFacts:
        # Not listed is not absent: information_schema hides what the user has no rights on.
        try:
            self.session.query(_probe(name))
        except ServerRefused as error:
            if error.code in _ABSENT:
                return TableFacts(name, False)
            raise
        raise CouldNotLook(f"{name} can be read, yet {self.session.place} does not list it")

    def _is_empty(self, name: TableName) -> bool | None:
        try:
            return not self.session.query(_probe(name))
        except ServerRefused:
            return None

    def _complete(self, facts: TableFacts) -> TableFacts:
        """Ask the status port where SQL does not tell the id; what it cannot say either stays unknown."""
        try:
            answer = ask_schema(self.server, facts.table, self.timeout_seconds)
        except CouldNotLook:
            return facts
        if answer is None:
            return facts
        created_at = facts.created_at or self.session.local_time(answer.changed_at)
        return replace(facts, table_id=answer.table_id, created_at=created_at)


def _probe(name: TableName) -> str:
    # Without an index: a half-built or broken one must not answer for the rows.
    return f"SELECT 1 FROM {name} USE INDEX () LIMIT 1"  # noqa: S608


def _is_other(schema: str) -> bool:
    lowered = schema.lower()
    return lowered in _OTHER_SCHEMAS or lowered.startswith(_CHECKPOINT_SCHEMA)


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


@contextmanager
def open_target(server: Server, timeout_seconds: float) -> Iterator[SqlTarget]:
    """Open the target, read-only, every answer within the time-out. Raises CouldNotLook."""
    with open_session(server, timeout_seconds) as session:
        columns = session.query(
            "SELECT 1 FROM information_schema.columns WHERE LOWER(table_schema) = 'information_schema' "
            "AND LOWER(table_name) = 'tables' AND LOWER(column_name) = 'tidb_table_id'"
        )
        yield SqlTarget(server, session, timeout_seconds, bool(columns))
