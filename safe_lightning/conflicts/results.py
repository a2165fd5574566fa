"""From what was read and found to the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safe_lightning.conflicts.fetching import FetchedRow, RowKey
from safe_lightning.conflicts.prepared_files import COULD_NOT_LOOK, PreparedFile
from safe_lightning.conflicts.scan_model import (
    CountedFinding,
    FileResult,
    KeyResult,
    KeyScan,
    KeyStatus,
    TableResult,
)
from safe_lightning.conflicts.scan_plan import ActiveKey, ScanPlan, key_columns_of
from safe_lightning.conflicts.search import KeyCandidates
from safe_lightning.conflicts.segments import PlacedSegment, located_error
from safe_lightning.conflicts.slow_path import KeyMaker
from safe_lightning.conflicts.verify import as_conflict, conflicts_of
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.findings import InputError, SourceFinding

ROWS_PER_EXAMPLE = 100
_NOT_COMPARED = "so many hashes are equal that the rows could not be compared"


@dataclass
class Found:
    """The segments of each file, the candidates of each key, the rows that were read again for them."""

    placed: list[list[PlacedSegment]]
    candidates: list[KeyCandidates]
    rows: dict[RowKey, FetchedRow]
    spilled_bytes: int = 0
    fetch_error: InputError | None = None


def table_result(plan: ScanPlan, files: Sequence[PreparedFile], found: Found) -> TableResult:
    """Put the answer together."""
    file_results = tuple(_file_result(file, placed) for file, placed in zip(files, found.placed, strict=True))
    errors = [file.error for file in file_results if file.error is not None]
    if found.fetch_error is not None:
        errors.append(found.fetch_error.finding())
    unknown = _unknown_columns(found)
    active = {
        key.definition.name: _key_result(plan, key, found, number, errors, unknown)
        for number, key in enumerate(plan.keys)
    }
    return TableResult(
        plan.scan.table,
        file_results,
        tuple(active.get(key.name) or _refused(plan, key.name) for key in plan.scan.keys),
        tuple(_findings(plan.scan, files, found)),
        plan.struct.sample_of_4096 / 4096,
        found.spilled_bytes,
        plan.kernel.name,
    )


def not_checked_table(plan: ScanPlan, reason: str) -> TableResult:
    """Answer that no key of a table could be checked."""
    keys = tuple(
        KeyResult(key.name, key_columns_of(plan.scan.definition, key), KeyStatus.NOT_CHECKED, reason)
        for key in plan.scan.keys
    )
    return TableResult(plan.scan.table, (), keys, engine=plan.kernel.name)


def _refused(plan: ScanPlan, name: str) -> KeyResult:
    key = next(key for key in plan.scan.keys if key.name == name)
    return KeyResult(name, key_columns_of(plan.scan.definition, key), KeyStatus.NOT_CHECKED, plan.refused[name])


def _file_result(file: PreparedFile, placed: Sequence[PlacedSegment]) -> FileResult:
    error = None if file.error is None else file.error.finding()
    for item in placed:
        error = error or located_error(item)
    rows = sum(item.segment.rows for item in placed)
    return FileResult(file.source.name, rows, file.identity.size_bytes, error)


def _unknown_columns(found: Found) -> dict[int, str]:
    return {
        column: reason
        for items in found.placed
        for item in items
        for column, reason in item.segment.unknown_columns.items()
    }


def _key_result(
    plan: ScanPlan,
    key: ActiveKey,
    found: Found,
    number: int,
    errors: Sequence[SourceFinding],
    unknown: dict[int, str],
) -> KeyResult:
    name, columns = key.definition.name, key_columns_of(plan.scan.definition, key.definition)
    candidates = found.candidates[number]
    maker = KeyMaker(plan.scan, plan.columns)
    groups = [] if found.fetch_error else candidates.groups
    verified = list(conflicts_of(plan, maker, key, groups, found.rows))
    reasons = [unknown[column] for column in key.columns if column in unknown]
    is_estimate = not candidates.is_complete
    duplicate_keys = candidates.group_count if is_estimate else len(verified)
    duplicate_rows = candidates.row_count if is_estimate else sum(map(len, verified))
    if is_estimate and not verified:
        reasons.append(_NOT_COMPARED)
    status, reason = _status(errors, reasons, bool(verified))
    examples = sorted(verified, key=lambda rows: rows[0].order)[: plan.options.examples_most]
    return KeyResult(
        name,
        columns,
        status,
        reason,
        duplicate_keys,
        duplicate_rows,
        tuple(as_conflict(plan, maker, key, rows, ROWS_PER_EXAMPLE) for rows in examples),
        is_estimate,
        len(verified),
        candidates.words,
    )


def _status(errors: Sequence[SourceFinding], unknown: Sequence[str], has_conflicts: bool) -> tuple[KeyStatus, str]:
    """Judge a key: conflicts are certain whatever else is wrong; without them only a whole reading is clean."""
    reason = "; ".join([*(error.message for error in errors), *unknown][:3])
    if has_conflicts:
        return KeyStatus.CONFLICTS, reason
    if any(error.code == COULD_NOT_LOOK for error in errors) or (unknown and not errors):
        return KeyStatus.NOT_CHECKED, reason
    return (KeyStatus.INPUT_ERROR if errors else KeyStatus.CLEAN), reason


def _findings(scan: KeyScan, files: Sequence[PreparedFile], found: Found) -> Iterator[CountedFinding]:
    for file, items in zip(files, found.placed, strict=True):
        merged: dict[tuple[str, str], CountedFinding] = {}
        for item in items:
            for key, tally in item.segment.tallies.items():
                first = SourceFinding(
                    key[0],
                    tally.message,
                    tally.level,
                    file.source.name,
                    item.line + tally.line,
                    tally.offset,
                    scan.table,
                )
                known = merged.get(key)
                merged[key] = CountedFinding(
                    first if known is None else known.finding, tally.count + (known.count if known else 0)
                )
        yield from merged.values()
