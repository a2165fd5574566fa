"""TiDB's status port: what it says of one table."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socket import SHUT_RDWR, socket
from urllib.parse import quote

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lean_import import http_client, ssl
from safe_lightning.lightning.task import Server

_ANSWER_BYTES_MOST = 16 << 20
_DEFAULT_PORT = 10080
#: A TiDB timestamp counts milliseconds above these bits.
_LOGICAL_BITS = 18


@dataclass(frozen=True)
class SchemaAnswer:
    """A table's id and the time of its last schema change: creation, ALTER or CREATE INDEX, not RENAME or TRUNCATE."""

    table_id: int
    changed_at: float


def ask_schema(server: Server, table: TableName, timeout_seconds: float) -> SchemaAnswer | None:
    """Ask ``GET /schema/DB/TABLE``; None where TiDB says that there is no such table. Raises CouldNotLook."""
    path = f"/schema/{quote(table.schema, safe='')}/{quote(table.table, safe='')}"
    where = f"TiDB's status port {server.host}:{server.status_port or _DEFAULT_PORT}"
    status, body = _get(server, path, where, timeout_seconds)
    if status == 200:
        return read_schema(body, where)
    if b"[schema:1146]" in body or b"[schema:1049]" in body:
        return None
    raise CouldNotLook(f"{where} answered {path} with HTTP status {status}")


def read_schema(body: bytes, where: str) -> SchemaAnswer:
    """Read the answer's id and time. Raises CouldNotLook for anything else.

    >>> read_schema(b'{"id": 104, "update_timestamp": 470668246820061184}', "TiDB")
    SchemaAnswer(table_id=104, changed_at=1795456874.161)
    """
    try:
        answer = json.loads(body)
        table_id, timestamp = answer["id"], answer["update_timestamp"]
        return SchemaAnswer(int(table_id), (int(timestamp) >> _LOGICAL_BITS) / 1000)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CouldNotLook(f"{where} gave no table description") from error


def _get(server: Server, path: str, where: str, timeout_seconds: float) -> tuple[int, bytes]:
    try:
        connection = _connection(server, timeout_seconds)
        try:
            connection.connect()
            with _cut_after(connection.sock, timeout_seconds):
                connection.request("GET", path)
                response = connection.getresponse()
                body = response.read(_ANSWER_BYTES_MOST + 1)
        finally:
            connection.close()
    except (OSError, http_client.HTTPException, ValueError) as error:
        raise CouldNotLook(f"{where} cannot be asked: {error or type(error).__name__}") from error
    if len(body) > _ANSWER_BYTES_MOST:
        raise CouldNotLook(f"{where} answered with more than {_ANSWER_BYTES_MOST} bytes")
    return response.status, body


@contextmanager
def _cut_after(wire: socket, timeout_seconds: float) -> Iterator[None]:
    """Cut the connection when the time is over: a server that drips bytes renews every socket time-out."""
    is_cut = threading.Event()

    def cut() -> None:
        is_cut.set()
        with suppress(OSError):  # the peer was faster
            wire.shutdown(SHUT_RDWR)

    timer = threading.Timer(timeout_seconds, cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if is_cut.is_set():
            raise TimeoutError(f"timed out after {timeout_seconds:g} s")


def _connection(server: Server, timeout_seconds: float) -> http_client.HTTPConnection:
    port = server.status_port or _DEFAULT_PORT
    if not server.ca_path:
        return http_client.HTTPConnection(server.host, port, timeout=timeout_seconds)
    context = ssl.create_default_context(cafile=server.ca_path)
    if server.cert_path and server.key_path:
        context.load_cert_chain(server.cert_path, server.key_path)
    return http_client.HTTPSConnection(server.host, port, timeout=timeout_seconds, context=context)
