"""The control tool's acts, and the rewind, on the bytes of a checkpoint file (lightning/cmd/tidb-lightning-ctl).

Each takes a whole file and returns a whole file. Only what the act is about is written anew: entries, fields and
their order are otherwise those that Lightning wrote, also the fields of a later version.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from safe_lightning.core.checkpoint import LOADED, MAX_INVALID
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_model import CHUNK, ENGINE, NUMBER_ENTRY, TABLE, FileChunk, FileTable, decode
from safe_lightning.lightning.wire import Schema, read_message
from safe_lightning.lightning.wire_edit import Message

_TABLES, _ENGINES, _CHUNKS, _KEY, _VALUE = 1, 8, 2, 1, 2

#: Changes the bytes of one table; None leaves its entry out.
Change = Callable[[bytes], bytes | None]


def without_table(data: bytes, table: TableName) -> bytes:
    """Leave out the entry of a table, as ``checkpoint-remove`` does. Raises WireError, CouldNotLook for no entry."""
    return _change_table(data, table, lambda value: None)


def with_errors_ignored(data: bytes, table: TableName) -> bytes:
    """Set the recorded failures of a table and of its engines back to loaded, as ``checkpoint-error-ignore`` does."""

    def change(value: bytes) -> bytes:
        message = _engines_changed(value, lambda number, engine: _ignored(engine, ENGINE))
        return _ignored(message, TABLE)

    return _change_table(data, table, change)


def with_engines_rewound(data: bytes, table: TableName, engines: Collection[int]) -> bytes:
    """Set engines back to where they were before their first chunk (recordings 40, 40b).

    The engine is loaded again, its chunks are at their beginning with empty sums, and the first row id of each is the
    one that it was given: the row ids of a table without an integer primary key must come out the same. A table that
    has gone on or failed is loaded again too, as Lightning skips the engines of any other. The index engine holds
    pairs of all chunks: where it is among the engines, or has gone on itself so that Lightning would not open it again,
    all of them must be, or CouldNotLook is raised.
    """
    before = decode(data).tables.get(str(table)) or _no_entry(table)
    if unknown := sorted(set(engines) - before.engines.keys()):
        raise CouldNotLook(f"the checkpoint knows no engine {unknown[0]} of {table}")
    require_index_engine(table, {number: engine.status for number, engine in before.engines.items()}, engines)
    first_ids = first_row_ids(before)

    def change(value: bytes) -> bytes:
        message = _engines_changed(value, lambda n, engine: _rewound(engine, first_ids) if n in engines else engine)
        return _with_status(message, TABLE, LOADED)

    return _change_table(data, table, change)


def require_index_engine(table: TableName, statuses: Mapping[int, int], engines: Collection[int]) -> None:
    """Raise CouldNotLook where the index engine must be set back, and not all engines are."""
    is_touched = -1 in engines or statuses.get(-1, LOADED) != LOADED
    if is_touched and set(engines) != statuses.keys():
        raise CouldNotLook(f"the index engine of {table} holds pairs of every file: all its engines must be set back")


def first_row_ids(table: FileTable) -> dict[str, int]:
    """Tell the first row id that each chunk was given, by its key: the last one of its predecessor.

    Of the first chunk it is 0 in an import of its own; a parallel import begins elsewhere.
    """
    chunks = sorted(_chunks_of(table), key=lambda item: item[1].rowid_max)
    lasts = [0, *(chunk.rowid_max for _, chunk in chunks)]
    return {key: last for (key, _), last in zip(chunks, lasts, strict=False)}


def _chunks_of(table: FileTable) -> list[tuple[str, FileChunk]]:
    return [item for engine in table.engines.values() for item in engine.chunks.items()]


def _no_entry(table: TableName) -> FileTable:
    raise CouldNotLook(f"the checkpoint has no entry of {table}")


def _change_table(data: bytes, table: TableName, change: Change) -> bytes:
    decode(data)  # strict: nothing may be built on half a file
    file, wanted, count = Message(data), str(table).encode(), 0
    entries: list[bytes | None] = []
    for payload in file.payloads(_TABLES):
        entry = Message(payload)
        if (entry.payloads(_KEY) or [b""])[0] != wanted:
            entries.append(payload)
            continue
        count += 1
        changed = change((entry.payloads(_VALUE) or [b""])[0])
        entries.append(None if changed is None else _with_value(entry, changed))
    if not count:
        _no_entry(table)
    file.replace(_TABLES, entries)
    return bytes(file)


def _with_value(entry: Message, value: bytes) -> bytes:
    entry.replace(_VALUE, [value])
    return bytes(entry)


def _engines_changed(table: bytes, change: Callable[[int, bytes], bytes]) -> bytes:
    message = Message(table)
    entries: list[bytes | None] = []
    for payload in message.payloads(_ENGINES):
        entry = Message(payload)
        value = (entry.payloads(_VALUE) or [b""])[0]
        entries.append(_with_value(entry, change(_number(payload, NUMBER_ENTRY, "key"), value)))
    message.replace(_ENGINES, entries)
    return bytes(message)


def _number(data: bytes, schema: Schema, name: str) -> int:
    values: dict[str, int] = {}
    read_message(data, (0, len(data)), schema, values)
    return values.get(name, 0)


def _ignored(data: bytes, schema: Schema) -> bytes:
    return _with_status(data, schema, LOADED) if _number(data, schema, "status") <= MAX_INVALID else data


def _with_status(data: bytes, schema: Schema, status: int) -> bytes:
    message = Message(data)
    message.put(schema, "status", status)
    return bytes(message)


def _rewound(engine: bytes, first_ids: dict[str, int]) -> bytes:
    message = Message(_with_status(engine, ENGINE, LOADED))
    entries: list[bytes | None] = []
    for payload in message.payloads(_CHUNKS):
        entry = Message(payload)
        key = (entry.payloads(_KEY) or [b""])[0].decode()
        entries.append(_with_value(entry, _at_its_beginning((entry.payloads(_VALUE) or [b""])[0], first_ids[key])))
    message.replace(_CHUNKS, entries)
    return bytes(message)


def _at_its_beginning(chunk: bytes, first_id: int) -> bytes:
    message, offset = Message(chunk), _number(chunk, CHUNK, "offset")
    fresh = {"pos": offset, "prev_rowid_max": first_id, "kvc_bytes": 0, "kvc_kvs": 0, "kvc_checksum": 0}
    if _number(chunk, CHUNK, "real_pos"):
        fresh["real_pos"] = offset
    for name, value in fresh.items():
        message.put(CHUNK, name, value)
    return bytes(message)
