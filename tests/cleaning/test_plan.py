"""What becomes of each leaving, as tables of facts: what is found, whose it is, what needs it, what forbids it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.checkpoint import CheckpointVerdict, TableRecord
from safe_lightning.core.cleaning import Act, Item, Kind, Leaving, Planned, Wish, changes_since, plan_leavings
from safe_lightning.core.cleaning_entries import Entry, Limits, plan_entries
from safe_lightning.core.safety import SafetyFacts
from safe_lightning.core.safety_leavings import LeavingFacts, forbidden_removal
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableBaseline, TableFacts

TABLE = TableName("app", "items")
FAILED = TableRecord(TABLE, 18, table_id=7, created_at=100.0, engines={-1: 120, 0: 120}, kvs=40)
SEEN = TableFacts(TABLE, True, 7, 100.0, is_empty=False)
SAFE = SafetyFacts(
    may_drop=True, baseline=TableBaseline(TABLE, False, None, 1.0, "r1"), target=SEEN, entry=FAILED,
    is_own_checkpoint=True, is_backed_up=True, others_alive=False, is_record_trustworthy=True, needs_control_tool=False,
)  # fmt: skip
PHRASE = "yes, drop"


def entry(verdict: str, rows: int | None = 40, **facts: Any) -> Entry:
    leaving = Leaving(Kind.ENTRY, str(TABLE), True, "seen", True, table=TABLE)
    return Entry(leaving, CheckpointVerdict(verdict), "the evidence", replace(SAFE, **facts), rows=rows)


def planned(found: Entry, *, gives_up: bool = False, **limits: Any) -> Item:
    [item] = plan_entries([found], Wish(gives_up=gives_up), replace(Limits(PHRASE), **limits))
    return item


GONE: dict[str, Any] = {"target": TableFacts(TABLE, False)}
EMPTY: dict[str, Any] = {"target": replace(SEEN, is_empty=True)}
FRESH = {**EMPTY, "entry": TableRecord(TABLE, 30, engines={-1: 30, 0: 30})}

#: verdict, further facts, given up: what becomes of the entry, and a part of the reason.
ENTRIES: list[tuple[str, dict[str, Any], bool, Act, str]] = [
    ("failed", {}, False, Act.DESTROY, "there was no such table before run r1"),
    ("failed", {"baseline": TableBaseline(TABLE, True, True, 1.0, "r2")}, False, Act.DESTROY, "empty before run r2"),
    ("failed", GONE, False, Act.REMOVE, "the table is gone already"),
    ("failed", EMPTY, False, Act.DESTROY, "its rows go with it"),
    ("failed", {"may_drop": False}, False, Act.KEEP, f'allow = ["{PHRASE}"]'),
    ("failed", {"may_drop": False, "baseline": None}, False, Act.KEEP, "not recorded what"),
    ("failed", {"baseline": TableBaseline(TABLE, True, False, 1.0, "r1")}, False, Act.KEEP, "had rows before"),
    ("failed", {"baseline": TableBaseline(TABLE, True, None, 1.0, "r1")}, False, Act.KEEP, "was not proven empty"),
    ("failed", {"target": None}, False, Act.KEEP, "could not be asked"),
    ("failed", {"target": replace(SEEN, table_id=8)}, False, Act.KEEP, "not the table that was imported into"),
    ("failed", {"shares_target": True}, False, Act.KEEP, "their rows would go too"),
    ("failed", {"others_alive": True}, False, Act.KEEP, "another Lightning is alive"),
    ("failed", {"others_alive": None}, False, Act.KEEP, "another Lightning may be alive"),
    ("failed", {"is_own_checkpoint": None}, False, Act.KEEP, "which cluster"),
    ("stale", GONE, False, Act.REMOVE, "the evidence"),
    ("stale", EMPTY, False, Act.REMOVE, "the evidence"),
    ("stale", {}, False, Act.KEEP, "it holds rows"),
    ("stale", {"target": replace(SEEN, is_empty=None)}, False, Act.KEEP, "is not known"),
    ("stale", {"target": None}, False, Act.KEEP, "could not be asked"),
    ("stale", {**GONE, "others_alive": None}, False, Act.KEEP, "may be alive"),
    ("finished", {}, False, Act.REMOVE, "its rows stay"),
    ("resumable", {}, False, Act.KEEP, "the next import resumes it; --give-up"),
    ("resumable", {"entry": replace(FAILED, status=60)}, True, Act.DESTROY, "its rows go with it"),
    ("resumable", FRESH, True, Act.REMOVE, "nothing was written"),
    ("resumable", {**EMPTY, "entry": replace(FAILED, status=60)}, True, Act.DESTROY, "its rows go with it"),
    ("resumable", {"may_drop": False, "entry": replace(FAILED, status=60)}, True, Act.KEEP, PHRASE),
    ("fresh", FRESH, False, Act.KEEP, "resumes it"),
    ("foreign", {}, False, Act.KEEP, "the evidence"),
    ("foreign", {}, True, Act.KEEP, "the evidence"),
    ("live", {}, True, Act.KEEP, "the evidence"),
]  # fmt: skip


@pytest.mark.parametrize(("verdict", "facts", "gives_up", "act", "said"), ENTRIES)
def test_what_becomes_of_an_entry(verdict: str, facts: dict[str, Any], gives_up: bool, act: Act, said: str) -> None:
    item = planned(entry(verdict, **facts), gives_up=gives_up)
    assert item.act is act
    assert said in item.reason


def test_a_finished_table_of_an_unfinished_import_is_what_its_resume_passes_over() -> None:
    other = replace(entry("resumable"), leaving=Leaving(Kind.ENTRY, "`a`.`b`", True, "", table=TableName("a", "b")))
    items = plan_entries([entry("finished"), other], Wish(), Limits())
    assert [item.act for item in items] == [Act.KEEP, Act.KEEP]
    given_up = plan_entries([entry("finished"), other], Wish(gives_up=True), Limits())
    assert given_up[0].act is Act.REMOVE


def test_a_resume_that_is_not_safe_is_said_to_be_so() -> None:
    item = planned(replace(entry("resumable"), danger="rows would be doubled"))
    assert (item.act, item.reason) == (Act.KEEP, "not safe to resume: rows would be doubled; --give-up starts over")


@pytest.mark.parametrize(
    ("rows", "limits", "act"),
    [
        (40, {"max_rows_dropped": 40}, Act.DESTROY),
        (41, {"max_rows_dropped": 40}, Act.KEEP),
        (None, {"max_rows_dropped": 40}, Act.KEEP),
        (None, {}, Act.DESTROY),
        (40, {"max_tables": 1}, Act.DESTROY),
    ],
)
def test_the_limits_of_the_policy(rows: int | None, limits: dict[str, Any], act: Act) -> None:
    assert planned(entry("failed", rows), **limits).act is act


def test_beyond_max_tables_nothing_is_treated() -> None:
    items = plan_entries([entry("failed"), entry("failed"), entry("resumable")], Wish(), Limits(max_tables=1))
    assert [item.act for item in items] == [Act.KEEP] * 3
    assert "max_tables" in items[0].reason


def test_what_was_not_recorded_to_be_empty_is_kept_where_the_policy_asks_for_that() -> None:
    bare = entry("stale", **GONE, baseline=None)
    assert planned(bare).act is Act.REMOVE
    assert planned(bare, require_empty_before=True).act is Act.KEEP


def test_a_table_whose_entry_a_dead_clean_up_took_is_dropped_in_the_end() -> None:
    assert planned(replace(entry("failed"), is_half_destroyed=True)).act is Act.DESTROY


OURS = Leaving(Kind.ENGINES, "folders", True, "seen", True, table=TABLE)
STAYS, GOES = planned(entry("resumable")), planned(entry("failed"))
UNREAD = Item(Leaving(Kind.ENTRY, "cp", None, "no"), None, Act.KEEP, "could not look")

#: a leaving, the entries, whether others are alive: what becomes of it, whether it is safe, a part of the reason.
LEAVINGS: list[tuple[Leaving, list[Item], bool | None, Act, bool | None, str]] = [
    (OURS, [GOES], False, Act.DELETE, True, "a later import would open them"),
    (OURS, [], False, Act.DELETE, True, ""),
    (OURS, [STAYS], False, Act.KEEP, False, "an entry of the checkpoint that stays needs it"),
    (OURS, [UNREAD], False, Act.KEEP, False, "the checkpoint could not be read"),
    (OURS, [GOES], True, Act.KEEP, False, "another Lightning is at work"),
    (OURS, [GOES], None, Act.KEEP, False, "another Lightning may be at work"),
    (replace(OURS, is_ours=None), [GOES], False, Act.KEEP, False, "not known to be this import's"),
    (replace(OURS, is_ours=False), [GOES], False, Act.KEEP, False, "not this import's"),
    (replace(OURS, held_by="process 5 holds it"), [GOES], False, Act.KEEP, False, "process 5 holds it"),
    (replace(OURS, found=None), [GOES], False, Act.KEEP, None, "could not look"),
    (replace(OURS, found=False), [GOES], False, Act.NONE, None, "nothing there"),
    (replace(OURS, kind=Kind.CHECKPOINT, table=None), [GOES], False, Act.DELETE, True, ""),
    (replace(OURS, kind=Kind.CHECKPOINT, table=None), [GOES, STAYS], False, Act.KEEP, False, "stays needs it"),
    (replace(OURS, kind=Kind.METADATA), [STAYS], False, Act.KEEP, False, "stays needs it"),
    (replace(OURS, kind=Kind.TASK_INFO), [GOES], False, Act.DELETE, True, "delete good rows"),
    (replace(OURS, kind=Kind.IMPORT_MODE, table=None), [STAYS], False, Act.SWITCH, True, ""),
    (replace(OURS, kind=Kind.IMPORT_MODE, table=None), [STAYS], None, Act.KEEP, False, "may be at work"),
    (replace(OURS, kind=Kind.TEMPORARY, table=None), [UNREAD], False, Act.DELETE, True, ""),
    (replace(OURS, kind=Kind.LOG, table=None), [], False, Act.KEEP, True, "--logs deletes it"),
]


@pytest.mark.parametrize(("leaving", "entries", "others_alive", "act", "is_safe", "said"), LEAVINGS)
def test_what_becomes_of_what_is_no_entry(
    leaving: Leaving, entries: list[Item], others_alive: bool | None, act: Act, is_safe: bool | None, said: str
) -> None:
    item = next(item for item in plan_leavings([leaving], entries, others_alive, Wish()) if item.leaving == leaving)
    assert (item.act, item.is_safe) == (act, is_safe)
    assert said in item.reason


def test_logs_go_where_that_is_asked_for() -> None:
    [item] = plan_leavings([replace(OURS, kind=Kind.LOG, table=None)], [], False, Wish(with_logs=True))
    assert item.act is Act.DELETE


def test_the_checkpoint_is_cleaned_after_all_that_it_tells_of() -> None:
    leavings = [replace(OURS, kind=kind, table=None) for kind in reversed(Kind) if kind is not Kind.ENTRY]
    kinds = [item.leaving.kind for item in plan_leavings(leavings, [GOES], False, Wish())]
    assert kinds == list(Kind)


GOOD = LeavingFacts(True, "", False, 0, dry_run=False, is_record_trustworthy=True, is_copied=True)
BAD: list[tuple[dict[str, Any], str]] = [
    ({"is_ours": None}, "not-ours"),
    ({"is_ours": False}, "not-ours"),
    ({"held_by": "somebody"}, "in-use"),
    ({"others_alive": True}, "not-alone"),
    ({"others_alive": None}, "not-alone"),
    ({"entries_left": 1}, "needed"),
    ({"entries_left": None}, "maybe-needed"),
    ({"dry_run": True}, "dry-run"),
    ({"is_record_trustworthy": False}, "no-record"),
    ({"is_copied": False}, "no-backup"),
]


@pytest.mark.parametrize(("facts", "code"), BAD)
def test_each_single_fact_turned_bad_forbids_to_take_something_away(facts: dict[str, Any], code: str) -> None:
    assert forbidden_removal(GOOD) is None
    refusal = forbidden_removal(replace(GOOD, **facts))
    assert refusal
    assert refusal.code == code


@given(st.sets(st.integers(0, len(BAD) - 1), min_size=1))
def test_no_combination_with_a_bad_fact_allows_it(chosen: set[int]) -> None:
    facts = GOOD
    for number in sorted(chosen):
        facts = replace(facts, **BAD[number][0])
    assert forbidden_removal(facts)


def test_what_is_not_known_forbids() -> None:
    assert forbidden_removal(LeavingFacts())


THEN = Planned(GOES.key, GOES.act, GOES.digest)
CHANGED = replace(GOES, leaving=replace(GOES.leaving, facts={"rows": 41}))

#: what is there now, what had been begun, what had been done: what is said.
CHANGES: list[tuple[list[Item], set[str], set[str], str]] = [
    ([GOES], set(), set(), ""),
    ([CHANGED], set(), set(), "it is not as it was"),
    ([replace(GOES, act=Act.KEEP)], set(), set(), "would not be treated so any more"),
    ([], set(), set(), "it is gone"),
    ([], {GOES.key}, set(), ""),
    ([CHANGED], {GOES.key}, set(), ""),
    ([], set(), {GOES.key}, ""),
    ([GOES], set(), {GOES.key}, "it is back"),
    ([GOES, replace(STAYS, leaving=replace(STAYS.leaving, name="`a`.`new`"))], set(), set(), "`a`.`new`: it has come"),
]


@pytest.mark.parametrize(("now", "begun", "done", "said"), CHANGES)
def test_whether_the_world_is_still_as_the_plan_was_made_for(
    now: list[Item], begun: set[str], done: set[str], said: str
) -> None:
    told = changes_since([THEN], now, frozenset(begun), frozenset(done))
    assert bool(told) == bool(said)
    assert said in "".join(told)


@pytest.mark.parametrize("begun", [set(), {GOES.key}])
def test_what_cannot_be_looked_at_now_has_not_gone(begun: set[str]) -> None:
    [told] = changes_since([THEN], [UNREAD], frozenset(begun), frozenset())
    assert "it cannot be looked at now: no" in told


def test_what_is_kept_and_no_entry_may_change() -> None:
    [kept] = plan_leavings([replace(OURS, is_ours=None)], [], False, Wish())
    then = Planned(kept.key, kept.act, "another digest")
    assert changes_since([then], [kept], frozenset(), frozenset()) == ()
