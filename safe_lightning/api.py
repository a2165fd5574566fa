"""The only module a hook may import: what a hook is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from safe_lightning.core.cause import Cause, MismatchFacts, causes_by_table, mismatch_facts, tied
from safe_lightning.core.checkpoint import (
    Checkpoint,
    CheckpointVerdict,
    TableRecord,
    TaskRecord,
    UnreadableCheckpoint,
    status_name,
)
from safe_lightning.core.checkpoint_verdict import CheckpointJudgement, TableJudgement, judge_checkpoint
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.remedy import Rule, plan_remedy
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import (
    Action,
    CouldNotLook,
    Finding,
    ImportReport,
    Plan,
    Stage,
    Status,
    Step,
    TableBaseline,
    TableFacts,
    TableResult,
    Verdict,
)
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy

__all__ = [
    "Action",
    "Cause",
    "Checkpoint",
    "CheckpointJudgement",
    "CheckpointVerdict",
    "Comparison",
    "Context",
    "CouldNotLook",
    "Finding",
    "Hook",
    "ImportReport",
    "MismatchFacts",
    "Outcome",
    "Plan",
    "Policy",
    "Services",
    "Stage",
    "Status",
    "Step",
    "TableBaseline",
    "TableFacts",
    "TableJudgement",
    "TableName",
    "TableRecord",
    "TableResult",
    "Target",
    "Task",
    "TaskRecord",
    "Totals",
    "UnreadableCheckpoint",
    "Verdict",
    "causes_by_table",
    "checkpoint_answer",
    "judge_checkpoint",
    "judge_leftover",
    "look_at_tables",
    "mismatch_facts",
    "plan_remedy",
    "remedy_for",
    "status_name",
    "tied",
]


class Target(Protocol):
    """The target cluster, read-only and with time-outs; every method may raise CouldNotLook."""

    def table(self, name: TableName) -> TableFacts:
        """Look at one table: does it exist, since when, under which id, is it empty."""
        ...

    def tables(self) -> tuple[TableName, ...]:
        """List the tables of all schemas that are not the system's or Lightning's own."""
        ...


class Services(Protocol):
    """What the engine offers to hooks; each may raise CouldNotLook."""

    def read_checkpoint(self) -> Checkpoint:
        """Read the checkpoint store that the task names."""
        ...

    def target(self) -> AbstractContextManager[Target]:
        """Open the target cluster."""
        ...

    def source_tables(self) -> frozenset[TableName]:
        """Name the tables of the import where the names of its source files tell them."""
        ...

    def baselines(self) -> Mapping[TableName, TableBaseline]:
        """Tell what stood in the target before the first attempt, as far as it is recorded."""
        ...


@dataclass(frozen=True)
class Context:
    """What a hook is given. ``argv`` is redacted; ``report`` is None before the import."""

    run: str
    attempt: int
    stage: Stage
    run_dir: Path | None
    argv: tuple[str, ...]
    task: Task
    policy: Policy
    services: Services
    dry_run: bool = False
    report: ImportReport | None = None


Hook = Callable[[Context], Verdict]


def look_at_tables(
    services: Services, checkpoint: Checkpoint
) -> tuple[Mapping[TableName, TableFacts] | None, tuple[str, ...]]:
    """Look at the target's side of each table of a checkpoint; None and the reason where the target is out of reach.

    One table that cannot be seen does not hide the others: it is left out, and the reasons say why.
    """
    if not checkpoint.tables:
        return None, ()
    facts: dict[TableName, TableFacts] = {}
    failures: dict[str, None] = {}
    try:
        with services.target() as target:
            for record in checkpoint.tables:
                try:
                    facts[record.table] = target.table(record.table)
                except CouldNotLook as error:
                    failures[str(error)] = None
    except CouldNotLook as error:
        return None, (str(error),)
    return facts, tuple(failures)


def judge_leftover(
    services: Services, checkpoint: Checkpoint, now: float
) -> tuple[CheckpointJudgement, tuple[str, ...]]:
    """Judge a checkpoint by the target and the source as they are now; the reasons say what could not be looked at.

    The source is only asked where it decides: whether a store that is finished leaves anything to import.
    """
    targets, reasons = look_at_tables(services, checkpoint)
    judgement = judge_checkpoint(checkpoint, targets, now)
    if judgement.verdict is not CheckpointVerdict.FINISHED:
        return judgement, reasons
    try:
        return judge_checkpoint(checkpoint, targets, now, services.source_tables()), reasons
    except CouldNotLook as error:
        return judgement, (*reasons, f"whether the source holds tables without an entry is not known: {error}")


def remedy_for(policy: Policy, table: TableName, cause: str) -> tuple[Rule, str]:
    """Ask the policy for its answer to a cause of one table; the text says where that answer comes from."""
    from safe_lightning.policy.answers import remedy_for as ask

    return ask(policy, table, cause)


def checkpoint_answer(policy: Policy, table: TableName | None, verdict: CheckpointVerdict) -> tuple[str, str]:
    """Ask the policy for its answer to a verdict on one table, or on the store; the text says where it comes from."""
    from safe_lightning.policy.answers import checkpoint_answer as ask

    return ask(policy, table, verdict)
