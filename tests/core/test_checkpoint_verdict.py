"""The rules by which a leftover checkpoint is judged, one by one and in their order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.checkpoint import Checkpoint, CheckpointVerdict, TableRecord, TaskRecord, status_name
from safe_lightning.core.checkpoint_verdict import CheckpointJudgement, judge_checkpoint
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableFacts

T, U = TableName("shop", "orders"), TableName("shop", "customers")
NONE, FRESH, RESUMABLE, FINISHED, FAILED, STALE = (
    CheckpointVerdict(word) for word in ("none", "fresh", "resumable", "finished", "failed", "stale")
)
#: When the records were written, by this machine's clock.
ENTRY = 1_795_000_000.0
LOGICAL = TaskRecord(7, backend="tidb", lightning_version="v8.5.4")
PHYSICAL = TaskRecord(7, backend="local", lightning_version="v8.5.4")


def record(status: int = 30, table: TableName = T, **more: Any) -> TableRecord:
    """A table at work: half of its chunks done, with pairs to show for it."""
    facts = {"engines": {0: 30, -1: 30}, "chunks_done": 1, "chunks_total": 2, "kvs": 100, "created_at": ENTRY, **more}
    return TableRecord(table, status, **facts)  # type: ignore[arg-type]


def facts(**more: Any) -> TableFacts:
    """The target's side as it should be: there, older than the record, not empty."""
    return TableFacts(T, **{"exists": True, "created_at": ENTRY - 10, "is_empty": False, **more})


def judge(
    *records: TableRecord,
    target: TableFacts | None = None,
    task: TaskRecord | None = LOGICAL,
    now: float = ENTRY + 60,
    modified_at: float | None = ENTRY + 1,
    source: frozenset[TableName] | None = None,
) -> CheckpointJudgement:
    found = Checkpoint("file", "/cp", True, task, records, modified_at=modified_at)
    return judge_checkpoint(found, None if target is None else {T: target}, now, source)


def test_no_store_is_none() -> None:
    judgement = judge_checkpoint(Checkpoint("file", "/cp", False, None, ()), None, ENTRY)
    assert (judgement.verdict, judgement.evidence) == (NONE, "there is no checkpoint at /cp")


def test_a_store_without_tables_is_fresh() -> None:
    assert judge().verdict is FRESH


@pytest.mark.parametrize(
    ("entry", "task", "verdict"),
    [
        (record(30, chunks_total=0, chunks_done=0, kvs=0), LOGICAL, FRESH),
        (record(0, chunks_total=0, chunks_done=0, kvs=0), LOGICAL, FRESH),
        (record(30), LOGICAL, RESUMABLE),
        (record(60), LOGICAL, RESUMABLE),
        (record(120), PHYSICAL, RESUMABLE),
        (record(180), PHYSICAL, RESUMABLE),
        (record(199), PHYSICAL, RESUMABLE),
        (record(200), PHYSICAL, FINISHED),
        (record(210), PHYSICAL, FINISHED),
        (record(140), LOGICAL, RESUMABLE),
        (record(140), TaskRecord(7, backend="tidb", lightning_version="4.0.14"), FINISHED),
        (record(140), TaskRecord(7, backend="tidb", lightning_version="v4.0.0"), FINISHED),
        (record(140), TaskRecord(7, backend="importer", lightning_version="v4.0.0"), RESUMABLE),
        (record(140), None, RESUMABLE),
        (record(18), PHYSICAL, FAILED),
        (record(3), PHYSICAL, FAILED),
        (record(25), PHYSICAL, FAILED),
        (record(26), PHYSICAL, RESUMABLE),
        (record(30, engines={0: 12, -1: 30}), PHYSICAL, FAILED),
        (record(60, engines={-1: 14}), PHYSICAL, FAILED),
    ],
)
def test_the_stored_status_tells_how_far_a_table_came(
    entry: TableRecord, task: TaskRecord | None, verdict: CheckpointVerdict
) -> None:
    (table,) = judge(entry, target=facts(), task=task).tables
    assert table.verdict is verdict


@pytest.mark.parametrize(
    ("entry", "target", "task", "why"),
    [
        # gone
        (record(), facts(exists=False), LOGICAL, "does not exist, yet the checkpoint says loaded (1 of 2 chunks done)"),
        (record(chunks_done=0, kvs=0), facts(exists=False), LOGICAL, ""),
        (record(60, chunks_done=0, kvs=0), facts(exists=False), LOGICAL, "does not exist"),
        (record(18), facts(exists=False), PHYSICAL, ""),
        # another id
        (record(table_id=104), facts(table_id=105), PHYSICAL, "has id 105, the checkpoint's had 104"),
        (record(18, table_id=104), facts(table_id=105), PHYSICAL, "has id 105"),
        (record(table_id=104), facts(table_id=104), PHYSICAL, ""),
        (record(table_id=104), facts(), PHYSICAL, ""),
        (record(table_id=0), facts(table_id=105), LOGICAL, ""),
        # younger
        (record(), facts(created_at=ENTRY + 3), LOGICAL, "was created or altered at 2026-11-18 11:06:43 UTC, after"),
        (record(), facts(created_at=ENTRY + 2), LOGICAL, ""),
        (record(), facts(created_at=ENTRY + 2.1), LOGICAL, "was created or altered"),
        (record(), facts(created_at=None), LOGICAL, ""),
        (record(chunks_done=0, kvs=0), facts(created_at=ENTRY + 3), LOGICAL, ""),
        (record(table_id=104), facts(table_id=104, created_at=ENTRY + 9000), PHYSICAL, ""),
        # The physical backend alters the table itself, so its record counts from the last change on.
        (record(table_id=104), facts(created_at=ENTRY + 4), PHYSICAL, "was created or altered"),
        (record(table_id=104), facts(created_at=ENTRY + 3), PHYSICAL, ""),
        (record(table_id=104, updated_at=ENTRY + 50), facts(created_at=ENTRY + 52), PHYSICAL, ""),
        (record(table_id=104, updated_at=ENTRY + 50), facts(created_at=ENTRY + 53), PHYSICAL, "was created or altered"),
        (record(created_at=None, updated_at=ENTRY + 50), facts(created_at=ENTRY + 52), LOGICAL, ""),
        (record(created_at=None), facts(created_at=ENTRY + 3), LOGICAL, ""),
        (record(created_at=None), facts(created_at=ENTRY + 4), LOGICAL, "was created or altered"),
        # emptied
        (record(), facts(is_empty=True), LOGICAL, "is empty, yet the checkpoint says"),
        (record(kvs=0), facts(is_empty=True), LOGICAL, ""),
        (record(), facts(is_empty=None), LOGICAL, ""),
        (record(), facts(is_empty=True), PHYSICAL, ""),
        (record(60, engines={0: 90}), facts(is_empty=True), PHYSICAL, ""),
        (record(60, engines={0: 120}), facts(is_empty=True), PHYSICAL, "is empty"),
        (record(60, engines={0: 90, -1: 120}), facts(is_empty=True), PHYSICAL, ""),
        (record(120), facts(is_empty=True), PHYSICAL, "is empty"),
        (record(18), facts(is_empty=True), PHYSICAL, "is empty"),
        (record(12), facts(is_empty=True), PHYSICAL, ""),
        (record(14), facts(is_empty=True), PHYSICAL, "is empty"),
        (record(6), facts(is_empty=True), PHYSICAL, ""),
        (record(6), facts(is_empty=True), LOGICAL, "is empty"),
    ],
)
def test_a_target_table_that_is_not_the_checkpoints_makes_it_stale(
    entry: TableRecord, target: TableFacts, task: TaskRecord, why: str
) -> None:
    (table,) = judge(entry, target=target, task=task).tables
    assert (table.verdict is STALE) is bool(why)
    assert why in table.evidence


def test_a_failed_table_that_is_gone_says_so_and_stays_failed() -> None:
    (table,) = judge(record(18), target=facts(exists=False), task=PHYSICAL).tables
    assert table.verdict is FAILED
    assert table.evidence == (
        "failed at checksum: Lightning refuses to start until that is treated; the target table is gone"
    )


DONE = record(200, U, chunks_done=2)
EMPTY = record(30, U, chunks_total=0, chunks_done=0, kvs=0)


@pytest.mark.parametrize(
    ("records", "target", "verdict"),
    [
        ((record(200), DONE), facts(), FINISHED),
        ((record(200), EMPTY), facts(), FINISHED),
        ((EMPTY,), None, RESUMABLE),
        ((record(30), DONE), facts(), RESUMABLE),
        ((record(18), DONE), facts(), FAILED),
        ((record(200), DONE), facts(is_empty=True), STALE),
        ((record(200), record(18, U)), facts(is_empty=True), STALE),
        ((record(18), record(30, U)), None, FAILED),
    ],
)
def test_the_worst_table_speaks_for_the_store(
    records: tuple[TableRecord, ...], target: TableFacts | None, verdict: CheckpointVerdict
) -> None:
    assert judge(*records, target=target).verdict is verdict


@pytest.mark.parametrize(
    ("source", "verdict", "evidence"),
    [
        (None, FINISHED, "2 tables: 2 finished"),
        (frozenset(), FINISHED, "2 tables: 2 finished"),
        (frozenset({T, U}), FINISHED, "2 tables: 2 finished"),
        (
            frozenset({T, U, TableName("shop", "new")}),
            RESUMABLE,
            "2 tables: 2 finished; the source also holds `shop`.`new`, without an entry",
        ),
        (
            frozenset(TableName("a", f"t{n}") for n in range(7)),
            RESUMABLE,
            "2 tables: 2 finished; the source also holds `a`.`t0`, `a`.`t1`, `a`.`t2`, `a`.`t3`, `a`.`t4` and 2 more, "
            "without an entry",
        ),
    ],
)
def test_a_finished_store_is_not_the_end_where_the_source_holds_more(
    source: frozenset[TableName] | None, verdict: CheckpointVerdict, evidence: str
) -> None:
    judgement = judge(record(200), DONE, target=facts(), source=source)
    assert (judgement.verdict, judgement.evidence) == (verdict, evidence)


def test_a_failure_is_a_failure_whatever_the_source_holds() -> None:
    assert judge(record(18), source=frozenset({U})).verdict is FAILED


@pytest.mark.parametrize(
    ("target", "notes"),
    [
        (None, ["the target was not looked at, so nothing is known of tables dropped or emptied since"]),
        (facts(), []),
        (facts(created_at=None), ["`shop`.`orders`: the target does not tell when it was created"]),
        (
            facts(created_at=None, is_empty=None),
            ["`shop`.`orders`: the target does not tell when it was created and whether it holds rows"],
        ),
        (facts(exists=False, created_at=None, is_empty=None), []),
    ],
)
def test_what_could_not_be_compared_is_said(target: TableFacts | None, notes: list[str]) -> None:
    assert list(judge(record(), target=target).not_looked) == notes


def test_a_table_that_the_target_was_not_asked_about_is_named() -> None:
    assert judge(record(), DONE, target=facts()).not_looked == ("`shop`.`customers` was not looked at in the target",)


def test_an_id_that_the_target_does_not_tell_is_missed_where_the_checkpoint_has_one() -> None:
    (note,) = judge(record(table_id=104), target=facts(), task=PHYSICAL).not_looked
    assert note == "`shop`.`orders`: the target does not tell its id"


@pytest.mark.parametrize(("ahead", "is_said"), [(0, False), (2.0, False), (2.1, True), (86400, True)])
def test_a_checkpoint_from_the_future_is_remarked_on(ahead: float, is_said: bool) -> None:
    notes = judge(record(), target=facts(), now=ENTRY, modified_at=ENTRY + ahead).not_looked
    assert any("a clock jumped" in note for note in notes) is is_said


times = st.none() | st.floats(0, 4e9)
records = st.builds(
    TableRecord,
    st.just(T),
    st.integers(0, 255),
    st.integers(0, 3),
    st.dictionaries(st.integers(-1, 3), st.integers(0, 255), max_size=3),
    st.integers(0, 3),
    st.integers(0, 3),
    kvs=st.integers(0, 3),
    rows=st.none() | st.integers(0, 3),
    created_at=times,
    updated_at=times,
)
targets = st.builds(
    TableFacts,
    st.just(T),
    st.booleans(),
    st.none() | st.integers(1, 3),
    times,
    st.none() | st.booleans(),
)


@given(records, targets, st.sampled_from([LOGICAL, PHYSICAL, None]), times)
def test_any_record_meets_exactly_one_verdict_with_a_reason(
    entry: TableRecord, target: TableFacts, task: TaskRecord | None, modified_at: float | None
) -> None:
    judgement = judge(entry, target=target, task=task, modified_at=modified_at)
    (table,) = judgement.tables
    assert table.verdict not in (NONE, CheckpointVerdict.UNREADABLE)
    assert table.evidence
    assert (judgement.verdict is FINISHED) == (table.verdict is FINISHED)


@given(records, targets, st.sampled_from([LOGICAL, PHYSICAL]))
def test_looking_at_the_target_never_makes_a_checkpoint_better(
    entry: TableRecord, target: TableFacts, task: TaskRecord
) -> None:
    before, after = judge(entry, task=task), judge(entry, target=target, task=task)
    assert after.verdict in (before.verdict, STALE)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (30, "loaded"),
        (60, "written"),
        (120, "imported"),
        (210, "analyzed"),
        (18, "failed at checksum"),
        (255, "status 255"),
    ],
)
def test_a_status_is_told_in_lightnings_own_words(status: int, words: str) -> None:
    assert status_name(status) == words
