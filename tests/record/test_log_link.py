"""A run's part of the log is found again after rotations, and nothing else is taken for it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from safe_lightning.record.log_link import LogLink
from safe_lightning.record.strict_json import UnreadableRecord


def read_all(link: LogLink) -> bytes:
    found = b""
    for part in link.parts():
        data = part.path.read_bytes()[part.start :]
        found += data if part.length is None else data[: part.length]
    return found


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "lightning.log").write_bytes(b"earlier\n")
    return tmp_path / "lightning.log"


def add(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_what_stood_before_and_what_came_later_is_not_the_runs(log: Path) -> None:
    link = LogLink.of(log, 8)
    add(log, b"ours\n")
    ended = LogLink(link.path, 8, link.file_id, end_offset=13)
    add(log, b"of a later run\n")
    assert read_all(ended) == b"ours\n"
    assert read_all(link) == b"ours\nof a later run\n"


def test_a_rotation_during_the_run_is_followed(log: Path) -> None:
    link = LogLink.of(log, 8)
    add(log, b"first\n")
    log.rename(log.with_name("lightning-2026-11-24T16-00-00.000.log"))
    log.with_name("lightning-2026-11-24T16-00-01.000.log").write_bytes(b"second\n")
    log.write_bytes(b"third\nlater\n")
    log.with_name("lightning-2020-01-01T00-00-00.000.log").write_bytes(b"before\n")
    assert read_all(LogLink(log, 8, link.file_id, end_offset=8 + len(b"first\nsecond\nthird\n"))) == (
        b"first\nsecond\nthird\n"
    )


def test_a_rotation_after_the_run_is_followed(log: Path) -> None:
    link = LogLink.of(log, 8)
    add(log, b"ours\n")
    log.rename(log.with_name("lightning-2026-11-24T16-00-00.000.log"))
    log.write_bytes(b"of a later run\n" * 10)
    assert read_all(LogLink(log, 8, link.file_id, end_offset=13)) == b"ours\n"


def test_a_log_that_the_child_made_is_known_by_its_path(tmp_path: Path) -> None:
    link = LogLink.of(tmp_path / "new.log", 0)
    assert link.file_id == ""
    (tmp_path / "new.log").write_bytes(b"ours\n")
    assert read_all(link) == b"ours\n"


@pytest.mark.parametrize("lose", ["unlink", "replace", "truncate", "folder"])
def test_a_log_that_is_gone_is_not_replaced_by_another(log: Path, lose: str) -> None:
    link = LogLink.of(log, 8)
    if lose == "truncate":
        os.truncate(log, 0)
    elif lose == "replace":
        log.rename(log.with_name("somewhere.else"))
        log.write_bytes(b"another file, longer than the first\n")
    elif lose == "folder":
        log = log.parent / "none" / "lightning.log"
        link = LogLink.of(log, 8)
    else:
        log.unlink()
    assert link.parts() == []


def test_a_log_that_lost_its_end_gives_what_is_left(log: Path) -> None:
    link = LogLink(log, 4, LogLink.of(log, 4).file_id, end_offset=100)
    assert read_all(link) == b"ier\n"


def test_it_reads_back_as_what_it_was(log: Path, tmp_path: Path) -> None:
    for link in (LogLink.of(log, 8), LogLink(log, 8, "1:2", 9)):
        (tmp_path / "log.json").write_text(json.dumps(link.to_json()))
        assert LogLink.read(tmp_path) == link


def test_none_and_an_unreadable_one_are_told_apart(tmp_path: Path) -> None:
    assert LogLink.read(tmp_path) is None
    (tmp_path / "log.json").write_text('{"path": 1, "start_offset": 0, "end_offset": null, "file": ""}')
    with pytest.raises(UnreadableRecord, match=r"log\.json: path: found int"):
        LogLink.read(tmp_path)
