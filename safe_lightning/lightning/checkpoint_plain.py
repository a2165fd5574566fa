"""Counts chunks encoded exactly as Lightning encodes them, thousands at a time: a checkpoint may hold ten million.

Nothing is judged here. Whatever is not plain is left to the full decoder, which names what is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from operator import ge, gt
from struct import Struct

from safe_lightning.core.checkpoint import ChunkTotals

#: Numbers of up to 56 bits, none written longer than it need be: their bytes sort as they do.
_N = rb"([\x80-\xff]{0,7}+[\x01-\x7f])"
_ANY = rb"[\x80-\xff]{0,8}+[\x01-\x7f]"
_LENGTH = rb"[\x80-\xff]?+[\x01-\x7f]"
#: A map entry that holds a chunk: key, path (again), then fields 2 to 18 in their order.
_CHUNK = re.compile(
    rb"(?s)(\x12(" + _LENGTH + rb"\x0a" + _LENGTH + rb")(([^\x00-\x1f:]++):[0-9]++)\x12"
    + rb"(" + _LENGTH + rb"\x0a" + _LENGTH + rb")\4"
    + rb"(?:\x10" + _N + rb")?+(?:\x28" + _N + rb")?+(?:\x30" + _N + rb")?+(?:\x38" + _N + rb")?+(?:\x40" + _N + rb")?+"
    + rb"(?:\x48" + _ANY + rb")?+(?:\x50" + _N + rb")?+(?:\x59.{8})?+"
    + rb"(?:\x62([\x01-\x7f][\x00-\x60\xff]++))?+\x69(.{8})(?:\x70" + _ANY + rb")?+(?:\x78" + _N + rb")?+"
    + rb"(?:\x82\x01([\x01-\x7f][\x20-\x7e]++))?+\x88\x01" + _N + rb"(?:\x90\x01" + _ANY + rb")?+)"
)  # fmt: skip
_COLUMNS = re.compile(rb"(?:[\x80-\xff]{0,8}[\x00-\x7f]|[\x80-\xff]{9}[\x00\x01])*")
#: Bytes looked at in one go: enough to be fast, few enough to take little memory.
_WINDOW_BYTES = 1 << 18
_NUMBERS_PER_CHUNK = 6


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
        known = self.files.get(path, (size, compression))
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
    (wholes, heads, names, paths, inner_heads, offsets, ends, positions, firsts, lasts, kvs,
     columns, stamps, compressions, sort_keys, sizes) = zip(*found, strict=True)  # fmt: skip
    frames = set(zip(map(len, wholes), heads, map(len, names), inner_heads, map(len, paths), strict=True))
    files = set(zip(paths, sizes, compressions, strict=True))
    if not (
        all(_is_framed(*frame) for frame in frames)
        and all(map(_is_plain_list, set(columns)))
        and all(not key or key[0] == len(key) - 1 for key in set(sort_keys))
        and _are_utf8(path for path, _, _ in files)
    ):
        return None
    keys.update(names)
    numbers = _read_numbers(len(found), (*offsets, *ends, *positions, *firsts, *lasts, *kvs))
    has_begun = _add_positions(numbers, paths, into, is_written=is_written)
    for path, size, compression in files:
        into.add_file(path, read_number(size), read_number(compression))
    _add_times(stamps, into.totals)
    return sum(map(len, wholes)), has_begun


def _add_positions(
    numbers: Iterator[tuple[int, ...]], paths: tuple[bytes, ...], into: TableChunks, *, is_written: bool
) -> bool:
    offsets, ends, positions, firsts, lasts, kvs = numbers
    totals, count = into.totals, len(paths)
    totals.total += count
    totals.kvs += sum(kvs)
    totals.row_ids_used += sum(firsts)
    totals.row_ids_reserved += sum(lasts)
    totals.row_id_most = max(totals.row_id_most, *lasts)
    begun = list(map(gt, positions, offsets))
    done = [True] * count if is_written else list(map(ge, positions, ends))
    finished = sum(done)
    totals.done += finished
    if finished < count:
        left = [(path, was_begun) for path, is_done, was_begun in zip(paths, done, begun, strict=True) if not is_done]
        into.unfinished_files.update(path for path, _ in left)
        into.half_read_files.update(path for path, was_begun in left if was_begun)
    return True in begun


def _add_times(stamps: Iterable[bytes], totals: ChunkTotals) -> None:
    for stamp in set(stamps):
        seconds = int.from_bytes(stamp, "little", signed=True)
        if seconds and (totals.created_at is None or seconds < totals.created_at):
            totals.created_at = seconds


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


@lru_cache(maxsize=4096)
def _is_plain_list(columns: bytes) -> bool:
    return not columns or (columns[0] == len(columns) - 1 and bool(_COLUMNS.fullmatch(columns, 1)))


def _are_utf8(texts: Iterable[bytes]) -> bool:
    joined = b"\n".join(texts)
    try:
        return joined.isascii() or bool(joined.decode())
    except UnicodeDecodeError:
        return False


def _read_numbers(count: int, varints: tuple[bytes, ...]) -> Iterator[tuple[int, ...]]:
    """Drop the marker bit of each byte of all numbers at once, in one large integer; hand them out column by column."""
    packing, unpacking, masks = _shapes(len(varints))
    value = int.from_bytes(packing.pack(*varints), "little")
    for shift, low, high in masks:
        value = value & low | (value & high) >> shift
    numbers = unpacking.unpack(value.to_bytes(8 * len(varints), "little"))
    return (numbers[at : at + count] for at in range(0, _NUMBERS_PER_CHUNK * count, count))


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
