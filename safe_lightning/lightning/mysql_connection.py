"""A read-only session with a MySQL-protocol server in which every answer has a time limit."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from socket import AF_UNIX, SHUT_RDWR, SOCK_STREAM, create_connection, socket
from typing import TYPE_CHECKING, Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lean_import import ssl
from safe_lightning.lightning.task import Server

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

_ROWS_MOST = 2_000_000
_BATCH_ROWS = 1000
_MESSAGE_CHARACTERS_MOST = 300
#: Server errors that say the statement was ended for its time, in MySQL, TiDB and MariaDB.
_TIMED_OUT = {1317, 1969, 3024}


#: Errors that say that a user has no right to a schema or a table, which may then be there or not.
DENIED = frozenset({1044, 1142})


class ServerRefused(CouldNotLook):
    """The server answered a statement with an error; ``code`` is its number."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Session:
    """An open session. ``clock_offset_seconds`` is the server's clock minus ours, as measured on connecting."""

    place: str
    timeout_seconds: float
    connection: Connection[Cursor]
    wire: socket
    password: str = ""
    version: str = ""
    clock_offset_seconds: float = 0.0

    @property
    def is_tidb(self) -> bool:
        """Whether the server says that it is TiDB."""
        return "tidb" in self.version.lower()

    def query(self, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows. Raises CouldNotLook, ServerRefused if the server says no."""
        with self._limited(), self._explained(), self.connection.cursor() as cursor:
            cursor.execute(statement, tuple(values) or None)
            rows = cursor.fetchmany(_ROWS_MOST + 1) if cursor.description else ()
        if len(rows) > _ROWS_MOST:
            raise CouldNotLook(f"{self.place} answered with more than {_ROWS_MOST} rows")
        return list(rows)

    def take_bytes(self) -> None:
        """Have every value from here on as the bytes that the server sends."""
        self.connection.use_unicode = False
        self.connection.decoders = {}

    def stream(self, statement: str) -> Generator[tuple[Any, ...], None, None]:
        """Run one statement and hand over its rows as they come; each batch may take the time-out.

        Raises CouldNotLook, ServerRefused if the server says no.
        """
        from pymysql.cursors import SSCursor

        with self._explained(), self.connection.cursor(SSCursor) as cursor:
            try:
                with self._limited():
                    cursor.execute(statement)
                while rows := self._next_rows(cursor):
                    yield from rows
            except BaseException:
                self._abandon(cursor)
                raise

    def _abandon(self, cursor: Cursor) -> None:
        """Leave an answer unread; the driver would read all that is left of it, in order to end in good order."""
        answer = getattr(cursor, "_result", None)  # there is no other way to tell it
        if answer is not None and answer.unbuffered_active:
            self.cut()
            answer.unbuffered_active = False

    def _next_rows(self, cursor: Cursor) -> Sequence[tuple[Any, ...]]:
        with self._limited():
            return cursor.fetchmany(_BATCH_ROWS)

    def cut(self) -> None:
        """End the session at once, from any thread: the statement at work fails."""
        _cut(self.wire)

    def local_time(self, server_time: object) -> float | None:
        """Move a server's time (seconds since the epoch, or NULL) to this machine's clock."""
        # A column that holds no time is NULL in old servers and 0 in others.
        seconds = float(str(server_time)) if server_time is not None else 0.0
        return seconds - self.clock_offset_seconds if seconds else None

    def start(self) -> None:
        """Log in and make the session read-only and bounded."""
        with self._limited(), self._explained():
            self.connection.connect(self.wire.dup())
        # Where the server converts times for information_schema by its own zone, not the session's, both agree.
        [(version,)] = self.query("SELECT VERSION()")
        self.version = str(version)
        self.query("SET SESSION time_zone = 'SYSTEM'")
        self._limit_statements()
        # TiDB accepts READ ONLY only with tidb_enable_noop_functions; nothing but SELECTs follow in any case.
        mode = "WITH CONSISTENT SNAPSHOT" if self.is_tidb else "READ ONLY"
        self.query(f"START TRANSACTION {mode}")
        self.clock_offset_seconds = self._measure_clock()

    def _limit_statements(self) -> None:
        if "mariadb" in self.version.lower():
            limit = f"SET SESSION max_statement_time = {self.timeout_seconds:.3f}"
        else:
            limit = f"SET SESSION max_execution_time = {max(1, int(self.timeout_seconds * 1000))}"
        try:
            self.query(limit)
        except ServerRefused:
            return  # an old server without the variable: the limit on the connection holds alone

    def _measure_clock(self) -> float:
        before = time.time()
        [(now,)] = self.query("SELECT UNIX_TIMESTAMP(NOW(6))")
        return float(str(now)) - (before + time.time()) / 2

    @contextmanager
    def _limited(self) -> Iterator[None]:
        """Cut the connection when the time is over: a server that drips bytes renews every socket time-out."""
        timer = threading.Timer(self.timeout_seconds, _cut, (self.wire,))
        timer.daemon = True
        started = time.monotonic()
        timer.start()
        try:
            yield
        except CouldNotLook as error:
            if isinstance(error, ServerRefused) or time.monotonic() - started < self.timeout_seconds:
                raise
            raise CouldNotLook(f"{self.place} did not answer within {self.timeout_seconds:g} s") from error
        finally:
            timer.cancel()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        import pymysql

        try:
            yield
        except pymysql.MySQLError as error:
            raise self._refusal(error) from None
        except (OSError, ValueError, LookupError, ArithmeticError, AssertionError) as error:
            # A peer that is no MySQL server makes the protocol reader fail in any of these ways.
            raise CouldNotLook(f"{self.place} gave no proper answer: {self._clean(error)}") from None

    def _refusal(self, error: Exception) -> CouldNotLook:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        text = self._clean(error.args[1] if len(error.args) > 1 else error)
        if code in _TIMED_OUT:
            return ServerRefused(f"{self.place} did not answer within {self.timeout_seconds:g} s", code)
        if 0 < code < 2000 or code >= 3000:
            return ServerRefused(f"{self.place} refused ({code}): {text}", code)
        return CouldNotLook(f"{self.place} gave no proper answer: {text}")

    def _clean(self, error: object) -> str:
        text = " ".join(str(error).split())[:_MESSAGE_CHARACTERS_MOST]
        return text.replace(self.password, "***") if self.password else text


@contextmanager
def open_session(server: Server, timeout_seconds: float) -> Iterator[Session]:
    """Open a read-only session; each answer, the log-in included, may take ``timeout_seconds``.

    Raises CouldNotLook with one sentence that names the server and never the password.
    """
    place = f"MySQL server {server.unix_socket or f'{server.host}:{server.port}'}"
    wire = _dial(server, place, timeout_seconds)
    try:
        connection = _connection(server, place, timeout_seconds)
        session = Session(place, timeout_seconds, connection, wire, server.password.reveal())
        try:
            session.start()
            yield session
        finally:
            if connection.open:
                connection.close()
    finally:
        _cut(wire)
        wire.close()


def _dial(server: Server, place: str, timeout_seconds: float) -> socket:
    try:
        if not server.unix_socket:
            return create_connection((server.host, server.port or 3306), timeout_seconds)
        wire = socket(AF_UNIX, SOCK_STREAM)
        wire.settimeout(timeout_seconds)
        wire.connect(server.unix_socket)
    except (OSError, UnicodeError, OverflowError) as error:
        raise CouldNotLook(f"{place} cannot be reached: {error}") from error
    return wire


def _connection(server: Server, place: str, timeout_seconds: float) -> Connection[Cursor]:
    # Imported late: a run without a server must not pay for it.
    from pymysql.connections import Connection as PyMySQLConnection

    return PyMySQLConnection(
        host=server.host,
        port=server.port or 3306,
        user=server.user,
        password=server.password.reveal().encode(),  # a text would be sent as Latin-1
        charset="utf8mb4",
        connect_timeout=max(1, int(timeout_seconds)),
        read_timeout=timeout_seconds,
        write_timeout=timeout_seconds,
        defer_connect=True,
        autocommit=None,
        **_encryption(server, place),
    )


def _encryption(server: Server, place: str) -> dict[str, Any]:
    """Encrypt as Lightning does for ``tidb.tls`` or for the DSN's ``tls``; any other word than its own verifies."""
    mode = (server.tls or ("cluster" if server.ca_path else "false")).lower()
    if mode in ("false", "0"):
        return {"ssl_disabled": True}
    if mode == "preferred":
        return {}
    try:
        context = ssl.create_default_context(cafile=server.ca_path or None)
        if server.cert_path and server.key_path:
            context.load_cert_chain(server.cert_path, server.key_path)
    except (OSError, ValueError) as error:
        named = server.ca_path or server.cert_path
        raise CouldNotLook(f"{place}: the TLS files ({named}) cannot be loaded: {error}") from error
    if mode == "skip-verify":
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return {"ssl": context}


def _cut(wire: socket) -> None:
    try:
        wire.shutdown(SHUT_RDWR)
    except OSError:  # the peer, or a cut at the same moment, was faster
        return
