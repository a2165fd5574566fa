"""``explain``: say how a run ended, from its log and captured output alone."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.commands.recorded import Config
from safe_lightning.core.cause import (
    Cause,
    MismatchFacts,
    causes_by_table,
    incomplete_cause,
    joined_causes,
    mismatch_facts,
    next_step,
)
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import EXPLANATIONS, Outcome
from safe_lightning.core.redact import redact
from safe_lightning.core.tables import Comparison, TableName
from safe_lightning.core.verdict import ImportReport
from safe_lightning.record.result import RunResult
from safe_lightning.report.labels import paragraph, table_lines
from safe_lightning.report.summary import shorten

if TYPE_CHECKING:
    from safe_lightning.record.lookup import Source


def explain(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE...", help="Logs and captured output of one run, a run id, or - for standard input."
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
    all_runs: Annotated[bool, typer.Option("--all", help="Explain every run in the files, the oldest first.")] = False,
    config: Config = None,
) -> None:
    """Explain how an import ended: outcome, root error, tables, causes and the next step.

    Works offline on logs of any version: plain or compressed, rotated (name all files), cut, with what containers and
    CI systems put around a line. Of several runs the last is explained.
    """
    told = _read(sources, all_runs, config.absolute() if config else None)
    if as_json:
        show_bytes("\n".join(json.dumps(to_json(one.report, one.causes), ensure_ascii=False) for one in told))
        return
    show_bytes("\n\n".join("\n".join(_headed(one, place, len(told))) for place, one in enumerate(told, 1)))


def _headed(one: Explained, place: int, count: int) -> Iterator[str]:
    if count > 1:
        yield f"Run         {place} of {count}"
    yield from to_text(one.report, one.causes, one.checks)


def _read(sources: list[str], all_runs: bool, config: Path | None) -> list[Explained]:
    from safe_lightning.explaining import UnreadableInput, explain_every_run, explain_files, standard_input
    from safe_lightning.record.lookup import read_source

    try:
        found = [read_source(source, os.environ, config) for source in sources]
        told = [source.result for source in found if source.result]
        pieces = [piece for source in found for piece in source.pieces]
        if told and not pieces:
            return [_explained(told[0].to_report(), found)]
        if all_runs:
            return [_explained(report, ()) for report in explain_every_run(pieces, standard_input())]
        report = explain_files(pieces, standard_input())
    except UnreadableInput as error:
        fail(str(error), ExitCode.NO_INPUT)
    return [_explained(judged_then(report, told[0]) if told and len(sources) == 1 else report, found)]


def _explained(report: ImportReport, found: Sequence[Source]) -> Explained:
    """Judge by the log alone, or for one recorded run by what was known at its end, which is more."""
    folder = found[0].folder if len(found) == 1 else None
    if folder is None:
        return Explained(report, causes_of(report))
    from safe_lightning.report.run_causes import causes_told_by, checks_told_by, had_rows_before

    told = causes_told_by(folder) if report.outcome is Outcome.CHECKSUM_MISMATCH else None
    if told is not None:
        return Explained(report, told, checks_told_by(folder))
    return Explained(report, causes_of(report, had_rows_before(folder)))


@dataclass(frozen=True)
class Explained:
    """A run's report, its causes, and the checks that were made at its end to settle them."""

    report: ImportReport
    causes: list[Cause]
    checks: tuple[str, ...] = ()


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


def to_json(report: ImportReport, causes: Sequence[Cause] | None = None) -> dict[str, Any]:
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
            {"cause": c.name, "confidence": c.confidence, "evidence": list(c.evidence)}
            for c in (causes_of(report) if causes is None else causes)
        ],
        "root_error": redact(report.root_error) if report.root_error else None,
    }


def causes_of(report: ImportReport, before: Mapping[TableName, bool | None] | None = None) -> list[Cause]:
    """Rank the causes over all mismatched tables, each named once; ``before`` tells which held rows, where known.

    A checksum that was not completed has one cause of its own, which says what kept it from being completed.
    """
    if incomplete := incomplete_cause(report):
        return [incomplete]

    def facts(table: TableName | None, totals: Comparison) -> MismatchFacts:
        return mismatch_facts(report, table, totals, (before or {}).get(table) if table else None)

    return joined_causes(causes_by_table(report, facts))


def to_text(report: ImportReport, causes: Sequence[Cause] | None = None, checks: Sequence[str] = ()) -> Iterator[str]:
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
    known = causes_of(report) if causes is None else causes
    for cause in known:
        yield from _cause_text(cause)
    if checks:
        yield ""
    for place, check in enumerate(checks):
        yield from paragraph("" if place else "Looked into", check)
    yield ""
    yield from paragraph("Next step", next_step(known) or explanation.next_step)


def _cause_text(cause: Cause) -> Iterator[str]:
    yield ""
    yield f"Cause       {cause.name} ({cause.confidence:.0%})"
    for line in cause.evidence:
        yield from paragraph("", line)
    yield from paragraph("To settle", cause.settle)
