"""What a log tells beyond the outcome: the pieces of evidence from which the cause of a mismatch is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, Totals


@dataclass(frozen=True)
class EngineClue:
    """One engine's last ingest: number (-1 holds the index entries), pairs it held, pairs counted as imported."""

    engine: str
    kvs: int
    imported: int


@dataclass(frozen=True)
class FileClue:
    """What was encoded out of one chunk: ``file:offset`` and its totals."""

    path: str
    totals: Totals


@dataclass(frozen=True)
class TableClues:
    """What the log tells of one table; None is 'not said'. ``files`` is empty where there were too many to keep."""

    was_empty: bool | None = None
    was_resumed: bool | None = None
    own: Totals | None = None
    base: Totals | None = None
    engines: tuple[EngineClue, ...] = ()
    lost_engines: tuple[EngineClue, ...] = ()
    files: tuple[FileClue, ...] = ()


@dataclass(frozen=True)
class Clues:
    """What a log tells of a whole run. ``config`` holds the few keys of the logged task that decide."""

    config: Mapping[str, str | bool] = field(default_factory=dict)
    first_launch: bool | None = None
    skipped_keys: tuple[str, ...] = ()
    table_ids: Mapping[int, TableName] = field(default_factory=dict)
    tables: Mapping[TableName, TableClues] = field(default_factory=dict)
    lightning_schemas: tuple[str, ...] | None = None
    conflicts_resolved: bool = False
