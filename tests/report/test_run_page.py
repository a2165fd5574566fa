"""The page of a run: whole for a failed run, harmless whatever the names, bounded, and there for runs that died."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_page_helpers import CUSTOMERS, ORDERS, STARTED_AT, Page, child_event, failed_run

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import TableResult
from safe_lightning.record.durable import to_bytes
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_dir import RunDir
from safe_lightning.record.run_folder import read_run
from safe_lightning.report.markup import element, lines
from safe_lightning.report.run_page import run_page

#: Letters that end an element, an attribute or a line, or steer a terminal or the direction of writing.
EVIL = "</style><script>alert('1')</script>\" onload=x \x1b[2J\u202e&amp;`"


@pytest.fixture
def failed(state: Path) -> Path:
    return failed_run(state)


def put(folder: Path, **changes: object) -> None:
    result = replace(read_run(folder), **changes)  # type: ignore[arg-type]
    (folder / "result.json").write_bytes(to_bytes(result.to_json()))


def test_a_failed_run_with_remedy_and_retry_has_every_part_in_the_order_a_reader_asks(failed: Path) -> None:
    assert Page(run_page(failed)).titles == [
        "What happened",
        "Attempts",
        "Causes",
        "Duplicate keys in the source",
        "Next step",
        "Tables",
        "Timeline",
        "Hooks",
        "Plan and steps",
        "Warnings and errors",
        "Environment",
        "Files",
    ]


@pytest.mark.parametrize(
    "words",
    [
        "checksum-mismatch The data in the cluster is not what was read from the source",
        "took 2 h 31 min exit code 1",
        "v8.5.4 (exit code 1)",
        "killed signal 9 ended from outside",
        "in the cluster 3,001,203 100 1 from the source 3,001,206 106 2 difference -3 -6 other",
        "key-conflicts 95% 3,001,203 pairs of 3,001,206: -3 pairs To settle it: count rows per key.",
        "3 keys occur more than once, in 6 rows.",
        "1017, NULL o.1.csv:17 o.2.parquet, row 1",
        "`shop`.`customers` checksum-passed 120,000 120,000 0 9,000",
        "`shop`.`customers` 3 777 0",
        "destroy `shop`.`orders` done the entry is gone, the table too",
        "then the import is run again, at most 1 time",
        "import, attempt 2",
        "writing 16:01:50 · 1 h 00 min",
        "checksum not completed 17:03:20 · 5 min 0 s",
        "run failed (error=the root error)",
        "something to know",
        "tidb-lightning --config t.toml -tidb-password ***",
        "safe-lightning 0.1",
    ],
)
def test_it_tells(failed: Path, words: str) -> None:
    assert words in Page(run_page(failed)).text


def test_no_secret_is_on_it(failed: Path) -> None:
    assert "hunter2" not in run_page(failed)


def test_what_went_wrong_comes_before_what_is_fine(failed: Path) -> None:
    text = Page(run_page(failed)).text.partition(" Tables ")[2]
    assert text.index(str(ORDERS)) < text.index(str(CUSTOMERS))


def test_hostile_names_are_text_and_nothing_else(failed: Path) -> None:
    table = TableResult(TableName(EVIL, EVIL), "checksum-mismatch", None, EVIL)
    put(failed, reason=EVIL, root_error=EVIL, tables=(table,), notes=(EVIL,), version=EVIL, argv=(EVIL,), log_path=EVIL)
    page = run_page(failed)
    assert "script" not in Page(page).tags
    assert not [letter for letter in page if not letter.isprintable() and letter != "\n"]
    assert "<script>alert('1')</script>" in Page(page).text


def test_nothing_is_loaded_from_elsewhere(failed: Path) -> None:
    put(failed, notes=("see https://example.com/a.png",))
    loading = {"script", "link", "img", "iframe", "object", "embed", "base", "form"}
    assert Page(run_page(failed)).tags.isdisjoint(loading)


def test_ten_thousand_tables_stay_a_page_and_are_counted(failed: Path) -> None:
    totals = Totals(2**64 - 1, 10**12, 10**15)
    tables = [
        TableResult(TableName("shop", f"t{n}"), "checksum-passed", Comparison(totals, totals)) for n in range(10_000)
    ]
    put(failed, tables=(*tables, TableResult(ORDERS, "checksum-mismatch", None, "x" * 100_000)))
    begun = time.monotonic()
    page = run_page(failed)
    assert time.monotonic() - begun < 5
    assert len(page) < 1 << 20
    assert "1 checksum-mismatch" in Page(page).text
    assert "10,000 checksum-passed" in Page(page).text
    assert "… and 9,001 more tables" in Page(page).text


def test_a_flood_of_warnings_is_told_once_with_its_number(state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    for _ in range(5000):
        child_event(record, 1, "pause for disk quota", level="warning")
    for number in range(5000):
        child_event(record, 2, f"odd thing {number}", level="warning")
    record.close()
    assert record.path is not None
    page = run_page(record.path)
    assert "pause for disk quota 5,000 times" in Page(page).text
    assert len(page) < 100_000


def test_a_run_that_died_is_told_as_far_as_it_came(state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    record.enter("looking", STARTED_AT)
    record.enter("importing", STARTED_AT + 1, 1)
    child_event(record, 5, "restore file start")
    assert record.path is not None
    assert "still going on: importing since 2026-11-24T16:00:01.500Z" in Page(run_page(record.path)).text
    record.close()
    text = Page(run_page(record.path)).text
    assert "died without writing its end: importing since 2026-11-24T16:00:01.500Z" in text
    assert "writing not completed" in text
    assert "exit code not known" in text


def test_a_run_that_died_at_once_has_a_page_too(state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    record.close()
    assert record.path is not None
    assert "died without writing its end: it has only begun" in Page(run_page(record.path)).text


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_its_page(state: Path, outcome: Outcome) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    record.finish(RunResult("ab12", STARTED_AT, STARTED_AT + 1, outcome=outcome))
    record.close()
    assert record.path is not None
    assert f" {outcome} " in Page(run_page(record.path)).text


def test_the_result_is_taken_where_it_is_not_written_yet(state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    assert record.path is not None
    text = Page(run_page(record.path, RunResult("ab12", STARTED_AT, STARTED_AT + 1, outcome=Outcome.CANCELED))).text
    record.close()
    assert " canceled " in text
    assert "result.json how it ended" in text


def test_a_result_that_is_not_written_yet_is_masked_as_it_will_be(state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    record.close()
    secret = "cannot reach root:hunter2@tcp(tidb:4000)/x"
    result = RunResult("ab12", STARTED_AT, outcome=Outcome.UNKNOWN, reason=secret, notes=(secret,), evidence=(secret,))
    assert record.path is not None
    page = run_page(record.path, result)
    assert "cannot reach root:" in page
    assert "hunter2" not in page


@pytest.mark.parametrize(
    "name", ["verdicts.jsonl", "steps.jsonl", "phases.jsonl", "plan.json", "argv.json", "task.json", "events.jsonl"]
)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1]",
        b'{"steps": [1, {}], "versions": 3, "environment": {}, "target": 5, "verdict": 7}',
        b'{"hook": "h", "stage": "s", "attempt": 1, "verdict": {"status": "warn", "code": "c", "message": "m", '
        b'"findings": [1, {"message": "f", "table": "not quoted", "data": 3}, {"message": "f", "data": {"causes": '
        b'[1, {"cause": "x", "confidence": "high", "evidence": 5}], "duplicate_keys": "many", "examples": [7, {}]}}]}}',
        b'{"timestamp":"2","level":"error","event":"x","fields":7}\n{"level":"error","event":"\xff',
    ],
)
def test_a_spoiled_part_of_the_record_hides_nothing_else(failed: Path, name: str, content: bytes) -> None:
    (failed / name).write_bytes(content)
    assert " checksum-mismatch " in Page(run_page(failed)).text


@given(st.text(), st.text())
def test_any_text_is_balanced_and_read_back(text: str, value: str) -> None:
    page = Page(element("p", text, element("br"), lines(value), title=value))
    assert page.tags <= {"p", "br"}
