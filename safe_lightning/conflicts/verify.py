"""Verification: what the hashes call equal is compared by canonical bytes before it is called a conflict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from safe_lightning.conflicts.fetching import FetchedRow, RowKey
from safe_lightning.conflicts.scan_model import Conflict, ConflictRow
from safe_lightning.conflicts.scan_plan import ActiveKey, ScanPlan
from safe_lightning.conflicts.slow_path import KeyMaker


def conflicts_of(
    plan: ScanPlan,
    maker: KeyMaker,
    key: ActiveKey,
    groups: Iterable[list[tuple[int, int]]],
    fetched: dict[RowKey, FetchedRow],
) -> Iterator[list[FetchedRow]]:
    """Yield the rows of each key that really occurs more than once, in the order of the files."""
    for group in groups:
        equal: dict[tuple[bytes, ...], list[FetchedRow]] = defaultdict(list)
        for worker, number in group:
            row = fetched[RowKey(worker, number)]
            parts = [row.column(plan, maker, column)[1] for column in key.columns]
            found = tuple(part.key for part in parts if part is not None and part.key is not None)
            if len(found) == len(parts):
                equal[found].append(row)
        for rows in equal.values():
            if len(rows) > 1:
                yield sorted(rows, key=lambda row: row.order)


def as_conflict(
    plan: ScanPlan, maker: KeyMaker, key: ActiveKey, rows: Sequence[FetchedRow], rows_most: int
) -> Conflict:
    """Shape a conflict for the result."""
    return Conflict(tuple(_conflict_row(plan, maker, key, row) for row in rows[:rows_most]), len(rows))


def _conflict_row(plan: ScanPlan, maker: KeyMaker, key: ActiveKey, row: FetchedRow) -> ConflictRow:
    columns = [row.column(plan, maker, column) for column in key.columns]
    canonical = [found for _, found in columns if found is not None]
    return ConflictRow(
        row.place,
        tuple(field for field, _ in columns),
        tuple(found.stored for found in canonical),
        tuple(found.altered for found in canonical),
        row.digest,
    )
