"""Settling a cause: which check comes next, when none does, and what a check changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from safe_lightning.core.cause import MismatchFacts, find_causes, tied
from safe_lightning.core.clues import EngineClue
from safe_lightning.core.examination import Examination, count_conflicts, with_examination
from safe_lightning.core.settling import Check, next_check, settle
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.told_facts import told_before
from safe_lightning.core.verdict import CouldNotLook, Finding, Status, Verdict

TABLE = TableName("app", "items")
FEWER = Comparison(Totals(1, 3004, 147075), Totals(2, 3006, 147183))
MORE = Comparison(Totals(1, 3003, 147032), Totals(2, 3000, 146893))
OTHER = Comparison(Totals(1, 3000, 146893), Totals(2, 3000, 146900))
COUNT, SUM, CHECK, SCAN = Check.COUNT_ENTRIES, Check.CHECKSUM_AGAIN, Check.CHECK_TABLE, Check.SCAN_KEYS


def facts(comparison: Comparison, **known: Any) -> MismatchFacts:
    return MismatchFacts(comparison, **{"table": TABLE, "was_resumed": False, **known})


@pytest.mark.parametrize(
    ("known", "made", "wanted"),
    [
        (facts(FEWER), (), COUNT),
        (facts(FEWER, rows_in_target=1002, entries_in_target={"k": 1002}), (), SUM),
        (facts(FEWER, rows_in_target=1002, entries_in_target={"k": 1002}), (SUM,), CHECK),
        (facts(FEWER, rows_in_target=1002, entries_in_target={"k": 1002}, is_consistent=True), (), SUM),
        (facts(FEWER), (COUNT, CHECK), SCAN),
        (facts(FEWER), (COUNT, CHECK, SCAN), None),
        (facts(FEWER, duplicate_keys_skipped=2), (), None),
        (facts(FEWER, conflicts_found=2, conflicts_folded=0), (), None),
        (facts(FEWER, was_resumed=True), (), COUNT),
        (facts(MORE), (), SUM),
        (facts(MORE, checksum_now=MORE.remote), (), None),
        (facts(OTHER), (), SUM),
        (facts(OTHER, checksum_now=OTHER.local), (), None),
        (facts(Comparison(Totals(9, 0, 0), FEWER.local)), (), None),
    ],
)
def test_the_cheapest_check_that_can_tell_apart_comes_next(
    known: MismatchFacts, made: tuple[Check, ...], wanted: Check | None
) -> None:
    assert next_check(find_causes(known), known, made) is wanted


class Answering:
    """Answers checks as a test lays down; a text is a look that fails."""

    def __init__(self, **answers: Examination | str) -> None:
        self.answers = answers
        self.asked: list[Check] = []

    def examine(self, table: TableName) -> Examination:
        raise AssertionError("settling takes no cheap looks")

    def check(self, table: TableName, check: Check) -> Examination:
        self.asked.append(check)
        answer = self.answers[check.name]
        if isinstance(answer, str):
            raise CouldNotLook(answer)
        return answer


COUNTED_STRAY = Examination(rows_in_target=1000, entries_in_target={"uk": 1002, "k": 1002})
COUNTED_EVEN = Examination(rows_in_target=1002, entries_in_target={"uk": 1002, "k": 1002})
NOBODY = "the server is gone"


@pytest.mark.parametrize(
    ("known", "answers", "asked", "first"),
    [
        (facts(FEWER), {"COUNT_ENTRIES": COUNTED_STRAY, "CHECK_TABLE": Examination(is_consistent=False),
                        "SCAN_KEYS": Examination(conflicts_found=2, conflicts_folded=0)},
         [COUNT, CHECK, SCAN], "key-conflicts"),
        (facts(FEWER), {"COUNT_ENTRIES": NOBODY, "CHECK_TABLE": NOBODY,
                        "SCAN_KEYS": Examination(conflicts_found=0, conflicts_folded=2)},
         [COUNT, CHECK, SCAN], "collation-conflicts"),
        (facts(FEWER, was_resumed=True),
         {"COUNT_ENTRIES": Examination(rows_in_target=0, entries_in_target={"uk": 3004})},
         [COUNT], "engine-never-ingested"),
        (facts(MORE), {"CHECKSUM_AGAIN": Examination(checksum_now=Totals(5, 3010, 147400))}, [SUM],
         "concurrent-writes"),
        (facts(FEWER, version="v5.1.0", conflicts_found=0, conflicts_folded=0),
         {"CHECKSUM_AGAIN": Examination(checksum_now=FEWER.local)}, [SUM], "version-bug"),
        (facts(OTHER), {"CHECKSUM_AGAIN": Examination(checksum_now=OTHER.local)}, [SUM], "unexplained"),
    ],
    ids=["stray-entries", "only-the-scan-can-look", "one-engine", "still-written", "read-too-early", "all-is-there"],
)  # fmt: skip
def test_checks_are_made_until_the_cause_is_settled(
    known: MismatchFacts, answers: dict[str, Examination | str], asked: list[Check], first: str
) -> None:
    checks = Answering(**answers)
    settled = settle(known, checks, 9, lambda: 0.0)
    assert checks.asked == asked
    assert [cause.name for cause in tied(settled.causes)] == [first]
    assert [step.check for step in settled.steps] == asked
    assert [step.has_failed for step in settled.steps] == [isinstance(answers[check.name], str) for check in asked]


def test_no_more_checks_are_made_than_the_policy_says() -> None:
    checks = Answering(COUNT_ENTRIES=NOBODY, CHECK_TABLE=NOBODY, SCAN_KEYS=NOBODY)
    assert len(settle(facts(FEWER), checks, 2, lambda: 0.0).steps) == 2
    assert settle(facts(FEWER), checks, 0, lambda: 0.0).steps == ()
    assert settle(facts(FEWER, table=None), checks, 9, lambda: 0.0).steps == ()


def test_a_check_that_failed_changes_nothing_and_says_why() -> None:
    ticks: Iterator[float] = iter([1.0, 3.5])
    settled = settle(facts(FEWER), Answering(COUNT_ENTRIES=NOBODY), 1, lambda: next(ticks))
    (step,) = settled.steps
    assert (step.result, step.seconds) == (NOBODY, 2.5)
    assert settled.facts == facts(FEWER)
    assert str(step) == "rows and index entries counted: the server is gone"


def test_data_that_are_proven_right_have_no_cause_that_lies_in_them() -> None:
    known = facts(FEWER, duplicate_keys_skipped=2, checksum_now=FEWER.local)
    assert [cause.name for cause in find_causes(known)] == ["unexplained"]
    assert "exactly the source's sums" in find_causes(known)[0].evidence[1]


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ([], (0, 0)),
        ([(0, {})], (0, 0)),
        ([(2, {"same-key": 2})], (2, 0)),
        ([(2, {"under-collation": 1, "truncated": 1})], (0, 2)),
        ([(2, {"identical-rows": 1}), (3, {"after-cast": 3})], (1, 3)),
        ([(1, {"identical-rows": 1}), (3, {"after-cast": 3})], (1, 3)),
        ([(5, {"same-key": 2})], (5, None)),
        ([(5, {"under-collation": 2})], (None, 5)),
        ([(2, {"not-read-again": 2})], (None, None)),
        ([(2, {})], (None, None)),
    ],
)
def test_duplicate_keys_are_split_by_what_makes_them_equal(
    keys: list[tuple[int, dict[str, int]]], found: tuple[int | None, int | None]
) -> None:
    assert count_conflicts(keys) == found


def verdict_of_scan(status: str, mode: str = "exact", *findings: Finding) -> Verdict:
    tables = {str(TABLE): {"rows": 42, "files": 1, "status": status}}
    return Verdict(Status.WARN, "key-conflicts", "m", findings, data={"mode": mode, "tables": tables})


TWINS = Finding("key-conflicts", "m", TABLE, {"duplicate_keys": 2, "why": {"same-key": 2}})


@pytest.mark.parametrize(
    ("verdict", "seen"),
    [
        (verdict_of_scan("clean"), Examination(rows_in_source=42, conflicts_found=0, conflicts_folded=0)),
        (
            verdict_of_scan("conflicts", "exact", TWINS),
            Examination(rows_in_source=42, conflicts_found=2, conflicts_folded=0),
        ),
        (verdict_of_scan("conflicts", "exact", TWINS, Finding("more-findings", "m")), Examination(rows_in_source=42)),
        (verdict_of_scan("conflicts"), Examination(rows_in_source=42)),
        (verdict_of_scan("clean", "sample"), Examination()),
        (verdict_of_scan("not-checked"), Examination()),
        (
            Verdict(Status.WARN, "checkpoint-stale", "m", (Finding("stale", "m", TABLE),)),
            Examination(checkpoint_verdict="stale"),
        ),
        (
            Verdict(Status.WARN, "checkpoint-stale", "m", (Finding("stale", "m", TableName("app", "b")),)),
            Examination(),
        ),
        (Verdict(Status.WARN, "mine", "m", data={"mode": "exact", "tables": "rubbish"}), Examination()),
    ],
)
def test_what_hooks_said_before_is_taken_up(verdict: Verdict, seen: Examination) -> None:
    assert told_before([verdict], TABLE) == seen


def test_a_range_of_keys_per_row_replaces_what_the_log_counted_and_a_number_does_not() -> None:
    known = facts(FEWER, keys_per_row=3)
    assert with_examination(known, Examination(keys_per_row=4)).keys_per_row == 3
    ranged = with_examination(known, Examination(keys_per_row=2, keys_per_row_most=4))
    assert (ranged.keys_per_row, ranged.keys_per_row_most) == (2, 4)


@pytest.mark.parametrize(
    ("ingested", "lost"), [((), ("0",)), ((EngineClue("0", 9, 0),), ("0",)), ((EngineClue("0", 9, 9),), ())]
)
def test_an_engine_that_this_run_ingested_is_not_lost_any_more(
    ingested: tuple[EngineClue, ...], lost: tuple[str, ...]
) -> None:
    known = facts(FEWER, engines=ingested)
    seen = with_examination(known, Examination(lost_engines=(EngineClue("0", 9, 0),)))
    assert tuple(engine.engine for engine in seen.lost_engines) == lost


def test_what_a_later_look_could_not_see_stays_known() -> None:
    first = Examination(rows_in_source=7, not_known=("a",))
    joined = first.joined(Examination(rows_in_target=8, not_known=("a", "b")))
    assert (joined.rows_in_source, joined.rows_in_target, joined.not_known) == (7, 8, ("a", "b"))
