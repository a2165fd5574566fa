"""64-bit hashes of canonical bytes under a seed that is random per run, of many texts at once or of one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import LANE_BYTES, Index, Numbers, u64

ALL_BITS = (1 << 64) - 1
ODD_1 = 0x9E3779B97F4A7C15
ODD_2 = 0xD6E8FEB86659FD93
_MIX = u64(29)
_FINAL = u64(32)


def hash_one(content: bytes, seed: int) -> int:
    """Hash one text; `hash_lanes` gives the same for it among others."""
    made = seed ^ len(content) * ODD_1 & ALL_BITS
    for at in range(0, len(content), LANE_BYTES):
        made = (made ^ int.from_bytes(content[at : at + LANE_BYTES], "little")) * ODD_2 & ALL_BITS
        made ^= made >> 29
    made = made * ODD_1 & ALL_BITS
    return made ^ made >> 32


def hash_lanes(lanes: Sequence[Numbers], sizes: Index, seed: int) -> Numbers:
    """Hash texts of at most as many lanes as there are; what is behind a text's end has to be zero."""
    made = sizes.astype(np.uint64) * u64(ODD_1) ^ u64(seed)
    longest, shortest = int(sizes.max(initial=0)), int(sizes.min(initial=0))
    for number, lane in enumerate(lanes):
        if number * LANE_BYTES >= longest:
            break
        mixed = (made ^ lane) * u64(ODD_2)
        mixed ^= mixed >> _MIX
        if number * LANE_BYTES < shortest:
            made = mixed
        else:
            np.copyto(made, mixed, where=sizes > number * LANE_BYTES)
    made *= u64(ODD_1)
    made ^= made >> _FINAL
    return made


def join_hashes(parts: Sequence[Numbers]) -> Numbers:
    """Hash a key of several parts; one of one part has that part's hash."""
    made, *others = parts
    if others:
        for part in others:
            made = (made ^ made >> u64(31)) * u64(ODD_1) + part
        made = (made ^ made >> _MIX) * u64(ODD_2)
        made ^= made >> _FINAL
    return made


def join_one(parts: Iterable[int]) -> int:
    """Do the same for the parts of one key."""
    made, *others = parts
    if others:
        for part in others:
            made = ((made ^ made >> 31) * ODD_1 + part) & ALL_BITS
        made = (made ^ made >> 29) * ODD_2 & ALL_BITS
        made ^= made >> 32
    return made
