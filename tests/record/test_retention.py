"""Which runs may go, as a table of cases, and their going."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

import pytest
from record_helpers import STARTED_AT, MakeRun

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableBaseline
from safe_lightning.policy.model import RecordPolicy
from safe_lightning.record.baselines import remember
from safe_lightning.record.ledger import Ledger
from safe_lightning.record.retention import KeptRun, expired, remove_expired
from safe_lightning.record.run_dir import RunDir

DAY = 86400.0
NOW = STARTED_AT + 100 * DAY


def run(name: str, days_old: float, location: str | None = "cp", is_finished: bool = True) -> KeptRun:
    return KeptRun(Path(name), name, NOW - days_old * DAY, location, is_finished)


OLD, MIDDLE, NEW = run("old", 50), run("middle", 20), run("new", 1)


@pytest.mark.parametrize(
    ("runs", "keep_runs", "keep_days", "referenced", "gone"),
    [
        ([OLD, MIDDLE, NEW], 0, 0, (), []),
        ([OLD, MIDDLE, NEW], 2, 0, (), ["old"]),
        ([NEW, OLD, MIDDLE], 1, 0, (), ["middle", "old"]),
        ([OLD, MIDDLE, NEW], 0, 30, (), ["old"]),
        ([OLD, MIDDLE, NEW], 1, 30, (), ["middle", "old"]),
        ([OLD, MIDDLE, NEW], 9, 10, (), ["middle", "old"]),
        ([OLD, MIDDLE, NEW], 1, 0, ("old",), ["middle"]),
        ([run("old", 50, is_finished=False), NEW], 1, 1, (), []),
        ([run("old", 50, location="other"), NEW], 1, 1, (), []),
        ([run("o1", 50, location=None), run("o2", 40, location=None), NEW], 1, 1, (), ["o1"]),
        ([run("future", -400), NEW], 0, 30, (), []),
        ([OLD], 0, 1, (), []),
    ],
    ids=[
        "no limits keep all",
        "behind the newest",
        "whatever the order they are listed in",
        "too old",
        "one of both limits is enough",
        "the newest of its location stays even if too old",
        "what it saw still counts",
        "its end is not told yet",
        "the last of its checkpoint location",
        "of those without a location the newest stays",
        "a clock that was set back removes nothing",
        "the only one",
    ],
)
def test_these_may_go(
    runs: list[KeptRun], keep_runs: int, keep_days: float, referenced: Collection[str], gone: list[str]
) -> None:
    assert [r.run for r in expired(runs, NOW, keep_runs, keep_days * DAY, referenced)] == gone


POLICY = RecordPolicy(keep_runs=1, keep_for=0.0)


def names(state: Path) -> list[str]:
    return sorted(path.name.rpartition("-")[2] for path in (state / "runs").iterdir())


def test_expired_runs_leave_neither_folder_nor_entry(state: Path, make_run: MakeRun) -> None:
    for number in range(3):
        make_run(f"r{number}", STARTED_AT + number)
    assert sorted(remove_expired(state, POLICY, NOW)) == ["r0", "r1"]
    assert names(state) == ["r2"]
    with Ledger.open(state) as ledger:
        assert [result.run for _, result in ledger.entries()] == ["r2"]


def test_a_living_and_a_dead_run_stay_until_their_end_is_told(state: Path, make_run: MakeRun) -> None:
    living = RunDir.create(state, "living", STARTED_AT)
    make_run("dead", STARTED_AT + 1, outcome=None)
    make_run("new", STARTED_AT + 2)
    assert remove_expired(state, POLICY, NOW) == []
    living.close()
    assert names(state) == ["dead", "living", "new"]


def test_a_run_whose_look_still_counts_stays(state: Path, make_run: MakeRun) -> None:
    make_run("r0")
    make_run("r1", STARTED_AT + 1)
    remember(state, "key", [TableBaseline(TableName("a", "b"), True, True, STARTED_AT, "r0")])
    assert remove_expired(state, POLICY, NOW) == []


def test_half_made_and_half_removed_folders_go_after_an_hour(state: Path) -> None:
    now = time.time()
    for name, age_seconds in ((".new-x", 7200), (".gone-y", 7200), (".new-z", 60)):
        (state / "runs" / name).mkdir()
        os.utime(state / "runs" / name, (now - age_seconds, now - age_seconds))
    remove_expired(state, POLICY, now)
    assert [path.name for path in (state / "runs").iterdir()] == [".new-z"]
