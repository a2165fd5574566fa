"""The looks at a mismatched table and the checks that settle its cause, in real sandboxes by the real front door."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sandboxes import TABLE, Place, sandbox

from safe_lightning.core.examination import Examination
from safe_lightning.core.settling import Check
from safe_lightning.core.tables import TableName, Totals
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.examining import Examiner
from safe_lightning.lightning.task import resolve_task
from safe_lightning.policy.model import Policy
from safe_lightning.rehearsal.scenario import Ending
from safe_lightning.rehearsal.toml_text import write_toml
from safe_lightning.supervise.command import CommandEnd, run_command

INVESTIGATE = {"verify": {"investigate": True}}


def finding_of(state: Path) -> dict[str, Any]:
    (folder,) = (state / "runs").iterdir()
    lines = map(json.loads, (folder / "verdicts.jsonl").read_text().splitlines())
    (verdict,) = [entry["verdict"] for entry in lines if entry["hook"] == "checksum"]
    (finding,) = verdict["findings"]
    found: dict[str, Any] = finding
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A sandbox after an import that lost three pairs on their way."""
    with sandbox(tmp_path, Ending.CHECKSUM_MISMATCH) as opened:
        opened.run()
        yield opened


def examiner(place: Place, look_seconds: float = 60.0) -> Examiner:
    task = resolve_task(list(place.sandbox.argv), place.sandbox.folder, {})
    until = time.monotonic() + look_seconds
    return Examiner(task, Policy(), place.sandbox.folder / "state", threading.Event(), lambda: 5, until)


def test_a_mismatched_table_is_looked_at_from_all_sides(place: Place) -> None:
    seen = examiner(place).examine(TABLE)
    assert seen.not_known == ()
    assert (seen.keys_per_row, seen.keys_per_row_most, seen.folds_keys) == (2, None, None)
    assert (seen.rows_in_target, seen.entries_in_target) == (37, {"code": 40})
    assert (dict(seen.index_names), seen.table_id) == ({1: "code"}, 112)
    assert (seen.stale_conflict_records, seen.lightning_schemas, seen.source_changed) == (0, (), False)
    assert (seen.was_interrupted, seen.conflicts_found) == (False, None)


def test_a_source_that_changed_since_the_start_is_noticed(place: Place, tmp_path: Path) -> None:
    (tmp_path / "export" / "app.items.001.csv").write_text("id,code\n1,c1\n")
    assert examiner(place).examine(TABLE).source_changed is True


@pytest.mark.parametrize(
    ("records", "count"),
    [
        ([], 0),
        ([(5, "`app`.`items`")], 0),
        ([(5, "`app`.`items`"), (4, "`app`.`items`"), (4, "`app`.`other`")], 1),
    ],
)
def test_records_of_other_tasks_are_counted(place: Place, records: list[tuple[int, str]], count: int) -> None:
    place.sql("CREATE DATABASE lightning_task_info")
    place.sql("CREATE TABLE lightning_task_info.conflict_error_v4 (task_id bigint, table_name varchar(261))")
    for task_id, table in records:
        place.sql(
            f"INSERT INTO lightning_task_info.conflict_error_v4 (task_id, table_name) VALUES ({task_id},'{table}')"
        )
    assert examiner(place).examine(TABLE).stale_conflict_records == count


def test_records_are_not_told_to_be_stale_where_the_own_task_is_not_known(place: Place) -> None:
    place.sql("CREATE DATABASE lightning_task_info")
    place.sql("CREATE TABLE lightning_task_info.conflict_records (task_id bigint, table_name varchar(261))")
    place.sql("INSERT INTO lightning_task_info.conflict_records (task_id, table_name) VALUES (4,'`app`.`items`')")
    seen = replace(examiner(place), task_id=lambda: None).examine(TABLE)
    assert seen.stale_conflict_records is None
    assert any("of which task is not known" in reason for reason in seen.not_known)


def test_a_target_out_of_reach_is_said_once_and_what_is_at_home_is_looked_at(place: Place) -> None:
    known = examiner(place)
    task = replace(known.task, target=replace(known.task.target, port=1))
    seen = replace(known, task=task).examine(TABLE)
    (reason,) = seen.not_known
    assert reason.startswith("what the target holds now: MySQL server 127.0.0.1:1 cannot be reached")
    assert (seen.rows_in_target, seen.source_changed) == (None, False)


def test_a_table_that_is_gone_leaves_its_looks_unknown(place: Place) -> None:
    seen = examiner(place).examine(TableName("app", "gone"))
    assert (seen.keys_per_row, seen.rows_in_target) == (None, None)
    assert any("the table is not there" in reason for reason in seen.not_known)


def test_no_look_is_begun_after_the_time_for_them(place: Place) -> None:
    spent = examiner(place, look_seconds=-1.0)
    with pytest.raises(CouldNotLook, match=r"verify\.look_time"):
        spent.check(TABLE, Check.CHECKSUM_AGAIN)
    assert all("verify.look_time" in reason for reason in spent.examine(TABLE).not_known)


@pytest.mark.parametrize(
    ("check", "seen"),
    [
        (Check.COUNT_ENTRIES, Examination(rows_in_target=37, entries_in_target={"code": 40})),
        (Check.CHECK_TABLE, Examination(is_consistent=False)),
        (Check.SCAN_KEYS, Examination(rows_in_source=40, conflicts_found=0, conflicts_folded=0)),
    ],
)
def test_a_check_finds_what_is_there(place: Place, check: Check, seen: Examination) -> None:
    assert examiner(place).check(TABLE, check) == seen


def test_a_checksum_is_asked_for_again(place: Place) -> None:
    seen = examiner(place).check(TABLE, Check.CHECKSUM_AGAIN)
    assert seen.checksum_now is not None
    assert seen.checksum_now.kvs == 77
    assert isinstance(seen.checksum_now, Totals)


def test_a_sound_table_is_found_consistent(tmp_path: Path) -> None:
    with sandbox(tmp_path) as sound:
        sound.run()
        assert examiner(sound).check(TABLE, Check.CHECK_TABLE).is_consistent is True


def test_by_default_no_check_is_made_that_takes_long(tmp_path: Path) -> None:
    with sandbox(tmp_path, Ending.CHECKSUM_MISMATCH) as opened:
        opened.run()
        assert finding_of(opened.sandbox.folder / "state")["data"]["checks"] == []


def test_with_investigate_checks_are_made_and_told_by_record_explain_and_page(tmp_path: Path) -> None:
    with sandbox(tmp_path, Ending.CHECKSUM_MISMATCH, INVESTIGATE) as opened:
        opened.run()
        data = finding_of(opened.sandbox.folder / "state")["data"]
        explained = opened.call("explain", "last").stdout.decode()
        told = json.loads(opened.call("explain", "--json", "last").stdout)
        (page,) = (opened.sandbox.folder / "state" / "runs").glob("*/report.html")
        html = page.read_text()
    assert [check["check"] for check in data["checks"]] == ["checksum-again", "check-table"]
    assert all(check["could_look"] for check in data["checks"])
    assert [one["cause"] for one in told["causes"]] == [one["cause"] for one in data["causes"]]
    assert [one["confidence"] for one in told["causes"]] == [one["confidence"] for one in data["causes"]]
    for place_told in (explained, html):
        assert "ADMIN CHECK TABLE: rows and index entries disagree" in " ".join(place_told.split())


def rehearse(folder: Path, cause: str, policy: dict[str, Any]) -> CommandEnd:
    (folder / "policy.toml").write_text(write_toml({"schema": 1, **policy}))
    argv = [sys.executable, "-m", "safe_lightning", "rehearse", "--cause", cause, "--keep", str(folder / "kept")]
    environ = {**os.environ, "SAFE_LIGHTNING_CONFIG": str(folder / "policy.toml")}
    return run_command(argv, timeout_seconds=120, env=environ, cwd=folder)


DESTROYING = {
    "allow": ["drop tables that this import filled"],
    "remedy": [{"cause": "key-conflicts", "action": "destroy", "least_confidence": 0.1}],
}


@pytest.mark.parametrize("cause", ["version-bug", "leftover-checkpoint", "concurrent-writes", "stale-conflict-records"])
def test_the_remedy_of_another_cause_does_not_run(tmp_path: Path, cause: str) -> None:
    end = rehearse(tmp_path, cause, {**INVESTIGATE, **DESTROYING})
    (result,) = (tmp_path / "kept" / "state" / "runs").glob("*/result.json")
    remedies = json.loads(result.read_text())["remedies"]
    assert [step["action"] for step in remedies] == ["report"], end.stderr.decode()


def test_a_comparison_that_read_too_early_is_settled_by_asking_again(tmp_path: Path) -> None:
    rehearse(tmp_path, "version-bug", INVESTIGATE)
    data = finding_of(tmp_path / "kept" / "state")["data"]
    assert [(one["cause"], one["confidence"]) for one in data["causes"]] == [("version-bug", 0.95)]
    assert "exactly what the source encoded" in data["checks"][-1]["result"]


def test_a_run_without_the_hook_is_explained_by_what_it_recorded_of_the_tables(tmp_path: Path) -> None:
    rehearse(tmp_path, "concurrent-writes", {"hooks": [{"use": "checkpoint"}]})
    argv = [sys.executable, "-m", "safe_lightning", "explain", "--json", "last"]
    environ = {**os.environ, "SAFE_LIGHTNING__STATE_DIR": str(tmp_path / "kept" / "state")}
    told = json.loads(run_command(argv, timeout_seconds=60, env=environ, cwd=tmp_path).stdout)
    assert [one["cause"] for one in told["causes"]] == ["concurrent-writes"]
    assert "the table was empty before" in told["causes"][0]["evidence"][1]


def test_a_logged_key_is_told_with_the_name_of_its_index(tmp_path: Path) -> None:
    more = {"app.items.002.csv": "id,code\n91,c3\n"}
    policy = {"scan": {"on_conflicts": "warn"}}
    with sandbox(tmp_path, Ending.CLEAN, policy, more_files=more) as opened:
        opened.run()
        told = finding_of(opened.sandbox.folder / "state")["data"]["causes"][0]
        explained = opened.call("explain", "last").stdout.decode()
    assert told["cause"] == "key-conflicts"
    (line,) = [line for line in told["evidence"] if "keys that the log names" in line]
    assert line.endswith("of index `code` of `app`.`items`")
    assert "of index `code` of `app`.`items`" in " ".join(explained.split())
