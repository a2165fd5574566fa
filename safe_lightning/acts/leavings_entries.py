"""The entries of a checkpoint as a clean-up sees them: what each is worth, and what the safety laws know of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from safe_lightning.acts.remedy_engine import is_own_checkpoint
from safe_lightning.core.checkpoint import Checkpoint, CheckpointVerdict, TableRecord, status_name
from safe_lightning.core.checkpoint_verdict import TableJudgement
from safe_lightning.core.cleaning import Act, Kind, Leaving, Wish
from safe_lightning.core.cleaning_entries import Entry
from safe_lightning.core.safety import SafetyFacts
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableBaseline, TableFacts
from safe_lightning.leftover import judge, look_at_tables
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy
from safe_lightning.record.cleanings import Trace, item_of
from safe_lightning.services import EngineServices

_COUNTED = {CheckpointVerdict.FAILED, CheckpointVerdict.STALE}
_GIVEN_UP = {CheckpointVerdict.RESUMABLE, CheckpointVerdict.FRESH}


def judged_entries(
    services: EngineServices, task: Task, policy: Policy, checkpoint: Checkpoint, others_alive: bool | None, wish: Wish
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Judge every entry of a checkpoint; the notes say what could not be learned."""
    judgement, failures = judge(services, checkpoint, time.time(), task)
    targets, unseen = look_at_tables(services, checkpoint.tables) if checkpoint.tables else ({}, ())
    base, notes = _baselines(services)
    common = _common(task, policy, checkpoint, others_alive)
    counted = {judged.record.table for judged in judgement.tables if _is_counted(judged, wish)}
    if policy.checkpoint.max_tables and len(counted) > policy.checkpoint.max_tables:
        counted = set()  # none of so many will be treated, and counting takes its time
    entries = []
    for judged in judgement.tables:
        name = judged.record.table
        facts = _with(common, judged.record, base.get(name), (targets or {}).get(name))
        rows = _count(services, facts.target) if name in counted else None
        entries.append(_entry(judged, _counted(facts, rows), rows))
    return tuple(entries), (*judgement.not_looked, *failures, *unseen, *notes)


def _is_counted(judged: TableJudgement, wish: Wish) -> bool:
    return judged.verdict in _COUNTED or (wish.gives_up and judged.verdict in _GIVEN_UP)


def half_destroyed(
    services: EngineServices,
    task: Task,
    policy: Policy,
    checkpoint: Checkpoint,
    others_alive: bool | None,
    dead: Sequence[Trace],
    known: AbstractSet[TableName],
) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """Find tables that a clean-up which died was about to drop: their entry is gone, and they may still stand.

    The control tool deletes the entry first. What the entry said is in the plan that was being applied.
    """
    records = {record.table: record for trace in dead for record in _begun(trace) if record.table not in known}
    if not records:
        return (), ()
    targets, unseen = look_at_tables(services, records.values())
    base, notes = _baselines(services)
    common = _common(task, policy, checkpoint, others_alive)
    entries = []
    for name, record in sorted(records.items()):
        target = (targets or {}).get(name)
        if target is not None and not target.exists:
            continue
        facts = _with(common, record, base.get(name), target)
        said = "its entry was taken out by a clean-up that died, and the table still stands"
        leaving = Leaving(Kind.ENTRY, str(name), True, said, True, "", name, _facts(record, facts), _moments(record))
        rows = _count(services, target)
        entries.append(Entry(leaving, CheckpointVerdict.FAILED, said, facts, rows=rows, is_half_destroyed=True))
    return tuple(entries), (*unseen, *notes)


def record_of(facts: Mapping[str, object], moments: Mapping[str, object], table: TableName) -> TableRecord:
    """Build an entry again from what a plan keeps of it: enough for the safety laws to know the table by."""
    created, numbers = moments.get("created_at"), {key: facts.get(key) for key in ("status", "table_id")}
    return TableRecord(
        table,
        int(str(numbers["status"] or 0)),
        int(str(numbers["table_id"] or 0)),
        created_at=float(created) if isinstance(created, int | float) else None,
    )


def _begun(trace: Trace) -> Iterator[TableRecord]:
    for key in (*trace.begun, *trace.failed):
        item = item_of(trace.plan, key)
        if item is not None and item["kind"] == Kind.ENTRY and item["action"] == Act.DESTROY:
            yield record_of(item["facts"], item["moments"], TableName.parse(item["table"]))


def _baselines(services: EngineServices) -> tuple[Mapping[TableName, TableBaseline], tuple[str, ...]]:
    try:
        return services.baselines(), ()
    except CouldNotLook as error:
        return {}, (str(error),)


def _common(task: Task, policy: Policy, checkpoint: Checkpoint, others_alive: bool | None) -> SafetyFacts:
    """Gather the facts that are the same for all tables; what is only known when it is done counts as given here."""
    return SafetyFacts(
        may_drop=policy.may_drop,
        is_own_checkpoint=is_own_checkpoint(checkpoint, task),
        is_backed_up=True,
        others_alive=others_alive,
        is_record_trustworthy=True,
        needs_control_tool=False,
        shares_target=task.parallel_import,
        is_physical=task.backend == "local",
    )


def _with(
    common: SafetyFacts, record: TableRecord, baseline: TableBaseline | None, target: TableFacts | None
) -> SafetyFacts:
    return replace(common, entry=record, baseline=baseline, target=target)


def _counted(facts: SafetyFacts, rows: int | None) -> SafetyFacts:
    return replace(facts, target=replace(facts.target, row_count=rows)) if facts.target is not None else facts


def _count(services: EngineServices, target: TableFacts | None) -> int | None:
    if target is None or not target.exists or target.is_empty:
        return None if target is None else 0
    try:
        return services.count_rows(target.table)
    except CouldNotLook:
        return None


def _entry(judged: TableJudgement, safety: SafetyFacts, rows: int | None) -> Entry:
    record = judged.record
    is_ours = judged.verdict is not CheckpointVerdict.FOREIGN
    said = f"{_word(judged)}{_standing(safety.target, rows)}"
    facts = {"verdict": str(judged.verdict), **_facts(record, safety), "rows": rows}
    leaving = Leaving(
        Kind.ENTRY, str(record.table), True, said, is_ours, "", record.table, facts, _moments(record)
    )  # fmt: skip
    return Entry(leaving, judged.verdict, judged.evidence, safety, judged.danger, rows)


def _word(judged: TableJudgement) -> str:
    stored = status_name(judged.record.failed_status or judged.record.status)
    return stored if judged.verdict is CheckpointVerdict.FAILED else f"{judged.verdict}, {stored}"


def _standing(target: TableFacts | None, rows: int | None) -> str:
    if target is None:
        return "; the table was not looked at"
    if not target.exists:
        return "; the table is gone"
    if target.is_empty:
        return "; the table is empty"
    return "; the table stands" if rows is None else f"; the table holds {rows:,} rows"


def _facts(record: TableRecord, safety: SafetyFacts) -> dict[str, object]:
    target, before = safety.target, safety.baseline
    return {
        "status": record.status,
        "engines": {str(number): status for number, status in sorted(record.engines.items())},
        "chunks_done": record.chunks_done,
        "chunks_total": record.chunks_total,
        "kvs": record.kvs,
        "table_id": record.table_id,
        "target": None if target is None else [target.exists, target.table_id, target.is_empty],
        "before": None if before is None else [before.existed, before.was_empty, before.run],
    }


def _moments(record: TableRecord) -> dict[str, float | None]:
    return {"created_at": record.created_at}
