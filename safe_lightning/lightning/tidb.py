"""The target cluster through a read-only session: which tables there are, since when, and whether they hold rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableFacts
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.status_api import ask_schema
from safe_lightning.lightning.target_tables import Listed, empty_tables, list_tables, sees_all, text
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
#: Fewer are asked about one by one: their statements are the simplest.
_TOGETHER_LEAST = 3


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
        return self._facts(name, rows[0], self._is_empty(name) if _is_table(rows[0]) else None)

    def look_at(self, names: Iterable[TableName]) -> tuple[dict[TableName, TableFacts], tuple[str, ...]]:
        """Look at many tables in few statements; what cannot be seen is left out, and the reasons say why.

        A table that a statement about many fails on is asked about alone, and does not hide the others.
        """
        wanted, facts, reasons = list(dict.fromkeys(names)), dict[TableName, TableFacts](), dict[str, None]()
        try:
            facts = self._look_together(wanted)
        except CouldNotLook as error:
            reasons[str(error)] = None
        for name in [name for name in wanted if name not in facts]:
            try:
                facts[name] = self.table(name)
            except CouldNotLook as error:
                reasons[str(error)] = None
        return facts, tuple(reasons)

    def _look_together(self, names: Sequence[TableName]) -> dict[TableName, TableFacts]:
        if len(names) < _TOGETHER_LEAST:
            return {}
        listed = list_tables(self.session, names, self._id_column)
        there = {name: row for name, row in listed.items() if row is not None}
        facts = {}
        if len(there) < len(listed) and sees_all(self.session):
            facts = {name: TableFacts(name, False) for name, row in listed.items() if row is None}
        emptiness = empty_tables(self.session, [name for name, row in there.items() if _is_table(row)])
        for name, row in there.items():
            if name in emptiness or not _is_table(row):
                facts[name] = self._facts(name, row, emptiness.get(name))
        return facts

    def _facts(self, name: TableName, row: Listed, is_empty: bool | None) -> TableFacts:
        _, created, number = row
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
        names = (TableName(text(schema), text(table)) for schema, table in rows)
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


def _is_table(row: Listed) -> bool:
    return "VIEW" not in text(row[0])


@contextmanager
def open_target(server: Server, timeout_seconds: float) -> Iterator[SqlTarget]:
    """Open the target, read-only, every answer within the time-out. Raises CouldNotLook."""
    with open_session(server, timeout_seconds) as session:
        columns = session.query(
            "SELECT 1 FROM information_schema.columns WHERE LOWER(table_schema) = 'information_schema' "
            "AND LOWER(table_name) = 'tables' AND LOWER(column_name) = 'tidb_table_id'"
        )
        yield SqlTarget(server, session, timeout_seconds, bool(columns))
