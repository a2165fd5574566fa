"""Whether a target table is still the one that a checkpoint speaks of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from safe_lightning.core.checkpoint import (
    IMPORTED,
    LOADED,
    MAX_INVALID,
    Checkpoint,
    TableRecord,
    TaskRecord,
    status_name,
)
from safe_lightning.core.verdict import TableFacts

#: Creation times are whole seconds and clocks are compared to within one.
MARGIN_SECONDS = 2.0
LOGICAL = {"tidb"}
_MADE_ANEW = "it was dropped and created again, or truncated"


def staleness(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts, first_id: int | None = None) -> str:
    """Say why the target table is not the one that the checkpoint speaks of; "" if nothing shows it.

    ``first_id`` is the id that the table had when it was first seen: the logical backend's records hold none.
    """
    if why := next((why for test in _TESTS if (why := test(checkpoint, record, facts))), ""):
        return why
    if not (has_begun(record) and first_id and facts.table_id and facts.table_id != first_id):
        return ""
    return f"the target table has id {facts.table_id}, at the first launch it had {first_id}: {_MADE_ANEW}"


def _is_gone(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    if facts.exists or record.failed_status or not has_begun(record):
        return ""
    return f"the target table does not exist, yet the checkpoint says {_said(record)}"


def _has_other_id(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    if not record.table_id or facts.table_id is None or facts.table_id == record.table_id:
        return ""
    return f"the target table has id {facts.table_id}, the checkpoint's had {record.table_id}: {_MADE_ANEW}"


def _is_younger(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    if facts.created_at is None or is_same_table(record, facts) or not has_begun(record):
        return ""
    entry = _entry_time(checkpoint, record)
    if entry is None or facts.created_at <= entry + MARGIN_SECONDS:
        return ""
    return (
        f"the target table was created or altered at {_moment(facts.created_at)}, "
        f"after the checkpoint's entry of {_moment(entry)}"
    )


def _has_lost_rows(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    if facts.is_empty is not True or not record.kvs or not _has_rows_in_target(checkpoint.task, record):
        return ""
    return f"the target table is empty, yet the checkpoint says {_said(record)}"


_TESTS: tuple[Callable[[Checkpoint, TableRecord, TableFacts], str], ...] = (
    _is_gone,
    _has_other_id,
    _is_younger,
    _has_lost_rows,
)


def has_begun(record: TableRecord) -> bool:
    """Tell whether anything of a table was imported or tried."""
    return bool(record.kvs or record.chunks_done or record.failed_status or record.status > LOADED)


def is_same_table(record: TableRecord, facts: TableFacts) -> bool:
    """Tell whether the ids prove that the target table is the one of the checkpoint."""
    # Ids are never reused, so equal ones settle it; the physical backend itself alters the table afterwards.
    return bool(record.table_id) and record.table_id == facts.table_id


def _has_rows_in_target(task: TaskRecord | None, record: TableRecord) -> bool:
    if task is not None and task.backend in LOGICAL:
        return True  # rows are committed before they are recorded
    reached = (record.status, *(status for number, status in record.engines.items() if number >= 0))
    # A failure at 12 or later (times ten) came after the rows of at least one engine were ingested.
    return any(status >= IMPORTED or IMPORTED < status * 10 <= MAX_INVALID * 10 for status in reached)


def _entry_time(checkpoint: Checkpoint, record: TableRecord) -> float | None:
    # The physical backend (it stores ids) alters the table itself while it finishes it.
    moments = (record.updated_at,) if record.table_id else (record.created_at, record.updated_at)
    return next((moment for moment in moments if moment is not None), checkpoint.modified_at)


def _said(record: TableRecord) -> str:
    rows = f", {record.rows} rows" if record.rows else ""
    return f"{status_name(record.status)} ({record.chunks_done} of {record.chunks_total} chunks done{rows})"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
