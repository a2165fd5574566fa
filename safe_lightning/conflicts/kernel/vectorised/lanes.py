"""Texts as lanes of eight bytes each, zero behind the text, and tests of all bytes of a lane at once."""

from __future__ import annotations

import codecs
from functools import cached_property

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import (
    LANE_BYTES,
    Bytes,
    Flags,
    Index,
    Numbers,
    repeated,
    u64,
)
from safe_lightning.core.lean_dataclass import dataclass

HIGH = repeated(0x80)
LOW = repeated(0x01)
_KEPT = np.array([(1 << 8 * size) - 1 for size in range(LANE_BYTES + 1)], np.uint64)
_ZEROS = repeated(0x30)


@dataclass(frozen=True)
class Content:
    """A chunk as bytes and as lanes; zero bytes follow behind it. ``used`` of it are whole rows."""

    all: Bytes
    lanes: Numbers
    used: int

    @cached_property
    def is_utf8(self) -> bool:
        """Whether all of its rows are valid UTF-8."""
        try:
            codecs.utf_8_decode(self.all[: self.used].data, "strict", True)
        except UnicodeDecodeError:
            return False
        return True


@dataclass(frozen=True)
class Texts:
    """Texts, each from a start on for a size, in lanes."""

    content: Content
    start: Index
    size: Index
    lanes: list[Numbers]

    @classmethod
    def read(cls, content: Content, start: Index, size: Index) -> Texts:
        """Gather the lanes."""
        return cls(content, start, size, read_lanes(content, start, size))

    def part(self, chosen: Index) -> Texts:
        """Return some of them."""
        lanes = [lane[chosen] for lane in self.lanes]
        return Texts(self.content, self.start[chosen], self.size[chosen], lanes)

    def kept(self, lane: int) -> Numbers:
        """Mask the bytes of a lane that belong to the text."""
        return _kept(self.size, lane)


def _kept(size: Index, lane: int) -> Numbers:
    return _KEPT.take(size - lane * LANE_BYTES, mode="clip")


def read_lanes(content: Content, start: Index, size: Index) -> list[Numbers]:
    """Gather texts of any start: each lane out of two neighbours."""
    longest, shortest = int(size.max(initial=0)), int(size.min(initial=0))
    place = start >> 3
    shift = ((start & 7) << 3).astype(np.uint64)
    back = u64(63) - shift
    lanes, here = [], content.lanes.take(place)
    for number in range(-(-longest // LANE_BYTES)):
        beyond = content.lanes.take(place + (number + 1), mode="clip")
        lane = here >> shift
        lane |= (beyond << u64(1)) << back
        if (number + 1) * LANE_BYTES > shortest:
            lane &= _kept(size, number)
        lanes.append(lane)
        here = beyond
    return lanes


def not_digits(lane: Numbers) -> Numbers:
    """Set the high bit of each byte that is no digit."""
    differs = lane ^ _ZEROS
    return (differs | (differs + repeated(0x76))) & HIGH


def are_ascii(texts: Texts) -> Flags:
    """Tell which texts have no byte of 0x80 and above."""
    seen = np.zeros(len(texts.size), np.uint64)
    for lane in texts.lanes:
        seen |= lane
    are: Flags = seen & HIGH == 0
    return are


def count_bytes(bits: Numbers) -> Index:
    """Count the bytes of lanes whose lowest bit is set, all other bits being clear."""
    return ((bits * LOW) >> u64(56)).astype(np.intp)


def mask_lanes(lanes: list[Numbers], size: Index) -> list[Numbers]:
    """Cut texts to their first bytes."""
    return [lane & _kept(size, number) for number, lane in enumerate(lanes)]
