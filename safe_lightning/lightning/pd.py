"""Does PD answer? The control tool needs it for every act, and without it tries for 100 s and crashes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socket import SHUT_RDWR, socket
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lean_import import http_client, ssl
from safe_lightning.lightning.task import Server

_ANSWER_BYTES_MOST = 1 << 20
_DEFAULT_STATUS_PORT = 10080
_DEFAULT_PD_PORT = 2379


@dataclass(frozen=True)
class PdAnswer:
    """A PD that answered: under which address, in which version, and all addresses that are known."""

    address: str
    version: str
    addresses: str


def ask_pd(target: Server, timeout_seconds: float) -> PdAnswer:
    """Ask the cluster's PD members in turn and return the first answer, all within the time-out.

    Addresses come from the task or else from TiDB's ``/settings``, as Lightning does it for the local backend.
    Raises CouldNotLook naming every address and its failure.
    """
    deadline = monotonic() + timeout_seconds
    addresses = target.pd_addr or _addresses_of_tidb(target, deadline)
    failures = []
    for address in filter(None, (part.strip() for part in addresses.split(","))):
        try:
            answer = _get(address, _DEFAULT_PD_PORT, "/pd/api/v1/version", target, deadline)
            return PdAnswer(address, str(answer.get("version", "")), addresses)
        except CouldNotLook as error:
            failures.append(str(error))
    raise CouldNotLook(f"PD does not answer: {'; '.join(failures) or 'no address is known'}")


def ask_cluster_id(target: Server, timeout_seconds: float) -> str:
    """Ask the PD that the task names which cluster it keeps. Raises CouldNotLook."""
    deadline = monotonic() + timeout_seconds
    failures = []
    for address in filter(None, (part.strip() for part in target.pd_addr.split(","))):
        try:
            if found := _get(address, _DEFAULT_PD_PORT, "/pd/api/v1/cluster", target, deadline).get("id"):
                return str(found)
            failures.append(f"{address} does not name its cluster")
        except CouldNotLook as error:
            failures.append(str(error))
    raise CouldNotLook(f"the cluster's id is not known: {'; '.join(failures) or 'the task names no PD (tidb.pd-addr)'}")


def _addresses_of_tidb(target: Server, deadline: float) -> str:
    port = target.status_port or _DEFAULT_STATUS_PORT
    host = f"[{target.host}]" if ":" in target.host else target.host
    try:
        settings = _get(f"{host}:{port}", port, "/settings", target, deadline)
    except CouldNotLook as error:
        raise CouldNotLook(f"the task names no PD (tidb.pd-addr) and TiDB cannot be asked for it: {error}") from error
    path = settings.get("path")
    if not isinstance(path, str) or not path:
        raise CouldNotLook(f"the task names no PD (tidb.pd-addr) and TiDB at {host}:{port} does not say it either")
    return path.partition("?")[0]


def _get(address: str, default_port: int, path: str, server: Server, deadline: float) -> dict[str, Any]:
    seconds = deadline - monotonic()
    if seconds <= 0:
        raise CouldNotLook(f"{address}: no time left to ask")
    try:
        connection = _connection(address, default_port, server, seconds)
        with _bounded(connection, deadline):
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read(_ANSWER_BYTES_MOST)
    except (OSError, http_client.HTTPException, ValueError) as error:
        raise CouldNotLook(f"{address}: {error or type(error).__name__}") from error
    return _object(body, response.status, f"{address}{path}")


def _object(body: bytes, status: int, where: str) -> dict[str, Any]:
    if status != 200:
        raise CouldNotLook(f"{where}: HTTP status {status}")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise CouldNotLook(f"{where}: the answer is not JSON") from error
    if not isinstance(answer, dict):
        raise CouldNotLook(f"{where}: the answer is not a JSON object")
    return answer


def _connection(address: str, default_port: int, server: Server, seconds: float) -> http_client.HTTPConnection:
    url = urlsplit(address if "://" in address else f"//{address}")
    if not url.hostname:
        raise ValueError("not an address")
    port = url.port or default_port
    if server.ca_path or url.scheme == "https":
        return http_client.HTTPSConnection(url.hostname, port, timeout=seconds, context=_tls(server))
    return http_client.HTTPConnection(url.hostname, port, timeout=seconds)


def _tls(server: Server) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca_path or None)
    if server.cert_path and server.key_path:
        context.load_cert_chain(server.cert_path, server.key_path)
    return context


@contextmanager
def _bounded(connection: http_client.HTTPConnection, deadline: float) -> Iterator[None]:
    """Connect, and cut the connection at the deadline: a server that drips bytes resets every socket time-out."""
    connection.connect()
    # Kept here: the connection lets go of its socket once a response that ends with it has begun.
    timer = threading.Timer(max(0.0, deadline - monotonic()), _cut, (connection.sock,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        connection.close()


def _cut(wire: socket) -> None:
    try:
        wire.shutdown(SHUT_RDWR)
    except OSError:  # the answer came at the same moment and closed it
        return
