"""A checkpoint as data: what Lightning stored about a task, its tables, engines and chunks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook

#: Status values of release-8.5 (pkg/lightning/checkpoints/checkpoints.go) in words.
STATUS_NAMES: Mapping[int, str] = {
    0: "missing",
    30: "loaded",
    60: "written",
    70: "duplicates-detected",
    80: "indexes-dropped",
    90: "closed",
    120: "imported",
    140: "index-imported",
    150: "auto-increment-altered",
    170: "checksum-skipped",
    180: "checksummed",
    190: "indexes-added",
    200: "analyze-skipped",
    210: "analyzed",
}

#: The steps at which a table can fail, in the words of Lightning's refusal: "failed in step(checksum)".
FAILED_STEPS: Mapping[int, str] = {
    3: "pending",
    6: "written",
    9: "closed",
    12: "imported",
    14: "index_imported",
    15: "altered_auto_inc",
    17: "checksum",
    18: "checksum",
    19: "index_added",
    20: "analyzed",
    21: "analyzed",
}

#: Stored values up to this one are recorded failures: the step that failed is ten times the value.
MAX_INVALID = 25
LOADED = 30
#: An engine from here on has read all its chunks, so a re-run does not look at them again.
ALL_WRITTEN = 60
IMPORTED = 120
DONE = 200


class UnreadableCheckpoint(CouldNotLook):
    """A store is there, yet what it holds is not a checkpoint that can be trusted; the sentence says where and why."""


class CheckpointVerdict(StrEnum):
    """What a leftover checkpoint is, per task and per table."""

    NONE = "none"
    FRESH = "fresh"
    RESUMABLE = "resumable"
    FINISHED = "finished"
    FAILED = "failed"
    STALE = "stale"
    FOREIGN = "foreign"
    LIVE = "live"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class TaskRecord:
    """The one task of a checkpoint store; absent fields are empty or 0, as in the store."""

    task_id: int = 0
    source_dir: str = ""
    backend: str = ""
    importer_addr: str = ""
    tidb_host: str = ""
    tidb_port: int = 0
    pd_addr: str = ""
    sorted_kv_dir: str = ""
    lightning_version: str = ""


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A source file as a checkpoint lists it; ``size_bytes`` is 0 where it does not tell.

    ``is_done``: all of its chunks are. ``is_half_read``: one of them was begun and is not done.
    """

    path: str
    size_bytes: int = 0
    is_compressed: bool = False
    is_done: bool = False
    is_half_read: bool = False


@dataclass(frozen=True)
class TableRecord:
    """One table of a checkpoint store, its chunks counted rather than kept.

    ``engines`` maps engine number (-1 is the index engine) to status. ``table_id`` is 0 where the store does not
    hold it (logical backend). A chunk is done when its position has reached its end, or when its engine is
    written as a whole; a file is done when all its chunks are. ``rows`` is the number of rows that the chunks'
    positions account for, None where the store does not allow to tell. Times are seconds since the epoch, None
    where the store keeps none: the file driver only keeps when the chunks were listed (``created_at``).
    """

    table: TableName
    status: int
    table_id: int = 0
    engines: Mapping[int, int] = field(default_factory=dict)
    chunks_done: int = 0
    chunks_total: int = 0
    files_done: int = 0
    files_total: int = 0
    kvs: int = 0
    rows: int | None = None
    created_at: float | None = None
    updated_at: float | None = None
    files: tuple[FileRecord, ...] | None = None
    begun_engines: frozenset[int] = frozenset()

    @property
    def failed_status(self) -> int:
        """The recorded failure of the table or of one of its engines; 0 if there is none."""
        stored = (self.status, *self.engines.values())
        return next((status for status in stored if 0 < status <= MAX_INVALID), 0)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint store as it was read: where, with which driver, what it says, and since when.

    ``exists`` is False where there is no file or no checkpoint schema. Times are seconds since the epoch by this
    machine's clock; those of a server are corrected by the difference of the clocks, measured when it was asked.
    ``notes`` says what a reader should know of how the store was read.
    """

    driver: str
    location: str
    exists: bool
    task: TaskRecord | None
    tables: tuple[TableRecord, ...]
    created_at: float | None = None
    modified_at: float | None = None
    notes: tuple[str, ...] = ()


@dataclass
class ChunkTotals:
    """Sums over the chunks of one table, taken in any order."""

    done: int = 0
    total: int = 0
    kvs: int = 0
    row_ids_used: int = 0
    row_ids_reserved: int = 0
    row_id_most: int = 0
    created_at: float | None = None

    @property
    def rows(self) -> int | None:
        """Rows read so far, or None where the sums contradict each other.

        Each chunk is given the row ids from its predecessor's last one on, and its first unused id moves with
        every row; so the sum telescopes. A table whose ids do not begin at 0 (parallel or incremental import)
        shows as key-value pairs that are no multiple of the rows.
        """
        rows = self.row_ids_used - self.row_ids_reserved + self.row_id_most
        if rows == 0 and self.kvs == 0:
            return 0
        return rows if rows > 0 and self.kvs and self.kvs % rows == 0 else None


def status_name(status: int) -> str:
    """Say a stored status in words; a recorded failure names the step that failed.

    >>> status_name(120), status_name(18), status_name(33)
    ('imported', 'failed at checksum', 'status 33')
    """
    if 0 < status <= MAX_INVALID:
        step = FAILED_STEPS.get(status) or STATUS_NAMES.get(status * 10, f"status {status * 10}")
        return f"failed at {step}"
    return STATUS_NAMES.get(status, f"status {status}")


def without_keys(source_dir: str) -> str:
    """Return a stored source URL without the query and the user part, where access keys travel.

    >>> without_keys("s3://bucket/dump?access-key=A&secret-access-key=B")
    's3://bucket/dump'
    """
    scheme, mark, rest = source_dir.partition("://")
    if not mark or scheme.lower() in ("file", "local"):
        return source_dir
    authority, slash, path = rest.partition("?")[0].partition("/")
    return f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}"
