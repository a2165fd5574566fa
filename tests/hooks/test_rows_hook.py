"""The hook `rows`: the source's rows, as read before the import, against those that the target holds after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from safe_lightning_hooks.rows import look

from safe_lightning.api import (
    Context,
    CouldNotLook,
    Finding,
    ImportReport,
    Outcome,
    Stage,
    Status,
    TableBaseline,
    TableName,
    Task,
    Verdict,
)

T = TableName("app", "items")
U = TableName("app", "we`ird")


class Counted:
    """A target whose rows can be counted where a number is given."""

    def __init__(self, rows: Mapping[TableName, int | None], was_empty: bool | None = True) -> None:
        self.known = {table: TableBaseline(table, True, was_empty, 0.0, "r1") for table in rows}
        self.rows = rows

    def baselines(self) -> Mapping[TableName, TableBaseline]:
        return self.known

    def count_rows(self, table: TableName) -> int:
        rows = self.rows[table]
        if rows is None:
            raise CouldNotLook("the server did not answer within 60 s")
        return rows


def scanned(tables: Mapping[TableName, tuple[int, str]], *findings: Finding) -> Verdict:
    data = {str(table): {"rows": rows, "files": 1, "status": status} for table, (rows, status) in tables.items()}
    return Verdict(Status.PASS, "no-key-conflicts", "m", findings, data={"mode": "exact", "notes": [], "tables": data})


@pytest.fixture
def judge(context: Callable[..., Context], report: Callable[..., ImportReport]) -> Callable[..., Verdict]:
    def call(scan: Verdict | None, services: Counted, outcome: Outcome = Outcome.SUCCEEDED, **task: Any) -> Verdict:
        verdicts = (Verdict(Status.PASS, "checkpoint-none", "m"), *([scan] if scan else []))
        given = context(
            stage=Stage.POST_IMPORT, report=report(outcome, child_exit_code=0), services=services, verdicts=verdicts
        )
        facts = {"argv": (), "cwd": given.task.cwd, "backend": "tidb", **task}
        return look(Context(**{**vars(given), "task": Task(**facts)}))

    return call


Judge = Callable[..., Verdict]


@pytest.mark.parametrize(
    ("held", "counted", "status", "code", "is_damage"),
    [
        ((40, "clean"), 40, "pass", "rows-complete", False),
        ((40, "clean"), 39, "block", "rows-missing", True),
        ((40, "clean"), 80, "block", "rows-doubled", True),
        ((40, "not-checked"), 39, "warn", "rows-not-counted", False),
        ((40, "input-error"), 39, "warn", "rows-not-counted", False),
        ((40, "clean"), None, "warn", "rows-not-counted", False),
    ],
    ids=["as-many", "fewer", "more", "source-not-read-whole", "source-not-readable", "target-not-counted"],
)
def test_numbers_that_differ_are_damage(
    judge: Judge, held: tuple[int, str], counted: int | None, status: str, code: str, is_damage: bool
) -> None:
    verdict = judge(scanned({T: held}), Counted({T: counted}))
    assert (verdict.status, verdict.code, verdict.is_damage) == (status, code, is_damage)


def test_the_missing_number_is_said_for_each_table(judge: Judge) -> None:
    verdict = judge(scanned({T: (40, "clean"), U: (7, "clean")}), Counted({T: 39, U: 5}))
    assert verdict.message == "`app`.`items`: 40 rows in the source, 39 in the target: 1 missing; and 1 more"
    assert [(finding.code, finding.table) for finding in verdict.findings] == [("rows-missing", T), ("rows-missing", U)]
    assert verdict.data["tables"]["`app`.`we``ird`"]["rows_in_target"] == 5


def test_a_file_that_ends_too_early_is_damage_though_the_numbers_agree(judge: Judge) -> None:
    cut = Finding("truncated-compression", "app.items.csv.gz: ends within a block", T)
    verdict = judge(scanned({T: (422, "clean")}, cut), Counted({T: 422}))
    assert (verdict.code, verdict.is_damage) == ("rows-missing", True)
    assert "app.items.csv.gz" in verdict.message


@pytest.mark.parametrize(
    ("counted", "was_empty", "task", "outcome"),
    [
        (50, False, {}, Outcome.SUCCEEDED),
        (50, None, {}, Outcome.SUCCEEDED),
        (50, True, {"parallel_import": True}, Outcome.SUCCEEDED),
        (39, True, {"conflict_strategy": "replace"}, Outcome.SUCCEEDED),
        (39, True, {}, Outcome.SUCCEEDED_WITH_CONFLICTS),
    ],
    ids=["rows-before", "rows-before-unknown", "parallel-import", "conflicts-are-replaced", "conflicts-were-resolved"],
)
def test_a_difference_with_another_explanation_is_no_damage(
    judge: Judge, counted: int, was_empty: bool | None, task: dict[str, Any], outcome: Outcome
) -> None:
    verdict = judge(scanned({T: (40, "clean")}), Counted({T: counted}, was_empty), outcome, **task)
    assert (verdict.status, verdict.is_damage) == ("warn", False)


def test_duplicate_keys_explain_a_lack_on_the_logical_backend(judge: Judge) -> None:
    twins = Finding("key-conflicts", "one key twice", T)
    verdict = judge(scanned({T: (40, "conflicts")}, twins), Counted({T: 39}))
    assert (verdict.status, verdict.is_damage) == ("warn", False)


@pytest.mark.parametrize("outcome", [Outcome.CHECKSUM_MISMATCH, Outcome.CANCELED, Outcome.NOTHING_IMPORTED])
def test_an_import_that_did_not_end_well_is_left_alone(judge: Judge, outcome: Outcome) -> None:
    assert judge(scanned({T: (40, "clean")}), Counted({T: 0}), outcome).code == "not-counted"


def test_without_a_scan_nothing_is_claimed(judge: Judge) -> None:
    with pytest.raises(CouldNotLook, match="did not read it"):
        judge(None, Counted({T: 40}))
