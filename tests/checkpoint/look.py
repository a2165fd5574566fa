"""What tests of the hook ``checkpoint`` share: a context over real stores, and targets as they were recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from safe_lightning_hooks.checkpoint import look

from safe_lightning.api import (
    Checkpoint,
    Context,
    CouldNotLook,
    Policy,
    Stage,
    TableBaseline,
    TableFacts,
    TableName,
    Target,
    Task,
    Verdict,
)
from safe_lightning.lightning.checkpoint_store import read_checkpoint
from safe_lightning.lightning.task import CheckpointStore

_SOURCE_FILE = re.compile(r"(\w+)\.(\w+?)(?:\.\w+)?\.(?:csv|sql|parquet)(?:\.\w+)?")


@dataclass
class StillTarget:
    """A target that stands as it was recorded; None where nobody can look at it."""

    facts: Mapping[TableName, TableFacts]

    def table(self, name: TableName) -> TableFacts:
        return self.facts.get(name, TableFacts(name, False))

    def tables(self) -> tuple[TableName, ...]:
        return tuple(self.facts)


@dataclass
class StillServices:
    """The real reader over a task's store, and a target and a source that stand still."""

    task: Task
    policy: Policy
    facts: Mapping[TableName, TableFacts] | None = None
    source: frozenset[TableName] | None = None

    def read_checkpoint(self) -> Checkpoint:
        return read_checkpoint(self.task.checkpoint, self.policy.checkpoint)

    @contextmanager
    def target(self) -> Iterator[Target]:
        if self.facts is None:
            raise CouldNotLook("MySQL server db.example.com:4000 cannot be reached")
        yield StillTarget(self.facts)

    def source_tables(self) -> frozenset[TableName]:
        if self.source is None:
            raise CouldNotLook("the source is remote")
        return self.source

    def baselines(self) -> Mapping[TableName, TableBaseline]:
        return {}


def file_task(path: Path, backend: str = "tidb") -> Task:
    return Task(argv=(), cwd=path.parent, backend=backend, checkpoint=CheckpointStore(path=path))


def judge(
    task: Task,
    policy: Policy | None = None,
    facts: Mapping[TableName, TableFacts] | None = None,
    source: frozenset[TableName] | None = None,
) -> Verdict:
    """Run the hook over a task's real store."""
    policy = policy or Policy()
    services = StillServices(task, policy, facts, source)
    return look(Context("r1", 1, Stage.PRE_IMPORT, None, (), task, policy, services))


def recorded_facts(rows: Path) -> dict[TableName, TableFacts]:
    """Read what a recording says of its target's tables: id, creation time (UTC), rows."""
    facts = {}
    for line in rows.read_text().splitlines()[1:]:
        schema, table, number, created, count = line.split("\t")
        at = datetime.fromisoformat(created).replace(tzinfo=UTC).timestamp() if created[:1].isdigit() else None
        name = TableName(schema, table)
        facts[name] = TableFacts(name, True, int(number), at, int(count) == 0 if count.isdigit() else None)
    return facts


def recorded_source(data: Path) -> frozenset[TableName]:
    """Name the tables that a recording's data files are for."""
    names = (_SOURCE_FILE.fullmatch(path.name.replace("-schema.", ".")) for path in data.rglob("*"))
    return frozenset(TableName(found[1], found[2]) for found in names if found)
