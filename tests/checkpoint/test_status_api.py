"""TiDB's status port: what it tells of a table, and what it must not be taken to tell."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mariadb import free_port
from recorded_stores import found

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.status_api import SchemaAnswer, ask_schema, read_schema
from safe_lightning.lightning.task import Server

RECORDED = found("tables/*.status-api.json") + sorted(
    path for path in found("*/*.status-api.json") if path.parent.name != "tables"
)
TABLE = TableName("app", "a/b`% ?")
GOOD = b'{"id": 104, "update_timestamp": 470668246820061184}'


@contextmanager
def status_port(status: int, body: bytes, end: threading.Event | None = None) -> Iterator[tuple[Server, list[str]]]:
    """Answer every question with the same status and body; with ``end`` only once it is set."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if end is not None:
                end.wait(30)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield Server(status_port=server.server_port), asked
        finally:
            if end is not None:
                end.set()
            server.shutdown()


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: "/".join(p.parts[-4:]))
def test_a_recorded_answer_tells_id_and_time(path: Path) -> None:
    document = json.loads(path.read_text())
    answer = read_schema(path.read_bytes(), "TiDB")
    assert answer.table_id == document["id"]
    assert 1795392000 < answer.changed_at < 1795564800  # 23 and 24 November 2026


def test_a_table_is_asked_for_by_its_exact_name() -> None:
    with status_port(200, GOOD) as (server, asked):
        assert ask_schema(server, TABLE, 5) == SchemaAnswer(104, 1795456874.161)
    assert asked == ["/schema/app/a%2Fb%60%25%20%3F"]


@pytest.mark.parametrize("words", [b"[schema:1146]Table 'app.a' doesn't exist", b"[schema:1049]Unknown database 'app'"])
def test_a_table_that_tidb_does_not_know_is_absent(words: bytes) -> None:
    with status_port(400, words) as (server, _):
        assert ask_schema(server, TABLE, 5) is None


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"404 page not found", "HTTP status 404"),
        (500, b"", "HTTP status 500"),
        (200, b"", "no table description"),
        (200, b"<html>", "no table description"),
        (200, b"[]", "no table description"),
        (200, b'{"id": null, "update_timestamp": 1}', "no table description"),
        (200, b'{"id": 1}', "no table description"),
        (200, b"[" * 100_000, "no table description"),
        (200, b" " * (17 << 20), "more than 16777216 bytes"),
    ],
)
def test_any_other_answer_is_no_look(status: int, body: bytes, words: str) -> None:
    with status_port(status, body) as (server, _), pytest.raises(CouldNotLook, match=words):
        ask_schema(server, TABLE, 5)


def test_a_port_that_does_not_answer_is_given_up_in_time() -> None:
    started = time.monotonic()
    with status_port(200, GOOD, threading.Event()) as (server, _), pytest.raises(CouldNotLook, match="timed out"):
        ask_schema(server, TABLE, 0.3)
    assert time.monotonic() - started < 10


def test_a_port_that_drips_is_given_up_in_time() -> None:
    def drip(listener: socket.socket, end: threading.Event) -> None:
        peer, _ = listener.accept()
        with peer, suppress(OSError):  # the client has had enough
            peer.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            while not end.wait(0.05):
                peer.sendall(b" ")

    end = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener, end), daemon=True)
        thread.start()
        started = time.monotonic()
        with pytest.raises(CouldNotLook, match=r"timed out after 0\.3 s"):
            ask_schema(Server(status_port=listener.getsockname()[1]), TABLE, 0.3)
        assert time.monotonic() - started < 10
        end.set()
        thread.join(10)


def test_a_port_that_nobody_listens_on_is_no_look() -> None:
    with pytest.raises(CouldNotLook, match="cannot be asked"):
        ask_schema(Server(status_port=free_port()), TABLE, 5)


def test_certificates_that_are_missing_are_no_look() -> None:
    with pytest.raises(CouldNotLook, match="cannot be asked"):
        ask_schema(Server(status_port=1, ca_path="/nowhere/ca.pem"), TABLE, 5)
