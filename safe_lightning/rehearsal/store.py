"""What the stand-in cluster holds, in one SQLite file: tables, their rows, and the pairs a checksum reads.

Rows and index entries are kept apart as in TiKV, so that an ingest which overwrites a record but adds a stray
index entry leaves exactly the inconsistency that a checksum finds.
"""

from __future__ import annotations

import calendar
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, Totals
from safe_lightning.rehearsal.pairs import (
    Pair,
    Value,
    decode_record,
    encode_entries,
    encode_row,
    index_prefix,
    numbered,
    record_prefix,
    sum_pairs,
)
from safe_lightning.rehearsal.schema import TableSchema, read_create_table
from safe_lightning.rehearsal.store_layout import LAYOUT

_FIRST_ID = 110
_MISSING = re.compile(r"no such table: (.*)")


class StoreError(Exception):
    """What a MySQL server would refuse, with its error number and SQLSTATE."""

    def __init__(self, code: int, state: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.state = state


@dataclass(frozen=True)
class StoredTable:
    """One table of the store."""

    name: TableName
    id: int
    created_at: float
    ddl: str
    schema: TableSchema


class Store:
    """The cluster's content; survives a restart of the stand-in target."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(LAYOUT)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute(
            "INSERT OR IGNORE INTO sqlite_sequence (name, seq) SELECT 'catalog', ? WHERE NOT EXISTS "
            "(SELECT 1 FROM sqlite_sequence WHERE name = 'catalog')",
            (_FIRST_ID,),
        )
        self._db.create_function("UNIX_TIMESTAMP", -1, _unix_timestamp)
        self._db.create_function("NOW", 0, lambda: time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()))
        for function, result in (("USER", "root@127.0.0.1"), ("DATABASE", None)):
            self._db.create_function(function, 0, lambda result=result: result)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def create_database(self, name: str) -> None:
        """Create a database unless it is there."""
        self._db.execute("INSERT OR IGNORE INTO databases VALUES (?)", (name,))

    def drop_database(self, name: str) -> None:
        """Drop a database and its tables."""
        for table in self.tables(name):
            self.drop_table(table)
        self._db.execute("DELETE FROM databases WHERE name = ?", (name,))

    def databases(self) -> list[str]:
        """List the databases."""
        return [name for (name,) in self._db.execute("SELECT name FROM databases ORDER BY name")]

    def tables(self, schema: str | None = None) -> list[TableName]:
        """List the tables of one database, or of all."""
        found = self._db.execute("SELECT schema, name FROM catalog ORDER BY schema, name")
        return [TableName(s, n) for s, n in found if schema in (None, s)]

    def create_table(self, name: TableName, ddl: str) -> None:
        """Create a table. Raises StoreError (1050) if it is there, SchemaError where the statement is beyond us."""
        if self._find(name):
            raise StoreError(1050, "42S01", f"Table '{name.schema}.{name.table}' already exists")
        schema = read_create_table(ddl)
        self.create_database(name.schema)
        # Without a type the numbers would be texts, which no comparison takes for numbers.
        types = {"integer": " INTEGER"}
        columns = ", ".join(_quoted(column.name) + types.get(column.kind, "") for column in schema.columns)
        self._db.execute(f"CREATE TABLE {_quoted(str(name))} ({columns})")
        self._db.execute(
            "INSERT INTO catalog (id, schema, name, created_at, ddl) VALUES "
            "((SELECT seq + 2 FROM sqlite_sequence WHERE name = 'catalog'), ?, ?, ?, ?)",
            (name.schema, name.table, time.time(), ddl),
        )
        self._db.executemany(
            'INSERT INTO "information_schema.tidb_indexes" VALUES (?, ?, ?, ?, ?, ?, ?)', _index_rows(name, schema)
        )

    def rename_table(self, old: TableName, new: TableName) -> None:
        """Rename a table. Raises StoreError: 1146 if it is not there, 1050 if the new name is taken."""
        table = self.table(old)
        if self._find(new):
            raise StoreError(1050, "42S01", f"Table '{new.schema}.{new.table}' already exists")
        self._db.execute(f"ALTER TABLE {_quoted(str(old))} RENAME TO {_quoted(str(new))}")
        self._db.execute("UPDATE catalog SET schema = ?, name = ? WHERE id = ?", (new.schema, new.table, table.id))
        self._db.execute(
            'UPDATE "information_schema.tidb_indexes" SET TABLE_SCHEMA = ?, TABLE_NAME = ? '
            "WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?",
            (new.schema, new.table, old.schema, old.table),
        )

    def drop_table(self, name: TableName) -> None:
        """Drop a table. Raises StoreError (1051) if it is not there."""
        found = self._find(name)
        if found is None:
            raise StoreError(1051, "42S02", f"Unknown table '{name.schema}.{name.table}'")
        self._db.execute(f"DROP TABLE {_quoted(str(found.name))}")
        self._db.execute("DELETE FROM pairs WHERE table_id = ?", (found.id,))
        self._db.execute("DELETE FROM catalog WHERE id = ?", (found.id,))
        self._db.execute(
            'DELETE FROM "information_schema.tidb_indexes" WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?',
            (found.name.schema, found.name.table),
        )

    def table(self, name: TableName) -> StoredTable:
        """Return a table. Raises StoreError (1146) if it is not there."""
        found = self._find(name)
        if found is None:
            raise StoreError(1146, "42S02", f"Table '{name.schema}.{name.table}' doesn't exist")
        return found

    def _find(self, name: TableName) -> StoredTable | None:
        row = self._db.execute(
            "SELECT id, created_at, ddl FROM catalog WHERE schema = ? AND name = ?", (name.schema, name.table)
        ).fetchone()
        if row is None:
            return None
        table_id, created_at, ddl = row
        return StoredTable(name, table_id, created_at, ddl, read_create_table(ddl))

    def ingest(self, name: TableName, pairs: Sequence[Pair]) -> None:
        """Take pairs as TiKV takes files: what has a key already is replaced, nothing is compared."""
        table = self.table(name)
        self._db.execute("BEGIN")
        for pair in pairs:
            self._put(table, pair)
        self._db.execute("COMMIT")

    def _put(self, table: StoredTable, pair: Pair) -> None:
        row_id = self._write_row(table, pair) if pair.index is None else None
        self._db.execute("INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)", (pair.key, pair.value, table.id, row_id))

    def _write_row(self, table: StoredTable, pair: Pair) -> int:
        known = self._db.execute("SELECT row_id FROM pairs WHERE key = ?", (pair.key,)).fetchone()
        values = decode_record(pair.value)
        marks = ", ".join("?" * (len(values) + 1))
        columns = ", ".join(_quoted(column.name) for column in table.schema.columns)
        done = self._db.execute(
            f"INSERT OR REPLACE INTO {_quoted(str(table.name))} (rowid, {columns}) VALUES ({marks})",  # noqa: S608
            (known[0] if known else None, *values),
        )
        return int(done.lastrowid or 0)

    def insert(self, name: TableName, rows: Sequence[Sequence[Value]], *, replaces: bool = False) -> None:
        """Insert rows the SQL way, all or none. Raises StoreError (1062) where a key is there already.

        With ``replaces`` a row takes the place of one with the same record key, as REPLACE does.
        """
        table = self.table(name)
        self._db.execute("BEGIN")
        try:
            for row in rows:
                self._insert_row(table, row, replaces)
        except StoreError:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _insert_row(self, table: StoredTable, row: Sequence[Value], replaces: bool) -> None:
        pairs = encode_row(table.schema, table.id, self._next_row_id(table), row)
        if replaces and (old := self._db.execute("SELECT value FROM pairs WHERE key = ?", (pairs[0].key,)).fetchone()):
            for entry in encode_entries(table.schema, pairs[0].key, decode_record(old[0])):
                self._db.execute("DELETE FROM pairs WHERE key = ?", (entry.key,))
        for pair in pairs:
            is_taken = self._db.execute("SELECT 1 FROM pairs WHERE key = ?", (pair.key,)).fetchone()
            if is_taken and not (replaces and pair.index is None):
                raise _duplicate(table, pair, row)
        for pair in pairs:
            self._put(table, pair)

    def _next_row_id(self, table: StoredTable) -> int:
        (last,) = self._db.execute(f"SELECT MAX(rowid) FROM {_quoted(str(table.name))}").fetchone()  # noqa: S608
        return int(last or 0) + 1

    def checksum(self, name: TableName) -> Totals:
        """Sum the pairs that are there, as ADMIN CHECKSUM TABLE does."""
        return sum_pairs(self._pairs(self.table(name).id))

    def _pairs(self, table_id: int) -> Iterator[Pair]:
        found = self._db.execute("SELECT key, value FROM pairs WHERE table_id = ?", (table_id,))
        return (Pair(key, value, None) for key, value in found)

    def set_variable(self, name: str, value: str, before: str) -> None:
        """Set a variable of mysql.tidb that has one value to another one."""
        self._db.execute("UPDATE system_variables SET value = ? WHERE name = ? AND value = ?", (value, name, before))

    def count_entries(self, name: TableName, index: str) -> int:
        """Count an index's entries; those of the primary key are the records. Raises StoreError (1176)."""
        table = self.table(name)
        numbers = [number for number, key in numbered(table.schema) if key.name.casefold() == index.casefold()]
        if not numbers and not any(key.is_primary and index.casefold() == "primary" for key in table.schema.keys):
            raise StoreError(1176, "42000", f"Key '{index}' doesn't exist in table '{name.table}'")
        start = index_prefix(table.id, numbers[0]) if numbers else record_prefix(table.id)
        found = self._db.execute(
            "SELECT COUNT(*) FROM pairs WHERE table_id = ? AND substr(key, 1, ?) = ?", (table.id, len(start), start)
        )
        return int(found.fetchone()[0])

    def check(self, name: TableName) -> None:
        """Compare records and index entries, as ADMIN CHECK TABLE does. Raises StoreError (8223) where they differ."""
        table = self.table(name)
        pairs = {pair.key: pair.value for pair in self._pairs(table.id)}
        start = record_prefix(table.id)
        records = {key: value for key, value in pairs.items() if key.startswith(start)}
        wanted = {
            entry.key: entry.value
            for key, value in records.items()
            for entry in encode_entries(table.schema, key, decode_record(value))
        }
        if pairs.keys() - records.keys() != wanted.keys() or any(pairs[key] != wanted[key] for key in wanted):
            raise StoreError(8223, "HY000", f"data inconsistency in table: {name.table}, records and index entries")

    def select(self, sql: str) -> tuple[list[tuple[Any, ...]], list[str]]:
        """Run a query in SQLite's dialect. Raises StoreError (1064) where it cannot be run."""
        try:
            cursor = self._db.execute(sql)
        except sqlite3.Error as error:
            if missing := _MISSING.match(str(error)):
                raise StoreError(1146, "42S02", f"Table '{missing[1]}' doesn't exist") from error
            raise StoreError(1064, "42000", f"the stand-in target cannot run this: {error}") from error
        return cursor.fetchall(), [column[0] for column in cursor.description or ()]


def _index_rows(name: TableName, schema: TableSchema) -> Iterator[tuple[object, ...]]:
    numbers = {key: number for number, key in numbered(schema)}
    for key in schema.keys:
        for place, column in enumerate(key.columns, 1):
            yield name.schema, name.table, int(not key.is_unique), key.name, place, column, numbers.get(key, 0)


def _duplicate(table: StoredTable, pair: Pair, row: Sequence[Value]) -> StoreError:
    secondary = [key for key in table.schema.keys if not key.is_primary]
    primary = [key for key in table.schema.keys if key.is_primary]
    key = secondary[pair.index - 1] if pair.index else primary[0]
    entry = "-".join(row[table.schema.position(name)] or "NULL" for name in key.columns)
    return StoreError(1062, "23000", f"Duplicate entry '{entry}' for key '{table.name.table}.{key.name}'")


def _unix_timestamp(*given: object) -> int | None:
    if not given:
        return int(time.time())
    try:
        return calendar.timegm(time.strptime(str(given[0])[:19], "%Y-%m-%d %H:%M:%S"))
    except ValueError:
        return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
