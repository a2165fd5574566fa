"""Counts the chunks of a checkpoint file without keeping them: a file may hold ten million."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from safe_lightning.core.checkpoint import ALL_WRITTEN
from safe_lightning.lightning.checkpoint_model import ENGINE, FileChunk, read_chunks, read_parts
from safe_lightning.lightning.checkpoint_plain import TableChunks, count_plain
from safe_lightning.lightning.wire import Span, read_varint

__all__ = ["TableChunks", "count_chunks", "count_engine"]

_STATUS_TAG = 0x08


def count_engine(data: bytes, number: int, spans: Sequence[Span], into: TableChunks) -> int:
    """Add an engine's chunks to a table's sums and return the engine's status. Raises WireError."""
    if len(spans) == 1:
        at, end = spans[0]
        status = 0
        if at < end and data[at] == _STATUS_TAG:
            status, at = read_varint(data, at + 1, end)
            status &= 0xFFFFFFFF
        count = TableChunks()
        has_begun = count_plain(data, at, end, count, is_written=status >= ALL_WRITTEN)
        if has_begun is not None:
            _merge(number, count, into, has_begun=has_begun)
            return status
    values = read_parts(data, spans, ENGINE)
    status = int(values.get("status", 0))
    count_chunks(read_chunks(data, values.get("chunks", [])).values(), number, status, into)
    return status


def count_chunks(chunks: Iterable[FileChunk], number: int, status: int, into: TableChunks) -> None:
    """Add an engine's decoded chunks to a table's sums."""
    count, has_begun = TableChunks(), False
    for chunk in chunks:
        _add(chunk, count, is_done=status >= ALL_WRITTEN or chunk.pos >= chunk.end_offset)
        has_begun = has_begun or chunk.pos > chunk.offset
    _merge(number, count, into, has_begun=has_begun)


def _add(chunk: FileChunk, into: TableChunks, *, is_done: bool) -> None:
    totals, path = into.totals, chunk.path.encode()
    totals.total += 1
    totals.done += is_done
    totals.kvs += chunk.kvc_kvs
    totals.row_ids_used += chunk.prev_rowid_max
    totals.row_ids_reserved += chunk.rowid_max
    totals.row_id_most = max(totals.row_id_most, chunk.rowid_max)
    if chunk.timestamp:
        totals.created_at = min(totals.created_at or chunk.timestamp, chunk.timestamp)
    into.add_file(path, chunk.file_size, chunk.compression)
    if not is_done:
        into.unfinished_files.add(path)
        if chunk.pos > chunk.offset:
            into.half_read_files.add(path)


def _merge(number: int, part: TableChunks, into: TableChunks, *, has_begun: bool) -> None:
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
    into.half_read_files |= part.half_read_files
    if has_begun:
        into.begun_engines.add(number)
