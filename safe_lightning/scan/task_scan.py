"""A scan of one task: its settings resolved, the target asked, an earlier result used where nothing has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import field, replace
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_store import read_checkpoint
from safe_lightning.lightning.task import Task
from safe_lightning.lightning.task_file import TaskFileError, read_task_file
from safe_lightning.policy.model import Policy
from safe_lightning.scan.cache import ScanCache, fingerprint
from safe_lightning.scan.model import Limits, Progress, Scan, ScanMode, ScanOptions
from safe_lightning.scan.plan import ScanPlan, plan_scan
from safe_lightning.scan.run import ScanWatch, run_scan
from safe_lightning.scan.target import TargetFacts, ask_target
from safe_lightning.source.findings import ConfigProblem
from safe_lightning.source.settings import SourceSettings


class NoSource(CouldNotLook):
    """The data source does not exist."""


_EVENT_SECONDS = 60.0
_BEGUN = "the checkpoint says that this import has begun the table, so that some of them may be its own"
_WORDS = {"on": True, "off": False}


def options_of(policy: Policy) -> ScanOptions:
    """Take what the policy says of scans."""
    scan = policy.scan
    limits = Limits(
        memory_bytes=scan.memory,
        threads=scan.threads,
        spill_dir=Path(scan.spill_dir) if scan.spill_dir else None,
        examples_most=scan.examples_most,
    )
    return ScanOptions(
        mode=ScanMode(scan.mode),
        sample_fraction=scan.sample_fraction / 100,
        max_duration_seconds=scan.max_duration,
        limits=limits,
        assumed_collation=_WORDS.get(scan.new_collation),
        time_zone=scan.time_zone,
    )


def plan_task(task: Task, options: ScanOptions, timeout_seconds: float) -> ScanPlan:
    """Plan the scan of a task. Raises CouldNotLook where it is out of reach, ConfigProblem where Lightning refuses."""
    if task.server_mode or not task.data_source_dir:
        raise CouldNotLook("the task names no data source (-d, or mydumper.data-source-dir)")
    written = task.data_source_dir.removeprefix("file://").removeprefix("local://")
    if "://" not in written and not (task.cwd / written).is_dir():
        raise NoSource(f"the data source {task.cwd / written} is no folder that can be read")
    try:
        config = read_task_file(task.config_file) if task.config_file else {}
    except TaskFileError as error:
        raise ConfigProblem(str(error)) from error
    settings = SourceSettings.of_task(task, config)

    def ask(tables: Sequence[TableName]) -> TargetFacts:
        return ask_target(task.target, tables, timeout_seconds)

    try:
        return plan_scan(settings, options, ask)
    except OSError as error:
        raise CouldNotLook(f"the source cannot be looked at: {error}") from error


def with_rows_of_target(plan: ScanPlan, task: Task, policy: Policy) -> ScanPlan:
    """Let the rows that stand in the target count as well, but for those that this very import may have written."""
    from safe_lightning.scan.existing_rows import RowsOfTarget

    target = RowsOfTarget(task.target, policy.checkpoint.timeout, plan.unreachable)
    try:
        begun = read_checkpoint(task.checkpoint, policy.checkpoint).tables
    except CouldNotLook as error:
        reason = f"whether some of them are this import's own is not known ({error})"
        return replace(plan, target=replace(target, unreachable=target.unreachable or reason))
    names = [TableName(record.table.schema.lower(), record.table.table.lower()) for record in begun]
    return replace(plan, target=replace(target, untold=dict.fromkeys(names, _BEGUN)))


def scan_plan(
    plan: ScanPlan,
    options: ScanOptions,
    *,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
    cache: ScanCache | None = None,
    is_fresh: bool = False,
) -> Scan:
    """Scan what was planned, or return the result of an earlier scan of the same. Raises CouldNotLook.

    What stands in the target may change at any time: a scan that looks at it is neither kept nor recalled.
    """
    cache = None if plan.target is not None else cache
    print_of_plan = fingerprint(plan, options) if cache is not None else ""
    if cache is not None and not is_fresh:
        earlier = cache.find(print_of_plan)
        if earlier is not None:
            return replace(earlier, notes=(*earlier.notes, "Nothing has changed since an earlier scan: its result."))
    started = time.monotonic()
    deadline = started + options.max_duration_seconds if options.max_duration_seconds else 0.0
    watch = ScanWatch(plan.bytes, progress, stop or threading.Event(), deadline)
    scan = run_scan(plan, options, watch)
    if cache is not None and not watch.stop.is_set():
        cache.keep(print_of_plan, scan, time.monotonic() - started)
    return scan


def scan_task(task: Task, policy: Policy, *, stop: threading.Event, state: Path | None) -> Scan:
    """Scan the source of a run as its policy says. Raises CouldNotLook; a task that Lightning refuses is one such."""
    options = options_of(policy)
    if options.mode is ScanMode.OFF:
        return Scan(ScanMode.OFF)
    try:
        plan = plan_task(task, options, policy.checkpoint.timeout)
    except ConfigProblem as error:
        raise CouldNotLook(f"Lightning refuses this task: {error}") from error
    if policy.scan.include_target:
        plan = with_rows_of_target(plan, task, policy)
    cache = ScanCache(state / "scans") if state is not None else None
    return scan_plan(plan, options, progress=_LoggedProgress(), stop=stop, cache=cache)


def recall_scan(task: Task, policy: Policy, state: Path) -> Scan | None:
    """Return the kept result of a scan of the very same source; None where there is none. Raises CouldNotLook."""
    cache, options = ScanCache(state / "scans"), options_of(policy)
    if options.mode is ScanMode.OFF or not any(cache.folder.glob("*.json")):
        return None
    try:
        return cache.find(fingerprint(plan_task(task, options, policy.checkpoint.timeout), options))
    except ConfigProblem as error:
        raise CouldNotLook(f"Lightning refuses this task: {error}") from error


def scan_table(
    task: Task, policy: Policy, table: TableName, max_duration_seconds: float, stop: threading.Event
) -> Scan:
    """Scan every key of one table, whatever mode the policy has for whole sources. Raises CouldNotLook."""
    limited = replace(options_of(policy), mode=ScanMode.EXACT, max_duration_seconds=max_duration_seconds)
    try:
        plan = plan_task(task, limited, policy.checkpoint.timeout)
    except ConfigProblem as error:
        raise CouldNotLook(f"Lightning refuses this task: {error}") from error
    only = tuple(one for one in plan.tables if one.source.table == table)
    return scan_plan(replace(plan, tables=only), limited, stop=stop)


@dataclass
class _LoggedProgress:
    """Tells of a scan within a run: an event a minute."""

    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)

    def __call__(self, table: TableName, bytes_read: int, bytes_to_read: int) -> None:
        now = time.monotonic()
        if now - self.told >= _EVENT_SECONDS:
            from safe_lightning.logs import get_logger
            from safe_lightning.scan.progress import progress_text

            self.told = now
            text = progress_text(table, bytes_read, bytes_to_read, now - self.started)
            get_logger().info("scan-progress", table=str(table), message=text, bytes=bytes_read)
