"""The stand-in importer's own status port: pause, resume, progress and tasks, as Lightning 8.5 answers them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from safe_lightning.rehearsal.zap import ZapLog

if TYPE_CHECKING:
    from safe_lightning.rehearsal.import_context import Import

_NOT_STARTED, _RUNNING, _COMPLETED = 0, 1, 2


class StatusBoard:
    """What the port can be asked and told; the import asks it whether to hold."""

    def __init__(self) -> None:
        self.run: Import | None = None
        self.rows_sent = 0
        self._go_on = threading.Event()
        self._go_on.set()

    @property
    def is_paused(self) -> bool:
        """Whether the reading of source files is to be held."""
        return not self._go_on.is_set()

    def answer(self, method: str, path: str, log: ZapLog) -> tuple[int, object]:
        """Answer one request with a status and what becomes JSON."""
        if (method, path) == ("PUT", "/pause"):
            self._go_on.clear()
            log.info("lightning.go:927", "progress paused")
            return 200, {}
        if (method, path) == ("PUT", "/resume"):
            self._go_on.set()
            log.info("lightning.go:935", "progress resumed")
            return 200, {}
        if (method, path) == ("GET", "/pause"):
            return 200, {"paused": self.is_paused}
        if (method, path) == ("GET", "/progress/task"):
            return 200, self._progress()
        if (method, path) == ("GET", "/tasks"):
            task = self.run.book.task if self.run else None
            return 200, {"current": task.task_id if task else None, "queue": []}
        return 404, {"error": "not found"}

    def _progress(self) -> object:
        tables = {}
        for name, table in list(self.run.book.tables.items()) if self.run else []:
            chunks = [chunk for engine in table.engines.values() for chunk in engine.chunks]
            written, size = sum(chunk.pos for chunk in chunks), sum(chunk.end_offset for chunk in chunks)
            status = _NOT_STARTED if not chunks else _RUNNING if written < size else _COMPLETED
            tables[str(name)] = {"w": written + self.rows_sent, "z": size, "s": status}
        return {"t": tables, "s": _RUNNING}


@contextmanager
def status_server(address: str, board: StatusBoard, log: ZapLog) -> Iterator[None]:
    """Serve the board while the block runs. Raises OSError where the address is taken."""
    host, _, port = address.rpartition(":")
    server = _Server((host or "127.0.0.1", int(port)), board, log)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="status port", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], board: StatusBoard, log: ZapLog) -> None:
        super().__init__(address, _Handler)
        self.board, self.log = board, log


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return  # Lightning logs requests in its own words, see _serve

    def do_GET(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def _serve(self) -> None:
        assert isinstance(self.server, _Server)
        fields = (("method", self.command), ("url", self.path))
        self.server.log.info("lightning.go:207", "process http request start", *fields)
        status, answer = self.server.board.answer(self.command, self.path, self.server.log)
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.server.log.info("lightning.go:216", "process http request completed", *fields, ("status", status))
