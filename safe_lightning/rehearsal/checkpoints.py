"""The checkpoint as the stand-in tools keep it: loaded, changed, and written as a real checkpoint file."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path

from safe_lightning.core.checkpoint import MAX_INVALID
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, Totals
from safe_lightning.lightning.checkpoint_model import (
    FileCheckpoint,
    FileChunk,
    FileEngine,
    FileTable,
    FileTask,
    WireError,
    decode,
    encode,
)
from safe_lightning.lightning.task import Task

LOADED, WRITTEN, CLOSED, IMPORTED, INDEX_IMPORTED = 30, 60, 90, 120, 140
ALTERED, CHECKSUM_SKIPPED, CHECKSUMMED, ANALYZE_SKIPPED, ANALYZED = 150, 170, 180, 200, 210
INDEX_ENGINE, DATA_ENGINE = -1, 0
VERSION = "v8.5.4"

#: Lightning's names of the steps in its refusals (MetricName in checkpoints.go).
STEP_NAMES = {
    30: "pending",
    60: "written",
    90: "closed",
    120: "imported",
    140: "index_imported",
    150: "altered_auto_inc",
    170: "checksum",
    180: "checksum",
    190: "index_added",
    200: "analyzed",
    210: "analyzed",
}

_CSV, _SQL = 4, 3
_ENGINE_NAMESPACE = uuid.UUID("d68d6abe-c59e-45d6-ade8-e2b0ceb7bedf")


@dataclass
class Chunk:
    """One file, or the part of it that one chunk is."""

    path: str
    kind: str
    end_offset: int
    sort_key: str = ""
    offset: int = 0
    pos: int = 0
    prev_rowid_max: int = 0
    rowid_max: int = 0
    totals: Totals = field(default_factory=lambda: Totals(0, 0, 0))
    timestamp: int = 0

    @property
    def key(self) -> str:
        """Return the name that logs and checkpoint use."""
        return f"{self.path}:{self.offset}"

    @property
    def is_done(self) -> bool:
        """Whether it has been read to its end."""
        return self.pos >= self.end_offset


@dataclass
class Engine:
    """An engine's status and, for a data engine, its chunks."""

    status: int = LOADED
    chunks: list[Chunk] = field(default_factory=list)


@dataclass
class Table:
    """A table's entry; ``base`` is the sum of what stood in it before, where the import adds to that."""

    status: int = LOADED
    table_id: int = 0
    engines: dict[int, Engine] = field(default_factory=dict)
    base: Totals = field(default_factory=lambda: Totals(0, 0, 0))

    @property
    def has_failed(self) -> bool:
        """Whether a failure is recorded."""
        return 0 < self.status <= MAX_INVALID

    def fail(self, step: int, engine: Engine | None = None) -> None:
        """Record a failed step, for the engine as well where it was the engine's."""
        self.status = step // 10
        if engine is not None:
            engine.status = step // 10


@dataclass
class CheckpointBook:
    """The whole store. ``path`` is None where checkpoints are off: then nothing is written."""

    path: Path | None
    task: FileTask | None = None
    tables: dict[TableName, Table] = field(default_factory=dict)
    existed: bool = False

    def save(self) -> None:
        """Write the file aside and rename it, as Lightning does."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(f"{self.path.name}.tmp.{secrets.token_hex(4)}")
        aside.write_bytes(encode(self._model()))
        aside.replace(self.path)

    def _model(self) -> FileCheckpoint:
        return FileCheckpoint(
            task=self.task, tables={str(name): _file_table(table) for name, table in self.tables.items()}
        )

    def clear(self) -> None:
        """Empty the store but keep its file."""
        self.task = None
        self.tables.clear()
        self.save()

    def remove(self) -> None:
        """Delete the file, as after a success."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def load(path: Path | None) -> CheckpointBook:
    """Load a store; what cannot be read counts as new, which is what Lightning does.

    A file that is there but broken is told by ``existed`` without tables.
    """
    if path is None or not path.exists():
        return CheckpointBook(path)
    try:
        model = decode(path.read_bytes())
    except WireError:
        return CheckpointBook(path, existed=True)
    tables = {TableName.parse(name): _table(table) for name, table in model.tables.items()}
    return CheckpointBook(path, model.task, tables, existed=True)


def task_record(task: Task) -> FileTask:
    """Describe a task as a new checkpoint does."""
    return FileTask(
        task_id=secrets.randbits(62) | 1,
        source_dir=f"file://{(task.cwd / task.data_source_dir).resolve()}",
        backend=task.backend,
        tidb_host=task.target.host,
        tidb_port=task.target.port,
        pd_addr=task.target.pd_addr,
        sorted_kv_dir=task.sorted_kv_dir,
        lightning_ver=VERSION,
    )


def engine_uuid(table: TableName, number: int) -> uuid.UUID:
    """Return an engine's id: a hash of its tag, so that a resume finds its folder again."""
    return uuid.uuid5(_ENGINE_NAMESPACE, f"{table}:{number}")


def all_chunks(tables: Iterable[Table]) -> list[Chunk]:
    """List the chunks of all engines of some tables."""
    return [chunk for table in tables for engine in table.engines.values() for chunk in engine.chunks]


def _file_table(table: Table) -> FileTable:
    engines = {number: _file_engine(engine) for number, engine in table.engines.items()}
    return FileTable(
        status=table.status,
        table_id=table.table_id,
        engines=engines,
        kv_bytes=table.base.bytes,
        kv_kvs=table.base.kvs,
        kv_checksum=table.base.checksum or 0,
    )


def _file_engine(engine: Engine) -> FileEngine:
    return FileEngine(status=engine.status, chunks={chunk.key: _file_chunk(chunk) for chunk in engine.chunks})


def _file_chunk(chunk: Chunk) -> FileChunk:
    return FileChunk(
        path=chunk.path,
        offset=chunk.offset,
        end_offset=chunk.end_offset,
        pos=chunk.pos,
        prev_rowid_max=chunk.prev_rowid_max,
        rowid_max=chunk.rowid_max,
        kvc_bytes=chunk.totals.bytes,
        kvc_kvs=chunk.totals.kvs,
        kvc_checksum=chunk.totals.checksum or 0,
        timestamp=chunk.timestamp,
        type=_CSV if chunk.kind == "csv" else _SQL,
        sort_key=chunk.sort_key,
        file_size=chunk.end_offset,
    )


def _table(table: FileTable) -> Table:
    engines = {number: _engine(engine) for number, engine in table.engines.items()}
    return Table(table.status, table.table_id, engines, Totals(table.kv_checksum, table.kv_kvs, table.kv_bytes))


def _engine(engine: FileEngine) -> Engine:
    chunks = sorted((_chunk(chunk) for chunk in engine.chunks.values()), key=lambda chunk: (chunk.path, chunk.offset))
    return Engine(engine.status, chunks)


def _chunk(chunk: FileChunk) -> Chunk:
    return Chunk(
        path=chunk.path,
        kind="csv" if chunk.type == _CSV else "sql",
        end_offset=chunk.end_offset,
        sort_key=chunk.sort_key,
        offset=chunk.offset,
        pos=chunk.pos,
        prev_rowid_max=chunk.prev_rowid_max,
        rowid_max=chunk.rowid_max,
        totals=Totals(chunk.kvc_checksum, chunk.kvc_kvs, chunk.kvc_bytes),
        timestamp=chunk.timestamp,
    )
