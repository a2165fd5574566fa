"""docs/record.md lists the files that a run really leaves, and says of a dead run what is really said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from record_helpers import STARTED_AT, HookEnd

from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Plan, Stage, Status, Step, TableBaseline, Verdict
from safe_lightning.policy.model import Policy, RecordPolicy
from safe_lightning.record import dead_runs, run_dir
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_dir import RunDir

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "record.md").read_text()
TABLE = TableName("a", "b")
STEP = Step(Action.REPORT, TABLE, "r")


@pytest.fixture
def written(state: Path, tmp_path: Path) -> Path:
    record = RunDir.create(state, "ab12cd34", STARTED_AT)
    (tmp_path / "cp.pb").write_bytes(b"x")
    record.write_call([], tmp_path, [], {}, "", STARTED_AT, "ab12cd34")
    record.write_policy(Policy())
    record.write_task({}, [])
    record.write_baselines([TableBaseline(TABLE, True, True, STARTED_AT, "ab12cd34")])
    record.write_fingerprint({"schema": 1})
    record.write_plan(Plan((STEP,), "r"))
    record.add_verdict(HookEnd("h", Stage.PRE_IMPORT, Verdict(Status.PASS, "c", "m"), 0.1), 1)
    record.link_log(tmp_path / "lightning.log", 0)
    for when in ("before", "after"):
        record.copy_checkpoint(when, tmp_path / "cp.pb")
        record.write_checkpoint(when, Checkpoint("file", "/cp.pb", True, None, ()))
    record.write_report(lambda _: "<!doctype html>")
    record.finish(RunResult("ab12cd34", STARTED_AT, outcome=Outcome.UNKNOWN))
    record.close()
    assert record.path is not None
    return record.path


def test_the_listing_is_what_a_run_leaves(written: Path) -> None:
    listing = re.search(rf"^    runs/{re.escape(written.name)}/\n((?:      .*\n)+)", PAGE, re.MULTILINE)
    assert listing
    listed = [line.split()[0] for line in listing[1].splitlines()]
    assert listed == sorted(str(p.relative_to(written)) for p in written.rglob("*") if p.is_symlink() or p.is_file())


@pytest.mark.parametrize("phase", sorted(dead_runs.WORDS))
def test_every_phase_is_explained(phase: str) -> None:
    assert (f"| `{phase}` |" if phase else "| no phase |") in PAGE


def test_the_figures_are_those_of_the_code() -> None:
    policy = RecordPolicy()
    keep_days = f"{policy.keep_for / 86400:.0f} days"
    assert f"`[record] keep_runs` ({policy.keep_runs}) newest runs, none older than `keep_for` ({keep_days})" in PAGE
    assert (run_dir.STREAM_HEAD_BYTES, run_dir.STREAM_TAIL_BYTES) == (1 << 20, 256 << 10)
    assert (run_dir.EVENTS_HEAD_BYTES, run_dir.EVENTS_TAIL_BYTES) == (32 << 20, 16 << 20)
    assert run_dir.CHECKPOINT_BYTES_MOST == 64 << 20
