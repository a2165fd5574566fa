"""What a key scan is asked and what it answers: plain data that could go to another process and back."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from pathlib import Path

from safe_lightning.conflicts.canonical import Altered
from safe_lightning.core.columns import KeyMode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import SourceFinding
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.rows import Field
from safe_lightning.source.schema_model import KeyDefinition, TableDefinition

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class KeyScan:
    """One target table: its files in Lightning's order, its definition, the keys to check, and how values are cast.

    ``ignored`` are the columns (lower case) that the task takes out of the import.
    """

    table: TableName
    files: tuple[SourceFile, ...]
    definition: TableDefinition
    keys: tuple[KeyDefinition, ...]
    mode: KeyMode
    rules: ReadingRules = field(default_factory=ReadingRules)
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScanOptions:
    """How much a scan may use. ``memory_bytes`` is for the words of all threads; above it they are spilled.

    ``sample_fraction`` keeps a slice of the keys (all rows of a key or none), in steps of 1/4096. ``seed`` is None for
    a random one. ``build`` names a build of the kernel (for tests), "none" the engine without it.
    """

    memory_bytes: int = 640 * MEBIBYTE
    threads: int = 2
    spill_folder: Path | None = None
    sample_fraction: float = 1.0
    seed: int | None = None
    examples_most: int = 1000
    range_bytes: int = 64 * MEBIBYTE
    chunk_bytes: int = 256 << 10
    build: str | None = None


class KeyStatus(StrEnum):
    """What is known of a key."""

    CLEAN = "clean"
    CONFLICTS = "conflicts"
    NOT_CHECKED = "not-checked"
    INPUT_ERROR = "input-error"


@dataclass(frozen=True)
class RowPlace:
    """Where a row is: all counted from 1, but the offset from 0 and in the decompressed content."""

    file: str
    line: int
    offset: int
    row: int


@dataclass(frozen=True)
class ConflictRow:
    """A row of a conflict: its place and what its key columns hold, in the file and as the target stores it.

    ``row_digest`` is equal for rows all of whose fields are.
    """

    place: RowPlace
    fields: tuple[Field, ...]
    stored: tuple[bytes | None, ...]
    altered: tuple[Altered, ...]
    row_digest: bytes


@dataclass(frozen=True)
class Conflict:
    """A key that occurs more than once, and its rows in the order of the files (capped)."""

    rows: tuple[ConflictRow, ...]
    row_count: int


@dataclass(frozen=True)
class KeyResult:
    """What a scan found of one key.

    ``duplicate_keys`` are the keys that occur more than once and ``duplicate_rows`` the rows that carry them. They
    are exact unless ``is_estimate``: then so many rows collide that only ``verified_keys`` were compared byte by
    byte, and the counts are those of 64-bit hashes. ``entries`` are the rows looked at that have an entry in the key.
    """

    name: str
    columns: tuple[str, ...]
    status: KeyStatus
    reason: str = ""
    duplicate_keys: int = 0
    duplicate_rows: int = 0
    examples: tuple[Conflict, ...] = ()
    is_estimate: bool = False
    verified_keys: int = 0
    entries: int = 0


@dataclass(frozen=True)
class CountedFinding:
    """A finding, its first place, and how many rows it is true of."""

    finding: SourceFinding
    count: int


@dataclass(frozen=True)
class FileResult:
    """What was read of a file; ``error`` says why not all of it was."""

    name: str
    rows: int
    bytes_read: int
    error: SourceFinding | None = None


@dataclass(frozen=True)
class TableResult:
    """What a scan found of one table. ``sample_fraction`` is what share of the keys was looked at."""

    table: TableName
    files: tuple[FileResult, ...]
    keys: tuple[KeyResult, ...]
    findings: tuple[CountedFinding, ...] = ()
    sample_fraction: float = 1.0
    spilled_bytes: int = 0
    engine: str = ""

    @property
    def rows(self) -> int:
        """All rows that were read."""
        return sum(file.rows for file in self.files)

    @property
    def bytes_read(self) -> int:
        """All bytes that were read, as they are on disk."""
        return sum(file.bytes_read for file in self.files)


class ScanStopped(Exception):
    """The caller asked the scan to stop."""


class SpillFailed(Exception):
    """The words of a table do not fit into memory and could not be written to disk."""
