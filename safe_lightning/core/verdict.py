"""The words hooks and the engine share: verdicts, plans, reports, and facts about tables. All plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from safe_lightning.core.clues import Clues
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.stop import EngineNotIngested, Stop
from safe_lightning.core.tables import Comparison, TableName


class CouldNotLook(Exception):
    """A fact could not be obtained; the sentence says which and why. Never the same as 'fine'."""


class Stage(StrEnum):
    """When a hook runs."""

    PRE_IMPORT = "pre-import"
    POST_IMPORT = "post-import"


class Status(StrEnum):
    """What a verdict says: BLOCK is 'I looked and it is bad', ERROR is 'I could not look'."""

    PASS = "pass"
    WARN = "warn"
    BLOCK = "block"
    ERROR = "error"


class Action(StrEnum):
    """What a step does; ignore, remove and destroy are the control tool's own verbs.

    Quarantine renames the table aside and takes its entry out. Rewind sets engines back that were never ingested.
    Resume-replace changes neither: the import is started with another conflict strategy than its task names.
    """

    REPORT = "report"
    IGNORE = "ignore"
    REMOVE = "remove"
    DESTROY = "destroy"
    QUARANTINE = "quarantine"
    REWIND = "rewind"
    RESUME_REPLACE = "resume-replace"


@dataclass(frozen=True)
class Finding:
    """One thing a hook found: a stable code, a sentence, and what it is about."""

    code: str
    message: str
    table: TableName | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One act on one table, with the reason that policy or default gives for it.

    ``into``: the name that a quarantine gives the table; the engine's caller sets it.
    """

    action: Action
    table: TableName
    reason: str
    into: TableName | None = None


@dataclass(frozen=True)
class Plan:
    """Steps to be performed one at a time by the engine, and whether the import is then tried again."""

    steps: tuple[Step, ...]
    reason: str
    then_retry: bool = False
    max_attempts: int = 1


@dataclass(frozen=True)
class Verdict:
    """A hook's answer.

    ``code`` is stable and greppable; ``try-later`` with BLOCK is the soft stop (exit 75). ``data`` must
    survive JSON. A plan is only ever proposed: the engine performs it, under the safety laws. ``is_damage``, after
    the import, says that rows or index entries are proven to be lost or doubled: a success becomes ``damaged``.
    """

    status: Status
    code: str
    message: str
    findings: tuple[Finding, ...] = ()
    plan: Plan | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    is_damage: bool = False

    @property
    def is_soft_stop(self) -> bool:
        """Whether the run should end quietly with 75."""
        return self.status is Status.BLOCK and self.code == "try-later"


@dataclass(frozen=True)
class TableResult:
    """What the run's own evidence says of one table; ``table`` is None where nobody named it."""

    table: TableName | None
    status: str
    checksum: Comparison | None = None
    error: str | None = None


@dataclass(frozen=True)
class ImportReport:
    """How the child ended, for post-import hooks and for the record."""

    outcome: Outcome
    reason: str
    child_exit_code: int | None
    child_signal: int | None
    version: str | None
    tables: tuple[TableResult, ...]
    root_error: str | None
    evidence: tuple[str, ...]
    resumed_tables: tuple[TableName, ...] = ()
    duplicate_keys_skipped: int = 0
    checksum_incomplete: bool = False
    stop: Stop | None = None
    engines_not_ingested: tuple[EngineNotIngested, ...] = ()
    clues: Clues | None = None


@dataclass(frozen=True)
class TableFacts:
    """A table of the target: its id and creation time where they could be learned.

    ``has_key``: whether it has a unique key without NULLs. ``row_count`` is only there where somebody asked for it.
    """

    table: TableName
    exists: bool
    table_id: int | None = None
    created_at: float | None = None
    is_empty: bool | None = None
    has_key: bool | None = None
    row_count: int | None = None


@dataclass(frozen=True)
class TableBaseline:
    """What stood in the target before the first attempt of this import."""

    table: TableName
    existed: bool
    was_empty: bool | None
    at: float
    run: str
