"""The words of a scan: what an engine is asked, what it finds, and what is reported of it. All plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from safe_lightning.core.columns import KeyMode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import SourceFinding
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema_model import TableDefinition

EVERY_KEY = "*"
"""The name under which a table is reported whose keys are not known at all."""


class ScanMode(StrEnum):
    """How much is looked at: every key, a random slice of the keys, or nothing."""

    EXACT = "exact"
    SAMPLE = "sample"
    OFF = "off"


class KeyStatus(StrEnum):
    """What is known of a key. CLEAN is only said of a key of which every row was read and understood."""

    CLEAN = "clean"
    CONFLICTS = "conflicts"
    NOT_CHECKED = "not-checked"
    INPUT_ERROR = "input-error"


class Why(StrEnum):
    """Why two rows have the same key."""

    IDENTICAL_ROWS = "identical-rows"
    SAME_KEY = "same-key"
    AFTER_CAST = "after-cast"
    UNDER_COLLATION = "under-collation"
    TRUNCATED = "truncated"
    DEFAULTED = "defaulted"
    IN_TARGET = "in-target"
    NOT_READ_AGAIN = "not-read-again"


WHY_WORDS = {
    Why.IDENTICAL_ROWS: "identical rows",
    Why.SAME_KEY: "same key, other values",
    Why.AFTER_CAST: "equal only after the cast to the column's type",
    Why.UNDER_COLLATION: "equal only under the column's collation",
    Why.TRUNCATED: "equal only because the key is cut to its length",
    Why.DEFAULTED: "equal because a missing value gets its default",
    Why.IN_TARGET: "the target already has a row with this key",
    Why.NOT_READ_AGAIN: "the rows could not be read a second time",
}


@dataclass(frozen=True)
class Place:
    """Where a row begins: file (relative to the source folder), line, byte, and number of the row, from 1.

    A row that stands in the target already has the table's name, after the word target, for a file, and nothing else.
    """

    file: str
    line: int | None = None
    offset: int | None = None
    row: int | None = None


@dataclass(frozen=True)
class Example:
    """Rows that share a key: the key as the target would print it, and the first of the rows."""

    key: tuple[str | None, ...]
    why: Why
    rows: tuple[Place, ...]


@dataclass(frozen=True)
class KeyScan:
    """One key of one table.

    ``duplicate_keys`` is the number of distinct keys that occur more than once, ``duplicate_rows`` the rows that carry
    them; both are exact however few examples are kept.
    """

    name: str
    columns: tuple[str, ...]
    status: KeyStatus
    reason: str | None = None
    duplicate_keys: int = 0
    duplicate_rows: int = 0
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class TableScan:
    """One table: what was read of it, what is odd about it, and its keys. ``basis`` names its definition's origin."""

    table: TableName
    rows: int
    bytes: int
    files: int
    findings: tuple[SourceFinding, ...] = ()
    keys: tuple[KeyScan, ...] = ()
    basis: str = ""

    @property
    def status(self) -> KeyStatus:
        """The worst of its keys."""
        seen = {key.status for key in self.keys}
        return next((status for status in _WORST_FIRST if status in seen), KeyStatus.CLEAN)


_WORST_FIRST = (KeyStatus.CONFLICTS, KeyStatus.INPUT_ERROR, KeyStatus.NOT_CHECKED)


def worst_first(tables: Sequence[TableScan]) -> list[TableScan]:
    """Return tables in the order in which somebody wants to hear of them."""
    ranks = (*_WORST_FIRST, KeyStatus.CLEAN)
    return sorted(tables, key=lambda table: ranks.index(table.status))


@dataclass(frozen=True)
class Scan:
    """A whole source. ``findings`` belong to no table; ``notes`` say what was assumed and why."""

    mode: ScanMode
    tables: tuple[TableScan, ...] = ()
    findings: tuple[SourceFinding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_conflicts(self) -> bool:
        """Whether any key occurs twice."""
        return any(table.status is KeyStatus.CONFLICTS for table in self.tables)

    @property
    def is_complete(self) -> bool:
        """Whether every key of every table was checked to the end."""
        done = (KeyStatus.CLEAN, KeyStatus.CONFLICTS)
        return all(key.status in done for table in self.tables for key in table.keys)


@dataclass(frozen=True)
class KeyRequest:
    """A key to be checked: places of its columns in the definition, each with a prefix length or None."""

    name: str
    columns: tuple[str, ...]
    parts: tuple[tuple[int, int | None], ...] = ()
    not_checked: str | None = None


@dataclass(frozen=True)
class TableScanRequest:
    """Everything an engine must know of one target table.

    ``existing`` is the number of the file that holds the target's own rows, always the last; None where none does.
    """

    table: TableName
    files: tuple[SourceFile, ...]
    definition: TableDefinition
    keys: tuple[KeyRequest, ...]
    mode: KeyMode
    rules: ReadingRules
    ignored: tuple[str, ...] = ()
    existing: int | None = None


@dataclass(frozen=True)
class Limits:
    """What a scan may use. ``fraction`` below 1 keeps a slice of the hash space: all copies of a key, or none."""

    memory_bytes: int = 512 << 20
    threads: int = 0
    spill_dir: Path | None = None
    examples_most: int = 100
    rows_shown_most: int = 5
    fraction: float = 1.0


class Watch(Protocol):
    """What an engine tells and asks while it works."""

    def advance(self, table: TableName, bytes_read: int) -> None:
        """Hear that so many more bytes of a table were read. Raises ScanStopped where the work must end."""
        ...


class ScanStopped(Exception):
    """The scan ends here: somebody asked for it, or its time is over."""

    def __init__(self, reason: str, *, is_time_over: bool = False) -> None:
        self.is_time_over = is_time_over
        super().__init__(reason)


@dataclass(frozen=True)
class RowPlace:
    """A row found by an engine: file by its place in the request."""

    file: int
    offset: int
    line: int | None
    row: int | None


@dataclass(frozen=True)
class Group:
    """Rows with the same key: how many, and the first of them in Lightning's order."""

    count: int
    places: tuple[RowPlace, ...]


@dataclass(frozen=True)
class KeyFound:
    """What an engine found of a key. ``not_checked`` says why nothing is known, ``doubt`` why it is not all.

    ``is_out_of_space`` tells of a key that is not checked that a part of its values would fit; ``fraction`` is the
    share that was looked at.
    """

    key: KeyRequest
    duplicate_keys: int = 0
    duplicate_rows: int = 0
    groups: tuple[Group, ...] = ()
    not_checked: str | None = None
    doubt: str | None = None
    is_out_of_space: bool = False
    fraction: float = 1.0


@dataclass(frozen=True)
class TableFound:
    """What an engine found of a table. ``unread`` says why not all rows were read; None where all were."""

    rows: int
    keys: tuple[KeyFound, ...]
    findings: tuple[SourceFinding, ...] = ()
    unread: str | None = None
    is_stopped: bool = False


class Engine(Protocol):
    """Finds the duplicate keys of one table."""

    def scan(self, request: TableScanRequest, limits: Limits, watch: Watch) -> TableFound:
        """Read all rows once and find every key that occurs twice. Raises ScanStopped only before it has anything."""
        ...


Progress = Callable[[TableName, int, int], None]
"""Told the table, the bytes read so far and the bytes to read, over all tables."""


@dataclass(frozen=True)
class ScanOptions:
    """What a policy or a command line asks of a scan.

    ``new_collation`` is believed before the target is asked, ``assumed_collation`` where it says nothing.
    """

    mode: ScanMode = ScanMode.EXACT
    sample_fraction: float = 0.05
    max_duration_seconds: float = 0.0
    limits: Limits = field(default_factory=Limits)
    new_collation: bool | None = None
    assumed_collation: bool | None = None
    time_zone: str = ""
    tables: tuple[str, ...] = ()
