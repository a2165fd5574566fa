"""What makes a checkpoint another import's, what became of a source, and which resumes are not safe."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from safe_lightning.core.checkpoint import FileRecord, TableRecord
from safe_lightning.core.fingerprint import Fingerprint, Launch, Place, differences, target_doubt
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.resume_safety import TaskNow, judge_resume
from safe_lightning.core.source_state import FileState, TableSource, changes_since_checkpoint, changes_since_launch
from safe_lightning.core.stop import EngineNotIngested, Stop, StopKind
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import ImportReport, TableFacts, TableResult

T = TableName("shop", "orders")
HERE = Place("local", "file:///srv/data", "127.0.0.1", 4000, "", "/sorted")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"source_dir": "/srv/data/"}, ""),
        ({"host": "localhost"}, ""),
        ({"port": 4001}, ""),
        ({"port": 0}, ""),
        ({"backend": "tidb"}, "made with backend local, this task uses tidb"),
        ({"source_dir": "/srv/data2"}, "made for the source file:///srv/data, this task reads /srv/data2"),
        ({"source_dir": "s3://b/data"}, "this task reads s3://b/data"),
        ({"host": "db2"}, "made for the target 127.0.0.1:4000, this task writes to db2:4000"),
        ({"sorted_kv_dir": "/other"}, "sorted pairs lie in /sorted, this task looks in /other"),
        ({"backend": ""}, ""),
    ],
)
def test_a_checkpoint_is_foreign_where_source_target_or_backend_differ(change: dict[str, Any], words: str) -> None:
    said = "; ".join(differences(HERE, replace(HERE, **change)))
    assert (words in said) if words else said == ""


@pytest.mark.parametrize(
    ("then", "now", "is_foreign", "is_doubted"),
    [
        ({"host": "db1", "pd_addr": "pd:2379"}, {"host": "db2", "pd_addr": "pd1:2379,pd:2379"}, False, False),
        ({"host": "db1", "pd_addr": "pd:2379"}, {"host": "db2", "pd_addr": "other:2379"}, True, False),
        ({"host": "db1", "cluster_id": "7"}, {"host": "db2", "cluster_id": "7"}, False, False),
        ({"host": "db1", "cluster_id": "7"}, {"host": "db1", "cluster_id": "8"}, True, False),
        ({"port": 4000}, {"port": 4001}, False, True),
        ({"port": 4000, "pd_addr": "pd:2379"}, {"port": 4001, "pd_addr": "127.0.0.1:2379"}, True, False),
    ],
)
def test_two_addresses_may_be_one_cluster(then: Any, now: Any, is_foreign: bool, is_doubted: bool) -> None:
    before, after = replace(HERE, **then), replace(HERE, **now)
    assert bool(list(differences(before, after))) is is_foreign
    assert bool(target_doubt(before, after)) is is_doubted


def record(**more: Any) -> TableRecord:
    files = (FileRecord("a.csv", 100), FileRecord("b.csv", 200, is_done=True))
    usual = {"engines": {0: 30, -1: 30}, "chunks_done": 1, "chunks_total": 2, "kvs": 40, "rows": 20, "files": files}
    return TableRecord(T, **{"status": 30, **usual, **more})


def source(**sizes: int) -> TableSource:
    return TableSource(tuple(FileState(f"{name}.csv", size, 5) for name, size in sizes.items()), "hash")


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (source(a=100, b=200), ""),
        (source(b=200, a=100), ""),
        (source(a=101, b=200), "a.csv grew from 100 to 101 bytes"),
        (source(a=100, b=199), "b.csv shrank from 200 to 199 bytes"),
        (source(a=100), "b.csv vanished"),
        (source(a=100, b=200, c=1), "c.csv came to the source, without an entry"),
        (None, "a.csv, b.csv vanished"),
    ],
)
def test_the_checkpoint_itself_knows_names_and_sizes(now: TableSource | None, words: str) -> None:
    said = "; ".join(changes_since_checkpoint(record(), now))
    assert (words in said) if words else said == ""


def test_a_table_that_is_done_needs_its_files_no_more() -> None:
    assert changes_since_checkpoint(record(status=200), None) == ()
    assert changes_since_checkpoint(record(status=200), source(a=101, b=200)) != ()
    assert changes_since_checkpoint(record(files=None), source(c=1)) == ()


def state(name: str, size: int, at: int) -> FileState:
    return FileState(name, size, at)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ([state("a", 1, 1), state("b", 2, 2)], ""),
        ([state("a", 1, 0), state("b", 2, 2)], ""),
        ([state("a", 1, 9), state("b", 2, 2)], "a was written to at 1970-01-01"),
        ([state("a", 2, 2), state("b", 1, 1)], "a, b took each other's content: the files were reordered"),
    ],
)
def test_the_fingerprint_knows_what_has_the_same_size_and_is_not_the_same(now: list[FileState], words: str) -> None:
    then = TableSource((state("a", 1, 1), state("b", 2, 2)), "hash")
    said = "; ".join(changes_since_launch(then, TableSource(tuple(now), "hash")))
    assert (words in said) if words else said == ""


def test_a_changed_schema_file_shows() -> None:
    assert changes_since_launch(TableSource((), "x"), TableSource((), "y")) == (
        "its schema file changed since the first launch",
    )


def facts(rows: int | None, has_key: bool | None = None) -> TableFacts:
    return TableFacts(T, True, is_empty=rows == 0, has_key=has_key, row_count=rows)


LOGICAL = TaskNow("tidb")
PHYSICAL = TaskNow("local")
DRAINED = Launch("r1", 1, 0.0, "canceled", 15, Stop(StopKind.DRAINED, "SIGTERM"))
STOPPED = Launch("r1", 1, 0.0, "canceled", 15, Stop(StopKind.SIGNALLED, "SIGTERM"))
UNSEEN = Launch("r1", 1, 0.0)


@pytest.mark.parametrize(
    ("target", "task", "last", "danger"),
    [
        (facts(20), LOGICAL, None, ""),
        (facts(20), LOGICAL, STOPPED, ""),
        (
            facts(23, True),
            LOGICAL,
            DRAINED,
            "holds 23 rows, the checkpoint accounts for 20; rows in flight would be sent",
        ),
        (facts(23, False), LOGICAL, None, "the table has no key: rows in flight would be there twice"),
        (facts(19, True), replace(LOGICAL, conflict_strategy="replace"), None, "holds only 19 of the 20 rows"),
        (facts(23, True), replace(LOGICAL, conflict_strategy="replace"), None, ""),
        (facts(23, False), replace(LOGICAL, conflict_strategy="replace"), None, "the table has no key"),
        (facts(23, None), replace(LOGICAL, conflict_strategy="ignore"), None, "error 1062 where it has a key"),
        (facts(None), LOGICAL, DRAINED, ""),
        (facts(None), LOGICAL, STOPPED, "run r1 ended as canceled, signalled (SIGTERM); rows in flight"),
        (facts(None), LOGICAL, UNSEEN, "the end of run r1 was not seen"),
        (facts(None), LOGICAL, None, "how the earlier run ended is not known"),
        (None, LOGICAL, None, "how the earlier run ended is not known"),
        (None, PHYSICAL, None, ""),
    ],
)
def test_a_logical_resume_is_safe_where_rows_or_a_drain_prove_it(
    target: TableFacts | None, task: TaskNow, last: Launch | None, danger: str
) -> None:
    told = judge_resume(record(), target, task, last).danger
    assert (danger in told) if danger else told == ""


def test_nothing_is_in_flight_where_all_is_written_or_nothing_is_there() -> None:
    assert not judge_resume(record(chunks_done=2), None, LOGICAL, None).danger
    assert not judge_resume(record(status=60), None, LOGICAL, None).danger
    assert not judge_resume(record(kvs=0, rows=0), facts(0), LOGICAL, None).danger
    assert not judge_resume(record(kvs=0, rows=0), TableFacts(T, False), LOGICAL, None).danger


EMPTY = EngineNotIngested(T, 0, 2000, 0)
INGESTING = record(engines={0: 120, -1: 30})


def test_a_physical_resume_is_unsafe_where_an_engine_counts_as_imported_and_is_empty() -> None:
    last = replace(STOPPED, engines_not_ingested=(EMPTY,))
    assert "engine 0 (0 of 2000 pairs arrived)" in judge_resume(INGESTING, None, PHYSICAL, last).danger
    assert not judge_resume(record(), None, PHYSICAL, last).danger  # it was set back: the engine is read again


@pytest.mark.parametrize(
    ("task", "last", "entry", "danger", "doubt"),
    [
        (PHYSICAL, None, INGESTING, False, True),
        (PHYSICAL, UNSEEN, INGESTING, False, True),
        (PHYSICAL, STOPPED, INGESTING, False, False),
        (replace(PHYSICAL, driver="mysql"), None, INGESTING, False, False),
        (replace(PHYSICAL, checksum="off"), None, INGESTING, True, False),
        (PHYSICAL, None, record(), False, False),
        (PHYSICAL, None, replace(INGESTING, status=180), False, False),
    ],
)
def test_a_physical_resume_of_an_unrecorded_end_is_in_doubt(
    task: TaskNow, last: Launch | None, entry: TableRecord, danger: bool, doubt: bool
) -> None:
    safety = judge_resume(entry, None, task, last)
    assert (bool(safety.danger), bool(safety.doubts)) == (danger, doubt)


@pytest.mark.parametrize("task", [LOGICAL, PHYSICAL])
def test_a_compressed_file_read_half_is_not_gone_back_to(task: TaskNow) -> None:
    half = record(files=(FileRecord("a.csv.gz", 9, is_compressed=True, is_half_read=True),))
    assert "a.csv.gz is compressed and was read half" in judge_resume(half, facts(20), task, DRAINED).danger


def report(
    outcome: Outcome = Outcome.CANCELED, *engines: EngineNotIngested, status: str = "unfinished"
) -> ImportReport:
    table = TableResult(T, status)
    return ImportReport(outcome, "", 0, 15, "v8.5.4", (table,), None, (), engines_not_ingested=engines)


def test_an_empty_engine_is_remembered_until_a_checksum_passed() -> None:
    seen = Fingerprint("r1", 0.0, "h", "/cp", HERE).begun(UNSEEN).ended(report(Outcome.CANCELED, EMPTY))
    again = seen.begun(Launch("r2", 1, 1.0)).ended(report(Outcome.CANCELED))
    assert again.last is not None
    assert again.last.engines_not_ingested == (EMPTY,)
    passed = again.begun(Launch("r3", 1, 2.0)).ended(report(Outcome.CANCELED, status="checksum-passed"))
    assert passed.last is not None
    assert passed.last.engines_not_ingested == ()
    assert (passed.lightning_version, len(passed.launches)) == ("v8.5.4", 3)
