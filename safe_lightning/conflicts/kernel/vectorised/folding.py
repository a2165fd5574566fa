"""Strings under a collation's weights: characters -> weights -> hashes, for texts of valid UTF-8.

The weights come in blocks of 256 characters, which exist as soon as the exact path has met one of theirs; until then a
text is hard.
"""

from __future__ import annotations

import ctypes

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import SLACK_BYTES, Bytes, Flags, Index, Numbers, lanes_of
from safe_lightning.conflicts.kernel.vectorised.hashing import hash_lanes
from safe_lightning.conflicts.kernel.vectorised.lanes import Content, read_lanes
from safe_lightning.core.lean_dataclass import dataclass

BLOCK = 256
BLOCKS = 0x1100
HARD_CHARACTER = 1 << 31
BLANK = 0x20
_HEAD_BYTES = 4 * (BLOCK + 1)


class Weights:
    """The blocks of one collation, beside each other: for each character where its weight begins and ends."""

    def __init__(self, ascii_table: int, blocks: int) -> None:
        self._pointers = (ctypes.c_uint64 * BLOCKS).from_address(blocks)
        self._number: Index = np.full(BLOCKS + 1, -1, np.intp)
        self._number[BLOCKS] = 0  # ASCII has a table of its own
        table = np.frombuffer(ctypes.string_at(ascii_table, 2 * BLOCK), np.uint8)
        kept = table[BLOCK:] == 0
        stop = np.cumsum(kept)
        self._bytes: Bytes = table[:BLOCK][kept]
        self._start: Index = stop - kept
        self._stop: Index = stop
        self._is_hard: Flags = np.zeros(BLOCK, bool)

    def find(self, points: Index) -> tuple[Index, Index, Flags]:
        """Return for each character where its weight begins, how long it is, and whether nothing is known of it."""
        block = np.where(points < 0x80, BLOCKS, points >> 8)
        for number in np.unique(block[self._number[block] < 0]).tolist():
            if self._pointers[number]:
                self._load(number)
        number = self._number[block]
        place = np.maximum(number, 0) * BLOCK + (points & (BLOCK - 1))
        start = self._start[place]
        return start, self._stop[place] - start, (number < 0) | self._is_hard[place]

    def _load(self, number: int) -> None:
        address = self._pointers[number]
        head = np.frombuffer(ctypes.string_at(address, _HEAD_BYTES), np.uint32)
        places = (head & (HARD_CHARACTER - 1)).astype(np.intp) + len(self._bytes)
        content = ctypes.string_at(address + _HEAD_BYTES, int(head[BLOCK]))
        self._number[number] = len(self._start) // BLOCK
        self._bytes = np.append(self._bytes, np.frombuffer(content, np.uint8))
        self._start, self._stop = np.append(self._start, places[:-1]), np.append(self._stop, places[1:])
        self._is_hard = np.append(self._is_hard, head[:BLOCK] >= HARD_CHARACTER)

    def take(self, start: Index, size: Index) -> Bytes:
        """Return the weights that begin at some places, one behind the other."""
        return self._bytes[spread(start, size)]


@dataclass(frozen=True)
class Limits:
    """How many characters and bytes a text may have, how many of them count, and whether blanks at the end do."""

    characters_most: int
    bytes_most: int
    prefix: int
    pads: bool
    knows_four_bytes: bool


def spread(start: Index, size: Index) -> Index:
    """Return all places of pieces, one behind the other."""
    before = np.cumsum(size) - size
    return np.repeat(start - before, size) + np.arange(int(size.sum()))


def hash_weights(
    weights: Weights, limits: Limits, content: Content, start: Index, size: Index, seed: int
) -> tuple[Numbers, Flags]:
    """Hash texts, which have to be valid UTF-8, by the weights of their characters; the flags tell which are hard."""
    joined = content.all[spread(start, size)]
    points = np.frombuffer(joined.tobytes().decode().encode("utf-32-le"), "<u4").astype(np.intp)
    is_first = (joined & 0xC0) != 0x80
    counted = np.append(0, np.cumsum(is_first))
    stop = counted[np.cumsum(size)]
    begin = np.append(0, stop[:-1])
    hard = (stop - begin > limits.characters_most) | (size > limits.bytes_most)
    if not limits.knows_four_bytes:
        hard |= _any_within(points > 0xFFFF, begin, stop)
    end = np.minimum(stop, begin + limits.prefix)
    if limits.pads:
        end = _without_blanks(points, begin, end)
    used = points[spread(begin, end - begin)]
    weight_start, weight_size, is_hard = weights.find(used)
    last = np.cumsum(end - begin)
    first = last - (end - begin)
    hard |= _any_within(is_hard, first, last)
    made = np.append(0, np.cumsum(weight_size))
    made_start, made_size = made[first], made[last] - made[first]
    return _hash_all(weights.take(weight_start, weight_size), made_start, made_size, seed), hard


def _any_within(marks: Flags, start: Index, stop: Index) -> Flags:
    counted = np.append(0, np.cumsum(marks))
    found: Flags = counted[stop] > counted[start]
    return found


def _without_blanks(points: Index, start: Index, stop: Index) -> Index:
    """Return where texts end if blanks at their end do not count."""
    last = np.append(0, np.maximum.accumulate(np.where(points != BLANK, np.arange(1, len(points) + 1), 0)))
    ends: Index = np.maximum(last[stop], start)
    return ends


def _hash_all(content: Bytes, start: Index, size: Index, seed: int) -> Numbers:
    room = np.zeros(-(-(len(content) + SLACK_BYTES) // 8) * 8, np.uint8)
    room[: len(content)] = content
    laid = Content(room, lanes_of(room), len(content))
    return hash_lanes(read_lanes(laid, start, size), size, seed)
