"""The file driver's store: read bounded and strictly, never followed into a pipe, never taken for more than it says."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from safe_lightning.core.checkpoint import Checkpoint, TableRecord, TaskRecord, UnreadableCheckpoint, without_keys
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_model import (
    FILE,
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
    read_task,
)
from safe_lightning.lightning.checkpoint_scan import TableChunks, count_chunks, count_engine
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

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_file(path: Path, size_most: int) -> FileCheckpoint | None:
    """Read a checkpoint file in full; None where there is no file. Raises UnreadableCheckpoint."""
    found = _read_bytes(path, size_most)
    if found is None:
        return None
    with _named(path):
        return decode(found[0])


def read_summary(path: Path, size_most: int) -> Checkpoint:
    """Read a checkpoint file, its chunks counted; ``exists`` is False where there is no file.

    Raises UnreadableCheckpoint, naming the file and the byte, for anything that is not a whole checkpoint.
    Lightning would take such a file for a new one, or keep what it read before the damage.
    """
    found = _read_bytes(path, size_most)
    if found is None:
        return Checkpoint("file", str(path), False, None, ())
    data, modified_at = found
    with _named(path):
        task, tables = _summarise_bytes(data)
    notes = () if data else (f"{path} is empty (0 bytes), as after a crash or on a full disk: Lightning starts anew",)
    return Checkpoint("file", str(path), True, task, tables, modified_at=modified_at, notes=notes)


def summarise(checkpoint: FileCheckpoint) -> tuple[TableRecord, ...]:
    """Count what a decoded checkpoint holds, table by table. Raises ValueError for a name that is not back-quoted."""
    return tuple(sorted((_summary(name, table) for name, table in checkpoint.tables.items()), key=lambda r: r.table))


def _summary(name: str, table: FileTable) -> TableRecord:
    chunks = TableChunks()
    for engine in table.engines.values():
        count_chunks(engine.chunks.values(), engine.status, chunks)
    engines = {number: engine.status for number, engine in table.engines.items()}
    return _record(TableName.parse(name), table.status, table.table_id, engines, chunks)


def _record(table: TableName, status: int, table_id: int, engines: dict[int, int], chunks: TableChunks) -> TableRecord:
    totals = chunks.totals
    return TableRecord(
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
    )


def _summarise_bytes(data: bytes) -> tuple[TaskRecord | None, tuple[TableRecord, ...]]:
    values = read_parts(data, [(0, len(data))], FILE)
    tables = read_map(data, values.get("tables", ()), TEXT_ENTRY)
    records = [_count_table(data, name, spans) for name, spans in tables.items()]
    return _task(read_task(data, values)), tuple(sorted(records, key=lambda record: record.table))


def _task(task: FileTask | None) -> TaskRecord | None:
    if task is None or not task.task_id:  # Lightning reads an id of 0 as "no task"
        return None
    values = asdict(task)
    values["lightning_version"] = values.pop("lightning_ver")
    return TaskRecord(**values | {"source_dir": without_keys(task.source_dir)})


def _count_table(data: bytes, name: str, spans: list[Span]) -> TableRecord:
    values = read_parts(data, spans, TABLE)
    chunks = TableChunks()
    engines = {
        number: count_engine(data, places, chunks)
        for number, places in read_map(data, values.get("engines", ()), NUMBER_ENTRY).items()
    }
    return _record(_table_name(name, spans), values.get("status", 0), values.get("table_id", 0), engines, chunks)


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


def _read_bytes(path: Path, size_most: int) -> tuple[bytes, float] | None:
    try:
        # Without O_NONBLOCK the open of a pipe waits for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UnreadableCheckpoint(f"{path} cannot be opened: {_words(error)}") from error
    try:
        return _read_bounded(path, descriptor, size_most), os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENXIO:
        return "it is a socket"
    return getattr(error, "strerror", None) or str(error)


def _read_bounded(path: Path, descriptor: int, size_most: int) -> bytes:
    state = os.fstat(descriptor)
    if not stat.S_ISREG(state.st_mode):
        kind = _KINDS.get(stat.S_IFMT(state.st_mode), "not a regular file")
        raise UnreadableCheckpoint(f"{path} is {kind}, not a checkpoint file")
    if state.st_size > size_most:
        raise UnreadableCheckpoint(
            f"{path} has {state.st_size} bytes, more than checkpoint.size_most ({size_most}) allows to read"
        )
    parts, left = [], size_most + 1
    # In one piece as a rule: putting pieces together would take the memory twice.
    piece = max(state.st_size + 1, 1 << 16)
    try:
        while left and (part := os.read(descriptor, min(left, piece))):
            parts.append(part)
            left -= len(part)
    except OSError as error:
        raise UnreadableCheckpoint(f"{path} cannot be read: {error.strerror}") from error
    if not left:
        raise UnreadableCheckpoint(f"{path} grew beyond checkpoint.size_most ({size_most} bytes) while it was read")
    return b"".join(parts)
