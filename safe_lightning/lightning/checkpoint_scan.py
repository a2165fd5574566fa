"""Counts the chunks of a checkpoint file without building them: a file may hold a million."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from safe_lightning.core.checkpoint import ALL_WRITTEN, ChunkTotals
from safe_lightning.lightning.checkpoint_model import ENGINE, FileChunk, read_chunks, read_parts
from safe_lightning.lightning.wire import Span, read_varint

_V = rb"[\x80-\xff]{0,8}[\x00-\x7f]"
#: Fields 2 to 11 of a chunk as Lightning's encoder orders them, none negative (a negative number takes ten bytes).
_POSITIONS = re.compile(
    rb"(?s)(?:\x10"
    + _V
    + rb")?(?:\x28("
    + _V
    + rb"))?(?:\x30("
    + _V
    + rb"))?(?:\x38("
    + _V
    + rb"))?(?:\x40("
    + _V
    + rb"))?(?:\x48"
    + _V
    + rb")?(?:\x50("
    + _V
    + rb"))?(?:\x59.{8})?"
)
_COLUMNS = re.compile(rb"(?:[\x80-\xff]{0,8}[\x00-\x7f]|[\x80-\xff]{9}[\x00\x01])*")
#: Fields 13 to 15, and 17 to 18 behind the sort key.
_KIND = re.compile(rb"(?s)(?:\x69(.{8}))?(?:\x70" + _V + rb")?(?:\x78" + _V + rb")?")
_SIZE = re.compile(rb"(?:\x88\x01" + _V + rb")?(?:\x90\x01" + _V + rb")?")


@dataclass
class TableChunks:
    """Sums over the chunks of one table, and the files they belong to."""

    totals: ChunkTotals = field(default_factory=ChunkTotals)
    files: set[bytes] = field(default_factory=set)
    unfinished_files: set[bytes] = field(default_factory=set)


def count_engine(data: bytes, spans: Sequence[Span], into: TableChunks) -> int:
    """Add an engine's chunks to a table's sums and return the engine's status. Raises WireError."""
    status: int
    status, entries = _plain_engine(data, spans) or _engine(data, spans)
    count = TableChunks()
    if not _count_plain(data, entries, count):
        count = TableChunks()
        for chunk in read_chunks(data, entries).values():
            _add_chunk(chunk, count)
    if status >= ALL_WRITTEN:
        count.totals.done = count.totals.total
        count.unfinished_files.clear()
    _merge(count, into)
    return status


def count_chunks(chunks: Iterable[FileChunk], status: int, into: TableChunks) -> None:
    """Add an engine's decoded chunks to a table's sums."""
    count = TableChunks()
    for chunk in chunks:
        _add_chunk(chunk, count, is_done=status >= ALL_WRITTEN)
    _merge(count, into)


def _add_chunk(chunk: FileChunk, into: TableChunks, *, is_done: bool = False) -> None:
    path = chunk.path.encode()
    _add(
        into,
        path,
        is_done or chunk.pos >= chunk.end_offset,
        chunk.kvc_kvs,
        chunk.prev_rowid_max,
        chunk.rowid_max,
        chunk.timestamp,
    )


def _add(into: TableChunks, path: bytes, is_done: bool, kvs: int, first_id: int, last_id: int, timestamp: int) -> None:
    totals = into.totals
    totals.total += 1
    totals.done += is_done
    totals.kvs += kvs
    totals.row_ids_used += first_id
    totals.row_ids_reserved += last_id
    totals.row_id_most = max(totals.row_id_most, last_id)
    if timestamp:
        totals.created_at = min(totals.created_at or timestamp, timestamp)
    into.files.add(path)
    if not is_done:
        into.unfinished_files.add(path)


def _merge(part: TableChunks, into: TableChunks) -> None:
    one, all_ = part.totals, into.totals
    all_.done += one.done
    all_.total += one.total
    all_.kvs += one.kvs
    all_.row_ids_used += one.row_ids_used
    all_.row_ids_reserved += one.row_ids_reserved
    all_.row_id_most = max(all_.row_id_most, one.row_id_most)
    all_.created_at = min(filter(None, (all_.created_at, one.created_at)), default=None)
    into.files |= part.files
    into.unfinished_files |= part.unfinished_files


def _engine(data: bytes, spans: Sequence[Span]) -> tuple[int, list[Span]]:
    values = read_parts(data, spans, ENGINE)
    return values.get("status", 0), values.get("chunks", [])


def _plain_engine(data: bytes, spans: Sequence[Span]) -> tuple[int, list[Span]] | None:
    """Find status and chunks of an engine encoded exactly as Lightning does it; None for any other."""
    if len(spans) != 1:
        return None
    at, end = spans[0]
    status = 0
    if at < end and data[at] == 0x08:
        status, at = read_varint(data, at + 1, end)
        status &= 0xFFFFFFFF
    entries = []
    while at < end:
        if data[at] != 0x12:
            return None
        length, first = _length(data, at + 1, end)
        at = first + length
        entries.append((first, at))
    return (status, entries) if at == end else None


def _count_plain(data: bytes, entries: Sequence[Span], into: TableChunks) -> bool:
    """Count chunks that are encoded exactly as Lightning does it; False at the first that is not.

    Nothing is judged here: what is not plain goes through the full decoder, which names what is wrong.
    """
    keys: set[bytes] = set()
    columns: set[bytes] = {b""}
    totals, files, unfinished = into.totals, into.files, into.unfinished_files
    for at, end in entries:
        found = _positions(data, at, end, keys)
        if found is None:
            return False
        path, positions = found
        timestamp = _read_rest(data, positions.end(), end, columns)
        if timestamp is None:
            return False
        end_offset, pos, first_id, last_id, kvs = positions.groups(b"\0")
        totals.kvs += _number(kvs)
        totals.row_ids_used += _number(first_id)
        totals.row_ids_reserved += (reserved := _number(last_id))
        if reserved > totals.row_id_most:
            totals.row_id_most = reserved
        if timestamp and (totals.created_at is None or timestamp < totals.created_at):
            totals.created_at = timestamp
        files.add(path)
        if pos == end_offset or _number(pos) >= _number(end_offset):
            totals.done += 1
        else:
            unfinished.add(path)
    totals.total += len(entries)
    return len(keys) == len(entries)


def _positions(data: bytes, at: int, end: int, keys: set[bytes]) -> tuple[bytes, re.Match[bytes]] | None:
    """Read key, path and positions of a map entry that holds a chunk; None if it is not plain."""
    key, at = _text(data, at, end, 0x0A)
    if at >= end or data[at] != 0x12:
        return None
    length, at = _length(data, at + 1, end)
    if at + length != end:
        return None
    path, at = _text(data, at, end, 0x0A)
    positions = _POSITIONS.match(data, at, end)
    keys.add(key)
    return (path, positions) if positions else None


def _read_rest(data: bytes, at: int, end: int, columns: set[bytes]) -> int | None:
    """Check fields 12 to 18 and return the timestamp; a byte in them that is wrong must not pass as plain."""
    if at < end and data[at] == 0x62:
        length, first = _length(data, at + 1, end)
        at = first + length
        packed = data[first:at]
        # All chunks of a table share their columns.
        if at > end or (packed not in columns and not _COLUMNS.fullmatch(packed)):
            return None
        columns.add(packed)
    kind = _KIND.match(data, at, end)
    if kind is None:
        return None
    at = kind.end()
    if at < end and data[at] == 0x82:
        _, at = _text(data, at + 1, end, 0x01)
    size = _SIZE.match(data, at, end)
    if size is None or size.end() != end:
        return None
    timestamp = kind[1]
    return int.from_bytes(timestamp, "little", signed=True) if timestamp else 0


def _text(data: bytes, at: int, end: int, tag: int) -> tuple[bytes, int]:
    """Read a text field and the offset behind it; an offset behind the end where it is not plain."""
    if at >= end or data[at] != tag:
        return b"", at
    length, at = _length(data, at + 1, end)
    text = data[at : at + length]
    return text, at + length if text.isascii() or _is_utf8(text) else end + 1


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read a length of up to two bytes; a longer one is given as more than there is, so that it is not plain."""
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    if at + 1 < end and data[at + 1] < 0x80:
        return data[at] & 0x7F | data[at + 1] << 7, at + 2
    return end + 1, at


def _number(varint: bytes) -> int:
    """Drop the marker bit of each of up to nine bytes, all at once.

    >>> _number(bytes([0xAC, 0x02]))
    300
    """
    if len(varint) == 1:
        return varint[0]
    high = varint[8] << 56 if len(varint) == 9 else 0
    value = int.from_bytes(varint[:8], "little")
    value = value & 0x007F007F007F007F | (value & 0x7F007F007F007F00) >> 1
    value = value & 0x00003FFF00003FFF | (value & 0x3FFF00003FFF0000) >> 2
    return value & 0x0FFFFFFF | (value & 0x0FFFFFFF00000000) >> 4 | high
