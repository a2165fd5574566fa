"""Names of tables set aside, and what forbids setting aside, giving back, dropping, and going on with "replace"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.checkpoint import Checkpoint, TableRecord
from safe_lightning.core.override import Resumption, objections_to_override
from safe_lightning.core.quarantine import (
    Quarantined,
    is_ours,
    is_same_table,
    objections_to_purge,
    objections_to_quarantine,
    objections_to_restore,
    quarantine_name,
)
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableBaseline, TableFacts

TABLE, OTHER = TableName("app", "t"), TableName("app", "u")
NAME = quarantine_name(TABLE, "4f1c2a9b")
KNOWN = Quarantined(NAME, TABLE, "4f1c2a9b", 1000.0, "h:4000", "cp", 7, 500.0, is_settled=True)
ASIDE = TableFacts(NAME, True, 7, 500.0, False)
FREE, EMPTY, FULL = (
    TableFacts(TABLE, False),
    TableFacts(TABLE, True, 8, 1.0, True),
    TableFacts(TABLE, True, 8, 1.0, False),
)


@given(st.text(min_size=1, max_size=64), st.integers(1, 99))
def test_a_name_fits_and_is_known_again(name: str, number: int) -> None:
    table = TableName("app", name)
    made = quarantine_name(table, "4f1c2a9b", number)
    assert len(made.table) <= 64
    assert is_ours(Quarantined(made, table, "4f1c2a9b", 1.0, "h:1"))


def test_long_names_with_the_same_beginning_stay_apart() -> None:
    names = {quarantine_name(TableName("app", "x" * 60 + end), "4f1c2a9b") for end in "abc"}
    assert len(names) == 3


@pytest.mark.parametrize("change", [{"name": TABLE}, {"original": OTHER}, {"run": "00000000"}])
def test_a_name_that_we_would_not_give_is_not_ours(change: dict[str, Any]) -> None:
    assert not is_ours(replace(KNOWN, **change))


@pytest.mark.parametrize(
    ("known", "now", "is_same"),
    [
        ({}, {}, True),
        ({}, {"created_at": 9.0}, True),
        ({}, {"table_id": 8}, False),
        ({"table_id": None}, {}, True),
        ({"table_id": None}, {"created_at": 501.5}, True),
        ({"table_id": None}, {"created_at": 503.0}, False),
        ({"table_id": None}, {"created_at": None}, False),
        ({"table_id": None, "created_at": None}, {}, False),
        ({"table_id": None, "is_settled": False}, {"created_at": 1003.0}, True),
        ({"table_id": None, "is_settled": False}, {"created_at": 9999.0}, False),
        ({"is_settled": False}, {"table_id": 8}, False),
    ],
)
def test_whether_it_is_the_table_that_was_set_aside(known: dict[str, Any], now: dict[str, Any], is_same: bool) -> None:
    assert is_same_table(replace(KNOWN, **known), replace(ASIDE, **now)) is is_same


@pytest.mark.parametrize(
    ("aside", "ties", "said"),
    [
        (TableFacts(NAME, False), (), ""),
        (ASIDE, (), "exists already, and is never overwritten"),
        (None, (), "could not be looked at"),
        (TableFacts(NAME, False), ("trigger b", "foreign key a"), "foreign key a, trigger b would follow it"),
    ],
)
def test_what_forbids_setting_aside(aside: TableFacts | None, ties: tuple[str, ...], said: str) -> None:
    objections = objections_to_quarantine(aside, ties)
    assert bool(objections) is bool(said)
    assert said in "; ".join(objections)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"original": EMPTY}, ""),
        ({"original": FULL}, "exists and holds rows"),
        ({"original": replace(FULL, is_empty=None)}, "exists and cannot be looked into"),
        ({"aside": TableFacts(NAME, False)}, "does not exist any more"),
        ({"aside": replace(ASIDE, table_id=9)}, "cannot be told to be the table"),
        ({"found": replace(KNOWN, name=OTHER)}, "none that safe-lightning gives"),
        ({"others_alive": True}, "another Lightning is at work"),
        ({"others_alive": None}, "another Lightning may be at work"),
        ({"has_entry": True}, "an import of it is under way"),
    ],
)
def test_what_forbids_giving_the_name_back(facts: dict[str, Any], said: str) -> None:
    usual: dict[str, Any] = {
        "found": KNOWN,
        "aside": ASIDE,
        "original": FREE,
        "others_alive": False,
        "has_entry": False,
    }
    objections = objections_to_restore(**{**usual, **facts})
    assert bool(objections) is bool(said)
    assert said in "; ".join(objections)


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"rows": None}, ""),
        ({"rows_most": 10}, ""),
        ({"rows_most": 9}, "10 rows would be dropped"),
        ({"rows_most": 9, "rows": None}, "an unknown number of rows"),
        ({"found": replace(KNOWN, is_settled=False)}, "was not finished"),
        ({"found": replace(KNOWN, original=OTHER)}, "none that safe-lightning gives"),
        ({"aside": replace(ASIDE, table_id=9)}, "cannot be told to be the table"),
        ({"others_alive": True}, "another Lightning is at work"),
        ({"others_alive": None}, "another Lightning may be at work"),
    ],
)
def test_what_forbids_dropping_for_good(facts: dict[str, Any], said: str) -> None:
    usual: dict[str, Any] = {"found": KNOWN, "aside": ASIDE, "others_alive": False, "rows": 10, "rows_most": 0}
    objections = objections_to_purge(**{**usual, **facts})
    assert bool(objections) is bool(said)
    assert said in "; ".join(objections)


HALF = TableRecord(TABLE, 30, chunks_done=1, chunks_total=2, kvs=5)
NOT_BEGUN = TableRecord(OTHER, 30, chunks_total=1)
STORE = Checkpoint("file", "cp", True, None, (HALF, NOT_BEGUN, TableRecord(TableName("app", "done"), 210)))
GOOD = Resumption(
    "tidb",
    False,
    {},
    {table: TableBaseline(table, True, True, 1.0, "r") for table in (TABLE, OTHER)},
    {TABLE: TableFacts(TABLE, True, None, 1.0, False), OTHER: TableFacts(OTHER, True, None, 1.0, True)},
    frozenset(),
)
NEW = TableName("app", "new")
HELD = TableBaseline(OTHER, True, False, 1.0, "r")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, ""),
        ({"backend": "local"}, "only the logical backend"),
        ({"is_parallel": True}, "other instances"),
        ({"keyless": {TABLE: "no key"}}, "`app`.`t`: no key"),
        ({"keyless": {OTHER: "no key"}}, ""),
        ({"keyless": {OTHER: "no key"}, "targets": {}}, "`app`.`u`: no key"),
        ({"baselines": {TABLE: GOOD.baselines[TABLE]}}, "`app`.`u`: it is not recorded"),
        ({"baselines": {**GOOD.baselines, OTHER: HELD}}, "`app`.`u` held rows before"),
        ({"baselines": {**GOOD.baselines, OTHER: replace(HELD, was_empty=None)}}, "was not proven empty before"),
        ({"baselines": {**GOOD.baselines, OTHER: replace(HELD, existed=False)}}, ""),
        ({"newcomers": None}, "does not tell which of its tables are still to come"),
        ({"newcomers": {NEW}}, "`app`.`new` is imported anew and not known to be empty"),
        ({"newcomers": {NEW}, "targets": {**GOOD.targets, NEW: TableFacts(NEW, False)}}, ""),
        (
            {"newcomers": {NEW}, "targets": {**GOOD.targets, NEW: TableFacts(NEW, True, is_empty=False)}},
            "`app`.`new` is",
        ),
    ],
)
def test_what_forbids_going_on_with_replace(facts: dict[str, Any], said: str) -> None:
    objections = objections_to_override(STORE, replace(GOOD, **facts))
    assert bool(objections) is bool(said)
    assert said in "; ".join(objections)
