"""Fingerprints outlive the runs that took them, and an unreadable one is not an absent one."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from safe_lightning.core.fingerprint import Fingerprint, Launch, Place
from safe_lightning.core.source_state import FileState, SourceState, TableSource
from safe_lightning.core.stop import EngineNotIngested, Stop, StopKind
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.record.fingerprints import (
    forget_fingerprint,
    keep_fingerprint,
    keep_launches,
    recall_fingerprint,
)

T = TableName("app", "we`ird ☃")
FILES = (FileState(os.fsdecode(b"a\xff.csv"), 1 << 40, 1_795_000_000_123_456_789),)
SEEN = Fingerprint(
    "r1", 1_795_000_000.5, "host", "/cp.pb", Place("tidb", "/data", "db", 4000, "pd:2379", "", "7"),
    lightning_version="v8.5.4", settings={"tidb.sql-mode": "x"}, source=SourceState({T: TableSource(FILES, "ab")}),
    table_ids={T: 104},
    launches=(
        Launch("r1", 1, 1.5, "canceled", 15, Stop(StopKind.DRAINED, "TERM", "2 s"), (EngineNotIngested(T, 0, 9, 0),)),
        Launch("r2", 1, 2.5),
    ),
)  # fmt: skip


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "fingerprints").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    "seen", [SEEN, replace(SEEN, source=None, source_unknown="s3", launches=(), is_first_launch=False)]
)
def test_what_is_kept_is_recalled(state: Path, seen: Fingerprint) -> None:
    keep_fingerprint(state, seen)
    assert recall_fingerprint(state, "/cp.pb") == seen
    assert recall_fingerprint(state, "/other.pb") is None


def test_an_attempt_is_noted_without_writing_the_rest(state: Path) -> None:
    keep_fingerprint(state, SEEN)
    keep_launches(state, SEEN.begun(Launch("r3", 1, 9.0)))
    found = recall_fingerprint(state, "/cp.pb")
    assert found is not None
    assert found.last == Launch("r3", 1, 9.0)


def test_what_is_forgotten_is_gone_with_its_attempts(state: Path) -> None:
    keep_fingerprint(state, SEEN)
    forget_fingerprint(state, "/cp.pb")
    forget_fingerprint(state, "/cp.pb")
    assert recall_fingerprint(state, "/cp.pb") is None
    assert list((state / "fingerprints").glob("*.json")) == []


def test_a_record_that_was_cut_anywhere_is_said_and_never_taken_for_none(state: Path) -> None:
    keep_fingerprint(state, SEEN)
    for path in (state / "fingerprints").glob("*.json"):
        whole = path.read_bytes()
        for size in range(0, len(whole) - 1, 7):
            path.write_bytes(whole[:size])
            with pytest.raises(CouldNotLook, match="cannot be read"):
                recall_fingerprint(state, "/cp.pb")
        path.write_bytes(whole)
