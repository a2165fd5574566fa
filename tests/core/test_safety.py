"""The laws: from facts under which everything is allowed, each single one turned bad or unknown forbids."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.checkpoint import TableRecord
from safe_lightning.core.safety import SafetyFacts, forbidden
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Step, TableBaseline, TableFacts

TABLE, OTHER = TableName("app", "t`x"), TableName("app", "t")
EMPTY = TableBaseline(TABLE, True, True, 1.0, "r1")
ABSENT = TableBaseline(TABLE, False, None, 1.0, "r1")
FAILED = TableRecord(TABLE, 18, table_id=7, created_at=100.0)
LOGICAL = replace(FAILED, table_id=0)
SEEN = TableFacts(TABLE, True, 7, 100.0, False)

ALLOWED = SafetyFacts(
    may_drop=True,
    dry_run=False,
    baseline=EMPTY,
    target=SEEN,
    entry=FAILED,
    is_own_checkpoint=True,
    is_backed_up=True,
    others_alive=False,
    is_record_trustworthy=True,
    has_control_tool=True,
    pd_answers=True,
    shares_target=False,
)
ACTS = [Action.IGNORE, Action.REMOVE, Action.DESTROY]

#: Facts that forbid every act: (facts, law, code).
ALWAYS: list[tuple[dict[str, Any], int, str]] = [
    ({"dry_run": True}, 0, "dry-run"),
    ({"entry": None}, 2, "no-entry"),
    ({"entry": replace(FAILED, table=OTHER)}, 2, "no-entry"),
    ({"entry": replace(FAILED, table=TableName("APP", "t`x"))}, 2, "no-entry"),
    ({"is_backed_up": False}, 3, "no-backup"),
    ({"others_alive": True}, 4, "not-alone"),
    ({"others_alive": None}, 4, "not-alone"),
    ({"is_record_trustworthy": False}, 6, "no-record"),
    ({"has_control_tool": False}, 0, "no-control-tool"),
    ({"pd_answers": False}, 0, "no-pd"),
    ({"pd_answers": None}, 0, "no-pd"),
]
#: Facts that forbid a destroy, and nothing else.
DROPS: list[tuple[dict[str, Any], int, str]] = [
    ({"may_drop": False}, 1, "not-agreed"),
    ({"is_own_checkpoint": None}, 1, "other-cluster"),
    ({"is_own_checkpoint": False}, 1, "other-cluster"),
    ({"baseline": None}, 1, "no-baseline"),
    ({"baseline": replace(EMPTY, table=OTHER)}, 1, "no-baseline"),
    ({"baseline": replace(EMPTY, was_empty=False)}, 1, "rows-before"),
    ({"baseline": replace(EMPTY, was_empty=None)}, 1, "rows-before"),
    ({"shares_target": True}, 1, "shared-table"),
    ({"target": None}, 1, "target-not-seen"),
    ({"target": replace(SEEN, table=OTHER)}, 1, "target-not-seen"),
    ({"target": replace(SEEN, table_id=8)}, 1, "other-table"),
    ({"target": replace(SEEN, table_id=None)}, 1, "not-identified"),
    ({"entry": LOGICAL, "target": replace(SEEN, created_at=102.1)}, 1, "other-table"),
    ({"entry": LOGICAL, "target": replace(SEEN, created_at=None)}, 1, "not-identified"),
    ({"entry": replace(LOGICAL, created_at=None)}, 1, "not-identified"),
]
ONLY_RECORDED_FAILURES: list[dict[str, Any]] = [
    {"entry": replace(FAILED, status=status)} for status in (0, 30, 60, 120, 180, 210, 26)
]


def ids(table: list[tuple[dict[str, Any], int, str]]) -> list[str]:
    return [f"{'+'.join(facts)}: {code}" for facts, _, code in table]


@pytest.mark.parametrize("action", [Action.REPORT, *ACTS])
def test_from_here_everything_is_allowed(action: Action) -> None:
    assert forbidden(Step(action, TABLE, ""), ALLOWED) is None


@pytest.mark.parametrize("action", ACTS)
@pytest.mark.parametrize(("facts", "law", "code"), ALWAYS, ids=ids(ALWAYS))
def test_what_forbids_every_act(action: Action, facts: dict[str, Any], law: int, code: str) -> None:
    refusal = forbidden(Step(action, TABLE, ""), replace(ALLOWED, **facts))
    assert refusal
    assert (refusal.law, refusal.code) == (law, code)


@pytest.mark.parametrize(("facts", "law", "code"), DROPS, ids=ids(DROPS))
def test_what_forbids_a_destroy_alone(facts: dict[str, Any], law: int, code: str) -> None:
    refusal = forbidden(Step(Action.DESTROY, TABLE, ""), replace(ALLOWED, **facts))
    assert refusal
    assert (refusal.law, refusal.code) == (law, code)
    assert forbidden(Step(Action.REMOVE, TABLE, ""), replace(ALLOWED, **facts)) is None


@pytest.mark.parametrize("facts", ONLY_RECORDED_FAILURES, ids=lambda f: str(f["entry"].status))
def test_without_a_recorded_failure_there_is_nothing_to_ignore_or_destroy(facts: dict[str, Any]) -> None:
    refusals = [forbidden(Step(action, TABLE, ""), replace(ALLOWED, **facts)) for action in ACTS]
    assert [refusal and refusal.code for refusal in refusals] == ["no-recorded-failure", None, "no-recorded-failure"]


def test_the_failure_of_an_engine_can_be_ignored_but_destroys_nothing() -> None:
    facts = replace(ALLOWED, entry=replace(FAILED, status=60, engines={0: 12}))
    assert forbidden(Step(Action.IGNORE, TABLE, ""), facts) is None
    assert forbidden(Step(Action.DESTROY, TABLE, ""), facts)


@pytest.mark.parametrize(
    "facts",
    [
        {"baseline": ABSENT},
        {"target": TableFacts(TABLE, False)},
        {"entry": LOGICAL},
        {"entry": LOGICAL, "target": replace(SEEN, created_at=101.9, table_id=None)},
    ],
)
def test_other_ways_to_be_allowed_a_destroy(facts: dict[str, Any]) -> None:
    assert forbidden(Step(Action.DESTROY, TABLE, ""), replace(ALLOWED, **facts)) is None


@pytest.mark.parametrize("schema", ["", "a\0b", "\udcff"])
@pytest.mark.parametrize("action", ACTS)
def test_a_name_that_is_no_exact_table_is_refused(action: Action, schema: str) -> None:
    table = TableName(schema, "t")
    refusal = forbidden(Step(action, table, ""), replace(ALLOWED, entry=replace(FAILED, table=table)))
    assert refusal
    assert (refusal.law, refusal.code) == (2, "inexact-name")


@given(st.text(min_size=1), st.text(min_size=1))
def test_an_allowed_name_reaches_the_tool_as_itself_and_never_as_all(schema: str, name: str) -> None:
    table = TableName(schema, name)
    target, entry, baseline = replace(SEEN, table=table), replace(FAILED, table=table), replace(EMPTY, table=table)
    facts = replace(ALLOWED, target=target, entry=entry, baseline=baseline)
    if forbidden(Step(Action.DESTROY, table, ""), facts) is None:
        assert TableName.parse(str(table)) == table
        assert str(table) != "all"


@given(st.sets(st.integers(0, len(ALWAYS + DROPS) - 1), min_size=1))
def test_no_combination_with_a_bad_fact_allows_a_destroy(chosen: set[int]) -> None:
    facts = ALLOWED
    for number in sorted(chosen):
        facts = replace(facts, **(ALWAYS + DROPS)[number][0])
    if facts != ALLOWED:
        assert forbidden(Step(Action.DESTROY, TABLE, ""), facts)


#: What matters to the control tool alone.
TOOL_ONLY = {"no-control-tool", "no-pd"}


@pytest.mark.parametrize(("facts", "law", "code"), ALWAYS + DROPS, ids=ids(ALWAYS + DROPS))
def test_acting_ourselves_needs_no_control_tool_and_breaks_no_other_law(
    facts: dict[str, Any], law: int, code: str
) -> None:
    refusal = forbidden(Step(Action.DESTROY, TABLE, ""), replace(ALLOWED, needs_control_tool=False, **facts))
    assert (refusal and refusal.code) == (None if code in TOOL_ONLY else code)


def test_every_fact_is_turned_bad_somewhere_above() -> None:
    turned = {name for facts, _, _ in ALWAYS + DROPS for name in facts}
    assert turned | {"needs_control_tool"} == {field.name for field in fields(SafetyFacts)}


def test_what_is_not_known_forbids() -> None:
    assert all(forbidden(Step(action, TABLE, ""), SafetyFacts()) for action in ACTS)


def test_a_report_is_always_allowed() -> None:
    assert forbidden(Step(Action.REPORT, TABLE, ""), SafetyFacts(dry_run=True)) is None
