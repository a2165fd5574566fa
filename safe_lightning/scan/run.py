"""A whole scan: plan, one engine per table, and what is reported of each key."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.scan.engines import choose_engine
from safe_lightning.scan.model import (
    Engine,
    Example,
    KeyFound,
    KeyScan,
    KeyStatus,
    Limits,
    Progress,
    Scan,
    ScanMode,
    ScanOptions,
    ScanStopped,
    TableFound,
    TableScan,
    TableScanRequest,
)
from safe_lightning.scan.plan import PlannedTable, ScanPlan, odd_findings, unknown_key
from safe_lightning.scan.sampling import conclude
from safe_lightning.scan.why import explain
from safe_lightning.source.findings import SourceFinding

_OUT_OF_REACH = "could-not-look"


@dataclass
class ScanWatch:
    """Adds up what was read, tells it, and ends the work where somebody asks for it or the time is over.

    ``deadline`` is on the monotonic clock; 0 means none.
    """

    bytes_to_read: int
    progress: Progress | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    deadline: float = 0.0
    bytes_read: int = 0

    def advance(self, table: TableName, bytes_read: int) -> None:
        """Hear that so many more bytes were read. Raises ScanStopped."""
        self.bytes_read += bytes_read
        if self.progress is not None:
            self.progress(table, self.bytes_read, self.bytes_to_read)
        self.check()

    def check(self) -> None:
        """Let the work go on, or raise ScanStopped where it must end."""
        if self.stop.is_set():
            raise ScanStopped("the scan was stopped")
        if self.deadline and time.monotonic() > self.deadline:
            share = 100 * self.bytes_read // max(1, self.bytes_to_read)
            raise ScanStopped(f"the time for the scan was over after {share} % of the bytes", is_time_over=True)


ChooseEngine = Callable[[TableScanRequest, Limits], Engine]


def run_scan(plan: ScanPlan, options: ScanOptions, watch: ScanWatch, choose: ChooseEngine = choose_engine) -> Scan:
    """Scan every table of a plan; what goes wrong with one does not hide the others. Never raises but CouldNotLook."""
    if options.mode is ScanMode.OFF:
        raise CouldNotLook('the policy turns the scan off (scan.mode = "off")')
    limits = options.limits
    if options.mode is ScanMode.SAMPLE:
        limits = replace(limits, fraction=options.sample_fraction)
    mode, tables, notes = options.mode, list[TableScan](), list(plan.notes)
    for planned in plan.tables:
        scanned, is_time_over = _scan_table(planned, limits, watch, choose)
        tables.append(scanned)
        if is_time_over and mode is ScanMode.EXACT:
            mode = ScanMode.SAMPLE
            notes.insert(0, _TIME_OVER)
    return Scan(mode, tuple(tables), odd_findings(plan.source), tuple(notes))


_TIME_OVER = (
    "THE TIME FOR THE SCAN WAS OVER (scan.max_duration): only a part of the source was read. The conflicts listed are "
    "real; a key without any was not checked to the end."
)


def _scan_table(
    planned: PlannedTable, limits: Limits, watch: ScanWatch, choose: ChooseEngine
) -> tuple[TableScan, bool]:
    source = planned.source
    report = TableScan(source.table, 0, source.size_bytes, len(source.files), planned.findings, (), planned.basis)
    if planned.request is None:
        key = unknown_key(planned.unknown)
        return replace(report, keys=(KeyScan(key.name, (), KeyStatus.NOT_CHECKED, planned.unknown),)), False
    try:
        watch.check()
        found = choose(planned.request, limits).scan(planned.request, limits, watch)
    except ScanStopped as stop:
        keys = tuple(KeyFound(key, not_checked=str(stop)) for key in planned.request.keys)
        found = TableFound(0, keys, unread=str(stop), is_stopped=True)
    examples = explain(planned.request, found.keys)
    keys_scanned = tuple(_key_scan(key, found, limits, examples.get(key.key.name, ())) for key in found.keys)
    findings = (*planned.findings, *found.findings, *_counted(planned, found))
    is_time_over = found.is_stopped and not watch.stop.is_set()
    return replace(report, rows=found.rows, findings=findings, keys=keys_scanned), is_time_over


def _counted(planned: PlannedTable, found: TableFound) -> Sequence[SourceFinding]:
    if found.rows or not planned.source.files or found.unread is not None:
        return ()
    return (SourceFinding("no-row-at-all", f"{planned.source.table} gets no row", table=planned.source.table),)


def _key_scan(key: KeyFound, found: TableFound, limits: Limits, examples: tuple[Example, ...]) -> KeyScan:
    request = key.key
    status, reason = _judge(key, found, limits)
    return KeyScan(request.name, request.columns, status, reason, key.duplicate_keys, key.duplicate_rows, examples)


def _judge(key: KeyFound, found: TableFound, limits: Limits) -> tuple[KeyStatus, str | None]:
    """Say what is known of a key: a conflict that was found is one whatever else happened."""
    if key.not_checked is not None:
        return KeyStatus.NOT_CHECKED, key.not_checked
    is_sample = limits.fraction < 1
    reasons = [found.unread] if found.unread else []
    reasons += [conclude(key.duplicate_keys, limits.fraction)] if is_sample else []
    reasons += [key.doubt] if key.doubt else []
    reason = "; ".join(reasons) or None
    if key.duplicate_keys:
        return KeyStatus.CONFLICTS, reason
    is_out_of_reach = any(finding.code == _OUT_OF_REACH for finding in found.findings)
    if found.unread is not None and not found.is_stopped and not is_out_of_reach:
        return KeyStatus.INPUT_ERROR, reason
    return (KeyStatus.NOT_CHECKED if reason else KeyStatus.CLEAN), reason
