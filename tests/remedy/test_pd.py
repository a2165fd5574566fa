"""Does PD answer? Asked in time, at every address, and a server that is no PD is none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from safe_lightning.api import CouldNotLook
from safe_lightning.lightning.pd import ask_pd
from safe_lightning.lightning.task import Server

Answer = Callable[[BaseHTTPRequestHandler], None]


def say(body: bytes, status: int = 200) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.server.ended.wait(0.02)  # type: ignore[attr-defined]
        if handler.server.ended.is_set():  # type: ignore[attr-defined]
            return


PD = say(b'{"version":"v8.5.4"}')


@contextmanager
def http(answer: Answer) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                answer(self)
            except OSError:
                return  # the client has had enough

        def log_message(self, format: str, *args: object) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        server.ended = threading.Event()  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.ended.set()  # type: ignore[attr-defined]
        server.shutdown()
        thread.join(10)


def test_the_address_that_answers_is_told() -> None:
    with http(PD) as port:
        addresses = f"127.0.0.1:1, http://127.0.0.1:{port}"
        answer = ask_pd(Server(pd_addr=addresses), 5)
    assert (answer.address, answer.version, answer.addresses) == (f"http://127.0.0.1:{port}", "v8.5.4", addresses)


def test_where_the_task_names_no_pd_tidb_is_asked_for_it() -> None:
    with http(PD) as pd:
        settings = json.dumps({"path": f"127.0.0.1:{pd}?disableGC=false"}).encode()
        with http(say(settings)) as status:
            answer = ask_pd(Server(status_port=status), 5)
    assert (answer.address, answer.addresses) == (f"127.0.0.1:{pd}", f"127.0.0.1:{pd}")


@pytest.mark.parametrize(
    "answer",
    [drip, say(b"not JSON"), say(b"[]"), say(b"{}", 500), say(b"[" * 100_000), lambda handler: None],
    ids=["drips", "no JSON", "no object", "an error", "deep", "hangs up"],
)
def test_a_server_that_is_no_pd_is_none(answer: Answer) -> None:
    with http(answer) as port, pytest.raises(CouldNotLook, match=f"PD does not answer: 127.0.0.1:{port}"):
        ask_pd(Server(pd_addr=f"127.0.0.1:{port}"), 0.5)


@pytest.mark.parametrize("addresses", ["no port:x", "127.0.0.1:99999999", "://", "\u00e9\u0301.invalid:1", ",,"])
def test_an_address_that_is_none_is_said(addresses: str) -> None:
    with pytest.raises(CouldNotLook, match="PD does not answer"):
        ask_pd(Server(pd_addr=addresses), 5)


@pytest.mark.parametrize("answer", [say(b"{}"), say(b'{"path": 5}'), say(b"{}", 404)])
def test_a_tidb_that_does_not_know_its_pd_is_said(answer: Answer) -> None:
    with http(answer) as status, pytest.raises(CouldNotLook, match="the task names no PD"):
        ask_pd(Server(status_port=status), 5)


def test_tls_files_that_are_missing_are_said() -> None:
    with pytest.raises(CouldNotLook, match="No such file"):
        ask_pd(Server(pd_addr="127.0.0.1:1", ca_path="/nowhere/ca.pem"), 5)
