"""Runs are found by id, by its beginning, or as the last; what is not found is named."""

from __future__ import annotations

from pathlib import Path

import pytest
from record_helpers import STARTED_AT, MakeRun

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.record.lookup import NoSuchRun, find_run, newest_first
from safe_lightning.record.run_dir import RunDir


@pytest.mark.parametrize("word", ["ab12cd34", "ab12", "ab1", "20261124T160000.500Z-ab12cd34"])
def test_a_run_is_found_by_its_id_or_a_unique_beginning(state: Path, make_run: MakeRun, word: str) -> None:
    folder = make_run("ab12cd34")
    make_run("ac99", STARTED_AT + 1)
    assert find_run(state, word) == folder


def test_a_whole_id_wins_over_those_that_begin_with_it(state: Path, make_run: MakeRun) -> None:
    folder = make_run("ab")
    make_run("abc", STARTED_AT + 1)
    assert find_run(state, "ab") == folder


def test_last_is_the_run_that_was_started_last_whatever_the_clock_said(state: Path, make_run: MakeRun) -> None:
    make_run("first", STARTED_AT)
    folder = make_run("second", STARTED_AT - 86400)
    assert find_run(state, "last") == folder


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("a", "'a' is the beginning of 2 run ids in .*: ab12, ac99"),
        ("xy", "no run has the id 'xy', or one that begins so, in "),
        ("", "no run has the id ''"),
        ("../..", "no run has the id"),
    ],
)
def test_what_names_no_single_run_is_said(state: Path, make_run: MakeRun, word: str, words: str) -> None:
    make_run("ab12")
    make_run("ac99", STARTED_AT + 1)
    with pytest.raises(NoSuchRun, match=words):
        find_run(state, word)


@pytest.mark.parametrize("is_made", [True, False])
def test_a_state_folder_without_runs_has_no_last_one(state: Path, tmp_path: Path, is_made: bool) -> None:
    with pytest.raises(NoSuchRun, match="no run is recorded in"):
        find_run(state if is_made else tmp_path / "none", "last")


def test_runs_are_read_without_a_ledger_and_that_is_said(state: Path, make_run: MakeRun) -> None:
    make_run("r1", is_in_ledger=False)
    make_run("r2", STARTED_AT + 1, Outcome.CANCELED, is_in_ledger=False)
    (state / "ledger.sqlite").mkdir()
    runs, note = newest_first(state)
    assert [(result.run, result.outcome) for _, result in runs] == [("r2", "canceled"), ("r1", "succeeded")]
    assert "read without the ledger" in note
    assert len(newest_first(state, limit=1)[0]) == 1


def test_a_state_folder_that_never_was_is_no_trouble(tmp_path: Path) -> None:
    assert newest_first(tmp_path / "none") == ([], "")


def test_a_living_run_has_no_outcome_and_a_dead_one_an_unknown_one(state: Path, make_run: MakeRun) -> None:
    living = RunDir.create(state, "living", STARTED_AT)
    make_run("dead", STARTED_AT + 1, outcome=None)
    runs, _ = newest_first(state)
    assert {result.run: result.outcome for _, result in runs} == {"living": None, "dead": Outcome.UNKNOWN}
    living.close()


def test_runs_that_cannot_be_listed_are_not_none(state: Path) -> None:
    (state / "runs").rmdir()
    (state / "runs").write_text("")
    for look in (newest_first, lambda s: find_run(s, "last")):
        with pytest.raises(CouldNotLook, match="Not a directory"):
            look(state)
