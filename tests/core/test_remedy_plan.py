"""From causes and policy to a plan: nothing by default, one answer per table, a retry only where it can succeed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from safe_lightning.core.cause import Cause
from safe_lightning.core.causes.names import CHOICES
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.remedy import RemedyFor, plan_remedy
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, ImportReport, Plan, TableResult
from safe_lightning.policy.model import RemedyRule

A, B = TableName("app", "a"), TableName("app", "b")
MISMATCH = "checksum-mismatch"


def report(*tables: tuple[TableName | None, str], incomplete: bool = False) -> ImportReport:
    outcome = Outcome.CHECKSUM_INCOMPLETE if incomplete else Outcome.CHECKSUM_MISMATCH
    results = tuple(TableResult(name, status) for name, status in tables)
    return ImportReport(outcome, "", 1, None, None, results, None, (), checksum_incomplete=incomplete)


def causes(**confidence: float) -> tuple[Cause, ...]:
    return tuple(Cause(name.replace("_", "-"), value, (), "") for name, value in confidence.items())


def policy(**answers: RemedyRule) -> RemedyFor:
    known: Mapping[str, RemedyRule] = {name.replace("_", "-"): rule for name, rule in answers.items()}

    def ask(table: TableName, cause: str) -> tuple[RemedyRule, str]:
        rule = known.get(cause)
        return (rule, "per policy") if rule else (RemedyRule(), "per default")

    return ask


def told(plan: Plan | None) -> tuple[list[tuple[str, str]], int]:
    assert plan
    return [(str(step.action), step.table.table) for step in plan.steps], plan.max_attempts if plan.then_retry else 0


DESTROY = RemedyRule(action="destroy", then="retry", max_attempts=2)
DESTROY_ONCE = RemedyRule(action="destroy", then="retry", max_attempts=1)
IGNORE = RemedyRule(action="ignore", then="retry")
REMOVE = RemedyRule(action="remove")
REPORT_AND_RETRY = RemedyRule(then="retry")
KEYS = causes(key_conflicts=0.9)


@pytest.mark.parametrize(
    ("found", "answers", "steps", "retries"),
    [
        (KEYS, policy(), [("report", "a")], 0),
        (KEYS, policy(key_conflicts=REMOVE), [("remove", "a")], 0),
        (KEYS, policy(key_conflicts=IGNORE), [("ignore", "a")], 1),
        (KEYS, policy(key_conflicts=DESTROY), [("destroy", "a")], 2),
        (KEYS, policy(rows_before=DESTROY), [("report", "a")], 0),
        (KEYS, policy(key_conflicts=REPORT_AND_RETRY), [("report", "a")], 0),  # the failure stays recorded
        (
            causes(leftover_checkpoint=0.75, key_conflicts=0.3),
            policy(leftover_checkpoint=DESTROY, key_conflicts=IGNORE),
            [("destroy", "a")],
            2,
        ),
        # equally likely: only where all answers agree
        (
            causes(key_conflicts=0.5, rows_before=0.5),
            policy(key_conflicts=DESTROY, rows_before=REMOVE),
            [("report", "a")],
            0,
        ),
        (causes(key_conflicts=0.5, rows_before=0.4), policy(key_conflicts=DESTROY), [("report", "a")], 0),
        (
            causes(key_conflicts=0.5, rows_before=0.5),
            policy(key_conflicts=DESTROY, rows_before=DESTROY_ONCE),
            [("destroy", "a")],
            1,
        ),
        (causes(key_conflicts=0.5, rows_before=0.39), policy(key_conflicts=DESTROY), [("destroy", "a")], 2),
    ],
)
def test_one_table(found: tuple[Cause, ...], answers: RemedyFor, steps: list[tuple[str, str]], retries: int) -> None:
    assert told(plan_remedy(report((A, MISMATCH)), {A: found}, answers)) == (steps, retries)


@pytest.mark.parametrize(
    ("tables", "found", "steps", "retries"),
    [
        ([(A, MISMATCH), (B, MISMATCH)], {A: KEYS, B: KEYS}, [("destroy", "a"), ("destroy", "b")], 2),
        (
            [(A, MISMATCH), (B, MISMATCH)],
            {A: KEYS, B: causes(unexplained=1.0)},
            [("destroy", "a"), ("report", "b")],
            0,
        ),
        ([(A, MISMATCH), (B, "failed at imported")], {A: KEYS}, [("destroy", "a")], 0),
        ([(A, MISMATCH), (B, "checksum-passed")], {A: KEYS}, [("destroy", "a")], 2),
        ([(A, MISMATCH), (None, MISMATCH)], {A: KEYS, None: KEYS}, [("destroy", "a")], 0),
    ],
    ids=["all", "one only reported", "one failed otherwise", "one is well", "one not named"],
)
def test_several_tables(
    tables: list[tuple[TableName | None, str]],
    found: dict[TableName | None, tuple[Cause, ...]],
    steps: list[tuple[str, str]],
    retries: int,
) -> None:
    assert told(plan_remedy(report(*tables), found, policy(key_conflicts=DESTROY))) == (steps, retries)


@pytest.mark.parametrize(
    ("rule", "retries"),
    [
        (RemedyRule(), 0),
        (REPORT_AND_RETRY, 1),
        (IGNORE, 1),
        (RemedyRule(action="destroy", then="retry"), 0),
        (RemedyRule(action="remove", then="retry"), 0),
    ],
)
def test_an_incomplete_checksum_is_repeated_at_most_and_never_treated(rule: RemedyRule, retries: int) -> None:
    unfinished = report((A, "imported, not verified"), (B, "checksum-passed"), incomplete=True)
    plan = plan_remedy(unfinished, {}, policy(checksum_incomplete=rule))
    assert told(plan) == ([("report", "a")], retries)


@pytest.mark.parametrize(
    ("ended", "found"), [(report((A, "checksum-passed")), {}), (report((None, MISMATCH)), {None: KEYS}), (report(), {})]
)
def test_without_a_named_mismatch_there_is_no_plan(
    ended: ImportReport, found: dict[TableName | None, tuple[Cause, ...]]
) -> None:
    assert plan_remedy(ended, found, policy(key_conflicts=DESTROY)) is None


def test_each_step_says_where_its_answer_comes_from() -> None:
    plan = plan_remedy(report((A, MISMATCH)), {A: KEYS}, policy(key_conflicts=REMOVE))
    assert plan
    assert (plan.steps[0].action, plan.steps[0].reason) == (Action.REMOVE, "key-conflicts (90%); per policy")
    assert plan.reason == "1 table treated"


@pytest.mark.parametrize(
    ("found", "least", "action"),
    [
        (causes(leftover_checkpoint=0.75), 0.75, "destroy"),
        (causes(leftover_checkpoint=0.74), 0.75, "report"),
        (causes(leftover_checkpoint=0.5), 0.5, "destroy"),
        (causes(leftover_checkpoint=0.49), 0.5, "report"),
        (causes(leftover_checkpoint=0.1), 0.0, "destroy"),
    ],
)
def test_below_the_confidence_that_the_policy_asks_for_a_cause_is_only_reported(
    found: tuple[Cause, ...], least: float, action: str
) -> None:
    rule = RemedyRule(action="destroy", then="retry", least_confidence=least)
    plan = plan_remedy(report((A, MISMATCH)), {A: found}, policy(leftover_checkpoint=rule))
    assert told(plan) == ([(action, "a")], 1 if action == "destroy" else 0)
    assert plan is not None
    assert ("less sure than the policy asks" in plan.steps[0].reason) == (action == "report")


def test_of_causes_that_are_equally_likely_the_strictest_floor_counts() -> None:
    sure, unsure = RemedyRule(action="destroy", least_confidence=0.9), RemedyRule(action="destroy")
    found = causes(key_conflicts=0.8, rows_before=0.75)
    plan = plan_remedy(report((A, MISMATCH)), {A: found}, policy(key_conflicts=unsure, rows_before=sure))
    assert told(plan) == ([("report", "a")], 0)


@pytest.mark.parametrize("cause", [name for name in CHOICES if name not in ("any", "leftover-checkpoint")])
def test_the_remedy_for_one_cause_is_never_done_for_another(cause: str) -> None:
    found = (Cause(cause, 0.95, (), ""),)
    plan = plan_remedy(report((A, MISMATCH)), {A: found}, policy(leftover_checkpoint=DESTROY))
    assert told(plan) == ([("report", "a")], 0)


@pytest.mark.parametrize("words", ["GC life time is shorter than transaction duration", "Region is unavailable", "EOF"])
@pytest.mark.parametrize("rule", [DESTROY, REMOVE])
def test_good_work_is_never_thrown_away_because_its_checksum_was_not_completed(words: str, rule: RemedyRule) -> None:
    end = ImportReport(
        Outcome.CHECKSUM_INCOMPLETE, words, 1, None, None, (TableResult(A, "imported, not verified"),), words, (),
        checksum_incomplete=True,
    )  # fmt: skip
    plan = plan_remedy(end, {}, lambda table, cause: (rule, "per policy"))
    assert told(plan) == ([("report", "a")], 0)


def test_a_failure_is_not_ignored_where_the_next_run_would_prove_nothing() -> None:
    for is_required, action in ((True, "ignore"), (False, "report")):
        plan = plan_remedy(report((A, MISMATCH)), {A: KEYS}, policy(key_conflicts=IGNORE), is_required)
        assert told(plan)[0] == [(action, "a")]
