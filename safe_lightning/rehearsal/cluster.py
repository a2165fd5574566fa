"""How the stand-in tools reach the stand-in cluster: SQL as Lightning does, and pairs to its store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from types import TracebackType

import pymysql
from pymysql.constants import ER

from safe_lightning.core.tables import TableName, Totals, quote
from safe_lightning.lightning.task import Server
from safe_lightning.rehearsal.pairs import Pair, Value
from safe_lightning.rehearsal.scenario import Scenario

_TIMEOUT_SECONDS = 20.0
_BATCH_PAIRS = 5_000


class ClusterError(Exception):
    """The cluster refused or did not answer; the text is what Go's driver would say."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code


_STATES = {ER.DUP_ENTRY: "23000", ER.BAD_TABLE_ERROR: "42S02", ER.NO_SUCH_TABLE: "42S02"}


def emptiness_query(name: TableName) -> str:
    """Return Lightning's own way to ask whether a table has rows."""
    return f"SELECT 1 FROM {name} USE INDEX() LIMIT 1"  # noqa: S608 - the name is quoted


class Cluster:
    """One connection to the stand-in cluster. Every method may raise ClusterError."""

    def __init__(self, server: Server, scenario: Scenario) -> None:
        self._address = f"{server.host}:{server.port}"
        self._store_port = scenario.store_port
        try:
            self._sql = pymysql.connect(
                host=server.host,
                port=server.port,
                user=server.user,
                password=server.password.reveal(),
                connect_timeout=int(_TIMEOUT_SECONDS),
                read_timeout=_TIMEOUT_SECONDS,
                autocommit=True,
            )
        except pymysql.Error as error:
            raise ClusterError(f"dial tcp {self._address}: connect: connection refused") from error

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sql.close()

    def run(self, sql: str) -> list[tuple[object, ...]]:
        """Run one statement."""
        try:
            with self._sql.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())
        except pymysql.Error as error:
            code, text = (*error.args, "", "")[:2]
            state = _STATES.get(code, "HY000")
            raise ClusterError(f"Error {code} ({state}): {text}", code if isinstance(code, int) else 0) from error

    def databases(self) -> set[str]:
        """Name the databases that are there."""
        return {str(name) for (name,) in self.run("SHOW DATABASES")}

    def tables(self, schema: str) -> set[str]:
        """Name the tables of a database."""
        return {str(name) for (name,) in self.run(f"SHOW TABLES FROM {quote(schema)}")}

    def table_id(self, name: TableName) -> int:
        """Return a table's id; 0 if the table is not there."""
        schema, table = self._literal(name.schema), self._literal(name.table)
        rows = self.run(  # both are escaped
            "SELECT TIDB_TABLE_ID FROM information_schema.tables "  # noqa: S608
            f"WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {table}"
        )
        return int(str(rows[0][0])) if rows else 0

    def is_empty(self, name: TableName) -> bool:
        """Whether a table has no row, asked in Lightning's own words."""
        return not self.run(emptiness_query(name))

    def create_statement_of(self, name: TableName, ddl: str) -> None:
        """Create a table by its schema file's statement, in its own schema."""
        self._sql.select_db(name.schema)
        self.run(ddl)

    def drop(self, name: TableName) -> None:
        """Drop a table."""
        self.run(f"DROP TABLE {name}")

    def checksum(self, name: TableName) -> Totals:
        """Return what ADMIN CHECKSUM TABLE says."""
        ((_, _, checksum, kvs, size),) = self.run(f"ADMIN CHECKSUM TABLE {name}")
        return Totals(int(str(checksum)), int(str(kvs)), int(str(size)))

    def insert(self, name: TableName, columns: Sequence[str], rows: Sequence[Sequence[Value]]) -> None:
        """Insert rows in one statement."""
        self.run(self.insert_statement(name, columns, rows))

    def insert_statement(
        self, name: TableName, columns: Sequence[str], rows: Sequence[Sequence[Value]], verb: str = "INSERT"
    ) -> str:
        """Write the statement the way Lightning's tidb backend does; ``verb`` is that of the conflict strategy."""
        values = ",".join("(" + ",".join(self._literal(value) for value in row) + ")" for row in rows)
        return f"{verb} INTO {name}({','.join(map(quote, columns))}) VALUES{values}"

    def _literal(self, value: Value) -> str:
        return "NULL" if value is None else str(self._sql.escape(value))

    def ingest(self, name: TableName, pairs: Sequence[Pair]) -> None:
        """Hand pairs to the store, past SQL, as the local backend does."""
        for start in range(0, len(pairs), _BATCH_PAIRS):
            part = [(pair.key.hex(), pair.value.hex(), pair.index) for pair in pairs[start : start + _BATCH_PAIRS]]
            self._post(f"/rehearsal/ingest/{_path(name.schema)}/{_path(name.table)}", json.dumps(part).encode())

    def _post(self, path: str, body: bytes) -> None:
        connection = HTTPConnection("127.0.0.1", self._store_port, timeout=_TIMEOUT_SECONDS)
        try:
            connection.request("POST", path, body)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, HTTPException) as error:
            raise ClusterError(f"rpc error: code = Unavailable desc = {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ClusterError(f"rpc error: code = Unknown desc = {text}")


def _path(name: str) -> str:
    from urllib.parse import quote as percent

    return percent(name, safe="")


def pd_answers(address: str) -> bool:
    """Whether a PD answers under an address."""
    host, _, port = address.removeprefix("http://").rpartition(":")
    if not port.isdigit():
        return False
    connection = HTTPConnection(host.strip("[]") or "127.0.0.1", int(port), timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/pd/api/v1/members")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
