"""Counts chunks encoded exactly as Lightning encodes them, thousands at a time: a checkpoint may hold ten million.

Nothing is judged here. Whatever is not plain is left to the full decoder, which names what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from functools import lru_cache
from itertools import compress
from operator import eq, not_
from struct import Struct

from safe_lightning.core.checkpoint import ChunkTotals
from safe_lightning.core.lean_dataclass import dataclass

#: Numbers of up to 56 bits, none written longer than it need be: equal bytes are equal numbers, no byte is 0.
_N = rb"([\x80-\xff]{0,7}+[\x01-\x7f])"
_ANY = rb"[\x80-\xff]{0,8}+[\x01-\x7f]"
_LENGTH = rb"[\x80-\xff]?+[\x01-\x7f]"
#: A map entry that holds a chunk: key, path (again), then fields 2 to 18 in their order.
_CHUNK = re.compile(
    rb"(?s)(\x12(" + _LENGTH + rb"\x0a" + _LENGTH + rb")(([^\x00-\x1f:]++):[0-9]++)\x12"
    + rb"(" + _LENGTH + rb"\x0a" + _LENGTH + rb")\4"
    + rb"(?:\x10" + _N + rb")?+(?:\x28" + _N + rb")?+(?:\x30" + _N + rb")?+(?:\x38" + _N + rb")?+(?:\x40" + _N + rb")?+"
    + rb"(?:\x48" + _ANY + rb")?+(?:\x50" + _N + rb")?+(?:\x59.{8})?+"
    + rb"((?:\x62[\x01-\x7f][\x00-\x60\xff]++)?+\x69.{8}(?:\x70" + _ANY + rb")?+(?:\x78" + _ANY + rb")?+)"
    + rb"((?:\x82\x01[\x01-\x7f][\x20-\x7e]++)?+\x88\x01[\x80-\xff]{0,7}+[\x01-\x7f])(?:\x90\x01" + _ANY + rb")?+)"
)  # fmt: skip
#: Columns, time, type and compression, as one chunk has them like the next.
_KIND = re.compile(rb"(?s)(?:\x62(.[\x00-\x60\xff]++))?+\x69(.{8})(?:\x70" + _ANY + rb")?+(?:\x78" + _N + rb")?+")
_COLUMNS = re.compile(rb"(?:[\x80-\xff]{0,8}[\x00-\x7f]|[\x80-\xff]{9}[\x00\x01])*")
_SORT_KEY_TAG = b"\x82\x01"
#: Bytes looked at in one go: enough to be fast, few enough to take little memory.
_WINDOW_BYTES = 1 << 18

Varints = tuple[bytes, ...]


@dataclass
class TableChunks:
    """Sums over the chunks of one table, and the files they belong to: size as listed, and kind of compression."""

    totals: ChunkTotals = field(default_factory=ChunkTotals)
    files: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    unfinished_files: set[bytes] = field(default_factory=set)
    half_read_files: set[bytes] = field(default_factory=set)
    #: Engines of which at least one chunk has been read a part.
    begun_engines: set[int] = field(default_factory=set)

    def add_file(self, path: bytes, size: int, compression: int) -> None:
        """Note a file; where its chunks contradict each other the largest values count."""
        known = self.files.get(path)
        if known is None or known == (size, compression):
            self.files[path] = (size, compression)
        else:
            self.files[path] = (max(known[0], size), max(known[1], compression))


def count_plain(data: bytes, at: int, end: int, into: TableChunks, *, is_written: bool) -> bool | None:
    """Count an engine's chunks; say whether any was begun, or None at the first that is not plain.

    ``is_written`` says that the engine has read all of them, whatever their positions tell.
    """
    keys: set[bytes] = set()
    count, has_begun = 0, False
    while at < end:
        until = min(at + _WINDOW_BYTES, end)
        found = _CHUNK.findall(data, at, until)
        if until < end:
            del found[-1:]  # the window may have cut it
        size = _count(found, keys, into, is_written=is_written) if found else None
        if size is None:
            return None
        at, count = at + size[0], count + len(found)
        has_begun = has_begun or size[1]
    return has_begun if at == end and len(keys) == count else None


def _count(
    found: list[tuple[bytes, ...]], keys: set[bytes], into: TableChunks, *, is_written: bool
) -> tuple[int, bool] | None:
    """Add chunks to the sums; return how many bytes they take and whether any was begun, None if one is not plain."""
    (wholes, heads, names, paths, inner_heads, offsets, ends, positions, firsts, lasts, kvs, kinds,
     lists) = zip(*found, strict=True)  # fmt: skip
    sizes = list(map(len, wholes))
    frames = set(zip(sizes, heads, map(len, names), inner_heads, map(len, paths), strict=True))
    files = set(zip(paths, kinds, lists, strict=True))
    if not (
        all(_is_framed(*frame) for frame in frames)
        and all(map(_is_plain_kind, set(kinds)))
        and _are_utf8(path for path, _, _ in files)
        and _add_files(files, into)
    ):
        return None
    keys.update(names)
    _add_sums(firsts, lasts, kvs, into.totals)
    has_begun = _add_positions((offsets, ends, positions), paths, into, is_written=is_written)
    return sum(sizes), has_begun


def _add_files(files: Iterable[tuple[bytes, bytes, bytes]], into: TableChunks) -> bool:
    """Note the files that chunks belong to; False where a sort key's length is not what is there."""
    totals = into.totals
    for path, kind, listed in files:
        seconds, compression = _read_kind(kind)
        if seconds and (totals.created_at is None or seconds < totals.created_at):
            totals.created_at = seconds
        at = 0
        if listed.startswith(_SORT_KEY_TAG):
            at = 3 + listed[2]
            if listed[at : at + 2] != b"\x88\x01" or at + 2 >= len(listed):
                return False
        into.add_file(path, read_number(listed[at + 2 :]), compression)
    return True


def _add_sums(firsts: Varints, lasts: Varints, kvs: Varints, totals: ChunkTotals) -> None:
    count = len(firsts)
    numbers = _read_numbers((*firsts, *lasts, *kvs))
    totals.total += count
    totals.row_ids_used += sum(numbers[:count])
    totals.row_ids_reserved += sum(numbers[count : 2 * count])
    totals.row_id_most = max(totals.row_id_most, *numbers[count : 2 * count])
    totals.kvs += sum(numbers[2 * count :])


def _add_positions(
    places: tuple[Varints, Varints, Varints], paths: Varints, into: TableChunks, *, is_written: bool
) -> bool:
    """Count the chunks that are done; say whether any was begun."""
    offsets, ends, positions = places
    count = len(paths)
    if is_written:
        into.totals.done += count
        return _has_begun(offsets, positions)
    # Equal bytes are equal numbers: what is at its end, as most are, need not be read.
    is_open = list(map(not_, map(eq, positions, ends)))
    if True not in is_open:
        into.totals.done += count
        return _has_begun(offsets, positions)
    left = list(compress(zip(paths, offsets, ends, positions, strict=True), is_open))
    open_paths, *columns = zip(*left, strict=True)
    numbers = _read_numbers(tuple(number for column in columns for number in column))
    most = len(left)
    unfinished = 0
    for path, offset, end, position in zip(
        open_paths, numbers[:most], numbers[most : 2 * most], numbers[2 * most :], strict=True
    ):
        if position < end:
            unfinished += 1
            into.unfinished_files.add(path)
            if position > offset:
                into.half_read_files.add(path)
    into.totals.done += count - unfinished
    return _has_begun(offsets, positions)


def _has_begun(offsets: Varints, positions: Varints) -> bool:
    if offsets == positions:
        return False
    return any(
        read_number(at) > read_number(first) for first, at in zip(offsets, positions, strict=True) if first != at
    )


@lru_cache(maxsize=4096)
def _read_kind(kind: bytes) -> tuple[int, int]:
    """Read time and compression."""
    found = _KIND.fullmatch(kind)
    assert found is not None, "_is_plain_kind has seen to it"
    return int.from_bytes(found[2], "little", signed=True), read_number(found[3] or b"")


@lru_cache(maxsize=4096)
def _is_plain_kind(kind: bytes) -> bool:
    found = _KIND.fullmatch(kind)
    if found is None:
        return False
    columns = found[1]
    return columns is None or (columns[0] == len(columns) - 1 and bool(_COLUMNS.fullmatch(columns, 1)))


@lru_cache(maxsize=4096)
def _is_framed(whole: int, head: bytes, key: int, inner_head: bytes, path: int) -> bool:
    """Check the four lengths of an entry against what is there; each head is two lengths with a tag between."""
    entry = whole - 1 - len(_first_of(head))
    value = entry - len(head) + len(_first_of(head)) - key - 1 - len(_first_of(inner_head))
    return _lengths_in(head) == (entry, key) and _lengths_in(inner_head) == (value, path)


def _first_of(head: bytes) -> bytes:
    return head[: 2 if head[0] > 0x7F else 1]


def _lengths_in(head: bytes) -> tuple[int, int]:
    first = _first_of(head)
    return read_number(first), read_number(head[len(first) + 1 :])


def _are_utf8(texts: Iterable[bytes]) -> bool:
    joined = b"\n".join(texts)
    try:
        return joined.isascii() or bool(joined.decode())
    except UnicodeDecodeError:
        return False


def _read_numbers(varints: Varints) -> tuple[int, ...]:
    """Drop the marker bit of each byte of all numbers at once, in one large integer."""
    packing, unpacking, masks = _shapes(len(varints))
    value = int.from_bytes(packing.pack(*varints), "little")
    for shift, low, high in masks:
        value = value & low | (value & high) >> shift
    numbers: tuple[int, ...] = unpacking.unpack(value.to_bytes(8 * len(varints), "little"))
    return numbers


@lru_cache(maxsize=64)
def _shapes(count: int) -> tuple[Struct, Struct, tuple[tuple[int, int, int], ...]]:
    masks = ((1, 0x007F007F007F007F, 0x7F007F007F007F00), (2, 0x00003FFF00003FFF, 0x3FFF00003FFF0000),
             (4, 0x000000000FFFFFFF, 0x0FFFFFFF00000000))  # fmt: skip
    repeated = tuple((shift, _repeat(low, count), _repeat(high, count)) for shift, low, high in masks)
    return Struct("8s" * count), Struct(f"<{count}Q"), repeated


def _repeat(mask: int, count: int) -> int:
    return int.from_bytes(mask.to_bytes(8, "little") * count, "little")


def read_number(varint: bytes) -> int:
    """Read a whole varint; nothing is 0.

    >>> read_number(bytes([0xAC, 0x02])), read_number(b"")
    (300, 0)
    """
    value = 0
    for byte in reversed(varint):
        value = value << 7 | byte & 0x7F
    return value
