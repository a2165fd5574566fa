"""What a leftover checkpoint is, judged from its records and from target, source and task as they stand now.

Per table, the first that holds: foreign, stale, failed, finished, fresh, resumable. Foreign and stale come before
failed, because the answers to a failure (destroy above all) must never meet a table that is not the one that failed; a
failed table that is simply gone stays failed, as Lightning refuses it as such. The store as a whole: foreign, stale or
failed if any table is; else finished if every table with data is and the source is not known to hold others; else
resumable. A store without tables is fresh.

A resumable table may carry a danger: what makes a resume lose or double rows though the checkpoint looks fine.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import field, replace
from datetime import UTC, datetime

from safe_lightning.core.checkpoint import (
    DONE,
    LOADED,
    Checkpoint,
    CheckpointVerdict,
    TableRecord,
    TaskRecord,
    status_name,
)
from safe_lightning.core.fingerprint import Fingerprint, Place, differences, target_doubt
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.parallel import Metadata
from safe_lightning.core.resume_safety import TaskNow, is_expected_empty, judge_resume
from safe_lightning.core.source_state import SourceState, changes_since_checkpoint, changes_since_launch, written_after
from safe_lightning.core.staleness import LOGICAL, MARGIN_SECONDS, has_begun, is_same_table, staleness
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, TableFacts

_LAST_STATUS_OF_OLD_LOGICAL = 140
_NAMES_SHOWN_MOST = 5
_CHANGES_SHOWN_MOST = 2


@dataclass(frozen=True)
class TableJudgement:
    """One table's verdict, and the sentence that carries it.

    ``danger``: why resuming it is not safe although it is resumable. ``doubts``: what could not be ruled out.
    ``cure``: what would make it safe, where anything does.
    """

    record: TableRecord
    verdict: CheckpointVerdict
    evidence: str
    danger: str = ""
    doubts: tuple[str, ...] = ()
    cure: Action | None = None


@dataclass(frozen=True)
class CheckpointJudgement:
    """The verdict on a store and on each of its tables; ``not_looked`` says what could not be compared, and why.

    ``instances`` is what all instances of a parallel import tell of themselves; None where it is none, or not known.
    """

    verdict: CheckpointVerdict
    evidence: str
    tables: tuple[TableJudgement, ...] = ()
    not_looked: tuple[str, ...] = ()
    has_fingerprint: bool = False
    instances: Metadata | None = None


@dataclass(frozen=True)
class Surroundings:
    """What a checkpoint is compared with besides the target; None where it could not be learned.

    ``lost_engines``: engines whose folder of sorted pairs is not there.
    """

    place: Place = field(default_factory=Place)
    task: TaskNow = field(default_factory=TaskNow)
    source: SourceState | None = None
    fingerprint: Fingerprint | None = None
    lost_engines: AbstractSet[tuple[TableName, int]] = frozenset()


def judge_checkpoint(
    checkpoint: Checkpoint,
    targets: Mapping[TableName, TableFacts] | None,
    now: float,
    source: AbstractSet[TableName] | None = None,
    around: Surroundings | None = None,
) -> CheckpointJudgement:
    """Judge a checkpoint. ``targets`` is None where the target was not looked at: then it shows nothing stale.

    All times are on one clock (see Checkpoint and Target); ``now`` only tells whether that clock jumped back.
    ``source`` names the tables of the source where they are known: one without an entry is imported from its start
    (a table that was destroyed or added), so a store that is finished for all others does not make an empty run.
    Without ``around`` only checkpoint and target are judged, not whether a resume is safe.
    """
    if not checkpoint.exists:
        return CheckpointJudgement(CheckpointVerdict.NONE, f"there is no checkpoint at {checkpoint.location}")
    if not checkpoint.tables:
        return CheckpointJudgement(CheckpointVerdict.FRESH, f"the checkpoint at {checkpoint.location} holds no table")
    why_foreign = _foreignness(checkpoint.task, around)
    tables = tuple(
        TableJudgement(record, CheckpointVerdict.FOREIGN, why_foreign)
        if why_foreign
        else _judge_table(checkpoint, record, _facts(targets, record), around)
        for record in checkpoint.tables
    )
    missing = sorted((source or set()) - {record.table for record in checkpoint.tables})
    verdict = _together(tables, bool(missing))
    evidence = _summary(tables) + (f"; the source also holds {_names(missing)}, without an entry" if missing else "")
    if why_foreign:
        evidence = f"{evidence}: {why_foreign}"
    has_fingerprint = around is not None and around.fingerprint is not None and around.fingerprint.is_first_launch
    doubt = target_doubt(_stored_place(checkpoint.task, around), around.place) if around is not None else ""
    not_looked = (*_not_looked(checkpoint, targets, now), *([doubt] if doubt else []))
    return CheckpointJudgement(verdict, evidence, tables, not_looked, has_fingerprint)


def place_of(task: TaskRecord) -> Place:
    """Say which import a checkpoint names as its own."""
    return Place(task.backend, task.source_dir, task.tidb_host, task.tidb_port, task.pd_addr, task.sorted_kv_dir)


def _foreignness(task: TaskRecord | None, around: Surroundings | None) -> str:
    """Say why the checkpoint is another import's."""
    return "; ".join(differences(_stored_place(task, around), around.place)) if around is not None else ""


def _stored_place(task: TaskRecord | None, around: Surroundings) -> Place:
    """Say whose the checkpoint is: the store names the addresses, the fingerprint knows the cluster."""
    seen = around.fingerprint.place if around.fingerprint is not None else Place()
    stored = place_of(task) if task is not None else seen
    return replace(stored, cluster_id=seen.cluster_id)


def _facts(targets: Mapping[TableName, TableFacts] | None, record: TableRecord) -> TableFacts | None:
    return targets.get(record.table) if targets is not None else None


def _names(tables: list[TableName]) -> str:
    more = f" and {len(tables) - _NAMES_SHOWN_MOST} more" if len(tables) > _NAMES_SHOWN_MOST else ""
    return ", ".join(map(str, tables[:_NAMES_SHOWN_MOST])) + more


def _together(tables: tuple[TableJudgement, ...], has_missing: bool) -> CheckpointVerdict:
    verdicts = {table.verdict for table in tables}
    for worst in (CheckpointVerdict.FOREIGN, CheckpointVerdict.STALE, CheckpointVerdict.FAILED):
        if worst in verdicts:
            return worst
    with_data = {table.verdict for table in tables if table.record.chunks_total or table.record.status >= DONE}
    is_finished = with_data == {CheckpointVerdict.FINISHED} and not has_missing
    return CheckpointVerdict.FINISHED if is_finished else CheckpointVerdict.RESUMABLE


def _summary(tables: tuple[TableJudgement, ...]) -> str:
    counts = {verdict: sum(table.verdict is verdict for table in tables) for verdict in CheckpointVerdict}
    counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    unsafe = sum(bool(table.danger) for table in tables)
    safety = f" ({unsafe} not safe to resume)" if unsafe else ""
    return f"{len(tables)} table{'s' if len(tables) > 1 else ''}: {counted}{safety}"


def _judge_table(
    checkpoint: Checkpoint, record: TableRecord, facts: TableFacts | None, around: Surroundings | None
) -> TableJudgement:
    first_id = around.fingerprint.table_ids.get(record.table) if around and around.fingerprint else None
    last = around.fingerprint.last if around and around.fingerprint else None
    if facts is not None and is_expected_empty(record, last):
        facts = replace(facts, is_empty=None)
    why_stale = staleness(checkpoint, record, facts, first_id) if facts is not None else ""
    changes = _source_changes(record, around) if around is not None else ()
    if why_stale or (changes and not record.failed_status):
        return TableJudgement(record, CheckpointVerdict.STALE, why_stale or _say(changes))
    if record.failed_status:
        gone = "; the target table is gone" if facts is not None and not facts.exists else ""
        evidence = f"{status_name(record.failed_status)}: Lightning refuses to start until that is treated{gone}"
        return TableJudgement(record, CheckpointVerdict.FAILED, evidence, doubts=changes)
    verdict, evidence = _progress(checkpoint.task, record)
    if verdict is not CheckpointVerdict.RESUMABLE or around is None:
        return TableJudgement(record, verdict, evidence)
    safety = judge_resume(record, facts, around.task, last)
    proof = f"; {safety.proof}" if safety.proof else ""
    doubts = safety.doubts + _hints(record, around)
    return TableJudgement(record, verdict, evidence + proof, safety.danger, doubts, safety.cure)


def _source_changes(record: TableRecord, around: Surroundings) -> tuple[str, ...]:
    """Say what became of a table's files, by the checkpoint's own list and by the fingerprint."""
    lost = sorted(number for table, number in around.lost_engines if table == record.table)
    folders = (f"the folder of engine {lost[0]} is missing in the sorted-kv-dir: its pairs are lost",) if lost else ()
    if around.source is None:
        return folders
    now = around.source.tables.get(record.table)
    if now is None and record.status >= DONE:
        return folders  # nothing of it is asked for any more
    seen = around.fingerprint
    then = seen.source.tables.get(record.table) if seen is not None and seen.source is not None else None
    since_launch = changes_since_launch(then, now) if then is not None else ()
    return (*folders, *changes_since_checkpoint(record, now), *since_launch)


def _say(changes: tuple[str, ...]) -> str:
    more = f" and {len(changes) - _CHANGES_SHOWN_MOST} more changes" if len(changes) > _CHANGES_SHOWN_MOST else ""
    return "; ".join(changes[:_CHANGES_SHOWN_MOST]) + more


def _hints(record: TableRecord, around: Surroundings) -> tuple[str, ...]:
    seen = around.fingerprint
    if around.source is None or (seen is not None and seen.source is not None):
        return ()  # the fingerprint knows better
    later = written_after(record, around.source.tables.get(record.table))
    more = f" and {len(later) - 1} more files" if len(later) > 1 else ""
    return (f"{later[0]}{more} was written to after the checkpoint listed it, or copied",) if later else ()


def _progress(task: TaskRecord | None, record: TableRecord) -> tuple[CheckpointVerdict, str]:
    chunks = f"{record.chunks_done} of {record.chunks_total} chunks done"
    if record.status >= _last_status(task):
        return CheckpointVerdict.FINISHED, f"{status_name(record.status)}, {chunks}: a re-run imports nothing"
    if record.status <= LOADED and not record.chunks_total:
        return CheckpointVerdict.FRESH, "not begun, or a table without data: such a table stays like this"
    return CheckpointVerdict.RESUMABLE, f"{status_name(record.status)}, {chunks}"


def _last_status(task: TaskRecord | None) -> int:
    """Tell where a table ends: 4.0 leaves out checksum and analyze on the logical backend."""
    is_old = task is not None and task.lightning_version.lstrip("v").startswith("4.") and task.backend in LOGICAL
    return _LAST_STATUS_OF_OLD_LOGICAL if is_old else DONE


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
    if checkpoint.modified_at is not None and checkpoint.modified_at > now + MARGIN_SECONDS:
        moment = _moment(checkpoint.modified_at)
        notes.append(f"the checkpoint was written at {moment}, which is yet to come: a clock jumped, ages may deceive")
    return notes


def _unknown(record: TableRecord, facts: TableFacts | None) -> str:
    if facts is None or not facts.exists or not has_begun(record):
        return ""
    lacking = [
        *(["its id"] if record.table_id and facts.table_id is None else []),
        *(["when it was created"] if facts.created_at is None and not is_same_table(record, facts) else []),
        *(["whether it holds rows"] if facts.is_empty is None else []),
    ]
    return f"{record.table}: the target does not tell {' and '.join(lacking)}" if lacking else ""
