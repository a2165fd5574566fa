"""The scan of one table: the source, the target's rows where they count, both collations where neither is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.scan.both_collations import BothAnswers, answer_both, without_collations
from safe_lightning.scan.model import (
    Engine,
    Example,
    KeyFound,
    KeyScan,
    KeyStatus,
    Limits,
    ScanStopped,
    TableFound,
    TableScan,
    TableScanRequest,
    Watch,
)
from safe_lightning.scan.plan import PlannedTable, ScanPlan, unknown_key
from safe_lightning.scan.sampling import conclude
from safe_lightning.scan.why import explain
from safe_lightning.source.findings import SourceFinding

_OUT_OF_REACH = "could-not-look"

ChooseEngine = Callable[[TableScanRequest, Limits], Engine]


class CountedWatch(Watch, Protocol):
    """A watch that knows what there is to read, and grows with it."""

    bytes_to_read: int
    bytes_read: int

    def check(self) -> None:
        """Let the work go on, or raise ScanStopped where it must end."""
        ...


@dataclass(frozen=True)
class ScannedTable:
    """What is reported of a table, and what the whole scan has to say: how much was looked at, and what of both."""

    scan: TableScan
    is_stopped: bool = False
    is_sampled: bool = False
    existing_rows: int | None = None
    differing: tuple[str, ...] = ()


@dataclass(frozen=True)
class TableScanner:
    """Scans the tables of a plan. ``spare_fraction`` is the share of the keys to look at where all do not fit."""

    plan: ScanPlan
    limits: Limits
    watch: CountedWatch
    choose: ChooseEngine
    spare_fraction: float

    def scan(self, planned: PlannedTable) -> ScannedTable:
        """Scan one table; whatever goes wrong with it is in the answer. Raises CouldNotLook."""
        source = planned.source
        report = TableScan(source.table, 0, source.size_bytes, len(source.files), planned.findings, (), planned.basis)
        if planned.request is None:
            key = unknown_key(planned.unknown)
            return ScannedTable(replace(report, keys=(KeyScan(key.name, (), KeyStatus.NOT_CHECKED, planned.unknown),)))
        try:
            self.watch.check()
            return self._scan(planned, planned.request, report)
        except ScanStopped as stop:
            keys = tuple(KeyFound(key, not_checked=str(stop)) for key in planned.request.keys)
            found = TableFound(0, keys, unread=str(stop), is_stopped=True)
            return ScannedTable(_reported(report, planned, found, {}), is_stopped=True)

    def _scan(self, planned: PlannedTable, request: TableScanRequest, report: TableScan) -> ScannedTable:
        from safe_lightning.scan.existing_rows import existing_rows

        with existing_rows(self.plan.target, request, planned.existing, self.limits, self.watch) as existing:
            whole = existing.joined(request)
            self.watch.bytes_to_read += existing.size_bytes
            before = self.watch.bytes_read
            found, is_sampled = self._found(whole)
            found = _with_share(found, self.watch.bytes_read - before, _bytes(whole))
            both = BothAnswers(found)
            if self.plan.is_collation_assumed and self.limits.fraction == 1 and not is_sampled:
                both = answer_both(whole, found, self._found_again)
            found = existing.doubted(both.found)
            scan = _reported(report, planned, found, _examples(whole, found, both.off))
        return ScannedTable(scan, found.is_stopped, is_sampled, existing.told_rows, both.differing)

    def _found(self, request: TableScanRequest) -> tuple[TableFound, bool]:
        """Scan; keys that fit neither into memory nor on the disk once more, and then only a slice of them."""
        found = _scaled(self.choose(request, self.limits).scan(request, self.limits, self.watch), self.limits)
        left = tuple(key.key for key in found.keys if key.is_out_of_space)
        if not left or self.limits.fraction < 1:
            return found, False
        limits = replace(self.limits, fraction=self.spare_fraction)
        fewer = replace(request, keys=left)
        self.watch.bytes_to_read += _bytes(request)
        again = _scaled(self.choose(fewer, limits).scan(fewer, limits, self.watch), limits)
        by_name = {key.key.name: key for key in again.keys}
        keys = tuple(by_name.get(key.key.name, key) for key in found.keys)
        # Of a table that did not fit at all nothing else is known either.
        base = found if found.rows else again
        return replace(base, keys=keys, is_stopped=found.is_stopped or again.is_stopped), True

    def _found_again(self, request: TableScanRequest) -> TableFound:
        self.watch.bytes_to_read += _bytes(request)
        return self.choose(request, self.limits).scan(request, self.limits, self.watch)


def _with_share(found: TableFound, bytes_read: int, size_bytes: int) -> TableFound:
    """Say what a part that was read is worth."""
    share = bytes_read / max(1, size_bytes)
    if not found.is_stopped or not found.rows or share >= 1:
        return found
    worth = (
        f"{100 * share:.0f} % of this table was read, and two rows that lie anywhere in it are both in that part with "
        f"a chance of {share * share:.2f}"
    )
    return replace(found, unread=f"{found.unread}; {worth}")


def _bytes(request: TableScanRequest) -> int:
    return sum(file.size_bytes for file in request.files)


def _scaled(found: TableFound, limits: Limits) -> TableFound:
    return replace(found, keys=tuple(replace(key, fraction=limits.fraction) for key in found.keys))


def _examples(request: TableScanRequest, found: TableFound, off: frozenset[str]) -> Mapping[str, tuple[Example, ...]]:
    on = [key for key in found.keys if key.key.name not in off]
    others = [key for key in found.keys if key.key.name in off]
    return {**explain(request, on), **explain(without_collations(request), others)}


def _reported(
    report: TableScan, planned: PlannedTable, found: TableFound, examples: Mapping[str, tuple[Example, ...]]
) -> TableScan:
    keys = tuple(_key_scan(key, found, examples.get(key.key.name, ())) for key in found.keys)
    findings = (*planned.findings, *found.findings, *_counted(planned, found))
    return replace(report, rows=found.rows, findings=findings, keys=keys)


def _counted(planned: PlannedTable, found: TableFound) -> Sequence[SourceFinding]:
    if found.rows or not planned.source.files or found.unread is not None:
        return ()
    return (SourceFinding("no-row-at-all", f"{planned.source.table} gets no row", table=planned.source.table),)


def _key_scan(key: KeyFound, found: TableFound, examples: tuple[Example, ...]) -> KeyScan:
    request = key.key
    status, reason = _judge(key, found)
    return KeyScan(request.name, request.columns, status, reason, key.duplicate_keys, key.duplicate_rows, examples)


def _judge(key: KeyFound, found: TableFound) -> tuple[KeyStatus, str | None]:
    """Say what is known of a key: a conflict that was found is one whatever else happened."""
    if key.not_checked is not None:
        return KeyStatus.NOT_CHECKED, key.not_checked
    reasons = [found.unread] if found.unread else []
    reasons += [conclude(key.duplicate_keys, key.fraction)] if key.fraction < 1 else []
    reasons += [key.doubt] if key.doubt else []
    reason = "; ".join(reasons) or None
    if key.duplicate_keys:
        return KeyStatus.CONFLICTS, reason
    is_out_of_reach = any(finding.code == _OUT_OF_REACH for finding in found.findings)
    if found.unread is not None and not found.is_stopped and not is_out_of_reach:
        return KeyStatus.INPUT_ERROR, reason
    return (KeyStatus.NOT_CHECKED if reason else KeyStatus.CLEAN), reason
