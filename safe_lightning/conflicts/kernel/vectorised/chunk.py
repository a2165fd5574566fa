"""The bytes that a scan has in hand: what was left of the chunk before, and what was read behind it."""

from __future__ import annotations

import os

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import LANE_BYTES, SLACK_BYTES, Bytes, lanes_of
from safe_lightning.conflicts.kernel.vectorised.lanes import Content
from safe_lightning.conflicts.kernel.vectorised.structure import Scratch

FIRST_BYTES = 1 << 14
"""The first chunks are small: what has to be asked for once of each value is then known before much is read."""


class Chunk:
    """A buffer that is used over and over. It grows with a row that is longer than it."""

    def __init__(self, chunk_bytes: int) -> None:
        self._chunk_bytes = chunk_bytes
        self._next_bytes = min(chunk_bytes, FIRST_BYTES)
        self._buffer: Bytes = np.zeros(0, np.uint8)
        self.scratch = Scratch()
        self.size = 0
        """So many bytes are in hand."""

    @property
    def room(self) -> int:
        """How many bytes to read next: as many as are left over, at least, or a long row would be read too often."""
        return max(self._next_bytes, self.size)

    def restart(self) -> None:
        """Give up all bytes, and begin with few again: where reading stops often, all behind the place is read anew."""
        self.size = 0
        self._next_bytes = min(self._chunk_bytes, FIRST_BYTES)

    @property
    def is_growing(self) -> bool:
        """Whether chunks are still small."""
        return self._next_bytes < self._chunk_bytes

    def grow(self) -> None:
        """Read more the next time."""
        self._next_bytes = min(2 * self._next_bytes, self._chunk_bytes)

    def text(self, start: int, stop: int) -> bytes:
        """Return some of the bytes."""
        return self._buffer[start:stop].tobytes()

    def _make_room(self, size: int) -> None:
        wanted = self.size + size + SLACK_BYTES
        if wanted > len(self._buffer):
            grown = np.zeros(-(-wanted * 5 // 4 // LANE_BYTES) * LANE_BYTES, np.uint8)
            grown[: self.size] = self._buffer[: self.size]
            self._buffer = grown

    def append(self, content: bytes | memoryview) -> None:
        """Take bytes."""
        self._make_room(len(content))
        self._buffer[self.size : self.size + len(content)] = np.frombuffer(content, np.uint8)
        self.size += len(content)

    def read(self, file: int, size: int, offset: int) -> None:
        """Read so many bytes of a file. Raises OSError, also where the file is shorter."""
        self._make_room(size)
        view = self._buffer.data
        stop = self.size + size
        while self.size < stop:
            read = os.preadv(file, [view[self.size : stop]], offset)
            if not read:
                raise OSError("the file is shorter than it was")
            self.size, offset = self.size + read, offset + read

    def drop(self, used: int) -> None:
        """Give up the first bytes."""
        self._buffer[: self.size - used] = self._buffer[used : self.size]
        self.size -= used

    def marked(self, end: bytes = b"") -> Bytes:
        """Return the bytes, with an end behind them that is not theirs."""
        stop = self.size + len(end)
        self._buffer[self.size : stop] = np.frombuffer(end, np.uint8)
        self._buffer[stop : stop + SLACK_BYTES - len(end)] = 0
        return self._buffer[:stop]

    def content(self, used: int) -> Content:
        """Return the bytes for reading columns, of which so many are whole rows."""
        return Content(self._buffer, lanes_of(self._buffer), used)
