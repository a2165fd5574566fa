"""The control tool's acts, and the rewind, on the mysql driver's store: one transaction each, committed at its end.

Names are compared byte by byte, whatever collation the server gave the tables.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from safe_lightning.core.checkpoint import LOADED, MAX_INVALID
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_edit import require_index_engine
from safe_lightning.lightning.checkpoint_mysql import choose_tables
from safe_lightning.lightning.mysql_connection import Session, open_session
from safe_lightning.lightning.task import CheckpointStore

_OF_TABLE = "table_name = %s AND BINARY table_name = %s"
_OF_CHUNK = f"{_OF_TABLE} AND engine_id = %s AND BINARY path = %s AND `offset` = %s"


@dataclass(frozen=True)
class SqlStore:
    """A store within an open transaction."""

    session: Session
    schema: str
    tables: dict[str, str]

    def remove(self, table: TableName) -> None:
        """Delete the rows of a table, as ``checkpoint-remove`` does. Raises CouldNotLook where it has none."""
        self._require(table)
        for kind in ("chunk", "engine", "table"):
            self._run(f"DELETE FROM {self._name(kind)} WHERE {_OF_TABLE}", table)  # noqa: S608

    def ignore(self, table: TableName) -> None:
        """Set recorded failures back to loaded, as ``checkpoint-error-ignore`` does."""
        self._require(table)
        for kind in ("engine", "table"):
            statement = f"UPDATE {self._name(kind)} SET status = {LOADED} WHERE {_OF_TABLE} AND status <= {MAX_INVALID}"  # noqa: S608
            self._run(statement, table)

    def rewind(self, table: TableName, engines: Collection[int]) -> None:
        """Set engines back to before their first chunk; `checkpoint_edit.with_engines_rewound` says what that means."""
        self._require(table)
        engine = self._name("engine")
        statement = f"SELECT engine_id, status FROM {engine} WHERE {_OF_TABLE} FOR UPDATE"  # noqa: S608
        rows = self.session.query(statement, [str(table)] * 2)
        known = {int(str(number)): int(str(status)) for number, status in rows}
        if unknown := sorted(set(engines) - known.keys()):
            raise CouldNotLook(f"the checkpoint knows no engine {unknown[0]} of {table}")
        require_index_engine(table, known, engines)
        chosen = ", ".join(str(int(number)) for number in sorted(engines))
        self._rewind_chunks(table, chosen)
        self._run(f"UPDATE {engine} SET status = {LOADED} WHERE {_OF_TABLE} AND engine_id IN ({chosen})", table)  # noqa: S608
        self._run(f"UPDATE {self._name('table')} SET status = {LOADED} WHERE {_OF_TABLE}", table)  # noqa: S608

    def _rewind_chunks(self, table: TableName, engines: str) -> None:
        chunk = self._name("chunk")
        rows = self.session.query(
            f"SELECT engine_id, path, `offset`, rowid_max FROM {chunk} WHERE {_OF_TABLE} ORDER BY rowid_max",  # noqa: S608
            [str(table)] * 2,
        )
        real = ", real_pos = IF(real_pos = 0, 0, `offset`)" if self._has_real_pos() else ""
        first = 0
        wanted = {int(number) for number in engines.split(", ")}
        for number, path, offset, last in rows:
            if int(str(number)) in wanted:
                self.session.query(
                    f"UPDATE {chunk} SET pos = `offset`, prev_rowid_max = %s, kvc_bytes = 0, kvc_kvs = 0, "  # noqa: S608
                    f"kvc_checksum = 0{real} WHERE {_OF_CHUNK}",
                    [first, str(table), str(table), number, path, offset],
                )
            first = int(str(last))

    def _has_real_pos(self) -> bool:
        return bool(
            self.session.query(
                "SELECT 1 FROM information_schema.columns WHERE table_schema = %s AND table_name = %s "
                "AND column_name = 'real_pos'",
                [self.schema, self.tables["chunk"]],
            )
        )

    def _require(self, table: TableName) -> None:
        statement = f"SELECT 1 FROM {self._name('table')} WHERE {_OF_TABLE} FOR UPDATE"  # noqa: S608
        if not self.session.query(statement, [str(table)] * 2):
            raise CouldNotLook(f"the checkpoint has no entry of {table}")

    def _run(self, statement: str, table: TableName) -> None:
        self.session.query(statement, [str(table)] * 2)

    def _name(self, kind: str) -> str:
        return f"{quote(self.schema)}.{quote(self.tables[kind])}"


@contextmanager
def open_store(store: CheckpointStore, timeout_seconds: float) -> Iterator[SqlStore]:
    """Open a store for one act; it is committed where the block ends well, else nothing of it stays.

    Raises CouldNotLook, also where it is not known whether the commit arrived: read the store again to know.
    """
    if store.server is None:
        raise CouldNotLook("the task does not say which server keeps the checkpoint (checkpoint.dsn)")
    with open_session(store.server, timeout_seconds) as session:
        session.query("ROLLBACK")  # the session begins in a read-only transaction
        names = [_text(row[0]) for row in session.query(f"SHOW TABLES FROM {quote(store.schema)}")]
        tables, _ = choose_tables(store.schema, names)
        if not tables:
            raise CouldNotLook(f"there is no checkpoint in {quote(store.schema)}")
        session.query("START TRANSACTION")
        yield SqlStore(session, store.schema, tables)
        session.query("COMMIT")


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
