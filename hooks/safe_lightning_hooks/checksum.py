"""Post-import hook ``checksum``: what a mismatch means, table by table, and what the policy does about it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from safe_lightning.api import (
    Cause,
    Comparison,
    Context,
    CouldNotLook,
    Examination,
    Examiner,
    Finding,
    ImportReport,
    MismatchFacts,
    Plan,
    Settlement,
    SettlingStep,
    Status,
    TableBaseline,
    TableName,
    Verdict,
    incomplete_cause,
    mismatch_facts,
    mismatches,
    plan_remedy,
    remedy_for,
    settle,
    tied,
    told_before,
)


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
    settled = _settle(context, report, baselines)
    causes = {table: one.settlement.causes for table, one in settled.items()}
    plan = plan_remedy(report, causes, partial(remedy_for, context.policy), context.task.checksum == "required")
    if causes:
        return _mismatch(settled, plan, note)
    if report.checksum_incomplete:
        return _incomplete(report, plan)
    return Verdict(Status.PASS, "no-mismatch", "no checksum mismatch was reported")


def _baselines(context: Context) -> tuple[Mapping[TableName, TableBaseline], str]:
    try:
        return context.services.baselines(), ""
    except CouldNotLook as error:
        return {}, f"; what stood in the tables before is not known: {error}"


@dataclass(frozen=True)
class _Settled:
    """One mismatched table: what was judged of it in the end, and what could not be looked at."""

    settlement: Settlement
    not_known: tuple[str, ...]


def _settle(
    context: Context, report: ImportReport, baselines: Mapping[TableName, TableBaseline]
) -> dict[TableName | None, _Settled]:
    """Judge each mismatched table by everything that can be seen; with ``verify.investigate`` settle it by checks."""
    found = mismatches(report)
    # Whoever embeds the engine may offer less than it does: then the log alone is what there is.
    offer = getattr(context.services, "examiner", None)
    examiner: Examiner | None = offer() if offer is not None and found else None
    most = context.policy.verify.checks_most if context.policy.verify.investigate else 0
    settled = {}
    for table, totals in found.items():
        seen = _see(context, table, examiner)
        facts = _facts(context, report, baselines.get(table) if table else None, table, totals, seen)
        settled[table] = _Settled(settle(facts, examiner, most, time.monotonic), seen.not_known)
    return settled


def _see(context: Context, table: TableName | None, examiner: Examiner | None) -> Examination:
    if table is None:
        return Examination()
    seen = examiner.examine(table) if examiner is not None else Examination()
    # What this run's own scan said is newer than any that is kept.
    return seen.joined(told_before(context.verdicts, table))


def _facts(
    context: Context,
    report: ImportReport,
    before: TableBaseline | None,
    table: TableName | None,
    comparison: Comparison,
    seen: Examination,
) -> MismatchFacts:
    had_rows = None if before is None else _had_rows(before)
    incremental = context.task.values.get("tikv-importer.incremental-import") is True
    parallel = context.task.parallel_import
    facts = mismatch_facts(report, table, comparison, had_rows, incremental or parallel, seen)
    # What the task does not ask for is known not to happen; the log alone could not tell.
    strategy = facts.conflict_strategy or context.task.conflict_strategy or "none"
    return replace(facts, is_parallel=parallel, conflict_strategy=strategy)


def _had_rows(before: TableBaseline) -> bool | None:
    if not before.existed:
        return False
    return None if before.was_empty is None else not before.was_empty


def _mismatch(settled: Mapping[TableName | None, _Settled], plan: Plan | None, note: str) -> Verdict:
    findings = tuple(_finding(table, one) for table, one in settled.items())
    tables = ", ".join(str(table or "a table that nobody named") for table in settled)
    likely = _likely([one.settlement.causes for one in settled.values()])
    message = f"the checksum of {tables} does not match; likely cause: {likely}{note}"
    return Verdict(Status.WARN, "checksum-mismatch", message, findings, plan)


def _likely(causes: Sequence[Sequence[Cause]]) -> str:
    first = [" or ".join(cause.name for cause in tied(found)) for found in causes]
    return ", ".join(dict.fromkeys(first))


def _finding(table: TableName | None, settled: _Settled) -> Finding:
    causes, steps = settled.settlement.causes, settled.settlement.steps
    candidates = tied(causes)
    best = candidates[0]
    names = " or ".join(f"{cause.name} ({cause.confidence:.0%})" for cause in candidates)
    tie = "cannot be told apart: " if len(candidates) > 1 else ""
    # The arithmetic is the same for every cause and is said once.
    evidence = dict.fromkeys(line for cause in candidates for line in cause.evidence)
    lines = "; ".join(evidence)
    looked = f" Looked into: {'; '.join(map(str, steps))}." if steps else ""
    return Finding(
        best.name,
        f"{table or 'a table that nobody named'}: {tie}{names}. {lines}.{looked} To settle it: {best.settle}.",
        table,
        {
            "causes": [_cause_data(cause) for cause in causes],
            "checks": [_step_data(step) for step in steps],
            "not_known": list(settled.not_known),
        },
    )


def _step_data(step: SettlingStep) -> dict[str, object]:
    return {
        "check": str(step.check),
        "result": step.result,
        "seconds": round(step.seconds, 3),
        "could_look": not step.has_failed,
    }


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
