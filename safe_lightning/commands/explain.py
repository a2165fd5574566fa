"""``explain``: say how a run ended, from its log and captured output alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Any

import typer

from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.cause import Cause, causes_by_table, incomplete_cause, mismatch_facts
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.outcome import EXPLANATIONS
from safe_lightning.core.redact import redact
from safe_lightning.core.verdict import ImportReport
from safe_lightning.record.result import RunResult
from safe_lightning.report.labels import paragraph, table_lines
from safe_lightning.report.summary import shorten


def explain(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Logs and captured output of one run, a run id, or - for standard input."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
    all_runs: Annotated[bool, typer.Option("--all", help="Explain every run in the files, the oldest first.")] = False,
) -> None:
    """Explain how an import ended: outcome, root error, tables, causes and the next step.

    Works offline on logs of any version: plain or compressed, rotated (name all files), cut, with what containers and
    CI systems put around a line. Of several runs the last is explained.
    """
    reports = _read(sources, all_runs)
    if as_json:
        show_bytes("\n".join(json.dumps(to_json(report), ensure_ascii=False) for report in reports))
        return
    show_bytes("\n\n".join("\n".join(_headed(report, place, reports)) for place, report in enumerate(reports, 1)))


def _headed(report: ImportReport, place: int, reports: Sequence[ImportReport]) -> Iterator[str]:
    if len(reports) > 1:
        yield f"Run         {place} of {len(reports)}"
    yield from to_text(report)


def _read(sources: list[str], all_runs: bool) -> list[ImportReport]:
    from safe_lightning.explaining import UnreadableInput, explain_every_run, explain_files, standard_input
    from safe_lightning.record.lookup import read_source

    try:
        found = [read_source(source, os.environ) for source in sources]
        told = [source.result for source in found if source.result]
        pieces = [piece for source in found for piece in source.pieces]
        if told and not pieces:
            return [told[0].to_report()]
        if all_runs:
            return explain_every_run(pieces, standard_input())
        report = explain_files(pieces, standard_input())
    except UnreadableInput as error:
        fail(str(error), ExitCode.NO_INPUT)
    return [judged_then(report, told[0]) if told and len(sources) == 1 else report]


def judged_then(report: ImportReport, result: RunResult) -> ImportReport:
    """Put what the run itself judged at its end, knowing more, above what its files tell now."""
    judged = result.to_report()
    return replace(
        report,
        outcome=judged.outcome,
        reason=judged.reason,
        child_exit_code=judged.child_exit_code,
        child_signal=judged.child_signal,
        version=report.version or judged.version,
        tables=report.tables or judged.tables,
        root_error=judged.root_error,
        evidence=judged.evidence,
    )


def to_json(report: ImportReport) -> dict[str, Any]:
    """Return the contract of ``explain --json``."""
    return {
        "schema": 1,
        "outcome": str(report.outcome),
        "version": report.version,
        "tables": [
            {
                "table": str(t.table) if t.table else None,
                "status": t.status,
                "checksum": t.checksum and t.checksum.to_json(),
            }
            for t in report.tables
        ],
        "causes": [
            {"cause": c.name, "confidence": c.confidence, "evidence": list(c.evidence)} for c in causes_of(report)
        ],
        "root_error": redact(report.root_error) if report.root_error else None,
    }


def causes_of(report: ImportReport) -> list[Cause]:
    """Rank the causes over all mismatched tables, each named once; what stood there before is not known.

    Where several tables mismatch, each line of evidence begins with its table. A checksum that was not completed has
    one cause of its own, which says what kept it from being completed.
    """
    if incomplete := incomplete_cause(report):
        return [incomplete]
    by_table = causes_by_table(report, lambda table, totals: mismatch_facts(report, table, totals, None))
    found: dict[str, list[Cause]] = {}
    for table, causes in by_table.items():
        for cause in causes:
            lead = f"{table or 'a table that nobody named'}: " if len(by_table) > 1 else ""
            lines = tuple(lead + line for line in cause.evidence)
            found.setdefault(cause.name, []).append(replace(cause, evidence=lines))
    return sorted((_joined(causes) for causes in found.values()), key=lambda cause: -cause.confidence)


def _joined(causes: list[Cause]) -> Cause:
    evidence = tuple(line for cause in causes for line in cause.evidence)
    return replace(max(causes, key=lambda cause: cause.confidence), evidence=evidence)


def to_text(report: ImportReport) -> Iterator[str]:
    """Write for a reader at night, 80 columns wide: the end, what it means, the error behind it, and what to do."""
    explanation = EXPLANATIONS[report.outcome]
    error = shorten(redact(report.root_error or ""))
    yield f"Outcome     {report.outcome}"
    yield from paragraph("Meaning", explanation.meaning)
    yield from paragraph("Reason", "" if report.reason == report.root_error else redact(report.reason))
    yield from paragraph("Root error", error)
    yield from paragraph("Lightning", report.version or "")
    for note in report.evidence:
        yield from paragraph("Note", redact(note))
    yield from table_lines(report.tables)
    for cause in causes_of(report):
        yield from _cause_text(cause)
    yield ""
    yield from paragraph("Next step", explanation.next_step)


def _cause_text(cause: Cause) -> Iterator[str]:
    yield ""
    yield f"Cause       {cause.name} ({cause.confidence:.0%})"
    for line in cause.evidence:
        yield from paragraph("", line)
    yield from paragraph("To settle", cause.settle)
