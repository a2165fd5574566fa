"""The hook ``checksum`` over every recorded mismatch: which table, by how much, why, and what the policy does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from recordings import Recording, recordings
from safe_lightning_hooks.checksum import explain

from safe_lightning.api import (
    Action,
    Checkpoint,
    Comparison,
    Context,
    CouldNotLook,
    ImportReport,
    Outcome,
    Policy,
    Stage,
    Status,
    TableBaseline,
    TableName,
    TableResult,
    Totals,
    Verdict,
)
from safe_lightning.core.classification import End
from safe_lightning.explaining import Explainer
from safe_lightning.policy.model import RemedyRule

Make = Callable[..., Any]
MISMATCHED = [r for r in recordings() if r.outcome == "checksum-mismatch"]
FINE = [r for r in recordings() if r.outcome in ("succeeded", "succeeded-with-conflicts") and not r.is_control_tool]
A, B = TableName("app", "a"), TableName("app", "b")
DESTROY = RemedyRule(cause="any", action="destroy", then="retry", max_attempts=2)


class Remembering:
    """Services that know what stood in the target before; nothing else is asked."""

    def __init__(self, known: Mapping[TableName, TableBaseline] | None) -> None:
        self.known = known

    def baselines(self) -> Mapping[TableName, TableBaseline]:
        if self.known is None:
            raise CouldNotLook("the record of the first run is gone")
        return self.known

    def read_checkpoint(self) -> Checkpoint:
        raise AssertionError("the hook reads no checkpoint")

    def source_tables(self) -> frozenset[TableName]:
        raise AssertionError("the hook reads no source")

    def target(self) -> Any:
        raise AssertionError("the hook looks at no target")


def report_of(recording: Recording) -> ImportReport:
    explainer = Explainer()
    for name in ("lightning.log", "stdout", "stderr"):
        explainer.add(recording.bytes_of(name).splitlines(keepends=True))
    code = recording.case["exit_code"]
    return explainer.report(End(exit_code=code) if code >= 0 else End(signal=-code))


def before(report: ImportReport, was_empty: bool | None, existed: bool = True) -> dict[TableName, TableBaseline]:
    names = [result.table for result in report.tables if result.table]
    return {name: TableBaseline(name, existed, was_empty, 0.0, "r0") for name in names}


@pytest.fixture
def judge(context: Make) -> Make:
    def make(
        report: ImportReport | None, *remedy: RemedyRule, known: Mapping[TableName, TableBaseline] | None = None
    ) -> Verdict:
        made: Context = context(
            stage=Stage.POST_IMPORT, report=report, policy=Policy(remedy=remedy), services=Remembering(known)
        )
        return explain(made)

    return make


WORDS = re.compile(
    rb"checksum mismatched remote vs local => \(checksum: \d+ vs \d+\) "
    rb"\(total_kvs: (\d+) vs (\d+)\) \(total_bytes:(\d+) vs (\d+)\)"
)


@pytest.mark.parametrize("recording", MISMATCHED, ids=lambda r: r.name)
def test_the_table_and_both_totals_are_those_of_the_log(recording: Recording, judge: Make) -> None:
    words = WORDS.search(recording.bytes_of("lightning.log") + recording.bytes_of("stdout"))
    assert words
    kvs_there, kvs_here, bytes_there, bytes_here = map(int, words.groups())
    verdict = judge(report_of(recording))
    (finding,) = verdict.findings
    assert (verdict.status, verdict.code) == (Status.WARN, "checksum-mismatch")
    assert finding.table in mismatched_tables(recording)
    assert f"in the cluster {kvs_there:,} key-value pairs ({bytes_there:,} bytes)" in finding.message
    assert f"from the source {kvs_here:,} ({bytes_here:,} bytes)" in finding.message
    assert f"the checksum of {finding.table} does not match" in verdict.message


def mismatched_tables(recording: Recording) -> set[TableName]:
    """Name the tables of the log's lines that say a checksum failed or was computed, less those that passed."""
    log = recording.bytes_of("lightning.log").decode() + recording.bytes_of("stdout").decode()
    lines = [line for line in log.splitlines() if "[table=" in line and "checksum" in line]
    named = {found[1] for line in lines if (found := re.search(r"\[table=(`\w+`\.`\w+`)\]", line))}
    passed = {name for name in named if any("checksum pass" in line and name in line for line in lines)}
    return {TableName.parse(name) for name in named - passed}


def first_causes(verdict: Verdict) -> list[str]:
    """Name the causes of the one finding that nothing tells apart, the likeliest first."""
    (finding,) = verdict.findings
    causes = finding.data["causes"]
    confidences = [cause["confidence"] for cause in causes]
    assert confidences == sorted(confidences, reverse=True)
    return [cause["cause"] for cause in causes if confidences[0] - cause["confidence"] <= 0.1]


SKIPPING = [r for r in MISMATCHED if b"duplicated key found, skip write" in r.bytes_of("lightning.log")]


@pytest.mark.parametrize("recording", SKIPPING, ids=lambda r: r.name)
@pytest.mark.parametrize("was_empty", [True, False, None])
def test_keys_that_lightning_skipped_are_the_cause_whatever_stood_there_before(
    recording: Recording, was_empty: bool | None, judge: Make
) -> None:
    report = report_of(recording)
    assert first_causes(judge(report, known=before(report, was_empty))) == ["key-conflicts"]


@pytest.mark.parametrize(
    ("was_empty", "cause"), [(True, "concurrent-writes"), (False, "rows-before"), (None, "rows-before")]
)
def test_a_cluster_that_holds_more_had_rows_before_or_another_writer(
    was_empty: bool | None, cause: str, judge: Make, report: Make
) -> None:
    more = Comparison(Totals(1, 3003, 147032), Totals(2, 3000, 146893))  # 21-concurrent-insert-during-import
    end = report(Outcome.CHECKSUM_MISMATCH, tables=(TableResult(A, "checksum-mismatch", more),))
    verdict = judge(end, known=before(end, was_empty))
    assert first_causes(verdict) == [cause]
    assert f"likely cause: {cause}" in verdict.message


def test_old_rows_whose_sums_the_log_holds_are_the_cause(judge: Make) -> None:
    (recording,) = [r for r in MISMATCHED if r.name.endswith("08e-prerows-incremental-overlap")]
    report = report_of(recording)
    verdict = judge(report, known=before(report, was_empty=False))
    assert first_causes(verdict) == ["rows-before"]
    assert "before the import the table held 9 pairs, the import encoded 300" in verdict.findings[0].message


def test_old_rows_are_as_likely_as_keys_where_only_the_totals_are_known(judge: Make, report: Make) -> None:
    end = report(Outcome.CHECKSUM_MISMATCH, tables=(TableResult(A, "checksum-mismatch", TOTALS),))
    verdict = judge(end, known=before(end, was_empty=False))
    assert first_causes(verdict) == ["key-conflicts", "rows-before"]
    assert "cannot be told apart: key-conflicts (50%) or rows-before (50%)" in verdict.findings[0].message


def test_what_stood_there_before_is_said_to_be_unknown_where_it_is(judge: Make) -> None:
    verdict = judge(report_of(MISMATCHED[0]))
    assert verdict.message.endswith(
        "; what stood in the tables before is not known: the record of the first run is gone"
    )


@pytest.mark.parametrize("recording", MISMATCHED, ids=lambda r: r.name)
def test_by_default_nothing_is_done_but_a_report(recording: Recording, judge: Make) -> None:
    plan = judge(report_of(recording)).plan
    assert {step.action for step in plan.steps} == {Action.REPORT}
    assert (plan.then_retry, plan.reason) == (False, "nothing is changed, only reported")
    assert all("per default" in step.reason for step in plan.steps)


@pytest.mark.parametrize("recording", MISMATCHED, ids=lambda r: r.name)
def test_a_remedy_is_planned_for_the_mismatched_table_alone(recording: Recording, judge: Make) -> None:
    verdict = judge(report_of(recording), DESTROY)
    (step,) = verdict.plan.steps
    assert (step.action, step.table) == (Action.DESTROY, verdict.findings[0].table)
    assert "per policy ([[remedy]] number 1)" in step.reason
    assert (verdict.plan.then_retry, verdict.plan.max_attempts) == (True, 2)


def test_causes_that_cannot_be_told_apart_and_have_other_answers_are_only_reported(judge: Make, report: Make) -> None:
    end = report(Outcome.CHECKSUM_MISMATCH, tables=(TableResult(A, "checksum-mismatch", TOTALS),))
    verdict = judge(end, RemedyRule(cause="key-conflicts", action="destroy"), known=before(end, was_empty=False))
    (step,) = verdict.plan.steps
    assert step.action is Action.REPORT
    assert "equally likely, and the policy answers them differently" in step.reason


def test_a_remedy_for_other_tables_or_causes_is_none_for_this(judge: Make) -> None:
    report = report_of(MISMATCHED[0])
    rules = (
        RemedyRule(cause="any", tables=("other.*",), action="destroy"),
        RemedyRule(cause="leftover-checkpoint", action="destroy"),
    )
    (step,) = judge(report, *rules, known=before(report, was_empty=True)).plan.steps
    assert step.action is Action.REPORT


TOTALS = Comparison(Totals(1, 3004, 5), Totals(2, 3006, 6))


def test_a_table_that_nobody_named_is_told_and_never_treated(judge: Make, report: Make) -> None:
    unnamed = report(Outcome.CHECKSUM_MISMATCH, tables=(TableResult(None, "checksum-mismatch", TOTALS),))
    verdict = judge(unnamed, DESTROY)
    assert verdict.plan is None
    assert "the checksum of a table that nobody named does not match" in verdict.message
    assert verdict.findings[0].table is None


def test_a_recorded_stderr_alone_names_no_table(judge: Make) -> None:
    (recording,) = [r for r in MISMATCHED if r.name.endswith("02-mismatch-dup-pk-file")]
    explainer = Explainer()
    explainer.add(recording.bytes_of("stderr").splitlines(keepends=True))
    verdict = judge(explainer.report(End(exit_code=1)), DESTROY)
    assert (verdict.code, verdict.findings[0].table, verdict.plan) == ("checksum-mismatch", None, None)
    assert "3,004" in verdict.findings[0].message


def test_an_unnamed_mismatch_beside_a_named_one_forbids_the_retry(judge: Make, report: Make) -> None:
    tables = (TableResult(A, "checksum-mismatch", TOTALS), TableResult(None, "checksum-mismatch", TOTALS))
    plan = judge(report(Outcome.CHECKSUM_MISMATCH, tables=tables), DESTROY).plan
    assert ([step.table for step in plan.steps], plan.then_retry) == ([A], False)
    assert "no retry: a mismatched table is not named" in plan.reason


def test_a_checksum_that_was_not_completed_is_no_mismatch_and_never_destroys(judge: Make, report: Make) -> None:
    tables = (TableResult(A, "imported, not verified"), TableResult(B, "checksum-passed"))
    words = "[tikv:9006]GC life time is shorter than transaction duration"
    end = report(Outcome.CHECKSUM_INCOMPLETE, tables=tables, root_error=words, checksum_incomplete=True)
    verdict = judge(end, DESTROY)
    assert (verdict.status, verdict.code) == (Status.WARN, "checksum-incomplete")
    assert verdict.message == f"the checksum could not be completed, which proves nothing either way: {words}"
    (step,) = verdict.plan.steps
    assert (step.action, step.table) == (Action.REPORT, A)
    assert "destroy is never done for it, as nothing is proven wrong" in step.reason
    assert verdict.plan.then_retry is False


def test_a_checksum_that_was_not_completed_may_be_tried_again(judge: Make, report: Make) -> None:
    end = report(
        Outcome.CHECKSUM_INCOMPLETE, tables=(TableResult(A, "imported, not verified"),), checksum_incomplete=True
    )
    plan = judge(end, RemedyRule(cause="checksum-incomplete", then="retry", max_attempts=3)).plan
    assert (plan.then_retry, plan.max_attempts, [step.action for step in plan.steps]) == (True, 3, [Action.REPORT])


def test_a_mismatch_beside_a_checksum_not_completed_treats_the_mismatch_only(judge: Make, report: Make) -> None:
    tables = (TableResult(A, "checksum-mismatch", TOTALS), TableResult(B, "imported, not verified"))
    plan = judge(report(Outcome.CHECKSUM_MISMATCH, tables=tables, checksum_incomplete=True), DESTROY).plan
    assert [(step.action, step.table) for step in plan.steps] == [(Action.DESTROY, A)]


@pytest.mark.parametrize("recording", FINE, ids=lambda r: r.name)
def test_a_good_end_has_nothing_to_explain(recording: Recording, judge: Make) -> None:
    verdict = judge(report_of(recording), DESTROY)
    assert (verdict.status, verdict.code, verdict.plan) == (Status.PASS, "no-mismatch", None)


def test_without_a_report_there_is_nothing_to_look_at(judge: Make) -> None:
    with pytest.raises(CouldNotLook, match="no report"):
        judge(None)


def test_totals_beyond_64_bits_of_a_float_stay_exact(judge: Make, report: Make) -> None:
    large = Comparison(Totals(2**64 - 1, 2**63 + 1, 2**63 + 3), Totals(1, 2**63 + 2, 2**63 + 5))
    verdict = judge(report(Outcome.CHECKSUM_MISMATCH, tables=(TableResult(A, "checksum-mismatch", large),)))
    assert f"{2**63 + 1:,} key-value pairs" in verdict.findings[0].message
    assert "-1 pairs, -2 bytes" in verdict.findings[0].message


def test_a_task_that_admits_old_rows_makes_them_a_candidate(context: Make, report: Make) -> None:
    end = report(Outcome.CHECKSUM_MISMATCH, tables=(TableResult(A, "checksum-mismatch", TOTALS),))
    made = context(stage=Stage.POST_IMPORT, report=end, services=Remembering(None))
    parallel = replace(made, task=replace(made.task, parallel_import=True))
    named = [[cause["cause"] for cause in explain(c).findings[0].data["causes"]] for c in (made, parallel)]
    assert ["rows-before" in names for names in named] == [False, True]
