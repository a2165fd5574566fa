"""Lightning's checkpoint file as values, decoded from its bytes and encoded to them again (checkpoint.proto)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, field, fields
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.lightning.wire import (
    Field,
    Kind,
    Schema,
    Span,
    WireError,
    read_fields,
    read_message,
    write_message,
    write_span,
)


@dataclass(frozen=True)
class FileChunk:
    """A region of a source file; ``pos`` moves from ``offset`` to ``end_offset``."""

    path: str = ""
    offset: int = 0
    end_offset: int = 0
    pos: int = 0
    prev_rowid_max: int = 0
    rowid_max: int = 0
    kvc_bytes: int = 0
    kvc_kvs: int = 0
    kvc_checksum: int = 0
    column_permutation: tuple[int, ...] = ()
    timestamp: int = 0
    type: int = 0
    compression: int = 0
    sort_key: str = ""
    file_size: int = 0
    real_pos: int = 0


@dataclass(frozen=True)
class FileEngine:
    """An engine: its status and its chunks by ``path:offset``."""

    status: int = 0
    chunks: Mapping[str, FileChunk] = field(default_factory=dict)


@dataclass(frozen=True)
class FileTable:
    """A table: its status and its engines by number; -1 is the index engine."""

    status: int = 0
    engines: Mapping[int, FileEngine] = field(default_factory=dict)
    hash: bytes = b""
    alloc_base: int = 0
    table_id: int = 0
    kv_bytes: int = 0
    kv_kvs: int = 0
    kv_checksum: int = 0
    table_info: bytes = b""
    auto_rand_base: int = 0
    auto_incr_base: int = 0
    auto_row_id_base: int = 0


@dataclass(frozen=True)
class FileTask:
    """The task that the file belongs to; id 0 means none."""

    task_id: int = 0
    source_dir: str = ""
    backend: str = ""
    importer_addr: str = ""
    tidb_host: str = ""
    tidb_port: int = 0
    pd_addr: str = ""
    sorted_kv_dir: str = ""
    lightning_ver: str = ""


@dataclass(frozen=True)
class FileCheckpoint:
    """A whole checkpoint file; tables by their back-quoted name as the file spells it."""

    task: FileTask | None = None
    tables: Mapping[str, FileTable] = field(default_factory=dict)


def _schema(**kinds: tuple[int, Kind]) -> Schema:
    return {number: Field(name, kind) for name, (number, kind) in kinds.items()}


FILE = _schema(tables=(1, Kind.MESSAGE), task=(2, Kind.MESSAGE))
_TASK = _schema(
    task_id=(1, Kind.INT64),
    source_dir=(2, Kind.STRING),
    backend=(3, Kind.STRING),
    importer_addr=(4, Kind.STRING),
    tidb_host=(5, Kind.STRING),
    tidb_port=(6, Kind.INT32),
    pd_addr=(7, Kind.STRING),
    sorted_kv_dir=(8, Kind.STRING),
    lightning_ver=(9, Kind.STRING),
)
TABLE = _schema(
    hash=(1, Kind.BYTES),
    status=(3, Kind.UINT32),
    alloc_base=(4, Kind.INT64),
    engines=(8, Kind.MESSAGE),
    table_id=(9, Kind.INT64),
    kv_bytes=(10, Kind.UINT64),
    kv_kvs=(11, Kind.UINT64),
    kv_checksum=(12, Kind.FIXED64),
    table_info=(13, Kind.BYTES),
    auto_rand_base=(14, Kind.INT64),
    auto_incr_base=(15, Kind.INT64),
    auto_row_id_base=(16, Kind.INT64),
)
ENGINE = _schema(status=(1, Kind.UINT32), chunks=(2, Kind.MESSAGE))
CHUNK = _schema(
    path=(1, Kind.STRING),
    offset=(2, Kind.INT64),
    end_offset=(5, Kind.INT64),
    pos=(6, Kind.INT64),
    prev_rowid_max=(7, Kind.INT64),
    rowid_max=(8, Kind.INT64),
    kvc_bytes=(9, Kind.UINT64),
    kvc_kvs=(10, Kind.UINT64),
    kvc_checksum=(11, Kind.FIXED64),
    column_permutation=(12, Kind.INT32_LIST),
    timestamp=(13, Kind.SFIXED64),
    type=(14, Kind.INT32),
    compression=(15, Kind.INT32),
    sort_key=(16, Kind.STRING),
    file_size=(17, Kind.INT64),
    real_pos=(18, Kind.INT64),
)
TEXT_ENTRY = _schema(key=(1, Kind.STRING), value=(2, Kind.MESSAGE))
NUMBER_ENTRY = _schema(key=(1, Kind.SINT32), value=(2, Kind.MESSAGE))


def read_parts(data: bytes, spans: Sequence[Span], schema: Schema) -> dict[str, Any]:
    """Read one message out of its parts: protocol buffers merge a message field that comes twice."""
    values: dict[str, Any] = {}
    for span in spans:
        read_message(data, span, schema, values)
    return values


def read_map(data: bytes, entries: Sequence[Span], schema: Schema) -> dict[Any, list[Span]]:
    """Read the entries of a map into the places of their values.

    Raises WireError for a key that comes twice and for an entry that is more than one key and one value:
    no version of Lightning writes that, so the bytes are damaged.
    """
    found: dict[Any, list[Span]] = {}
    absent: int | str = 0 if schema is NUMBER_ENTRY else ""
    for entry in entries:
        numbers = [number for _, number, _, _ in read_fields(data, *entry)]
        if len(set(numbers)) != len(numbers) or not set(numbers) <= schema.keys():
            raise WireError(entry[0], "a map entry is not one key and one value")
        values = read_parts(data, [entry], schema)
        key = values.get("key", absent)
        if key in found:
            raise WireError(entry[0], f"the key {key!r} comes twice")
        found[key] = values.get("value", [])
    return found


def decode(data: bytes) -> FileCheckpoint:
    """Decode a checkpoint file in full. Raises WireError naming the first byte that cannot be right.

    Lightning itself keeps what it read before such a byte and goes on; nothing here may be built on half a file.
    """
    values = read_parts(data, [(0, len(data))], FILE)
    tables = read_map(data, values.get("tables", ()), TEXT_ENTRY)
    return FileCheckpoint(read_task(data, values), {name: _table(data, spans) for name, spans in tables.items()})


def read_task(data: bytes, values: Mapping[str, Any]) -> FileTask | None:
    """Read the task out of a file's values; None where there is no such field."""
    return FileTask(**read_parts(data, values["task"], _TASK)) if "task" in values else None


def read_task_part(data: bytes, into: dict[str, Any]) -> None:
    """Read the bytes of a task field into values; of a field that comes twice the parts merge."""
    read_message(data, (0, len(data)), _TASK, into)


def _table(data: bytes, spans: Sequence[Span]) -> FileTable:
    values = read_parts(data, spans, TABLE)
    engines = read_map(data, values.pop("engines", ()), NUMBER_ENTRY)
    return FileTable(**values, engines={number: _engine(data, spans) for number, spans in engines.items()})


def _engine(data: bytes, spans: Sequence[Span]) -> FileEngine:
    values = read_parts(data, spans, ENGINE)
    return FileEngine(values.get("status", 0), read_chunks(data, values.get("chunks", ())))


def read_chunks(data: bytes, entries: Sequence[Span]) -> dict[str, FileChunk]:
    """Read the chunks of an engine by their keys."""
    return {key: _chunk(data, spans) for key, spans in read_map(data, entries, TEXT_ENTRY).items()}


def _chunk(data: bytes, spans: Sequence[Span]) -> FileChunk:
    values = read_parts(data, spans, CHUNK)
    columns = tuple(values.pop("column_permutation", ()))
    return FileChunk(**values, column_permutation=columns)


def encode(checkpoint: FileCheckpoint) -> bytes:
    """Encode a checkpoint as Lightning does: fields by number, map entries in the order given.

    What :func:`decode` returned for a file of Lightning's comes out as the same bytes.
    """
    tables = (_entry(TEXT_ENTRY, name, _write_table(table)) for name, table in checkpoint.tables.items())
    out = b"".join(write_span(1, entry) for entry in tables)
    if checkpoint.task is not None:
        out += write_span(2, write_message(_TASK, asdict(checkpoint.task)))
    return out


def _entry(schema: Schema, key: int | str, value: bytes) -> bytes:
    return write_message(schema, {"key": key, "value": value}, keep_zero=True)


def _write_table(table: FileTable) -> bytes:
    engines = (_entry(NUMBER_ENTRY, number, _write_engine(engine)) for number, engine in table.engines.items())
    before, after = _split(TABLE, 8)
    values = {item.name: getattr(table, item.name) for item in fields(table) if item.name != "engines"}
    entries = b"".join(write_span(8, entry) for entry in engines)
    return write_message(before, values) + entries + write_message(after, values)


def _split(schema: Schema, number: int) -> tuple[Schema, Schema]:
    before = {n: item for n, item in schema.items() if n < number}
    return before, {n: item for n, item in schema.items() if n > number}


def _write_engine(engine: FileEngine) -> bytes:
    chunks = (_entry(TEXT_ENTRY, key, write_message(CHUNK, asdict(chunk))) for key, chunk in engine.chunks.items())
    return write_message(ENGINE, {"status": engine.status}) + b"".join(write_span(2, chunk) for chunk in chunks)


__all__ = [
    "FileCheckpoint",
    "FileChunk",
    "FileEngine",
    "FileTable",
    "FileTask",
    "WireError",
    "decode",
    "encode",
]
