"""Files that are whole or not there, and journals that may end anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.record.durable import Journal, WriteHealth, read_journal, to_bytes, write_durably

ENTRIES: list[dict[str, object]] = [{"step": 1, "sum": 2**64 - 1}, {"text": "é\n`a`.`b`"}, {"last": None}]


def journal_of(path: Path) -> bytes:
    journal = Journal(path)
    for entry in ENTRIES:
        journal.append(entry)
    journal.close()
    return path.read_bytes()


def test_a_journal_gives_back_what_was_appended(tmp_path: Path) -> None:
    journal_of(tmp_path / "j")
    assert read_journal(tmp_path / "j") == ENTRIES


def test_a_journal_that_was_never_made_is_empty(tmp_path: Path) -> None:
    assert read_journal(tmp_path / "j") == []


def test_a_journal_cut_at_any_byte_gives_back_all_entries_before_the_cut(tmp_path: Path) -> None:
    whole = journal_of(tmp_path / "whole")
    for at in range(len(whole) + 1):
        (tmp_path / "cut").write_bytes(whole[:at])
        found = read_journal(tmp_path / "cut")
        complete = whole[:at].count(b"\n")
        assert found[:complete] == ENTRIES[:complete]
        assert found == ENTRIES[: len(found)]


@given(st.binary(max_size=300))
def test_any_bytes_are_a_journal_of_something_or_nothing(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("j") / "j"
    path.write_bytes(data)
    assert all(isinstance(entry, dict) for entry in read_journal(path))


def test_a_line_that_was_cut_by_an_error_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = Journal(path)
    journal.append({"n": 1})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "cut')
    journal._is_cut = True  # what an OSError in the middle of a write leaves behind
    journal.append({"n": 3})
    journal.close()
    assert read_journal(path) == [{"n": 1}, {"n": 3}]


def test_a_file_that_cannot_be_written_leaves_the_old_one_and_no_remains(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    (tmp_path / "d").mkdir()
    with pytest.raises(OSError, match="d"):
        write_durably(tmp_path / "d", b"a folder cannot be replaced by a file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d", "f"]
    write_durably(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"new"


def test_text_that_utf8_cannot_hold_becomes_a_json_escape() -> None:
    assert json.loads(to_bytes({"name": "\udcff"})) == {"name": "\udcff"}


def test_only_the_first_trouble_is_kept_and_told() -> None:
    told: list[str] = []
    health = WriteHealth(told.append)
    for reason in ("No space left", "later"):
        with health.guard("result.json"):
            raise OSError(28, reason)
    assert told == [health.trouble] == ["result.json could not be recorded: No space left"]
