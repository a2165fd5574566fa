"""What tests of the hook ``checkpoint`` share: a context over real stores, and targets as they were recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from recordings import Recording
from safe_lightning_hooks.checkpoint import look

from safe_lightning.api import (
    Checkpoint,
    Context,
    CouldNotLook,
    Policy,
    Stage,
    Surroundings,
    TableBaseline,
    TableFacts,
    TableName,
    Target,
    Task,
    Verdict,
)
from safe_lightning.core.fingerprint import Fingerprint
from safe_lightning.leftover import place_of_task, task_now
from safe_lightning.lightning.checkpoint_store import read_checkpoint
from safe_lightning.lightning.task import CheckpointStore, resolve_task
from safe_lightning.source.state import source_state

_SOURCE_FILE = re.compile(r"(\w+)\.(\w+?)(?:\.\w+)?\.(?:csv|sql|parquet)(?:\.\w+)?")


@dataclass
class StillTarget:
    """A target that stands as it was recorded; None where nobody can look at it."""

    facts: Mapping[TableName, TableFacts]

    def table(self, name: TableName) -> TableFacts:
        return self.facts.get(name, TableFacts(name, False))

    def weigh(self, facts: TableFacts, rows_most: int) -> TableFacts:
        return replace(facts, row_count=0 if facts.is_empty else facts.row_count, has_key=True)

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


@dataclass
class RecordedServices(StillServices):
    """The surroundings that a recorded run met: its source where it was recorded whole, its task, its target."""

    data: Path | None = None
    fingerprint: Fingerprint | None = None

    def look_around(self, checkpoint: Checkpoint) -> tuple[Surroundings, tuple[str, ...]]:
        around = Surroundings(place_of_task(self.task), task_now(self.task), fingerprint=self.fingerprint)
        if self.data is None:
            return around, ("the source is not part of the recording",)
        task = Task(argv=(), cwd=self.data, data_source_dir=str(self.data))
        return replace(around, source=source_state(task)), ()


def recorded_task(recording: Recording, checkpoint: Path) -> Task:
    """Resolve the recorded call with the recorded config; only the checkpoint lies elsewhere."""
    case = recording.case
    config = str(recording.folder / "config.toml")
    argv = [config if word.endswith("config.toml") else word for word in case["argv"]]
    task = resolve_task(argv, Path(case["cwd"]), {})
    return replace(task, checkpoint=replace(task.checkpoint, driver="file", server=None, path=checkpoint))


def judge_recorded(
    recording: Recording, checkpoint: Path, fingerprint: Fingerprint | None = None, policy: Policy | None = None
) -> Verdict:
    """Run the hook over what a recorded run of Lightning met."""
    task, policy = recorded_task(recording, checkpoint), policy or Policy()
    rows, data = recording.folder / "before" / "rows.tsv", recording.folder / "data"
    facts = recorded_facts(rows) if rows.is_file() else None
    is_whole = data.is_dir() and not (recording.folder / "data-listing.txt").is_file()
    source = recorded_source(data) if is_whole else None
    services = RecordedServices(task, policy, facts, source, data if is_whole else None, fingerprint)
    return look(Context("r1", 1, Stage.PRE_IMPORT, None, (), task, policy, services))


def recorded_facts(rows: Path) -> dict[TableName, TableFacts]:
    """Read what a recording says of its target's tables: id, creation time (UTC), rows."""
    facts = {}
    for line in rows.read_text().splitlines()[1:]:
        schema, table, number, created, count = line.split("\t")
        at = datetime.fromisoformat(created).replace(tzinfo=UTC).timestamp() if created[:1].isdigit() else None
        name = TableName(schema, table)
        rows_held = int(count) if count.isdigit() else None
        is_empty = None if rows_held is None else rows_held == 0
        facts[name] = TableFacts(name, True, int(number), at, is_empty, _has_key(rows, name), rows_held)
    return facts


def _has_key(rows: Path, name: TableName) -> bool | None:
    schema = rows.parents[1] / "data" / f"{name.schema}.{name.table}-schema.sql"
    return bool(re.search(r"\b(PRIMARY|UNIQUE)\b", schema.read_text(), re.IGNORECASE)) if schema.is_file() else None


def recorded_source(data: Path) -> frozenset[TableName]:
    """Name the tables that a recording's data files are for."""
    names = (_SOURCE_FILE.fullmatch(path.name.replace("-schema.", ".")) for path in data.rglob("*"))
    return frozenset(TableName(found[1], found[2]) for found in names if found)
