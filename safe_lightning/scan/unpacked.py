"""The content of a compressed file, from many places of it, at the price of reading it once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

_PIECE_BYTES = 1 << 16


class UnpackedContent:
    """Decompressed blocks, of which those are kept that a later offset may need. Offsets have to ascend."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._held: deque[bytes] = deque()
        self._start = 0

    def from_offset(self, offset: int) -> Iterator[bytes]:
        """Yield the content from an offset on, in small pieces, as far as somebody asks. Raises InputError."""
        while self._held or self._has_more():
            if self._start + len(self._held[0]) > offset:
                break
            self._start += len(self._held.popleft())
        place, skipped = 0, offset - self._start
        while place < len(self._held) or self._has_more():
            block = self._held[place]
            for at in range(skipped, len(block), _PIECE_BYTES):
                yield block[at : at + _PIECE_BYTES]
            place, skipped = place + 1, 0

    def _has_more(self) -> bool:
        block = next(self._blocks, None)
        if block is not None:
            self._held.append(block)
        return block is not None
