"""What a leftover checkpoint is, judged from its records and from the target as it stands now.

Per table, the first that holds: stale, failed, finished, fresh, resumable. Stale comes before failed, because the
answers to a failure (destroy above all) must never meet a table that is not the one that failed; a failed table
that is simply gone stays failed, as Lightning refuses it as such. The store as a whole: stale or failed if any
table is; else finished if every table with data is and the source is not known to hold others; else resumable. A
store without tables is fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime

from safe_lightning.core.checkpoint import (
    DONE,
    IMPORTED,
    LOADED,
    MAX_INVALID,
    Checkpoint,
    CheckpointVerdict,
    TableRecord,
    TaskRecord,
    status_name,
)
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableFacts

#: Creation times are whole seconds and clocks are compared to within one.
_MARGIN_SECONDS = 2.0
_LOGICAL = {"tidb"}
_LAST_STATUS_OF_OLD_LOGICAL = 140
_NAMES_SHOWN_MOST = 5


@dataclass(frozen=True)
class TableJudgement:
    """One table's verdict, and the sentence that carries it."""

    record: TableRecord
    verdict: CheckpointVerdict
    evidence: str


@dataclass(frozen=True)
class CheckpointJudgement:
    """The verdict on a store and on each of its tables; ``not_looked`` says what could not be compared, and why."""

    verdict: CheckpointVerdict
    evidence: str
    tables: tuple[TableJudgement, ...] = ()
    not_looked: tuple[str, ...] = ()


def judge_checkpoint(
    checkpoint: Checkpoint,
    targets: Mapping[TableName, TableFacts] | None,
    now: float,
    source: AbstractSet[TableName] | None = None,
) -> CheckpointJudgement:
    """Judge a checkpoint. ``targets`` is None where the target was not looked at: then nothing can be stale.

    All times are on one clock (see Checkpoint and Target); ``now`` only tells whether that clock jumped back.
    ``source`` names the tables of the source where they are known: one without an entry is imported from its start
    (a table that was destroyed or added), so a store that is finished for all others does not make an empty run.
    """
    if not checkpoint.exists:
        return CheckpointJudgement(CheckpointVerdict.NONE, f"there is no checkpoint at {checkpoint.location}")
    if not checkpoint.tables:
        return CheckpointJudgement(CheckpointVerdict.FRESH, f"the checkpoint at {checkpoint.location} holds no table")
    tables = tuple(_judge_table(checkpoint, record, _facts(targets, record)) for record in checkpoint.tables)
    missing = sorted((source or set()) - {record.table for record in checkpoint.tables})
    verdict = _together(tables, bool(missing))
    evidence = _summary(tables) + (f"; the source also holds {_names(missing)}, without an entry" if missing else "")
    return CheckpointJudgement(verdict, evidence, tables, tuple(_not_looked(checkpoint, targets, now)))


def _facts(targets: Mapping[TableName, TableFacts] | None, record: TableRecord) -> TableFacts | None:
    return targets.get(record.table) if targets is not None else None


def _names(tables: list[TableName]) -> str:
    more = f" and {len(tables) - _NAMES_SHOWN_MOST} more" if len(tables) > _NAMES_SHOWN_MOST else ""
    return ", ".join(map(str, tables[:_NAMES_SHOWN_MOST])) + more


def _together(tables: tuple[TableJudgement, ...], has_missing: bool) -> CheckpointVerdict:
    verdicts = {table.verdict for table in tables}
    for worst in (CheckpointVerdict.STALE, CheckpointVerdict.FAILED):
        if worst in verdicts:
            return worst
    with_data = {table.verdict for table in tables if table.record.chunks_total or table.record.status >= DONE}
    is_finished = with_data == {CheckpointVerdict.FINISHED} and not has_missing
    return CheckpointVerdict.FINISHED if is_finished else CheckpointVerdict.RESUMABLE


def _summary(tables: tuple[TableJudgement, ...]) -> str:
    counts = {verdict: sum(table.verdict is verdict for table in tables) for verdict in CheckpointVerdict}
    counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{len(tables)} table{'s' if len(tables) > 1 else ''}: {counted}"


def _judge_table(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts | None) -> TableJudgement:
    why_stale = _staleness(checkpoint, record, facts) if facts is not None else ""
    if why_stale:
        return TableJudgement(record, CheckpointVerdict.STALE, why_stale)
    if record.failed_status:
        gone = "; the target table is gone" if facts is not None and not facts.exists else ""
        evidence = f"{status_name(record.failed_status)}: Lightning refuses to start until that is treated{gone}"
        return TableJudgement(record, CheckpointVerdict.FAILED, evidence)
    verdict, evidence = _progress(checkpoint.task, record)
    return TableJudgement(record, verdict, evidence)


def _progress(task: TaskRecord | None, record: TableRecord) -> tuple[CheckpointVerdict, str]:
    chunks = f"{record.chunks_done} of {record.chunks_total} chunks done"
    if record.status >= _last_status(task):
        return CheckpointVerdict.FINISHED, f"{status_name(record.status)}, {chunks}: a re-run imports nothing"
    if record.status <= LOADED and not record.chunks_total:
        return CheckpointVerdict.FRESH, "not begun, or a table without data: such a table stays like this"
    return CheckpointVerdict.RESUMABLE, f"{status_name(record.status)}, {chunks}"


def _last_status(task: TaskRecord | None) -> int:
    """Tell where a table ends: 4.0 leaves out checksum and analyze on the logical backend."""
    is_old = task is not None and task.lightning_version.lstrip("v").startswith("4.") and task.backend in _LOGICAL
    return _LAST_STATUS_OF_OLD_LOGICAL if is_old else DONE


def _staleness(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    """Say why the target table is not the one that the checkpoint speaks of; "" if nothing shows it."""
    return next((why for test in _TESTS if (why := test(checkpoint, record, facts))), "")


def _is_gone(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    if facts.exists or record.failed_status or not _has_begun(record):
        return ""
    return f"the target table does not exist, yet the checkpoint says {_said(record)}"


def _has_other_id(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    if not record.table_id or facts.table_id is None or facts.table_id == record.table_id:
        return ""
    return (
        f"the target table has id {facts.table_id}, the checkpoint's had {record.table_id}: "
        "it was dropped and created again, or truncated"
    )


def _is_younger(checkpoint: Checkpoint, record: TableRecord, facts: TableFacts) -> str:
    if facts.created_at is None or _is_same_table(record, facts) or not _has_begun(record):
        return ""
    entry = _entry_time(checkpoint, record)
    if entry is None or facts.created_at <= entry + _MARGIN_SECONDS:
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


def _has_begun(record: TableRecord) -> bool:
    return bool(record.kvs or record.chunks_done or record.failed_status or record.status > LOADED)


def _is_same_table(record: TableRecord, facts: TableFacts) -> bool:
    # Ids are never reused, so equal ones settle it; the physical backend itself alters the table afterwards.
    return bool(record.table_id) and record.table_id == facts.table_id


def _has_rows_in_target(task: TaskRecord | None, record: TableRecord) -> bool:
    if task is not None and task.backend in _LOGICAL:
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


def _not_looked(checkpoint: Checkpoint, targets: Mapping[TableName, TableFacts] | None, now: float) -> list[str]:
    notes = []
    if targets is None:
        notes.append("the target was not looked at, so nothing is known of tables dropped or emptied since")
    else:
        unseen = [record.table for record in checkpoint.tables if record.table not in targets]
        notes += [f"{table} was not looked at in the target" for table in unseen]
        notes += [note for record in checkpoint.tables if (note := _unknown(record, targets.get(record.table)))]
    if checkpoint.modified_at is not None and checkpoint.modified_at > now + _MARGIN_SECONDS:
        moment = _moment(checkpoint.modified_at)
        notes.append(f"the checkpoint was written at {moment}, which is yet to come: a clock jumped, ages may deceive")
    return notes


def _unknown(record: TableRecord, facts: TableFacts | None) -> str:
    if facts is None or not facts.exists or not _has_begun(record):
        return ""
    lacking = [
        *(["its id"] if record.table_id and facts.table_id is None else []),
        *(["when it was created"] if facts.created_at is None and not _is_same_table(record, facts) else []),
        *(["whether it holds rows"] if facts.is_empty is None else []),
    ]
    return f"{record.table}: the target does not tell {' and '.join(lacking)}" if lacking else ""
