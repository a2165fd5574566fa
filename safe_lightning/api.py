"""The only module a hook may import: what a hook is given and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from safe_lightning.core.cause import (
    Cause,
    MismatchFacts,
    causes_by_table,
    incomplete_cause,
    mismatch_facts,
    mismatches,
    tied,
)
from safe_lightning.core.checkpoint import (
    Checkpoint,
    CheckpointVerdict,
    TableRecord,
    TaskRecord,
    UnreadableCheckpoint,
    status_name,
)
from safe_lightning.core.checkpoint_verdict import (
    CheckpointJudgement,
    Surroundings,
    TableJudgement,
    judge_checkpoint,
)
from safe_lightning.core.examination import Examination
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.parallel import instance_findings
from safe_lightning.core.peer import Peer
from safe_lightning.core.remedy import Rule, plan_remedy
from safe_lightning.core.row_proof import RowFacts, prove_rows
from safe_lightning.core.settling import Examiner, Settlement, SettlingStep, settle
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.told_facts import told_before
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
from safe_lightning.core.verification import Proof, TableProof, could_not
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy

if TYPE_CHECKING:
    from safe_lightning.scan.model import Example as Example
    from safe_lightning.scan.model import KeyScan as KeyScan
    from safe_lightning.scan.model import Place as Place
    from safe_lightning.scan.model import Scan as Scan
    from safe_lightning.scan.model import TableScan as TableScan

__all__ = [
    "Action",
    "Cause",
    "Checkpoint",
    "CheckpointJudgement",
    "CheckpointVerdict",
    "Comparison",
    "Context",
    "CouldNotLook",
    "Examination",
    "Examiner",
    "Finding",
    "Hook",
    "ImportReport",
    "MismatchFacts",
    "Outcome",
    "Peer",
    "Plan",
    "Policy",
    "Proof",
    "RowFacts",
    "Services",
    "Settlement",
    "SettlingStep",
    "Stage",
    "Status",
    "Step",
    "Surroundings",
    "TableBaseline",
    "TableFacts",
    "TableJudgement",
    "TableName",
    "TableProof",
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
    "could_not",
    "incomplete_cause",
    "instance_findings",
    "judge_checkpoint",
    "judge_leftover",
    "look_at_tables",
    "mismatch_facts",
    "mismatches",
    "plan_remedy",
    "prove_rows",
    "remedy_for",
    "settle",
    "status_name",
    "tied",
    "told_before",
]


class Target(Protocol):
    """The target cluster, read-only and with time-outs; every method may raise CouldNotLook."""

    def table(self, name: TableName) -> TableFacts:
        """Look at one table: does it exist, since when, under which id, is it empty."""
        ...

    def weigh(self, facts: TableFacts, rows_most: int) -> TableFacts:
        """Add how many rows a table holds, one more than ``rows_most`` at most, and whether a key forbids doubles."""
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

    def look_around(self, checkpoint: Checkpoint) -> tuple[Surroundings, tuple[str, ...]]:
        """Learn what a checkpoint is compared with: task, source, fingerprint; and what could not be learned."""
        ...

    def count_rows(self, table: TableName) -> int:
        """Count the rows of one table of the target by its records, within the policy's time-out."""
        ...

    def examiner(self) -> Examiner:
        """Offer looks at mismatched tables; the policy's time for all of them begins with this call."""
        ...

    def peers(self) -> tuple[Peer, ...]:
        """List the Lightnings that are at work on the task's checkpoint, folder, status port or target."""
        ...

    def scan(self) -> Scan:
        """Look for duplicate keys in the source as the policy says, or recall the result of the same scan."""
        ...


@dataclass(frozen=True)
class Context:
    """What a hook is given. ``argv`` is redacted; ``report`` is None before the import.

    ``verdicts`` are those that the hooks of this run have given so far, in their order.
    """

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
    verdicts: tuple[Verdict, ...] = ()


Hook = Callable[[Context], Verdict]


def look_at_tables(
    services: Services, checkpoint: Checkpoint
) -> tuple[Mapping[TableName, TableFacts] | None, tuple[str, ...]]:
    """Look at the target's side of each table of a checkpoint; None and the reason where the target is out of reach.

    One table that cannot be seen does not hide the others: it is left out, and the reasons say why.
    """
    from safe_lightning.leftover import look_at_tables as look

    return look(services, checkpoint.tables) if checkpoint.tables else (None, ())


def judge_leftover(
    services: Services, checkpoint: Checkpoint, now: float, task: Task | None = None
) -> tuple[CheckpointJudgement, tuple[str, ...]]:
    """Judge a checkpoint by target, source and task as they are now; the reasons say what could not be looked at.

    Without ``task`` only checkpoint and target are compared, and whether a resume is safe is not judged.
    """
    from safe_lightning.leftover import judge

    return judge(services, checkpoint, now, task)


def remedy_for(policy: Policy, table: TableName, cause: str) -> tuple[Rule, str]:
    """Ask the policy for its answer to a cause of one table; the text says where that answer comes from."""
    from safe_lightning.policy.answers import remedy_for as ask

    return ask(policy, table, cause)


def checkpoint_answer(
    policy: Policy, table: TableName | None, verdict: CheckpointVerdict, *, is_unsafe: bool = False
) -> tuple[str, str]:
    """Ask the policy for its answer to a verdict on one table, or on the store; the text says where it comes from.

    ``is_unsafe``: the table looks resumable, and a resume is not safe.
    """
    from safe_lightning.policy.answers import checkpoint_answer as ask

    return ask(policy, table, verdict, is_unsafe=is_unsafe)
