"""The file driver's store: read bounded and strictly, never followed into a pipe, never taken for more than it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, field
from pathlib import Path
from typing import Any

from safe_lightning.core.checkpoint import (
    Checkpoint,
    FileRecord,
    TableRecord,
    TaskRecord,
    UnreadableCheckpoint,
    without_keys,
)
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_model import (
    NUMBER_ENTRY,
    TABLE,
    TEXT_ENTRY,
    FileCheckpoint,
    FileChunk,
    FileEngine,
    FileTable,
    FileTask,
    decode,
    encode,
    read_map,
    read_parts,
    read_task_part,
)
from safe_lightning.lightning.checkpoint_scan import TableChunks, count_chunks, count_engine
from safe_lightning.lightning.checkpoint_stream import TopField, moved_by, opened
from safe_lightning.lightning.wire import Span, WireError

__all__ = [
    "FileCheckpoint",
    "FileChunk",
    "FileEngine",
    "FileTable",
    "FileTask",
    "decode",
    "encode",
    "read_file",
    "read_summary",
    "summarise",
]

_STARTS_ANEW = "Lightning starts anew"
_TASK_FIELD = 2
#: Files that are kept for a comparison with the source; a store that lists more is judged without it.
FILES_KEPT_MOST = 200_000


def read_file(path: Path, size_most: int) -> FileCheckpoint | None:
    """Read a checkpoint file in full; None where there is no file. Raises UnreadableCheckpoint."""
    with opened(path, size_most) as file:
        if file is None:
            return None
        data = file.read(0, file.size_bytes)
        file.check_unchanged()
    with _named(path):
        return decode(data)


def read_summary(path: Path, size_most: int) -> Checkpoint:
    """Read a checkpoint file, its chunks counted; ``exists`` is False where there is no file.

    Only one table's bytes are held at a time. Raises UnreadableCheckpoint, naming the file and the byte, for
    anything that is not a whole checkpoint. Lightning would take such a file for a new one, or keep what it read
    before the damage.
    """
    with opened(path, size_most) as file:
        if file is None:
            return Checkpoint("file", str(path), False, None, ())
        with _named(path):
            task, tables = _summarise_fields(file.fields())
        file.check_unchanged()
    notes = (
        () if file.size_bytes else (f"{path} is empty (0 bytes), as after a crash or on a full disk: {_STARTS_ANEW}",)
    )
    return Checkpoint("file", str(path), True, task, tables, modified_at=file.modified_at, notes=notes)


def summarise(checkpoint: FileCheckpoint) -> tuple[TableRecord, ...]:
    """Count what a decoded checkpoint holds, table by table. Raises ValueError for a name that is not back-quoted."""
    keeper = _Keeper()
    for name, table in checkpoint.tables.items():
        chunks = TableChunks()
        for number, engine in table.engines.items():
            count_chunks(engine.chunks.values(), number, engine.status, chunks)
        engines = {number: engine.status for number, engine in table.engines.items()}
        keeper.add(TableName.parse(name), table.status, table.table_id, engines, chunks)
    return keeper.sorted()


@dataclass
class _Keeper:
    """The records of a store, each with its files for as long as there are not too many of them."""

    records: list[TableRecord] = field(default_factory=list)
    files_left: int = FILES_KEPT_MOST

    def add(
        self, table: TableName, status: int, table_id: int, engines: Mapping[int, int], chunks: TableChunks
    ) -> None:
        files = _file_records(chunks) if len(chunks.files) <= self.files_left else None
        self.files_left -= len(files or ())
        totals = chunks.totals
        self.records.append(
            TableRecord(
                table,
                status,
                table_id,
                dict(sorted(engines.items())),
                totals.done,
                totals.total,
                len(chunks.files) - len(chunks.unfinished_files),
                len(chunks.files),
                totals.kvs,
                totals.rows,
                totals.created_at,
                files=files,
                begun_engines=frozenset(chunks.begun_engines),
            )
        )

    def sorted(self) -> tuple[TableRecord, ...]:
        return tuple(sorted(self.records, key=lambda record: record.table))


def _file_records(chunks: TableChunks) -> tuple[FileRecord, ...]:
    return tuple(
        FileRecord(
            path.decode(), size, bool(compression), path not in chunks.unfinished_files, path in chunks.half_read_files
        )
        for path, (size, compression) in sorted(chunks.files.items())
    )


def _summarise_fields(fields: Iterable[TopField]) -> tuple[TaskRecord | None, tuple[TableRecord, ...]]:
    keeper, names, task = _Keeper(), set[str](), dict[str, Any]()
    for number, at, data in fields:
        with moved_by(at):
            if number == _TASK_FIELD:
                read_task_part(data, task)
                continue
            for name, spans in read_map(data, [(0, len(data))], TEXT_ENTRY).items():
                if name in names:
                    raise WireError(0, f"the key {name!r} comes twice")
                names.add(name)
                _count_table(data, name, spans, keeper)
    return _task(FileTask(**task)), keeper.sorted()


def _task(task: FileTask) -> TaskRecord | None:
    if not task.task_id:  # Lightning reads an id of 0 as "no task"
        return None
    values = asdict(task)
    values["lightning_version"] = values.pop("lightning_ver")
    return TaskRecord(**values | {"source_dir": without_keys(task.source_dir)})


def _count_table(data: bytes, name: str, spans: list[Span], keeper: _Keeper) -> None:
    values = read_parts(data, spans, TABLE)
    chunks = TableChunks()
    engines = {
        number: count_engine(data, number, places, chunks)
        for number, places in read_map(data, values.get("engines", ()), NUMBER_ENTRY).items()
    }
    keeper.add(_table_name(name, spans), values.get("status", 0), values.get("table_id", 0), engines, chunks)


def _table_name(text: str, spans: list[Span]) -> TableName:
    try:
        return TableName.parse(text)
    except ValueError as error:
        raise WireError(spans[0][0] if spans else 0, str(error)) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except WireError as error:
        raise UnreadableCheckpoint(f"{path} is no whole checkpoint: {error}") from error
