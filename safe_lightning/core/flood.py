"""Listening to a stream that may be endless without slowing it down."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

HEAD_BYTES = 1 << 20
TAIL_BYTES = 256 << 10
#: With these words Lightning tells how it ends; they are looked for in the middle as well.
_ENDING = b"tidb lightning "


class Flood:
    """Hands on the beginning and the end of a stream, and of its middle the pieces in which Lightning tells its end.

    Lightning says a few kilobytes on its streams. What writes more than ``head_bytes`` must get through at the pace
    of a pipe, and taking a gigabyte apart line by line would hold it up; what is left out is counted in a line
    of its own. The end is handed on by `close`.
    """

    def __init__(
        self, take: Callable[[bytes], None], head_bytes: int = HEAD_BYTES, tail_bytes: int = TAIL_BYTES
    ) -> None:
        self._take = take
        self._room = head_bytes
        self._tail_bytes = tail_bytes
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._left_out = 0

    def feed(self, data: bytes) -> None:
        """Take bytes as they come."""
        if self._room > 0:
            self._room -= len(data)
            self._take(data)
        elif _ENDING in data:
            self.close()
            self._take(data)
        else:
            self._hold(data)

    def close(self) -> None:
        """Hand on what is held back: the end of what came so far, from the beginning of a line."""
        end = b"".join(self._held)
        if self._left_out or len(end) > self._tail_bytes:
            kept = end[-self._tail_bytes :]
            kept = kept[kept.find(b"\n") + 1 :]
            self._left_out += len(end) - len(kept)
            end = b"\n[safe-lightning: %d bytes not looked at here]\n%b" % (self._left_out, kept)
        self._held.clear()
        self._held_bytes = self._left_out = 0
        if end:
            self._take(end)

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_bytes += len(data)
        while self._held_bytes - len(self._held[0]) >= self._tail_bytes:
            dropped = len(self._held.popleft())
            self._held_bytes -= dropped
            self._left_out += dropped
