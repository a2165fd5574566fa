"""The fast engine behind the scan's interface: for every table it vouches for, and the reference for the rest of it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from safe_lightning.conflicts.engine import scan_table
from safe_lightning.conflicts.scan_model import Conflict, CountedFinding, KeyResult, KeyScan, KeyStatus, TableResult
from safe_lightning.conflicts.scan_model import ScanOptions as FastOptions
from safe_lightning.conflicts.scan_model import ScanStopped as FastStopped
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.scan.model import (
    Group,
    KeyFound,
    KeyRequest,
    Limits,
    RowPlace,
    ScanStopped,
    TableFound,
    TableScanRequest,
    Watch,
)
from safe_lightning.scan.reference import ReferenceEngine
from safe_lightning.scan.values import zero_makes_id
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import InputError, SourceFinding
from safe_lightning.source.mapping import ROW_ID
from safe_lightning.source.opening import open_rows
from safe_lightning.source.schema_model import KeyDefinition

_GRACE_SECONDS = 10.0
_ZERO_IDS = "the target makes ids of its own"


@dataclass(frozen=True)
class FastEngine:
    """Scans with the compiled kernel, or with its portable stand-in."""

    def scan(self, request: TableScanRequest, limits: Limits, watch: Watch) -> TableFound:
        """Scan a table, and once more by the reference for keys that only that can tell."""
        keys = tuple(_definition(request, key) for key in request.keys if key.not_checked is None)
        found = self._found(request, keys, limits, watch)
        left = [key.key for key in found.keys if _is_for_reference(key)]
        if not left or found.rows == 0:
            return found
        finer = ReferenceEngine().scan(replace(request, keys=tuple(left)), limits, _Quiet(watch))
        by_name = {key.key.name: key for key in finer.keys}
        return replace(
            found,
            keys=tuple(by_name.get(key.key.name, key) for key in found.keys),
            findings=_merged(found.findings, finer.findings),
            unread=found.unread or finer.unread,
            is_stopped=found.is_stopped or finer.is_stopped,
        )

    def _found(
        self, request: TableScanRequest, keys: tuple[KeyDefinition, ...], limits: Limits, watch: Watch
    ) -> TableFound:
        scan = KeyScan(
            request.table, request.files, request.definition, keys, request.mode, request.rules, request.ignored
        )
        ending = _Ending(request, watch)
        try:
            result = scan_table(scan, _options(limits), ending.advance, ending.stop, ending.enough)
        except FastStopped:
            reason = ending.reason or ScanStopped("the scan was stopped")
            keys_left = tuple(KeyFound(key, not_checked=str(reason)) for key in request.keys)
            return TableFound(0, keys_left, unread=str(reason), is_stopped=True)
        found = _table_found(request, result, limits)
        return replace(found, unread=str(ending.reason), is_stopped=True) if ending.reason else found


def _is_for_reference(key: KeyFound) -> bool:
    return key.not_checked is not None and key.key.not_checked is None and not key.is_out_of_space


class _Ending:
    """Carries the watch's word to the engine's threads: it stops them by an event, never by an exception.

    Where the time is over, what was begun is read to its end, unless that takes too long.
    """

    def __init__(self, request: TableScanRequest, watch: Watch) -> None:
        self.stop = threading.Event()
        self.enough = threading.Event()
        self.reason: ScanStopped | None = None
        self._until = 0.0
        self._request = request
        self._watch = watch
        self._lock = threading.Lock()

    def advance(self, bytes_read: int) -> None:
        with self._lock:
            try:
                self._watch.advance(self._request.table, bytes_read)
            except ScanStopped as reason:
                self.reason = self.reason or reason
                self._until = self._until or time.monotonic() + _GRACE_SECONDS
                self.enough.set()
                if not reason.is_time_over or time.monotonic() > self._until:
                    self.stop.set()


@dataclass(frozen=True)
class _Quiet:
    """A watch that counts no byte twice."""

    watch: Watch

    def advance(self, table: TableName, bytes_read: int) -> None:
        self.watch.advance(table, 0)


def _options(limits: Limits) -> FastOptions:
    return FastOptions(
        memory_bytes=limits.memory_bytes,
        threads=limits.threads or len(os.sched_getaffinity(0)),
        spill_folder=limits.spill_dir,
        sample_fraction=limits.fraction,
        examples_most=limits.examples_most,
    )


def _definition(request: TableScanRequest, key: KeyRequest) -> KeyDefinition:
    return next(one for one in request.definition.unique_keys if one.name == key.name)


def _table_found(request: TableScanRequest, result: TableResult, limits: Limits) -> TableFound:
    numbers = {file.name: number for number, file in enumerate(request.files)}
    by_name = {key.name: key for key in result.keys}
    # A table whose words did not fit has no file in its answer.
    is_out_of_space = not result.files and bool(request.files)
    keys = tuple(
        KeyFound(key, not_checked=key.not_checked)
        if key.name not in by_name
        else KeyFound(key, not_checked=_ZERO_IDS)
        if _has_zero_ids(request, key, by_name[key.name]) or _has_null_ids(request, key, by_name[key.name], result)
        else _key_found(key, by_name[key.name], numbers, limits, request.existing, is_out_of_space)
        for key in request.keys
    )
    existing = request.files[request.existing].name if request.existing is not None else None
    errors = [file.error for file in result.files if file.error is not None]
    findings = [*errors, *map(_counted, result.findings)]
    findings = [replace(found, table=request.table) for found in findings if found.file != existing]
    rows = sum(file.rows for file in result.files if file.name != existing)
    return TableFound(rows, keys, tuple(findings), errors[0].message if errors else None)


def _has_zero_ids(request: TableScanRequest, key: KeyRequest, result: KeyResult) -> bool:
    """Tell whether rows share a 0 that the target replaces by an id: the engine knows nothing of ids."""
    columns = request.definition.columns
    parts = [at for at, (place, _) in enumerate(key.parts) if zero_makes_id(columns[place], request.mode)]
    return any(one.rows[0].stored[at] == b"0" for one in result.examples for at in parts)


def _has_null_ids(request: TableScanRequest, key: KeyRequest, result: KeyResult, table: TableResult) -> bool:
    """Tell whether some rows bring an id and some a NULL, which gets one: a row without an entry in a key of ids."""
    columns = [request.definition.columns[place] for place, _ in key.parts]
    if not any(column.auto for column in columns) or any(column.is_nullable for column in columns if not column.auto):
        return False
    is_refused = any(counted.finding.code == "refused-key" for counted in table.findings)
    return not is_refused and table.sample_fraction == 1 and 0 < result.entries < table.rows


def _key_found(
    key: KeyRequest,
    result: KeyResult,
    numbers: dict[str, int],
    limits: Limits,
    existing: int | None,
    is_out_of_space: bool,
) -> KeyFound:
    if result.status is KeyStatus.NOT_CHECKED:
        return KeyFound(key, not_checked=result.reason or "its keys could not be told", is_out_of_space=is_out_of_space)
    doubt = None
    if result.is_estimate:
        doubt = (
            f"so many rows collide that only {result.verified_keys:,} keys were compared byte by byte; the counts are "
            "those of hashes"
        )
    groups = tuple(_group(one, numbers, limits) for one in result.examples)
    met = tuple(group for group in groups if group.places[0].file != existing)
    if len(met) < len(groups):
        # Groups come in the order of their first rows, so that here are all with a row of the source.
        return KeyFound(key, len(met), sum(group.count for group in met), met, doubt=doubt)
    return KeyFound(key, result.duplicate_keys, result.duplicate_rows, groups, doubt=doubt)


def _group(conflict: Conflict, numbers: dict[str, int], limits: Limits) -> Group:
    places = (row.place for row in conflict.rows[: limits.rows_shown_most])
    return Group(
        conflict.row_count,
        tuple(RowPlace(numbers[place.file], place.offset, place.line, place.row) for place in places),
    )


def _counted(counted: CountedFinding) -> SourceFinding:
    finding = counted.finding
    return replace(finding, message=f"{finding.message} (in {counted.count} rows)") if counted.count > 1 else finding


def _merged(first: Sequence[SourceFinding], more: Sequence[SourceFinding]) -> tuple[SourceFinding, ...]:
    known = {(found.code, found.file, found.line) for found in first}
    return (*first, *(found for found in more if (found.code, found.file, found.line) not in known))


def needs_reference(request: TableScanRequest) -> bool:
    """Tell whether only the reference knows the whole answer: explicit row ids."""
    return request.definition.has_row_id and any(_names_row_id(request, file) for file in request.files)


def _names_row_id(request: TableScanRequest, file: SourceFile) -> bool:
    try:
        reader = open_rows(file, request.rules)
        next(iter(reader), None)
    except (InputError, CouldNotLook, OSError):
        return False  # the scan itself meets the error again, and says so
    return ROW_ID in (reader.columns or ())
