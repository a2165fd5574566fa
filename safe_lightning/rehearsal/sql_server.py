"""The stand-in target's SQL side: TiDB's own statements by hand, everything else through SQLite."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from mysql_mimic import Session
from mysql_mimic.errors import MysqlError
from sqlglot import exp
from sqlglot.errors import SqlglotError

from safe_lightning.core.tables import TableName
from safe_lightning.rehearsal.insert_dump import InsertError, read_inserts
from safe_lightning.rehearsal.schema import SchemaError
from safe_lightning.rehearsal.store import Store, StoreError

VERSION = "8.0.11-TiDB-v8.5.4"

_NAME = r"(?:`((?:[^`]|``)+)`|([^\s`.();]+))"
_TEXT = r"'([^'\\]*)'"
_TABLE = rf"{_NAME}(?:\s*\.\s*{_NAME})?"
_RENAME = re.compile(rf"{_TABLE}\s+TO\s+{_TABLE}", re.IGNORECASE)
_TIMES = {"CREATE_TIME", "UPDATE_TIME"}
_SYSTEM_SCHEMAS = ("information_schema", "mysql")

Result = tuple[Sequence[Any], Sequence[str]]
Answer = Callable[["TargetSession", re.Match[str], str], Result]

_NOTHING: Result = ([], [])


class TargetSession(Session):  # type: ignore[misc]  # mysql-mimic has no types
    """One connection to the stand-in target."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self.variables.set("version", VERSION, force=True)
        self.variables.set("version_comment", "TiDB stand-in of a rehearsal", force=True)
        self.middlewares = [self._set_var_middleware, self._use_middleware]

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> Result:
        """Answer one statement; what a server would refuse keeps its error number."""
        try:
            for pattern, answer in _ANSWERS:
                if found := pattern.match(sql):
                    return answer(self, found, sql)
            result: Result = await super().handle_query(sql, attrs)
            return result
        except StoreError as error:
            raise MysqlError(str(error), error.code) from error
        except (SchemaError, InsertError, SqlglotError) as error:
            raise MysqlError(f"the stand-in target cannot read this: {error}", 1064) from error

    async def query(self, expression: exp.Expression, sql: str, attrs: dict[str, str]) -> Result:
        """Run a query on SQLite, with tables under their flat names."""
        rows, columns = self._store.select(_for_sqlite(expression, self.database or ""))
        times = [i for i, column in enumerate(columns) if column.upper() in _TIMES]
        return [_with_times(row, times) for row in rows], columns

    def table_name(self, found: re.Match[str], first: int = 1) -> TableName:
        """Read a table's name from the groups of a match; without a schema it is the current one's."""
        parts = [found[i] or found[i + 1] for i in (first, first + 2)]
        names = [part.replace("``", "`") for part in parts if part]
        return TableName(names[0], names[1]) if len(names) == 2 else TableName(self.database or "", names[0])


def _for_sqlite(expression: exp.Expression, database: str) -> str:
    for table in list(expression.find_all(exp.Table)):
        table.set("hints", None)  # USE INDEX ()
        schema, name = table.db or database, table.name
        is_system = schema.lower() in _SYSTEM_SCHEMAS
        flat = f"{schema.lower()}.{name.lower()}" if is_system else str(TableName(schema, name))
        table.set("this", exp.to_identifier(flat, quoted=True))
        table.set("db", None)
    return expression.sql(dialect="sqlite")


def _with_times(row: tuple[Any, ...], times: Sequence[int]) -> tuple[Any, ...]:
    return tuple(datetime.fromisoformat(v) if i in times and isinstance(v, str) else v for i, v in enumerate(row))


def _ignore(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    return _NOTHING


def _create_database(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    session._store.create_database(session.table_name(found).table)
    return _NOTHING


def _drop_database(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    session._store.drop_database(session.table_name(found).table)
    return _NOTHING


def _create_table(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    try:
        session._store.create_table(session.table_name(found, 2), sql)
    except StoreError as error:
        if not (found[1] and error.code == 1050):
            raise
    return _NOTHING


def _drop_table(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    try:
        session._store.drop_table(session.table_name(found, 2))
    except StoreError as error:
        if not (found[1] and error.code == 1051):
            raise
    return _NOTHING


def _insert(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    name = session.table_name(found)
    schema = session._store.table(name).schema
    rows = []
    for columns, values in read_inserts(sql):
        row: list[str | None] = [None] * len(schema.columns)
        for at, value in enumerate(values):
            row[schema.position(columns[at]) if columns else at] = value
        rows.append(row)
    session._store.insert(name, rows, replaces=sql.lstrip()[:7].upper() == "REPLACE")
    return _NOTHING


def _create_like(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    session._store.create_table(session.table_name(found), session._store.table(session.table_name(found, 5)).ddl)
    return _NOTHING


def _rename(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    done: list[tuple[TableName, TableName]] = []
    try:
        for pair in _RENAME.finditer(found[1]):
            old, new = session.table_name(pair), session.table_name(pair, 5)
            session._store.rename_table(old, new)
            done.append((old, new))
    except StoreError:
        for old, new in reversed(done):  # all or none
            session._store.rename_table(new, old)
        raise
    return _NOTHING


def _checksum(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    name = session.table_name(found)
    totals = session._store.checksum(name)
    columns = ["Db_name", "Table_name", "Checksum_crc64_xor", "Total_kvs", "Total_bytes"]
    # The sum is unsigned and may not fit a signed 64-bit column.
    return [(name.schema, name.table, str(totals.checksum), totals.kvs, totals.bytes)], columns


def _set_variable(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    session._store.set_variable(found[2], found[1], found[3])
    return _NOTHING


def _check(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    session._store.check(session.table_name(found))
    return _NOTHING


def _count_entries(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    index = (found[5] or found[6]).replace("``", "`")
    return [(session._store.count_entries(session.table_name(found), index),)], ["COUNT(*)"]


def _show_create(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    name = session.table_name(found)
    return [(name.table, session._store.table(name).ddl)], ["Table", "Create Table"]


def _show_databases(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    names = ["INFORMATION_SCHEMA", "METRICS_SCHEMA", "PERFORMANCE_SCHEMA", "mysql", "sys", *session._store.databases()]
    return [(name,) for name in names], ["Database"]


def _show_tables(session: TargetSession, found: re.Match[str], sql: str) -> Result:
    schema = session.table_name(found).table if found[1] or found[2] else session.database or ""
    return [(name.table,) for name in session._store.tables(schema)], [f"Tables_in_{schema}"]


_ANSWERS: tuple[tuple[re.Pattern[str], Answer], ...] = tuple(
    (re.compile(rf"\s*{pattern}", re.IGNORECASE), answer)
    for pattern, answer in (
        (r"(?:SET|BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK|ANALYZE)\b", _ignore),
        (rf"CREATE\s+(?:DATABASE|SCHEMA)\s+(?:IF\s+NOT\s+EXISTS\s+)?{_NAME}(?:()())", _create_database),
        (rf"DROP\s+(?:DATABASE|SCHEMA)\s+(?:IF\s+EXISTS\s+)?{_NAME}(?:()())", _drop_database),
        (rf"CREATE\s+TABLE\s+{_TABLE}\s+LIKE\s+{_TABLE}", _create_like),
        (r"RENAME\s+TABLE\s+(.*)", _rename),
        (rf"CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?{_TABLE}", _create_table),
        (rf"DROP\s+TABLE\s+(IF\s+EXISTS\s+)?{_TABLE}", _drop_table),
        (rf"(?:INSERT|REPLACE)\s+(?:INTO\s+)?{_TABLE}", _insert),
        (rf"ADMIN\s+CHECKSUM\s+TABLE\s+{_TABLE}", _checksum),
        (
            rf"UPDATE\s+mysql\.tidb\s+SET\s+VARIABLE_VALUE\s*=\s*{_TEXT}\s+WHERE\s+VARIABLE_NAME\s*=\s*{_TEXT}\s+"
            rf"AND\s+VARIABLE_VALUE\s*=\s*{_TEXT}\s*$",
            _set_variable,
        ),
        (rf"ADMIN\s+CHECK\s+TABLE\s+{_TABLE}", _check),
        (rf"SELECT\s+COUNT\(\*\)\s+FROM\s+{_TABLE}\s+USE\s+INDEX\s*\(\s*{_NAME}\s*\)\s*$", _count_entries),
        (rf"SHOW\s+CREATE\s+TABLE\s+{_TABLE}", _show_create),
        (r"SHOW\s+(?:DATABASES|SCHEMAS)", _show_databases),
        (rf"SHOW\s+TABLES(?:\s+(?:FROM|IN)\s+{_NAME})?(?:()())", _show_tables),
    )
)
