"""One recorded run as text: the summary it ended with, and everything else that its folder holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safe_lightning.record.clock import rfc3339
from safe_lightning.record.result import AttemptEnd, RunResult
from safe_lightning.record.run_folder import is_alive, read_json, read_run
from safe_lightning.record.strict_json import UnreadableRecord
from safe_lightning.record.trail import TrailVerdict, read_phases, read_steps, read_verdicts
from safe_lightning.report.labels import paragraph, printable
from safe_lightning.report.summary import Closing, summary_lines


def run_lines(folder: Path) -> Iterator[str]:
    """Write a run from its record, 80 columns wide but for names and paths. Raises OSError, UnreadableRecord."""
    result = read_run(folder)
    yield f"Run         {result.run}"
    yield f"Started     {rfc3339(result.started_at)}"
    yield f"Ended       {rfc3339(result.ended_at) if result.ended_at is not None else '-'}"
    yield from paragraph("Command", " ".join(result.argv))
    yield from _ending(folder, result)
    yield from _section("Notes", [line for note in result.notes for line in paragraph("", note)])
    yield from _section("Hooks", [line for verdict in read_verdicts(folder) for line in _verdict(verdict)])
    yield from _section("Plan", list(_plan(folder)))
    yield from _section("Steps", list(_steps(folder)))
    yield from _section("Attempts", list(_attempts(result)))
    yield from _section("Places", list(_places(folder, result)))
    yield from _section("Environment", list(_environment(folder)))
    yield from _section("Not readable", list(_unreadable(folder)))


def _section(name: str, lines: list[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield name
        yield from lines


def _ending(folder: Path, result: RunResult) -> Iterator[str]:
    if result.outcome is not None:
        yield from summary_lines(result.to_report(), Closing(result.exit_code, result.attempts))
        return
    phases = read_phases(folder)
    doing = f"{phases[-1].name} since {rfc3339(phases[-1].at)}" if phases else "it has only begun"
    state = "still going on" if is_alive(folder) else "died without writing its end"
    yield ""
    yield from paragraph("State", f"{state}: {doing}")


def _verdict(verdict: TrailVerdict) -> Iterator[str]:
    entry = verdict.entry
    tries = f", attempt {entry.attempt}" if entry.attempt > 1 else ""
    yield f"    {printable(entry.name)} ({entry.stage}{tries}): {entry.status}, {printable(entry.code)}"
    yield from paragraph("", entry.message)
    for finding in verdict.findings:
        yield from paragraph("          -", finding)


def _plan(folder: Path) -> Iterator[str]:
    plan = _object(folder / "plan.json")
    for step in plan.get("steps", []) if isinstance(plan.get("steps"), list) else []:
        if isinstance(step, dict):
            yield f"    {printable(str(step.get('action')))} {printable(str(step.get('table')))}"
            yield from paragraph("", str(step.get("reason", "")))
    yield from paragraph("    then", str(plan.get("reason", "")))


def _steps(folder: Path) -> Iterator[str]:
    for number, step in enumerate(read_steps(folder), 1):
        yield f"    {number}. {step.action} {printable(str(step.table))}"
        yield from paragraph("", step.reason)
        yield from paragraph("    result", step.to_entry().result)


def _attempts(result: RunResult) -> Iterator[str]:
    if not result.previous_attempts:
        return
    last = (
        AttemptEnd(result.outcome, result.reason, result.child_exit_code, result.child_signal)
        if result.outcome
        else None
    )
    for number, end in enumerate((*result.previous_attempts, *([last] if last else [])), 1):
        how = f"signal {end.child_signal}" if end.child_signal else f"exit code {end.child_exit_code}"
        yield f"    {number}. {end.outcome} (child: {how})"
        yield from paragraph("", end.reason)


def _places(folder: Path, result: RunResult) -> Iterator[str]:
    yield from paragraph("    record", str(folder))
    yield from paragraph("    log", result.log_path or str(_object(folder / "log.json").get("path", "")))
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir() if path.name != "alive")
    yield from paragraph("    files", ", ".join(names))


def _environment(folder: Path) -> Iterator[str]:
    call = _object(folder / "argv.json")
    yield from paragraph("    folder", str(call.get("cwd", "")))
    versions = call.get("versions")
    for name, version in versions.items() if isinstance(versions, dict) else []:
        yield from paragraph("    version", f"{name} {version}")
    yield from paragraph("    checkpoint", str(call.get("checkpoint_location", "")))
    names = call.get("environment")
    yield from paragraph("    names", ", ".join(map(str, names)) if isinstance(names, list) else "")


def _unreadable(folder: Path) -> Iterator[str]:
    for name in ("argv.json", "plan.json", "log.json"):
        try:
            read_json(folder / name)
        except FileNotFoundError:
            continue
        except UnreadableRecord as error:
            yield from paragraph("    -", str(error))


def _object(path: Path) -> dict[str, Any]:
    try:
        document = read_json(path)
    except (FileNotFoundError, UnreadableRecord):
        return {}  # what cannot be read is told in a section of its own
    return document if isinstance(document, dict) else {}
