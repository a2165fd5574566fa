"""Rows that are handed out, in the layout that all kernels share: a head, bounds, the row's bytes."""

from __future__ import annotations

import ctypes
import struct

from safe_lightning.conflicts.kernel.binding import HardRow, Kind

_HEAD = struct.Struct("=QQQIIII")
_HEAD_BYTES = ctypes.sizeof(HardRow)


class HandedRows:
    """A list of rows that lives until it is emptied."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._kept: ctypes.Array[ctypes.c_char] | None = None

    @property
    def size_bytes(self) -> int:
        """How long the list is."""
        return len(self._content)

    def empty(self) -> None:
        """Start over."""
        self._content = bytearray()
        self._kept = None

    def add(self, place: tuple[int, int], row: int, kind: Kind, columns: int, text: bytes, bounds: bytes = b"") -> None:
        """Add a row at (offset, line), with the start and size of each key column's text if it is a regular one."""
        filled = -len(text) % 8
        stride = _HEAD_BYTES + len(bounds) + len(text) + filled
        self._content += _HEAD.pack(*place, columns, row, len(text), kind, stride)
        self._content += bounds
        self._content += text
        self._content += bytes(filled)

    def address(self) -> int:
        """Return where the list is."""
        self._kept = (ctypes.c_char * len(self._content)).from_buffer(self._content)
        return ctypes.addressof(self._kept)
