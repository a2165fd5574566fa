"""Setting engines back that were never ingested: what shows them, what is planned, and how it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.rewind import Evidence, Setting, TableRewind, evidence_of, is_rewound, plan_rewind
from safe_lightning.core.step_proof import entry_of, others
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_backup import back_up
from safe_lightning.lightning.checkpoint_writing import rewind_engines
from safe_lightning.lightning.peers import are_others_alive
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy
from safe_lightning.record.act_journal import act_journal
from safe_lightning.record.durable import Journal
from safe_lightning.record.plain import plain
from safe_lightning.services import EngineServices


class NotRewound(Exception):
    """A rewind was not done, or not proven to be; the sentence says what stands now."""


@dataclass(frozen=True)
class RewindPlan:
    """What would be done, table by table, on which checkpoint; notes say what could not be learned."""

    checkpoint: Checkpoint
    tables: tuple[TableRewind, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether there is something to do and nothing forbids any of it."""
        return bool(self.tables) and not any(table.refusals for table in self.tables)


def recorded_evidence(task: Task, state: Path, since: float | None) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    """Tell what the recorded runs on this checkpoint left behind, and of which runs that could not be read.

    Runs that ended before the checkpoint's entries were made belong to an import of before.
    """
    from safe_lightning.record.run_folder import read_call, read_run, run_folders
    from safe_lightning.record.strict_json import UnreadableRecord

    found: list[Evidence] = []
    notes = []
    for folder in run_folders(state):
        try:
            if read_call(folder).get("checkpoint_location") != task.checkpoint.location:
                continue
            run = read_run(folder)
        except (OSError, UnreadableRecord) as error:
            notes.append(f"the record {folder.name} cannot be read: {error}")
            continue
        if since is None or (run.ended_at or time.time()) >= since:
            found += evidence_of(run.engines_not_ingested, f"run {run.run}")
    return tuple(found), tuple(notes)


def logged_evidence(log: Path) -> tuple[Evidence, ...]:
    """Tell what a log of Lightning's says. Raises CouldNotLook."""
    from safe_lightning.explain_input import Piece, UnreadableInput
    from safe_lightning.explaining import explain_every_run

    try:
        reports = explain_every_run([Piece(str(log))])
    except UnreadableInput as error:
        raise CouldNotLook(str(error)) from error
    return tuple(item for report in reports for item in evidence_of(report.engines_not_ingested, str(log)))


def plan(
    task: Task, policy: Policy, state: Path | None, logs: Sequence[Path], confirmed: Sequence[Evidence]
) -> RewindPlan:
    """Plan a rewind from the record, from logs and from what the user confirms. Raises CouldNotLook."""
    checkpoint = EngineServices(task, policy, state=state).read_checkpoint()
    found, notes = _recorded(task, checkpoint, state)
    found += tuple(item for log in logs for item in logged_evidence(log))
    setting, why = _setting(task)
    return RewindPlan(checkpoint, plan_rewind(checkpoint, (*confirmed, *found), setting), (*notes, *why))


def plan_one(task: Task, checkpoint: Checkpoint, state: Path | None, table: TableName) -> TableRewind | None:
    """Plan the rewind of one table by what is recorded; None where no engine is known to be empty."""
    found, _ = _recorded(task, checkpoint, state)
    wanted = [item for item in found if item.table == table]
    planned = plan_rewind(checkpoint, wanted, _setting(task)[0]) if wanted else ()
    return planned[0] if planned else None


def set_back(task: Task, policy: Policy, table: TableName, engines: Collection[int]) -> str:
    """Set engines back in the checkpoint; return what went wrong, "" if nothing did."""
    try:
        rewind_engines(task.checkpoint, policy.checkpoint, table, engines)
    except (CouldNotLook, OSError) as error:
        return str(error)
    return ""


def _recorded(task: Task, checkpoint: Checkpoint, state: Path | None) -> tuple[tuple[Evidence, ...], tuple[str, ...]]:
    since = min((r.created_at for r in checkpoint.tables if r.created_at is not None), default=None)
    return recorded_evidence(task, state, since) if state is not None else ((), ("there is no record",))


def _setting(task: Task) -> tuple[Setting, tuple[str, ...]]:
    from safe_lightning.source.state import source_state

    alive = are_others_alive(task)
    try:
        return Setting(task.backend == "local", task.parallel_import, source_state(task), alive), ()
    except CouldNotLook as error:
        return Setting(task.backend == "local", task.parallel_import, None, alive), (str(error),)


def perform(made: RewindPlan, task: Task, policy: Policy, state: Path, say: Callable[[str], None]) -> None:
    """Do what was planned: back up, write down what is meant, act, read again. Raises NotRewound."""
    if not made.is_allowed:
        raise NotRewound("the plan is not allowed")
    with act_journal(state / "rewinds", NotRewound) as (folder, journal):
        for table in made.tables:
            _perform(table, task, policy, folder, journal)
            say(f"{table.table}: {len(table.engines)} engine(s) set back; the checkpoint before is in {folder}")


def _perform(table: TableRewind, task: Task, policy: Policy, folder: Path, journal: Journal) -> None:
    services = EngineServices(task, policy)
    try:
        if services.others_alive() is not False:
            raise NotRewound("another Lightning may be at work: nothing was changed")
        before = services.read_checkpoint()
        back_up(task.checkpoint, folder, policy.checkpoint)
        journal.append({"intent": "rewind", "of": plain(table), "checkpoint": task.checkpoint.location})
        rewind_engines(task.checkpoint, policy.checkpoint, table.table, table.engines)
        after = services.read_checkpoint()
    except (CouldNotLook, OSError) as error:
        raise NotRewound(f"{table.table}: {error}") from error
    is_done = is_rewound(entry_of(after, table.table), table.engines)
    is_alone = others(before, table.table) == others(after, table.table)
    journal.append({"result": "rewound" if is_done and is_alone else "not proven", "of": str(table.table)})
    if not is_done or not is_alone:
        what = "does not read as set back" if not is_done else "shows other tables changed meanwhile"
        raise NotRewound(f"{table.table}: the checkpoint {what}; as it was before: {folder}")
