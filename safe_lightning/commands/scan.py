"""``scan``: every duplicate PRIMARY or UNIQUE key of a source, before the import."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safe_lightning.commands.found_policy import policy_of
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.verdict import CouldNotLook

if TYPE_CHECKING:
    from safe_lightning.core.columns import Backend
    from safe_lightning.lightning.task import Task
    from safe_lightning.policy.model import Policy
    from safe_lightning.scan.model import Scan, ScanOptions
    from safe_lightning.scan.plan import ScanPlan


class Mode(StrEnum):
    """How much is looked at."""

    EXACT = "exact"
    SAMPLE = "sample"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


def scan(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS", help="What tidb-lightning is given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", metavar="FILE", help="Write the conflicts as CSV.")] = None,
    html_file: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write an HTML page.")] = None,
    files: Annotated[bool, typer.Option("--files", help="List tables and files as Lightning finds them.")] = False,
    table: Annotated[
        list[str] | None, typer.Option("--table", metavar="PATTERN", help='Only these tables, such as "app.*".')
    ] = None,
    mode: Annotated[Mode | None, typer.Option("--mode", help="Every key, or a random slice of the keys.")] = None,
    new_collation: Annotated[
        Switch | None, typer.Option("--new-collation", help="The target's new collation framework; else it is asked.")
    ] = None,
    include_target: Annotated[
        bool | None,
        typer.Option("--include-target/--no-include-target", help="Hold the keys against the target's rows as well."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not use the result of an earlier scan.")] = False,
) -> None:
    """Find rows of the source that share a primary or unique key.

    Needs no cluster: `safe-lightning scan -- -d DIR` reads the schema files in DIR. Exit code 0 if all keys are
    clean, 65 if there are conflicts, 69 if something could not be checked, 66 if there is nothing to read.
    """
    task = _task(arguments or [])
    policy = policy_of(task.config_file)
    options = _options(policy, table, mode, new_collation)
    plan = _plan(task, policy, options)
    if files:
        show_bytes("\n".join(_listing(plan)))
        raise typer.Exit(_no_input_code(plan))
    if policy.scan.include_target if include_target is None else include_target:
        plan = _with_rows_of_target(plan, task, policy)
    found = _scan(plan, options, policy, is_fresh=fresh)
    _write_files(found, task, csv_file, html_file)
    _show(found, task, as_json=as_json)
    raise typer.Exit(exit_code(found, plan))


def _task(arguments: list[str]) -> Task:
    from safe_lightning.lightning.task import resolve_task

    task = resolve_task(arguments, Path.cwd(), os.environ)
    if not task.data_source_dir:
        unread = [problem.message for problem in task.problems if problem.key == "config"]
        wanted = "no data source: give Lightning's flags after --, such as -- -d DIR"
        fail(unread[0] if unread else wanted, ExitCode.USAGE)
    return task


def _options(policy: Policy, tables: list[str] | None, mode: Mode | None, new_collation: Switch | None) -> ScanOptions:
    from safe_lightning.core.tablefilter import FilterError, parse_filter
    from safe_lightning.scan.model import ScanMode
    from safe_lightning.scan.task_scan import options_of

    options = options_of(policy)
    if tables:
        try:
            parse_filter(tables)
        except FilterError as error:
            fail(f"--table: {error}", ExitCode.USAGE)
        options = replace(options, tables=tuple(tables))
    if new_collation is not None:
        options = replace(options, new_collation=new_collation is Switch.ON)
    # Who calls the verb wants a scan, whatever the hook is told to do.
    wanted = ScanMode.EXACT if options.mode is ScanMode.OFF else options.mode
    return replace(options, mode=ScanMode(mode) if mode else wanted)


def _plan(task: Task, policy: Policy, options: ScanOptions) -> ScanPlan:
    from safe_lightning.scan.task_scan import NoSource, plan_task
    from safe_lightning.source.findings import ConfigProblem

    try:
        return plan_task(task, options, policy.checkpoint.timeout)
    except ConfigProblem as error:
        fail(f"Lightning refuses this task: {error}", ExitCode.USAGE)
    except NoSource as error:
        fail(str(error), ExitCode.NO_INPUT)
    except CouldNotLook as error:
        fail(str(error), ExitCode.COULD_NOT_LOOK)


def _with_rows_of_target(plan: ScanPlan, task: Task, policy: Policy) -> ScanPlan:
    from safe_lightning.scan.task_scan import with_rows_of_target

    return with_rows_of_target(plan, task, policy)


def _scan(plan: ScanPlan, options: ScanOptions, policy: Policy, *, is_fresh: bool) -> Scan:
    from safe_lightning.record.state_dir import StateUnavailable, find_state_dir
    from safe_lightning.scan.cache import ScanCache
    from safe_lightning.scan.progress import shown_progress
    from safe_lightning.scan.task_scan import scan_plan
    from safe_lightning.supervise.signals import StopControl, signals_taken_by

    try:
        cache = ScanCache(find_state_dir(policy.state_dir, os.environ) / "scans")
    except StateUnavailable:
        cache = None  # without a place to keep it every scan is made anew
    control = StopControl()
    with signals_taken_by(control), shown_progress(policy.log.progress == "auto") as progress:
        found = scan_plan(plan, options, progress=progress, stop=control.event, cache=cache, is_fresh=is_fresh)
    if control.stop_requested:
        print("safe-lightning: stopped; what was not read is reported as not checked", file=sys.stderr)
    return found


def _write_files(found: Scan, task: Task, csv_file: Path | None, html_file: Path | None) -> None:
    from safe_lightning.scan.report_csv import write_csv
    from safe_lightning.scan.report_html import to_html

    try:
        if csv_file is not None:
            with csv_file.open("w", encoding="utf-8", errors="backslashreplace", newline="") as to:
                write_csv(found, to)
        if html_file is not None:
            html_file.write_text(to_html(found, _backend(task), task.argv), "utf-8", "backslashreplace")
    except OSError as error:
        fail(f"the report cannot be written: {error}", ExitCode.USAGE)


def _show(found: Scan, task: Task, *, as_json: bool) -> None:
    from safe_lightning.scan.report_json import to_json
    from safe_lightning.scan.report_text import to_text

    if as_json:
        show_bytes(json.dumps(to_json(found), ensure_ascii=False))
    else:
        show_bytes("\n".join(to_text(found, _backend(task), task.argv)))


def _backend(task: Task) -> Backend:
    from safe_lightning.core.columns import Backend

    return Backend.LOGICAL if task.backend == Backend.LOGICAL else Backend.PHYSICAL


def _listing(plan: ScanPlan) -> list[str]:
    lines = []
    for table in plan.tables:
        schema = table.source.schema_file
        lines.append(f"{table.source.table}  ({schema.name if schema else 'no schema file'})")
        lines += [f"    {file.name}  {file.type} {file.size_bytes:,} bytes" for file in table.source.files]
    return lines or ["no table"]


def _no_input_code(plan: ScanPlan) -> int:
    from safe_lightning.scan.plan import without_files

    return int(ExitCode.NO_INPUT) if without_files(plan) else 0


def exit_code(found: Scan, plan: ScanPlan) -> int:
    """Choose the exit code: conflicts before what was not checked, and both before nothing to read."""
    if found.has_conflicts:
        return int(ExitCode.CONFLICTS_IN_SOURCE)
    if not found.is_complete:
        return int(ExitCode.COULD_NOT_LOOK)
    return _no_input_code(plan)
