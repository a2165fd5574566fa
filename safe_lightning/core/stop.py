"""How an import was stopped, and which engines a stop left behind as imported though they never were."""

from __future__ import annotations

from enum import StrEnum

from safe_lightning.core.evidence import Ingest, TaskEvidence
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName


class StopKind(StrEnum):
    """What a stop of ours was: the kinder one counts, as that is what the next start may rely on."""

    DRAINED = "drained"
    SIGNALLED = "signalled"
    KILLED = "killed"
    NOT_NEEDED = "not-needed"


@dataclass(frozen=True)
class Stop:
    """A stop of ours: its kind, why it was asked for, and what came of the drain in one sentence.

    DRAINED holds whatever signal ended the child afterwards: a drained import resumed exactly in all recorded trials,
    after SIGTERM and after SIGKILL. NOT_NEEDED: the import ended by itself while it was being drained.
    """

    kind: StopKind
    reason: str
    drain: str = ""


@dataclass(frozen=True)
class EngineNotIngested:
    """An engine that Lightning counts as imported although pairs of it never arrived (``imported`` < ``kvs``)."""

    table: TableName
    engine: int
    kvs: int
    imported: int


def engines_not_ingested(task: TaskEvidence) -> tuple[EngineNotIngested, ...]:
    """List the engines of a log whose last ingest was cut short, in order.

    Left out are tables that a checksum has cleared since, and engines that lack pairs for another reason: keys that
    were dropped as duplicates, or pairs of an earlier attempt that are counted again.
    """
    found = [engine for ingest in task.ingests.values() if (engine := _not_ingested(ingest, task))]
    return tuple(sorted(found, key=lambda engine: (engine.table, engine.engine)))


def _not_ingested(ingest: Ingest, task: TaskEvidence) -> EngineNotIngested | None:
    trace = task.tables.get(ingest.table) if ingest.table else None
    if trace is None or trace.passed or not _is_number(ingest.engine) or ingest.imported >= ingest.kvs:
        return None
    if ingest.imported and (trace.reused or task.conflicts or task.skipped_key_count):
        return None
    return EngineNotIngested(trace.table, int(ingest.engine), ingest.kvs, ingest.imported)


def _is_number(text: str) -> bool:
    return text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()
