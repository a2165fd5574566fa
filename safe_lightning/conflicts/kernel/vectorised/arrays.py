"""The kinds of arrays that the stages hand on, and a few things all of them need."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.uint64]
RowNumbers = npt.NDArray[np.uint32]

LANE_BYTES = 8
SLACK_BYTES = 64
"""So many bytes behind a chunk are zero, because lanes are read whole."""

LITTLE = np.dtype("<u8")
NONE: Index = np.empty(0, np.intp)


def u64(number: int) -> np.uint64:
    """Return a constant that keeps an operation in 64 bits."""
    return np.uint64(number & 0xFFFFFFFFFFFFFFFF)


def repeated(byte: int) -> np.uint64:
    """Return a lane of eight equal bytes."""
    return u64(byte * 0x0101010101010101)


def lane_of(content: bytes) -> int:
    """Return the first eight bytes as a lane, the first byte being the lowest."""
    return int.from_bytes(content[:LANE_BYTES], "little")


def lanes_of(content: Bytes) -> Numbers:
    """Look at bytes as lanes. A big-endian machine gets a copy that is turned around."""
    lanes: npt.NDArray[Any] = content[: len(content) // LANE_BYTES * LANE_BYTES].view(LITTLE)
    return lanes if sys.byteorder == "little" else lanes.astype(np.uint64)


def count_before(places: Index, limits: Index) -> Index:
    """Count for each limit the ascending places in front of it."""
    return np.searchsorted(places, limits)
