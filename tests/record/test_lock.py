"""Who holds a checkpoint or a table, told by real processes that hold it, die, and wait."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from record_helpers import Start

from safe_lightning.core.tables import TableName, some_names
from safe_lightning.record.claim import Claim, shared_tables
from safe_lightning.record.lock import LockBusy, LockUnavailable, RunLocks

A, B = TableName("app", "a"), TableName("app", "b")


def claim(run: str = "ours", **changes: Any) -> Claim:
    values: dict[str, Any] = {
        "started_at": 1_795_536_000.5,
        "pid": os.getpid(),
        "target": "db1:4000",
        "checkpoint_location": "",
        "tables": frozenset({A}),
        "argv": ("--config", "t.toml"),
    }
    return Claim(run, **{**values, **changes})


HOLDING = """
import json, sys
from pathlib import Path
from safe_lightning.record.claim import Claim
from safe_lightning.record.lock import RunLocks
locks = RunLocks.acquire(Path(sys.argv[1]), Claim.from_json(json.loads(sys.argv[2])))
print("ready", flush=True)
sys.stdin.read()
locks.release()
"""


def as_argument(held: Claim) -> str:
    return json.dumps(held.to_json())


@pytest.mark.parametrize(
    ("theirs", "ours", "words"),
    [
        ({}, {}, "`app`.`a` on db1:4000 is being imported by run theirs"),
        (
            {"checkpoint_location": "/cp"},
            {"checkpoint_location": "/cp", "tables": None},
            "the checkpoint /cp is in use",
        ),
        ({"tables": frozenset({TableName("APP", "A")})}, {}, "is being imported"),
        ({"is_parallel_import": True}, {}, "is being imported"),
        (
            {"checkpoint_location": "/cp", "is_parallel_import": True},
            {"checkpoint_location": "/cp"},
            "the checkpoint /cp",
        ),
    ],
    ids=["same table", "same checkpoint", "same table in capitals", "only one is parallel", "checkpoint comes first"],
)
def test_what_another_process_holds_is_refused_with_its_name(
    state: Path, start: Start, theirs: dict[str, Any], ours: dict[str, Any], words: str
) -> None:
    start(HOLDING, state, as_argument(claim("theirs", **theirs)))
    with pytest.raises(LockBusy) as busy:
        RunLocks.acquire(state, claim(**ours))
    assert words in str(busy.value)
    assert "since 2026-11-24T16:00:00.500Z" in str(busy.value)
    assert "--config t.toml" in str(busy.value)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ({"tables": frozenset({B})}, {}),
        ({"target": "db2:4000"}, {}),
        ({"is_parallel_import": True}, {"is_parallel_import": True}),
        ({"tables": None, "checkpoint_location": "/other"}, {"checkpoint_location": "/cp"}),
    ],
    ids=["other table", "other target", "both parallel", "their tables are not known"],
)
def test_what_does_not_conflict_runs_side_by_side(
    state: Path, start: Start, theirs: dict[str, Any], ours: dict[str, Any]
) -> None:
    start(HOLDING, state, as_argument(claim("theirs", **theirs)))
    with RunLocks.acquire(state, claim(**ours)):
        pass


def test_a_kill_of_the_holder_frees_everything_and_its_claim_is_cleared(state: Path, start: Start) -> None:
    holder = start(HOLDING, state, as_argument(claim("theirs", checkpoint_location="/cp")))
    assert (state / "locks" / "claim-theirs").exists()
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with RunLocks.acquire(state, claim(checkpoint_location="/cp")):
        assert [path.name for path in (state / "locks").glob("claim-*")] == ["claim-ours"]
    assert list((state / "locks").glob("claim-*")) == []


def test_waiting_ends_when_the_holder_lets_go(state: Path, start: Start) -> None:
    holder = start(HOLDING, state, as_argument(claim("theirs")))
    threading.Timer(0.2, holder.kill).start()
    began = time.monotonic()
    with RunLocks.acquire(state, claim(), wait_seconds=30):
        assert 0.1 < time.monotonic() - began < 15


def test_waiting_ends_with_its_time(state: Path, start: Start) -> None:
    start(HOLDING, state, as_argument(claim("theirs")))
    began = time.monotonic()
    with pytest.raises(LockBusy):
        RunLocks.acquire(state, claim(), wait_seconds=0.2)
    assert 0.2 <= time.monotonic() - began < 5


def test_waiting_ends_with_the_run(state: Path, start: Start) -> None:
    start(HOLDING, state, as_argument(claim("theirs")))
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(LockBusy):
        RunLocks.acquire(state, claim(), wait_seconds=60, stop_event=stop)


def test_a_refusal_leaves_nothing_held(state: Path, start: Start) -> None:
    holder = start(HOLDING, state, as_argument(claim("theirs")))
    with pytest.raises(LockBusy):
        RunLocks.acquire(state, claim(checkpoint_location="/cp"))
    with RunLocks.acquire(state, claim(checkpoint_location="/cp", tables=frozenset({B}))):
        assert holder.poll() is None


def test_a_child_does_not_inherit_the_locks(state: Path, start: Start) -> None:
    with RunLocks.acquire(state, claim(checkpoint_location="/cp")):
        start("import sys; print('ready', flush=True); sys.stdin.read()")
    with RunLocks.acquire(state, claim("next", checkpoint_location="/cp")):
        pass


def test_letting_go_twice_does_nothing(state: Path) -> None:
    locks = RunLocks.acquire(state, claim())
    locks.release()
    locks.release()
    with RunLocks.acquire(state, claim()):
        pass


@pytest.mark.parametrize(
    ("ours", "words"),
    [
        ({"tables": None, "checkpoint_location": "/cp"}, "only its checkpoint is locked"),
        ({}, "only the tables are locked"),
        ({"checkpoint_location": "/cp"}, ""),
    ],
)
def test_what_is_not_covered_is_said(state: Path, ours: dict[str, Any], words: str) -> None:
    with RunLocks.acquire(state, claim(**ours)) as locks:
        assert words in locks.note
        assert bool(words) == bool(locks.note)


def test_a_living_run_whose_claim_cannot_be_read_is_not_taken_for_none(state: Path, start: Start) -> None:
    start(HOLDING, state, as_argument(claim("theirs", tables=frozenset({B}))))
    (state / "locks" / "claim-theirs").write_bytes(b'{"run": ')
    with pytest.raises(LockBusy, match="cannot be identified"):
        RunLocks.acquire(state, claim())


def test_a_folder_where_nothing_can_be_locked_is_said(tmp_path: Path) -> None:
    with pytest.raises(LockUnavailable, match="No such file or directory"):
        RunLocks.acquire(tmp_path / "none", claim())


def test_a_link_in_place_of_a_lock_is_not_followed(state: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep")
    (state / "locks" / "claim-ours").symlink_to(tmp_path / "precious")
    with pytest.raises((LockUnavailable, LockBusy)):
        RunLocks.acquire(state, claim())
    assert (tmp_path / "precious").read_text() == "keep"


def test_a_claim_reads_back_as_what_it_was() -> None:
    for held in (
        claim(),
        claim(tables=None, is_parallel_import=True),
        claim(tables=frozenset({TableName("a`", "b.c")})),
    ):
        assert Claim.from_json(json.loads(json.dumps(held.to_json()))) == held


def test_shared_tables_are_named_as_we_call_them() -> None:
    assert shared_tables(claim(), claim(tables=frozenset({TableName("App", "A"), B}))) == {A}


def test_many_tables_are_counted() -> None:
    assert some_names(frozenset(TableName("s", str(n)) for n in range(5))) == "`s`.`0`, `s`.`1`, `s`.`2` and 2 more"
