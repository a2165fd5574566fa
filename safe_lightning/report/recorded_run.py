"""One recorded run as text: the summary it ended with, and everything else that its folder holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safe_lightning.record.clock import rfc3339
from safe_lightning.record.trail import TrailVerdict
from safe_lightning.report.labels import paragraph, printable
from safe_lightning.report.run_model import RecordedRun, read_recorded_run
from safe_lightning.report.summary import Closing, summary_lines


def run_lines(folder: Path) -> Iterator[str]:
    """Write a run from its record, 80 columns wide but for names and paths. Raises OSError, UnreadableRecord."""
    run = read_recorded_run(folder)
    result = run.result
    yield f"Run         {result.run}"
    yield f"Started     {rfc3339(result.started_at)}"
    yield f"Ended       {rfc3339(result.ended_at) if result.ended_at is not None else '-'}"
    yield from paragraph("Command", " ".join(result.argv))
    yield from _ending(run)
    yield from _section("Notes", [line for note in result.notes for line in paragraph("", note)])
    yield from _section("Hooks", [line for verdict in run.verdicts for line in _verdict(verdict)])
    yield from _section("Plan", list(_plan(run)))
    yield from _section("Steps", list(_steps(run)))
    yield from _section("Attempts", list(_attempts(run)))
    yield from _section("Places", list(_places(run)))
    yield from _section("Environment", list(_environment(run)))
    yield from _section("Not readable", [line for text in run.unreadable for line in paragraph("    -", text)])


def _section(name: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield name
        yield from lines


def _ending(run: RecordedRun) -> Iterator[str]:
    if not run.state:
        yield from summary_lines(run.result.to_report(), Closing(run.result.exit_code, run.result.attempts))
        return
    yield ""
    yield from paragraph("State", run.state)


def _verdict(verdict: TrailVerdict) -> Iterator[str]:
    entry = verdict.entry
    tries = f", attempt {entry.attempt}" if entry.attempt > 1 else ""
    yield f"    {printable(entry.name)} ({entry.stage}{tries}): {entry.status}, {printable(entry.code)}"
    yield from paragraph("", entry.message)
    for finding in verdict.findings:
        yield from paragraph("          -", finding.message)


def _plan(run: RecordedRun) -> Iterator[str]:
    if run.plan is None:
        return
    for step in run.plan.steps:
        yield f"    {step.action} {printable(str(step.table))}"
        yield from paragraph("", step.reason)
    yield from paragraph("    then", run.plan.reason)


def _steps(run: RecordedRun) -> Iterator[str]:
    for number, step in enumerate(run.steps, 1):
        yield f"    {number}. {step.action} {printable(str(step.table))}"
        yield from paragraph("", step.reason)
        yield from paragraph("    result", step.to_entry().result)


def _attempts(run: RecordedRun) -> Iterator[str]:
    for number, end in enumerate(run.attempts, 1):
        how = f"signal {end.child_signal}" if end.child_signal else f"exit code {end.child_exit_code}"
        yield f"    {number}. {end.outcome} (child: {how})"
        yield from paragraph("", end.reason)


def _places(run: RecordedRun) -> Iterator[str]:
    yield from paragraph("    record", str(run.folder))
    yield from paragraph("    log", run.log_path)
    yield from paragraph("    files", ", ".join(file.name for file in run.files))


def _environment(run: RecordedRun) -> Iterator[str]:
    call = run.call
    yield from paragraph("    folder", call.cwd)
    for name, version in call.versions:
        yield from paragraph("    version", f"{name} {version}")
    yield from paragraph("    checkpoint", call.checkpoint_location)
    yield from paragraph("    names", ", ".join(call.environment))
