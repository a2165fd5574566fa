"""A whole scan: plan, one engine per table, and what is reported of each key."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import field, replace

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.scan.engines import choose_engine
from safe_lightning.scan.model import Progress, Scan, ScanMode, ScanOptions, ScanStopped
from safe_lightning.scan.plan import ScanPlan, odd_findings
from safe_lightning.scan.table_scan import ChooseEngine, ScannedTable, TableScanner


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
            raise ScanStopped("the time for the scan was over", is_time_over=True)


def run_scan(plan: ScanPlan, options: ScanOptions, watch: ScanWatch, choose: ChooseEngine = choose_engine) -> Scan:
    """Scan every table of a plan; what goes wrong with one does not hide the others. Never raises but CouldNotLook."""
    if options.mode is ScanMode.OFF:
        raise CouldNotLook('the policy turns the scan off (scan.mode = "off")')
    limits = options.limits
    if options.mode is ScanMode.SAMPLE:
        limits = replace(limits, fraction=options.sample_fraction)
    scanner = TableScanner(plan, limits, watch, choose, options.sample_fraction)
    scanned = [scanner.scan(planned) for planned in plan.tables]
    is_time_over = any(table.is_stopped for table in scanned) and not watch.stop.is_set()
    is_less = is_time_over or any(table.is_sampled for table in scanned)
    mode = ScanMode.SAMPLE if is_less else options.mode
    notes = tuple(_notes(plan, options, watch, scanned, is_time_over=is_time_over))
    return Scan(mode, tuple(table.scan for table in scanned), odd_findings(plan.source), notes)


_TIME_OVER = (
    "THE TIME FOR THE SCAN WAS OVER (scan.max_duration): only {share} % of the source was read. The conflicts listed "
    "are real; a key without any was not checked to the end."
)


def _notes(
    plan: ScanPlan, options: ScanOptions, watch: ScanWatch, scanned: Sequence[ScannedTable], *, is_time_over: bool
) -> Iterator[str]:
    if is_time_over and options.mode is ScanMode.EXACT:
        yield _TIME_OVER.format(share=100 * watch.bytes_read // max(1, watch.bytes_to_read))
    if sampled := [table.scan.table for table in scanned if table.is_sampled]:
        yield (
            f"THE KEYS OF {len(sampled):,} TABLE{'S' * (len(sampled) != 1)} FIT NEITHER INTO scan.memory NOR INTO "
            f"scan.spill_dir ({sampled[0]}): only a slice of these keys was looked at."
        )
    yield from plan.notes
    if plan.is_collation_assumed:
        yield _collation_note(options, [name for table in scanned for name in table.differing])
    counts = [table.existing_rows for table in scanned if table.existing_rows is not None]
    if counts:
        yield (
            f"Held against the {sum(counts):,} rows of {len(counts):,} table{'s' * (len(counts) != 1)} that stand in "
            "the target as well."
        )


def _collation_note(options: ScanOptions, differing: Sequence[str]) -> str:
    if options.mode is ScanMode.SAMPLE:
        return (
            "The new collation framework is taken to be on, as in every cluster made with TiDB 6.0 or later "
            "(--new-collation off for others)."
        )
    unknown = "It is not known whether the target's new collation framework is on (--new-collation on|off settles it):"
    if differing:
        keys = f"{len(differing):,} key{'s' * (len(differing) != 1)}"
        return f"{unknown} {keys} would have other duplicates with it off, and the more careful answer counts."
    return f"{unknown} the answer is the same either way."
