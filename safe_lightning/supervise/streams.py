"""Passing a child's output on, byte for byte and as it comes, whatever becomes of our own output."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import threading
from collections.abc import Callable
from typing import IO

Tap = Callable[[bytes], None]
_READ_BYTES = 1 << 20
_TAIL_BYTES = 64 << 10


class Pump(threading.Thread):
    """Reads one pipe to its end, writes it through to ``target_fd``, and shows the same bytes to ``tap``.

    When our own output is gone (``| head``) or its disk is full, writing stops, once said, and reading goes
    on: a closed stdout would kill Lightning by SIGPIPE even at the last line of a complete import. The pump owns
    ``source`` until it has ended, so that its descriptor is never another file's meanwhile.
    """

    def __init__(
        self,
        name: str,
        source: IO[bytes],
        target_fd: int,
        tap: Tap | None,
        on_event: Callable[..., None],
        before_output: Tap | None = None,
    ) -> None:
        super().__init__(name=f"pump {name}", daemon=True)
        self.stream = name
        self.tail = b""
        self.byte_count = 0
        #: Whether it is waiting for the reader of our own output.
        self.is_writing = False
        self._source = source
        self._target_fd: int | None = target_fd
        self._tap = tap
        self._on_event = on_event
        self._before_output = before_output if _is_terminal(target_fd) else None

    def run(self) -> None:
        """Pump until the last writer of the pipe has closed it."""
        _widen(self._source.fileno())
        while data := self._read():
            self.is_writing = True
            self._pass_on(data)
            self.is_writing = False
            self.byte_count += len(data)
            self.tail = (self.tail + data)[-_TAIL_BYTES:] if len(data) < _TAIL_BYTES else data[-_TAIL_BYTES:]
            self._show(data)
        self._source.close()

    def _read(self) -> bytes:
        try:
            return os.read(self._source.fileno(), _READ_BYTES)
        except OSError as error:
            self._on_event("stream-unreadable", stream=self.stream, error=str(error))
            return b""

    def _pass_on(self, data: bytes) -> None:
        if self._before_output and self._target_fd is not None:
            self._before_output(data)
        view = memoryview(data)
        while view and self._target_fd is not None:
            try:
                view = view[os.write(self._target_fd, view) :]
            except BlockingIOError:
                # Somebody set our output to non-blocking (a shared terminal, an event loop): wait for room.
                select.select([], [self._target_fd], [])
            except OSError as error:
                self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self._target_fd = None
        why = "its reader is gone" if error.errno == errno.EPIPE else (error.strerror or str(error))
        self._on_event("output-closed", stream=self.stream, reason=why)

    def _show(self, data: bytes) -> None:
        if self._tap is None:
            return
        try:
            self._tap(data)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the listener, the child must not block
            self._tap = None
            self._on_event("listener-failed", stream=self.stream, error=f"{type(error).__name__}: {error}")


def _widen(pipe_fd: int) -> None:
    """Let a pipe hold as much as we read at once: twice the rate. Where that is not allowed it stays as it is."""
    with contextlib.suppress(OSError, AttributeError):
        fcntl.fcntl(pipe_fd, fcntl.F_SETPIPE_SZ, _READ_BYTES)


def _is_terminal(fd: int) -> bool:
    try:
        return os.isatty(fd)
    except OSError:
        return False
