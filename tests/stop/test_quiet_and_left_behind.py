"""What counts as quiet, what a stop left behind, and where the status port is: decided from recorded lines."""

from __future__ import annotations

from pathlib import Path

import pytest
import recordings

from safe_lightning.core.drain import WorkWatch
from safe_lightning.core.log_digest import LogDigest
from safe_lightning.core.logline import LogRecord, parse_line
from safe_lightning.core.stop import EngineNotIngested, engines_not_ingested
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.status_port import StatusPort, read_progress, status_port
from safe_lightning.lightning.task import Task


def records(name: str) -> list[LogRecord]:
    for root in recordings.roots():
        if (path := root / name / "lightning.log").is_file():
            lines = path.read_text(errors="replace").splitlines()
            return [record for line in lines if isinstance(record := parse_line(line), LogRecord)]
    pytest.skip(f"the recording {name} is not at hand")


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("40-rewind-one-engine.1-TERM", [("shoprep1", 0, 1000, 0)]),
        ("40b-rewind-third-of-three-engines.1-TERM", [("shoprep2", 2, 1000, 0)]),
        ("10h-sigterm-ingest-then-checksum-off.1-TERM", [("shop10h", 0, 1000, 0)]),
        ("01-success-file", []),
        ("02-mismatch-dup-pk-file", []),
        ("10i-sigterm-encode-file.1-TERM", []),
    ],
)
def test_the_engines_that_a_stop_left_behind(name: str, left: list[tuple[str, int, int, int]]) -> None:
    digest = LogDigest()
    for record in records(f"v8.5.4-local-backend/{name}"):
        digest.add(record)
    found = [(engine.table.schema, engine.engine, engine.kvs, engine.imported) for engine in
             engines_not_ingested(digest.task)]  # fmt: skip
    assert found == left


def test_an_engine_is_being_imported_between_its_two_lines() -> None:
    watch, seen = WorkWatch(), []
    for record in records("v8.5.4-local-backend/40b-rewind-third-of-three-engines.1-TERM"):
        watch.note(record)
        if not seen or seen[-1] != watch.importing:
            seen.append(watch.importing)
    assert seen == [0, 1, 2, 1, 2, 1, 0]


def test_what_we_ask_ourselves_and_the_clock_is_no_work() -> None:
    watch, paused = WorkWatch(), False
    for record in records("v8.5.4-tidb-backend/drain-then-sigterm-file"):
        if paused := paused or record.message == "progress paused":
            watch.note(record)
        if record.message == "restore file completed" and paused:
            break
    assert watch.moves == 1


@pytest.mark.parametrize(
    ("address", "port"),
    [
        ("127.0.0.1:8289", StatusPort("127.0.0.1", 8289)),
        (":8289", StatusPort("127.0.0.1", 8289)),
        ("0.0.0.0:8289", StatusPort("127.0.0.1", 8289)),
        ("[::]:8289", StatusPort("::1", 8289)),
        ("host:0", StatusPort("host", 0)),
        ("", None),
        ("8289", None),
        (":http", None),
        (":99999", None),
    ],
)
def test_where_the_child_listens(address: str, port: StatusPort | None) -> None:
    assert status_port(Task((), Path("/"), status_addr=address)) == port


def test_tls_is_as_the_task_has_it() -> None:
    values = {"security.ca-path": "ca.pem", "security.cert-path": "/etc/cert.pem", "security.key-path": "key.pem"}
    port = status_port(Task((), Path("/srv"), status_addr=":1", values=values))
    assert port == StatusPort("127.0.0.1", 1, "/srv/ca.pem", "/etc/cert.pem", "/srv/key.pem")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"t": {"a": 1}}', b'{"t": []}', b"[" * 100_000])
def test_an_answer_that_is_no_progress_is_not_taken_for_quiet(body: bytes) -> None:
    with pytest.raises(CouldNotLook):
        read_progress(body, "it")


def test_a_recorded_table_name_is_read() -> None:
    assert EngineNotIngested(TableName("a", "b"), -1, 2, 0).table == TableName.parse("`a`.`b`")
