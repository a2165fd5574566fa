"""Post-import hook ``checksum``: what a mismatch means, table by table, and what the policy does about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from safe_lightning.api import (
    Cause,
    Comparison,
    Context,
    CouldNotLook,
    Finding,
    ImportReport,
    MismatchFacts,
    Plan,
    Status,
    TableBaseline,
    TableName,
    Verdict,
    causes_by_table,
    incomplete_cause,
    mismatch_facts,
    plan_remedy,
    remedy_for,
    tied,
)

Causes = Mapping[TableName | None, Sequence[Cause]]


def explain(context: Context) -> Verdict:
    """Name the causes of a checksum mismatch and propose the policy's remedy.

    Warns, because the outcome already speaks for the run's end; passes where checksums agree or none was due.
    A checksum that was not completed is no mismatch: nothing is proven wrong, so nothing is ever destroyed for it.
    Raises CouldNotLook without a report.
    """
    report = context.report
    if report is None:
        raise CouldNotLook("there is no report of an import to explain")
    baselines, note = _baselines(context)
    causes = causes_by_table(report, partial(_facts, context, report, baselines))
    plan = plan_remedy(report, causes, partial(remedy_for, context.policy), context.task.checksum == "required")
    if causes:
        return _mismatch(causes, plan, note)
    if report.checksum_incomplete:
        return _incomplete(report, plan)
    return Verdict(Status.PASS, "no-mismatch", "no checksum mismatch was reported")


def _baselines(context: Context) -> tuple[Mapping[TableName, TableBaseline], str]:
    try:
        return context.services.baselines(), ""
    except CouldNotLook as error:
        return {}, f"; what stood in the tables before is not known: {error}"


def _facts(
    context: Context,
    report: ImportReport,
    baselines: Mapping[TableName, TableBaseline],
    table: TableName | None,
    comparison: Comparison,
) -> MismatchFacts:
    before = baselines.get(table) if table else None
    had_rows = None if before is None else _had_rows(before)
    incremental = context.task.values.get("tikv-importer.incremental-import") is True
    parallel = context.task.parallel_import
    facts = mismatch_facts(report, table, comparison, had_rows, incremental or parallel)
    return replace(facts, is_parallel=parallel)


def _had_rows(before: TableBaseline) -> bool | None:
    if not before.existed:
        return False
    return None if before.was_empty is None else not before.was_empty


def _mismatch(causes: Causes, plan: Plan | None, note: str) -> Verdict:
    findings = tuple(_finding(table, found) for table, found in causes.items())
    tables = ", ".join(str(table or "a table that nobody named") for table in causes)
    message = f"the checksum of {tables} does not match; likely cause: {_likely(causes)}{note}"
    return Verdict(Status.WARN, "checksum-mismatch", message, findings, plan)


def _likely(causes: Causes) -> str:
    first = [" or ".join(cause.name for cause in tied(found)) for found in causes.values()]
    return ", ".join(dict.fromkeys(first))


def _finding(table: TableName | None, causes: Sequence[Cause]) -> Finding:
    candidates = tied(causes)
    best = candidates[0]
    names = " or ".join(f"{cause.name} ({cause.confidence:.0%})" for cause in candidates)
    tie = "cannot be told apart: " if len(candidates) > 1 else ""
    # The arithmetic is the same for every cause and is said once.
    evidence = dict.fromkeys(line for cause in candidates for line in cause.evidence)
    lines = "; ".join(evidence)
    return Finding(
        best.name,
        f"{table or 'a table that nobody named'}: {tie}{names}. {lines}. To settle it: {best.settle}.",
        table,
        {"causes": [_cause_data(cause) for cause in causes]},
    )


def _cause_data(cause: Cause) -> dict[str, object]:
    return {
        "cause": cause.name,
        "confidence": cause.confidence,
        "evidence": list(cause.evidence),
        "settle": cause.settle,
    }


def _incomplete(report: ImportReport, plan: Plan | None) -> Verdict:
    why = f": {report.root_error}" if report.root_error else ""
    message = f"the checksum could not be completed, which proves nothing either way{why}"
    cause = incomplete_cause(report)
    data = {"causes": [_cause_data(cause)]} if cause else {}
    return Verdict(Status.WARN, "checksum-incomplete", message, (), plan, data)
