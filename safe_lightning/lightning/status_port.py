"""Lightning's own status port: pausing an import that runs, and seeing whether it still moves (8.5; recordings http-*).

It knows no log-in: whoever reaches it may pause or cancel. So it is only asked where the port is proven to be held by
our own child.
"""

from __future__ import annotations

import json
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lean_import import http_client, ssl
from safe_lightning.lightning.task import Task

_ANSWER_BYTES_MOST = 64 << 20
_ANY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "*": "127.0.0.1"}  # noqa: S104


@dataclass(frozen=True)
class StatusPort:
    """Where a Lightning of ours listens; with ``ca_path`` it speaks TLS."""

    host: str
    port: int
    ca_path: str = ""
    cert_path: str = ""
    key_path: str = ""

    def pause(self, timeout_seconds: float) -> None:
        """Hold the import's reading of source files (``PUT /pause``). Raises CouldNotLook."""
        self._ask("PUT", "/pause", timeout_seconds)

    def progress(self, timeout_seconds: float) -> tuple[object, ...]:
        """Return what of the progress moves while the import does (``GET /progress/task``). Raises CouldNotLook."""
        return read_progress(self._ask("GET", "/progress/task", timeout_seconds), self.place)

    @property
    def place(self) -> str:
        """Name the port for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"Lightning's status port {host}:{self.port}"

    def _ask(self, method: str, path: str, timeout_seconds: float) -> bytes:
        try:
            connection = self._connection(timeout_seconds)
            try:
                connection.request(method, path)
                response = connection.getresponse()
                body = response.read(_ANSWER_BYTES_MOST + 1)
            finally:
                connection.close()
        except (OSError, http_client.HTTPException, ValueError) as error:
            raise CouldNotLook(f"{self.place} cannot be asked: {error or type(error).__name__}") from error
        if response.status != 200:
            raise CouldNotLook(f"{self.place} answered {method} {path} with HTTP status {response.status}")
        return body

    def _connection(self, timeout_seconds: float) -> http_client.HTTPConnection:
        if not self.ca_path:
            return http_client.HTTPConnection(self.host, self.port, timeout=timeout_seconds)
        context = ssl.create_default_context(cafile=self.ca_path)
        # The certificate is the cluster's; it need not name the loopback address under which we ask.
        context.check_hostname = False
        if self.cert_path and self.key_path:
            context.load_cert_chain(self.cert_path, self.key_path)
        return http_client.HTTPSConnection(self.host, self.port, timeout=timeout_seconds, context=context)


def read_progress(body: bytes, where: str) -> tuple[object, ...]:
    """Take table by table the bytes written and the status out of an answer. Raises CouldNotLook.

    >>> read_progress(b'{"t": {"`a`.`b`": {"w": 5, "z": 9, "s": 1}}, "s": 1}', "it")
    (1, (('`a`.`b`', 5, 1),))
    """
    try:
        answer = json.loads(body)
        tables = answer.get("t", {}).items()
        return answer.get("s"), tuple(sorted((str(name), told.get("w"), told.get("s")) for name, told in tables))
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise CouldNotLook(f"{where} gave no progress") from error


def status_port(task: Task) -> StatusPort | None:
    """Return where the child of a task listens, by the address that it is given; None where it has none.

    The port is 0 where the task leaves the choice to the system.
    """
    host, colon, port = task.status_addr.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        return None
    name = host.strip("[]")
    ca_path, cert_path, key_path = (_path(task, f"security.{key}") for key in ("ca-path", "cert-path", "key-path"))
    return StatusPort(_ANY_ADDRESS.get(name, name), int(port), ca_path, cert_path, key_path)


def _path(task: Task, key: str) -> str:
    value = task.values.get(key)
    return str(task.cwd / Path(value)) if isinstance(value, str) and value else ""
