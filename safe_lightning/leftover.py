"""What a leftover checkpoint is compared with: the task, the source, the target, and what earlier runs recorded."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from safe_lightning.core.checkpoint import Checkpoint, CheckpointVerdict, TableRecord
from safe_lightning.core.checkpoint_verdict import CheckpointJudgement, Surroundings, judge_checkpoint, place_of
from safe_lightning.core.fingerprint import Fingerprint, Place, is_same_target
from safe_lightning.core.resume_safety import TaskNow, needs_weighing
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableFacts
from safe_lightning.lightning.task import Task

if TYPE_CHECKING:
    from safe_lightning.api import Services, Target

#: Rows beyond those that the checkpoint accounts for are counted up to this many: enough to tell that there are some.
_ROWS_BEYOND_MOST = 1_000_000
#: Larger tables are not counted: that would take longer than a look may.
_ROWS_COUNTED_MOST = 100_000_000
#: Of so many tables whose rows cannot be counted it is asked whether they have a key: few are at work at once.
_KEYS_ASKED_MOST = 200
_LOCAL = "local"


def place_of_task(task: Task) -> Place:
    """Say which import the task is, as its checkpoint would name it."""
    source = task.data_source_dir
    if source and "://" not in source:
        source = os.path.normpath(task.cwd / source)
    return Place(
        task.backend,
        source,
        task.target.host,
        task.target.port,
        task.target.pd_addr,
        posixpath.normpath(task.sorted_kv_dir) if task.sorted_kv_dir else "",
    )


def task_now(task: Task) -> TaskNow:
    """Say what of the task decides whether a resume is safe."""
    return TaskNow(
        task.backend, task.checkpoint.driver, task.conflict_strategy, task.checksum, shares_target=task.parallel_import
    )


def look_around(
    task: Task, checkpoint: Checkpoint, state: Path | None, timeout_seconds: float
) -> tuple[Surroundings, tuple[str, ...]]:
    """Learn what a checkpoint is compared with; the reasons say what could not be learned."""
    reasons = list[str]()
    fingerprint = _recall(task, checkpoint, state, reasons)
    around = Surroundings(place_of_task(task), task_now(task), fingerprint=fingerprint)
    if not checkpoint.tables:
        return around, tuple(reasons)
    around = replace(around, place=_with_cluster(task, checkpoint, around, timeout_seconds, reasons))
    try:
        from safe_lightning.source.state import source_state

        around = replace(around, source=source_state(task))
    except CouldNotLook as error:
        reasons.append(f"what became of the source's files is not known: {error}")
    if task.backend == _LOCAL and task.sorted_kv_dir:
        from safe_lightning.lightning.engine_folders import lost_engines

        around = replace(around, lost_engines=lost_engines(task.cwd / task.sorted_kv_dir, checkpoint.tables))
    if any(record.files is None and record.chunks_total for record in checkpoint.tables):
        reasons.append("the checkpoint lists too many files: they were not compared with the source one by one")
    return around, tuple(reasons)


def judge(
    services: Services, checkpoint: Checkpoint, now: float, task: Task | None
) -> tuple[CheckpointJudgement, tuple[str, ...]]:
    """Judge a checkpoint; see api.judge_leftover.

    The names of the source's tables are only asked for where they decide: whether a store that is finished leaves
    anything to import.
    """
    judgement, reasons = _judge(services, checkpoint, now, task)
    look = getattr(services, "instances", None)
    if look is None or task is None or not task.parallel_import:
        return judgement, reasons
    try:
        return replace(judgement, instances=look()), reasons
    except CouldNotLook as error:
        return judgement, (*reasons, f"how the other instances of the parallel import stand is not known: {error}")


def _judge(
    services: Services, checkpoint: Checkpoint, now: float, task: Task | None
) -> tuple[CheckpointJudgement, tuple[str, ...]]:
    around, reasons = _surroundings(services, checkpoint, task)
    targets, failures = look_at_tables(services, checkpoint.tables) if checkpoint.tables else (None, ())
    if targets is not None and around is not None:
        targets, uncounted = weigh_tables(services, checkpoint.tables, targets, around.task.backend)
        failures += uncounted
    reasons = (*reasons, *failures)
    judgement = judge_checkpoint(checkpoint, targets, now, around=around)
    if judgement.verdict is not CheckpointVerdict.FINISHED:
        return judgement, reasons
    try:
        return judge_checkpoint(checkpoint, targets, now, services.source_tables(), around), reasons
    except CouldNotLook as error:
        return judgement, (*reasons, f"whether the source holds tables without an entry is not known: {error}")


def _surroundings(
    services: Services, checkpoint: Checkpoint, task: Task | None
) -> tuple[Surroundings | None, tuple[str, ...]]:
    if task is None:
        return None, ()
    # Whoever embeds the engine may offer less than it does: then the task alone is what there is.
    look = getattr(services, "look_around", None)
    return look(checkpoint) if look is not None else (Surroundings(place_of_task(task), task_now(task)), ())


def _recall(task: Task, checkpoint: Checkpoint, state: Path | None, reasons: list[str]) -> Fingerprint | None:
    if state is None or not checkpoint.exists:
        return None
    from safe_lightning.record.fingerprints import recall_fingerprint

    try:
        return recall_fingerprint(state, task.checkpoint.location)
    except CouldNotLook as error:
        reasons.append(str(error))
        return None


def _with_cluster(
    task: Task, checkpoint: Checkpoint, around: Surroundings, timeout_seconds: float, reasons: list[str]
) -> Place:
    """Ask PD for the cluster's id where that decides whether two addresses are one target."""
    stored = place_of(checkpoint.task) if checkpoint.task is not None else Place()
    seen = around.fingerprint.place.cluster_id if around.fingerprint is not None else ""
    if not task.target.pd_addr or (not seen and is_same_target(stored, around.place)):
        return around.place
    try:
        from safe_lightning.lightning.pd import ask_cluster_id

        return replace(around.place, cluster_id=ask_cluster_id(task.target, timeout_seconds))
    except CouldNotLook as error:
        reasons.append(str(error))
        return around.place


def look_at_tables(
    services: Services, records: Iterable[TableRecord]
) -> tuple[Mapping[TableName, TableFacts] | None, tuple[str, ...]]:
    """Look at the target's side of some tables; None and the reason where the target is out of reach.

    One table that cannot be seen does not hide the others: it is left out, and the reasons say why.
    """
    return look_at_names(services, [record.table for record in records])


def look_at_names(
    services: Services, names: Sequence[TableName]
) -> tuple[Mapping[TableName, TableFacts] | None, tuple[str, ...]]:
    """Do the same for names."""
    try:
        with services.target() as target:
            # Whoever embeds the engine may know how to look at one table only.
            look = getattr(target, "look_at", None)
            facts, failures = look(names) if look is not None else _look_one_by_one(target, names)
    except CouldNotLook as error:
        return None, (str(error),)
    return facts, failures


def _look_one_by_one(target: Target, names: Iterable[TableName]) -> tuple[dict[TableName, TableFacts], tuple[str, ...]]:
    facts, failures = dict[TableName, TableFacts](), dict[str, None]()
    for name in names:
        try:
            facts[name] = target.table(name)
        except CouldNotLook as error:
            failures[str(error)] = None
    return facts, tuple(failures)


def weigh_tables(
    services: Services, records: Iterable[TableRecord], facts: Mapping[TableName, TableFacts], backend: str
) -> tuple[Mapping[TableName, TableFacts], tuple[str, ...]]:
    """Count the rows of the tables whose resume hangs on it, each within its bound; what fails stays unknown."""
    wanted = [
        record
        for record in records
        if needs_weighing(record, backend) and record.table in facts and facts[record.table].exists
    ]
    weighed, failures = dict(facts), dict[str, None]()
    for record in _worth_weighing(wanted, facts):
        try:
            # A session of its own for each: a count that takes too long costs its connection.
            with services.target() as target:
                weigh = getattr(target, "weigh", None)
                if weigh is not None and (record.rows or 0) <= _ROWS_COUNTED_MOST:
                    most = record.rows + _ROWS_BEYOND_MOST if record.rows is not None else 0
                    found = weigh(facts[record.table], most)
                    weighed[record.table] = found if most else replace(found, row_count=None)
        except CouldNotLook as error:
            failures[str(error)] = None
    return weighed, tuple(failures)


def _worth_weighing(records: Sequence[TableRecord], facts: Mapping[TableName, TableFacts]) -> list[TableRecord]:
    """Choose the tables whose rows can be counted against the checkpoint, and some for which a key may decide."""
    countable = [record for record in records if record.rows is not None]
    begun = [r for r in records if r.rows is None and (r.kvs or r.chunks_done or facts[r.table].is_empty is False)]
    return countable + begun[:_KEYS_ASKED_MOST]
