"""``history`` and ``report``: what is recorded, shown to people and to machines."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from record_helpers import STARTED_AT, HookEnd, MakeRun
from verb_helpers import Call

from safe_lightning.commands.explain import explain
from safe_lightning.commands.history import history
from safe_lightning.commands.report import report
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import Action, Finding, Plan, Stage, Status, Step, TableResult, Verdict
from safe_lightning.record.dead_runs import close_dead_runs
from safe_lightning.record.durable import to_bytes
from safe_lightning.record.result import AttemptEnd, HookEntry, RemedyEntry, RunResult
from safe_lightning.record.run_dir import RunDir

TABLE = TableName("app", "orders")
STEP = Step(Action.DESTROY, TABLE, "key-conflicts (95%); per policy remedy[1]")


def test_no_runs_are_an_empty_array_and_a_sentence(call: Call, state: Path) -> None:
    assert call(history, "--json").json == []
    assert call(history).text == f"No run is recorded in {state}.\n"


def test_the_array_is_newest_first_and_holds_the_contract(call: Call, make_run: MakeRun) -> None:
    totals = Totals(2**64 - 1, 3, 4)
    make_run("r1", tables=(TableResult(TABLE, "checksum-passed", Comparison(totals, totals)),))
    make_run("r2", STARTED_AT + 9, Outcome.CHECKSUM_MISMATCH, hooks=(HookEntry("h", "pre-import", "pass", "fine"),))
    called = call(history, "--json")
    newest, oldest = called.json
    assert (newest["run"], newest["outcome"], newest["ended"]) == (
        "r2",
        "checksum-mismatch",
        "2026-11-24T16:01:10.500Z",
    )
    assert newest["hooks"] == [{"name": "h", "stage": "pre-import", "status": "pass", "code": "fine"}]
    assert oldest["tables"][0]["checksum"]["remote"] == {"checksum": 18446744073709551615, "kvs": 3, "bytes": 4}
    assert (called.code, called.stderr) == (0, "")


def test_the_policy_beside_lightnings_config_tells_where_the_record_is(
    call: Call, make_run: MakeRun, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run("r1")
    task = tmp_path / "import" / "task.toml"
    task.parent.mkdir()
    task.write_text("")
    (task.parent / "safe-lightning.toml").write_text(f"schema = 1\nstate_dir = '{state}'\n")
    monkeypatch.setenv("SAFE_LIGHTNING_CONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert [entry["run"] for entry in call(history, "--json", "--config", task).json] == ["r1"]
    assert call(report, "r1", "--json", "--config", task).json["run"] == "r1"
    assert call(explain, "r1", "--json", "--config", task).json["outcome"] == "succeeded"


def test_only_the_newest_are_shown_where_a_limit_says_so(call: Call, make_run: MakeRun) -> None:
    for number in range(3):
        make_run(f"r{number}", STARTED_AT + number)
    assert [entry["run"] for entry in call(history, "--json", "--limit", 2).json] == ["r2", "r1"]


def test_a_run_in_progress_has_no_outcome_yet(call: Call, state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    [entry] = call(history, "--json").json
    assert (entry["outcome"], entry["exit_code"], entry["ended"]) == (None, None, None)
    assert "still running" in call(history).text
    record.close()


def test_the_table_fits_80_columns_whatever_the_outcome(call: Call, make_run: MakeRun) -> None:
    for number, outcome in enumerate(Outcome):
        make_run(f"ab12cd{number:02d}", STARTED_AT + number, outcome)
    lines = call(history).text.splitlines()
    assert len(lines) == 1 + len(Outcome)
    assert max(map(len, lines)) <= 80
    assert re.fullmatch(r"2026-11-24 16:00  ab12cd00  succeeded +0 +1m01s +0", lines[-1])


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.2, "0s"), (59.4, "59s"), (61, "1m01s"), (7322, "2h02m"), (360_000, "100h00m"), (-5, "?")]
)
def test_a_duration_is_short(call: Call, make_run: MakeRun, seconds: float, shown: str) -> None:
    folder = make_run("ab12", is_in_ledger=False)
    result = RunResult("ab12", STARTED_AT, STARTED_AT + seconds, outcome=Outcome.UNKNOWN)
    (folder / "result.json").write_bytes(to_bytes(result.to_json()))
    assert call(history).text.splitlines()[1].split()[-2] == shown


def test_a_ledger_that_cannot_be_used_is_gone_around_and_that_is_said(
    call: Call, make_run: MakeRun, state: Path
) -> None:
    make_run("ab12", is_in_ledger=False)
    (state / "ledger.sqlite").mkdir()
    called = call(history, "--json")
    assert [entry["run"] for entry in called.json] == ["ab12"]
    assert "read without the ledger" in called.stderr


def test_a_wrong_policy_is_said_and_nothing_is_listed(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "wrong.toml").write_text("schema = 1\nstate-dir = 'x'\n")
    monkeypatch.setenv("SAFE_LIGHTNING_CONFIG", str(tmp_path / "wrong.toml"))
    for called in (call(history, "--json"), call(report, "last")):
        assert (called.code, called.stdout) == (78, b"")
        assert "state-dir" in called.stderr


# --- report ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def full(state: Path, tmp_path: Path) -> Path:
    """Make a run with everything in it, ended after one retry."""
    record = RunDir.create(state, "ab12cd34", STARTED_AT)
    argv = ["--config", "t.toml", "-tidb-password", "hunter2"]
    record.write_call(
        argv, Path("/srv/import"), ["PATH"], {"safe-lightning": "0.1"}, "file:///cp.pb", STARTED_AT, "ab12cd34"
    )
    finding = Finding("key-conflicts", "`app`.`orders`: key-conflicts (95%). 2 pairs are missing", TABLE)
    plan = Plan((STEP,), "then the import is run again, at most 1 times", True, 1)
    verdict = Verdict(
        Status.WARN, "checksum-mismatch", "the checksum of `app`.`orders` does not match", (finding,), plan
    )
    record.enter("looking", STARTED_AT)
    record.add_verdict(HookEnd("checksum", Stage.POST_IMPORT, verdict, 0.1), 1)
    record.write_plan(plan)
    record.record_intent(STEP)
    record.record_result(STEP, {"status": "done", "message": "the entry is gone, the table too"})
    result = RunResult(
        "ab12cd34",
        STARTED_AT,
        STARTED_AT + 61,
        argv=("--config", "t.toml", "-tidb-password", "***"),
        outcome=Outcome.CHECKSUM_MISMATCH,
        reason="why it is one",
        exit_code=1,
        child_exit_code=1,
        tables=(TableResult(TABLE, "checksum-mismatch", Comparison(Totals(1, 3004, 100), Totals(2, 3006, 106))),),
        hooks=(HookEntry("checksum", "post-import", "warn", "checksum-mismatch", "m"),),
        remedies=(RemedyEntry(TABLE, Action.DESTROY, STEP.reason, "done"),),
        root_error="checksum mismatched",
        attempts=2,
        previous_attempts=(AttemptEnd(Outcome.KILLED, "the process was ended by signal 9 from outside", None, 9),),
        log_path="/srv/import/lightning.log",
        notes=("something to know",),
    )
    record.finish(result)
    record.close()
    assert record.path is not None
    return record.path


def test_a_report_tells_everything_in_the_order_a_reader_asks(call: Call, full: Path) -> None:
    text = call(report, "ab12").text
    places = [
        text.index(words)
        for words in (
            "Run         ab12cd34",
            "Started     2026-11-24T16:00:00.500Z",
            "safe-lightning: checksum-mismatch (exit code 1, attempt 2)",
            "checksum mismatched",
            "in the cluster  3,004 pairs",
            "next step:",
            "\nNotes\n",
            "\nHooks\n    checksum (post-import): warn, checksum-mismatch",
            "2 pairs are missing",
            "\nPlan\n    destroy `app`.`orders`",
            "\nSteps\n    1. destroy `app`.`orders`",
            "done: the entry is gone, the table too",
            "\nAttempts\n    1. killed (child: signal 9)",
            "    2. checksum-mismatch (child: exit code 1)",
            "\nPlaces\n",
            "/srv/import/lightning.log",
            "\nEnvironment\n    folder  /srv/import",
            "safe-lightning 0.1",
        )
    ]
    assert places == sorted(places)
    assert "hunter2" not in text


def test_a_report_is_80_columns_wide_but_for_paths(call: Call, full: Path) -> None:
    wide = [line for line in call(report, "last").text.splitlines() if len(line) > 80]
    assert [line for line in wide if str(full) not in line] == []


def test_the_json_form_is_the_recorded_result(call: Call, full: Path) -> None:
    assert call(report, "last", "--json").json == json.loads((full / "result.json").read_bytes())


def test_a_report_can_be_written_to_a_file(call: Call, full: Path, tmp_path: Path) -> None:
    called = call(report, "last", "--output", tmp_path / "report.txt")
    assert (called.code, called.stdout) == (0, b"")
    assert (tmp_path / "report.txt").read_text() == call(report, "last").text


def test_a_place_that_cannot_be_written_is_said(call: Call, full: Path, tmp_path: Path) -> None:
    called = call(report, "last", "--output", tmp_path / "none" / "report.txt")
    assert called.code == 64
    assert "cannot be written" in called.stderr


def test_the_page_is_written_into_the_run_and_its_place_printed(call: Call, full: Path) -> None:
    called = call(report, "last", "--html")
    assert (called.code, called.text) == (0, f"{full / 'report.html'}\n")
    assert (full / "report.html").read_text().startswith("<!doctype html>")


def test_the_page_can_be_written_elsewhere(call: Call, full: Path, tmp_path: Path) -> None:
    called = call(report, "last", "--html", "--output", tmp_path / "page.html")
    assert (called.code, called.text) == (0, f"{tmp_path / 'page.html'}\n")
    assert "checksum-mismatch" in (tmp_path / "page.html").read_text()
    assert not (full / "report.html").exists()


def open_page(state: Path, folder: Path, browser: str) -> subprocess.CompletedProcess[str]:
    """Ask for the page of the last run in a process whose environment knows this browser and no other."""
    (folder / "policy.toml").write_text(f'schema = 1\nstate_dir = "{state}"\n')
    environ = {"SAFE_LIGHTNING_CONFIG": str(folder / "policy.toml"), "BROWSER": f"{browser} %s", "PATH": str(folder)}
    command = [sys.executable, "-m", "safe_lightning", "report", "last", "--open"]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)


def test_the_page_is_opened_by_the_browser_of_the_environment(full: Path, state: Path, tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path / "opened"}\n')
    browser.chmod(0o755)
    ended = open_page(state, tmp_path, str(browser))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (tmp_path / "opened").read_text() == (full / "report.html").as_uri()


def test_a_browser_that_cannot_be_opened_is_said(full: Path, state: Path, tmp_path: Path) -> None:
    ended = open_page(state, tmp_path, "/bin/false")
    assert (ended.returncode, ended.stdout) == (0, f"{full / 'report.html'}\n")
    assert "no browser could be opened" in ended.stderr


def test_json_and_a_page_cannot_be_asked_for_at_once(call: Call, full: Path) -> None:
    called = call(report, "last", "--json", "--html")
    assert (called.code, called.stdout) == (64, b"")
    assert "ask for one of them" in called.stderr


@pytest.mark.parametrize("word", ["xy", "last"])
def test_a_run_that_is_not_there_is_said(call: Call, word: str) -> None:
    called = call(report, word)
    assert (called.code, called.stdout, called.stderr.count("\n")) == (66, b"", 1)


def test_a_run_that_is_going_on_is_reported_as_far_as_it_has_come(call: Call, state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    record.enter("importing", STARTED_AT + 1, os.getpid())
    assert "still going on: importing since 2026-11-24T16:00:01.500Z" in call(report, "last").text
    assert call(report, "last", "--json").json["outcome"] is None
    record.close()
    assert "died without writing its end" in call(report, "last").text


def test_a_dead_run_that_was_closed_is_reported_with_what_it_was_doing(
    call: Call, make_run: MakeRun, state: Path
) -> None:
    make_run("ab12", outcome=None)
    close_dead_runs(state, STARTED_AT + 3600)
    text = call(report, "last").text
    assert "safe-lightning: killed (exit code not known)" in text
    assert "died before it had begun to look" in " ".join(text.split())


@pytest.mark.parametrize(
    "name", ["verdicts.jsonl", "steps.jsonl", "plan.json", "argv.json", "log.json", "phases.jsonl"]
)
@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"steps": [1, {}], "versions": 3, "environment": {}}'])
def test_a_spoiled_part_of_the_record_hides_nothing_else(call: Call, full: Path, name: str, content: bytes) -> None:
    (full / name).write_bytes(content)
    called = call(report, "last")
    assert called.code == 0, called.stderr
    assert "safe-lightning: checksum-mismatch" in called.text


def test_control_characters_of_the_record_do_not_reach_the_terminal(call: Call, make_run: MakeRun) -> None:
    evil = "\x1b[2J\x9b1m"
    table = TableResult(TableName(evil, evil), "checksum-mismatch", None, evil)
    make_run(
        "ab12", outcome=Outcome.DATA_ERROR, reason=evil, root_error=evil, tables=(table,), notes=(evil,), version=evil
    )
    text = call(report, "last").text
    assert not [letter for letter in text if not letter.isprintable() and letter != "\n"]


def test_through_the_front_door_both_verbs_answer(full: Path, state: Path, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(f'schema = 1\nstate_dir = "{state}"\n')
    environ = {**os.environ, "SAFE_LIGHTNING_CONFIG": str(tmp_path / "policy.toml")}
    for words, begin in (
        (["history", "--json"], b'[{"schema": 1, "run": "ab12cd34"'),
        (["report", "last"], b"Run         ab12"),
    ):
        ended = subprocess.run([sys.executable, "-m", "safe_lightning", *words], env=environ, capture_output=True)
        assert ended.stdout.startswith(begin), ended.stderr.decode()
