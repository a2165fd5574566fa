"""The ledger: an index that may be lost, spoiled or behind, and is made again from the directories."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from record_helpers import STARTED_AT, MakeRun, Start

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import TableResult
from safe_lightning.record.durable import to_bytes
from safe_lightning.record.ledger import Ledger, LedgerUnavailable
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_dir import RunDir


def runs(state: Path) -> list[tuple[str, str | None]]:
    with Ledger.open(state) as ledger:
        return [(result.run, result.outcome) for _, result in ledger.entries()]


def test_runs_come_newest_first(state: Path, make_run: MakeRun) -> None:
    for number in range(3):
        make_run(f"r{number}", STARTED_AT + number)
    assert [run for run, _ in runs(state)] == ["r2", "r1", "r0"]
    with Ledger.open(state) as ledger:
        assert [result.run for _, result in ledger.entries(limit=1)] == ["r2"]
        assert [result.run for _, result in ledger.entries(newest_first=False)] == ["r0", "r1", "r2"]


def test_a_clock_set_back_does_not_change_which_run_was_last(state: Path, make_run: MakeRun) -> None:
    make_run("first", STARTED_AT)
    make_run("second", STARTED_AT - 86400)
    assert [run for run, _ in runs(state)] == ["second", "first"]


def test_a_run_in_progress_has_no_outcome(state: Path, make_run: MakeRun) -> None:
    make_run("ab12", outcome=None)
    assert runs(state) == [("ab12", None)]


@pytest.mark.parametrize("loss", ["ledger.sqlite", None])
def test_runs_that_the_ledger_does_not_know_are_entered(state: Path, make_run: MakeRun, loss: str | None) -> None:
    make_run("r1")
    if loss:
        (state / loss).unlink()
    make_run("r2", STARTED_AT + 1, Outcome.CANCELED, is_in_ledger=False)
    assert runs(state) == [("r2", "canceled"), ("r1", "succeeded")]


def test_a_result_that_was_written_before_the_process_died_is_entered_later(state: Path, make_run: MakeRun) -> None:
    folder = make_run("r1", outcome=None)
    result = RunResult("r1", STARTED_AT, outcome=Outcome.KILLED)
    (folder / "result.json").write_bytes(to_bytes(result.to_json()))
    assert runs(state) == [("r1", "killed")]


def test_a_run_whose_folder_is_gone_is_taken_out(state: Path, make_run: MakeRun) -> None:
    shutil.rmtree(make_run("r1"))
    assert runs(state) == []


def zeroes(path: Path) -> None:
    path.write_bytes(b"\0" * 8192)


def text(path: Path) -> None:
    path.write_text("this is no database, however long it may be " * 50)


def middle_overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[100:4096] = b"\xff" * 3996
    path.write_bytes(bytes(data))


def other_format(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


@pytest.mark.parametrize("spoil", [zeroes, text, middle_overwritten, other_format])
def test_a_spoiled_ledger_is_kept_aside_and_made_anew(state: Path, make_run: MakeRun, spoil: object) -> None:
    make_run("r1")
    spoil(state / "ledger.sqlite")  # type: ignore[operator]
    with Ledger.open(state) as ledger:
        assert "ledger.spoiled-1.sqlite" in ledger.note
        assert [result.run for _, result in ledger.entries()] == ["r1"]
    assert (state / "ledger.spoiled-1.sqlite").exists()
    with Ledger.open(state) as ledger:
        assert ledger.note == ""


def test_a_result_that_is_spoiled_hides_no_other_run(state: Path, make_run: MakeRun) -> None:
    (make_run("r1", is_in_ledger=False) / "result.json").write_bytes(b'{"schema": 1, "run": "r1"')
    make_run("r2", STARTED_AT + 1)
    assert runs(state) == [("r2", "succeeded"), ("r1", "unknown")]


def test_integers_beyond_64_bits_come_back_exact(state: Path) -> None:
    totals = Totals(2**64 - 1, 2**70, 3)
    table = TableResult(TableName("a", "b"), "checksum-mismatch", Comparison(totals, totals))
    record = RunDir.create(state, "big", STARTED_AT)
    assert record.path is not None
    with Ledger.open(state) as ledger:
        ledger.finish(record.path, RunResult("big", STARTED_AT, outcome=Outcome.CHECKSUM_MISMATCH, tables=(table,)))
        [(_, result)] = ledger.entries()
    assert result.tables == (table,)
    record.close()


WRITING = """
import sys
from pathlib import Path
from dataclasses import replace
from safe_lightning.core.outcome import Outcome
from safe_lightning.record.durable import to_bytes
from safe_lightning.record.ledger import Ledger
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_dir import RunDir
state, name = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    run = f"{name}{number}"
    record = RunDir.create(state, run, 1795536000.5 + number)
    with Ledger.open(state) as ledger:
        ledger.start(record.path)
        result = RunResult(run, 1795536000.5, outcome=Outcome.SUCCEEDED)
        record.finish(result)
        ledger.finish(record.path, result)
    record.close()
"""


def test_several_processes_write_at_once_and_nothing_is_lost(state: Path, start: Start) -> None:
    writers = [start(WRITING, state, name) for name in ("a", "b", "c")]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    assert sorted(runs(state)) == sorted((f"{n}{i}", "succeeded") for n in "abc" for i in range(20))


def test_a_ledger_that_cannot_be_opened_is_said(state: Path) -> None:
    (state / "ledger.sqlite").mkdir()
    with pytest.raises(LedgerUnavailable, match=r"ledger\.sqlite"):
        Ledger.open(state)


def test_runs_are_forgotten(state: Path, make_run: MakeRun) -> None:
    folder = make_run("r1")
    with Ledger.open(state) as ledger:
        ledger.forget(["r1"])
        assert ledger.entries() == []
        ledger.finish(folder, replace(RunResult("r1", STARTED_AT), outcome=Outcome.HUNG))
        assert [result.outcome for _, result in ledger.entries()] == ["hung"]
