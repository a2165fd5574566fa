"""The laws: from facts under which everything is allowed, each single one turned bad or unknown forbids."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.checkpoint import TableRecord
from safe_lightning.core.safety import SafetyFacts, forbidden, rows_seen
from safe_lightning.core.tables import Comparison, TableName, Totals
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
    objections=(),
)
ACTS = [Action.IGNORE, Action.REMOVE, Action.DESTROY, Action.QUARANTINE]
#: What is done to the checkpoint or to the task by ourselves alone.
OWN_ACTS = [Action.REWIND, Action.RESUME_REPLACE]

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
#: What matters to the control tool alone.
TOOL_ONLY = {"no-control-tool", "no-pd"}
#: Facts that forbid taking a table away, and nothing else; only a drop must be agreed to in words.
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
    (
        {"is_physical": True, "entry": replace(FAILED, rows=9), "target": replace(SEEN, row_count=10)},
        1,
        "rows-of-others",
    ),
    ({"is_physical": True, "rows_seen": 9, "target": replace(SEEN, row_count=10)}, 1, "rows-of-others"),
]
#: What a drop loses and a renaming does not.
DROP_ONLY = {"not-agreed", "rows-of-others"}
#: Facts that forbid a table that was set aside by a run that died to be treated as such.
ASIDE: list[tuple[dict[str, Any], int, str]] = [
    ({"is_aside_already": True, "target": replace(SEEN, table_id=8, is_empty=False)}, 1, "other-table"),
    ({"is_aside_already": True, "target": replace(SEEN, table_id=8, is_empty=None)}, 1, "other-table"),
    ({"is_aside_already": True, "target": None}, 1, "target-not-seen"),
]
#: What an act's own rules say against it.
OBJECTIONS: list[tuple[dict[str, Any], int, str]] = [
    ({"objections": None}, 0, "not-examined"),
    ({"objections": ("a trigger would follow it",)}, 0, "objection"),
]
ONLY_RECORDED_FAILURES: list[dict[str, Any]] = [
    {"entry": replace(FAILED, status=status)} for status in (0, 30, 60, 120, 180, 210, 26)
]


def ids(table: list[tuple[dict[str, Any], int, str]]) -> list[str]:
    return [f"{'+'.join(facts)}: {code}" for facts, _, code in table]


@pytest.mark.parametrize("action", list(Action))
def test_from_here_everything_is_allowed(action: Action) -> None:
    assert forbidden(Step(action, TABLE, ""), ALLOWED) is None


@pytest.mark.parametrize("action", ACTS)
@pytest.mark.parametrize(("facts", "law", "code"), ALWAYS, ids=ids(ALWAYS))
def test_what_forbids_every_act(action: Action, facts: dict[str, Any], law: int, code: str) -> None:
    refusal = forbidden(Step(action, TABLE, ""), replace(ALLOWED, **facts))
    assert refusal
    assert (refusal.law, refusal.code) == (law, code)


@pytest.mark.parametrize("action", OWN_ACTS)
@pytest.mark.parametrize(("facts", "law", "code"), ALWAYS, ids=ids(ALWAYS))
def test_what_forbids_acts_that_need_no_tool(action: Action, facts: dict[str, Any], law: int, code: str) -> None:
    refusal = forbidden(Step(action, TABLE, ""), replace(ALLOWED, **facts))
    assert (refusal and refusal.code) == (None if code in TOOL_ONLY else code)


@pytest.mark.parametrize("action", [Action.DESTROY, Action.QUARANTINE])
@pytest.mark.parametrize(("facts", "law", "code"), DROPS + ASIDE, ids=ids(DROPS + ASIDE))
def test_what_forbids_taking_a_table_away(action: Action, facts: dict[str, Any], law: int, code: str) -> None:
    refusal = forbidden(Step(action, TABLE, ""), replace(ALLOWED, **facts))
    if code in DROP_ONLY and action is Action.QUARANTINE:
        assert refusal is None
        return
    assert refusal
    assert (refusal.law, refusal.code) == (law, code)
    assert forbidden(Step(Action.REMOVE, TABLE, ""), replace(ALLOWED, **facts)) is None


@pytest.mark.parametrize("there", [TableFacts(TABLE, False), replace(SEEN, table_id=8, is_empty=True)])
def test_what_is_aside_already_needs_its_place_to_be_free_or_empty(there: TableFacts) -> None:
    facts = replace(ALLOWED, is_aside_already=True, target=there)
    assert forbidden(Step(Action.QUARANTINE, TABLE, ""), facts) is None


@pytest.mark.parametrize("action", [Action.QUARANTINE, *OWN_ACTS])
@pytest.mark.parametrize(("facts", "law", "code"), OBJECTIONS, ids=ids(OBJECTIONS))
def test_an_act_with_rules_of_its_own_is_held_to_them(
    action: Action, facts: dict[str, Any], law: int, code: str
) -> None:
    refusal = forbidden(Step(action, TABLE, ""), replace(ALLOWED, **facts))
    assert refusal
    assert (refusal.law, refusal.code) == (law, code)
    assert forbidden(Step(Action.DESTROY, TABLE, ""), replace(ALLOWED, **facts)) is None


@pytest.mark.parametrize(
    ("facts", "code"),
    [({"baseline": replace(EMPTY, was_empty=False)}, "rows-before"), ({"is_own_checkpoint": False}, "other-cluster")],
)
def test_rows_from_before_are_never_overwritten(facts: dict[str, Any], code: str) -> None:
    refusal = forbidden(Step(Action.RESUME_REPLACE, TABLE, ""), replace(ALLOWED, **facts))
    assert refusal
    assert (refusal.law, refusal.code) == (1, code)


@pytest.mark.parametrize("facts", ONLY_RECORDED_FAILURES, ids=lambda f: str(f["entry"].status))
def test_without_a_recorded_failure_there_is_nothing_to_ignore_or_destroy(facts: dict[str, Any]) -> None:
    refusals = [forbidden(Step(action, TABLE, ""), replace(ALLOWED, **facts)) for action in ACTS]
    assert [refusal and refusal.code for refusal in refusals] == [
        "no-recorded-failure", None, "no-recorded-failure", None,
    ]  # fmt: skip


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
        {"is_physical": True, "entry": replace(FAILED, rows=9), "target": replace(SEEN, row_count=9)},
        {"is_physical": True, "entry": FAILED, "target": replace(SEEN, row_count=9)},
        # The logical backend commits rows before it records them.
        {"is_physical": False, "entry": replace(FAILED, rows=9), "target": replace(SEEN, row_count=10)},
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


@pytest.mark.parametrize(("facts", "law", "code"), ALWAYS + DROPS, ids=ids(ALWAYS + DROPS))
def test_acting_ourselves_needs_no_control_tool_and_breaks_no_other_law(
    facts: dict[str, Any], law: int, code: str
) -> None:
    refusal = forbidden(Step(Action.DESTROY, TABLE, ""), replace(ALLOWED, needs_control_tool=False, **facts))
    assert (refusal and refusal.code) == (None if code in TOOL_ONLY else code)


def test_every_fact_is_turned_bad_somewhere_above() -> None:
    turned = {name for facts, _, _ in ALWAYS + DROPS + ASIDE + OBJECTIONS for name in facts}
    assert turned | {"needs_control_tool", "is_given_up"} == {field.name for field in fields(SafetyFacts)}


def test_an_import_given_up_in_words_is_destroyed_unfinished_but_only_by_ourselves_and_under_every_other_law() -> None:
    unfinished = replace(ALLOWED, entry=replace(FAILED, status=60), is_given_up=True)
    step = Step(Action.DESTROY, TABLE, "")
    assert forbidden(step, unfinished)
    assert forbidden(step, replace(unfinished, needs_control_tool=False)) is None
    others = [facts for facts, _, code in ALWAYS + DROPS if code not in TOOL_ONLY and "entry" not in facts]
    assert all(forbidden(step, replace(unfinished, needs_control_tool=False, **facts)) for facts in others)


@pytest.mark.parametrize(
    ("remote", "local", "rows", "seen"),
    [(27, 36, 12, 9), (12, 12, 12, 12), (28, 36, 12, None), (27, 35, 12, None), (27, 36, None, None), (0, 0, 12, None)],
)
def test_the_rows_that_a_checksum_saw_follow_from_its_pairs(
    remote: int, local: int, rows: int | None, seen: int | None
) -> None:
    compared = Comparison(Totals(1, remote, 1), Totals(1, local, 1))
    assert rows_seen(compared, replace(FAILED, rows=rows)) == seen
    assert rows_seen(None, replace(FAILED, rows=rows)) is None


def test_what_is_not_known_forbids() -> None:
    assert all(forbidden(Step(action, TABLE, ""), SafetyFacts()) for action in ACTS)


def test_a_report_is_always_allowed() -> None:
    assert forbidden(Step(Action.REPORT, TABLE, ""), SafetyFacts(dry_run=True)) is None
