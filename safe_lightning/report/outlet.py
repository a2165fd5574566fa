"""Writing to one file descriptor without ever being held up by whoever reads it."""

from __future__ import annotations

import errno
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable

_PENDING_BYTES_MOST = 8 << 20
_EVENTS_BYTES_MOST = 64 << 20
_STUCK_SECONDS = 2.0
_WRITE_BYTES = 1 << 20
_GONE = frozenset({errno.EPIPE, errno.EBADF})


class Outlet:
    """A file descriptor with a writer thread of its own.

    A terminal held by Ctrl-S, a sleeping pager or a stalled disk must hold up neither the supervision nor the
    reading of the log. What may be dropped is dropped where the reader does not keep up with it for two seconds,
    and counted; the rest waits in memory, within a bound. A reader that is gone or a full disk is told to
    ``on_trouble``, once, and never raised.
    """

    def __init__(self, fd: int, on_trouble: Callable[..., None]) -> None:
        self.fd = fd
        self.dropped_lines = 0
        self._on_trouble = on_trouble
        self._pieces: deque[bytes] = deque()
        self._pending_bytes = 0
        self._taken_at = time.monotonic()
        self._is_gone = False
        self._has_failed = False
        self._is_shedding = False
        self._divert: Callable[[bytes], None] | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="write events", daemon=True)
        self._thread.start()

    def divert(self, write: Callable[[bytes], None] | None) -> None:
        """Let something else write from now on, with `put`, such as a progress bar that stays below."""
        with self._changed:
            self._divert = write

    def nudge(self) -> None:
        """Have whoever writes called with no data, so that it can write something of its own; not while it is busy."""
        with self._changed:
            if not self._pieces and not self._pending_bytes:
                self._pieces.append(b"")
                self._changed.notify_all()

    def write(self, data: bytes, *, may_drop: bool = False) -> None:
        """Hand over some whole lines. Waits a while for room only where they may be dropped after it."""
        with self._changed:
            has_room = self._wait_for_room() if may_drop else self._pending_bytes < _EVENTS_BYTES_MOST
            if self._is_gone or not has_room:
                self.dropped_lines += data.count(b"\n")
                return
            if not self._pieces:
                self._taken_at = max(self._taken_at, time.monotonic() if not self._pending_bytes else 0.0)
            self._pieces.append(data)
            self._pending_bytes += len(data)
            self._changed.notify_all()

    def flush(self) -> bool:
        """Wait until everything is written; False where nobody takes it."""
        with self._changed:
            while self._pending_bytes and not self._is_gone and not self._is_stuck():
                self._changed.wait(_STUCK_SECONDS / 10)
            return not self._pending_bytes

    def _wait_for_room(self) -> bool:
        # Who waited once in vain does not wait again until half of it is written: a reader that is slower than the
        # child must not make the reading of the log late, on which the judgement of the run rests.
        if self._is_shedding and self._pending_bytes > _PENDING_BYTES_MOST // 2:
            return False
        deadline = time.monotonic() + _STUCK_SECONDS
        while self._pending_bytes >= _PENDING_BYTES_MOST and not self._is_gone:
            if time.monotonic() > deadline:
                self._is_shedding = True
                return False
            self._changed.wait(_STUCK_SECONDS / 10)
        self._is_shedding = False
        return True

    def _is_stuck(self) -> bool:
        return time.monotonic() - self._taken_at > _STUCK_SECONDS

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._pieces:
                    self._changed.wait()
                data = self._take()
                write = self._divert or self.put
            try:
                write(data)
            except OSError as error:
                self._note_failure(error)
            with self._changed:
                self._pending_bytes -= len(data)
                self._taken_at = time.monotonic()
                self._changed.notify_all()

    def _take(self) -> bytes:
        pieces = [self._pieces.popleft()]
        size = len(pieces[0])
        while self._pieces and size < _WRITE_BYTES:
            pieces.append(self._pieces.popleft())
            size += len(pieces[-1])
        return b"".join(pieces)

    def put(self, data: bytes) -> None:
        """Write at once; for the thread of the outlet and whoever `divert` named. Raises OSError."""
        view = memoryview(data)
        while view:
            try:
                # Small pieces, so that a slow reader is not taken for one that sleeps.
                view = view[os.write(self.fd, view[:65536]) :]
                self._taken_at = time.monotonic()
            except BlockingIOError:
                # Somebody made the descriptor non-blocking: a shared terminal, an event loop.
                select.select([], [self.fd], [], _STUCK_SECONDS)

    def _note_failure(self, error: OSError) -> None:
        if error.errno in _GONE:
            self._is_gone = True
        if not self._has_failed:
            self._has_failed = True
            self._on_trouble("events-not-shown", reason=error.strerror or str(error))
