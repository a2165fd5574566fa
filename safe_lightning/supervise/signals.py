"""Stop requests: from signals, from the watchdog, or from the story itself; the first one counts."""

from __future__ import annotations

import _thread
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from safe_lightning.core.lean_dataclass import dataclass

#: What ends a run. SIGHUP is left out where it was ignored at our start (nohup).
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@dataclass(frozen=True)
class StopRequest:
    """Why the run is to stop, and the signal that the child is to get."""

    reason: str
    signal: signal.Signals
    at_monotonic: float


class StopControl:
    """Collects stop requests; only the first is passed on, the third ends the patience.

    ``event`` wakes whoever waits for a stop; it follows ``request`` within a moment.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self.request: StopRequest | None = None
        self.signals_taken = 0
        #: Signals that came after the request and so are not passed on.
        self.late_signals = 0

    @property
    def stop_requested(self) -> bool:
        """Whether anything asked the run to stop."""
        return self.request is not None

    @property
    def is_impatient(self) -> bool:
        """Whether the grace period is to be cut short."""
        return self.late_signals >= 2

    def request_stop(self, reason: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask the run to stop; later requests change nothing."""
        if self.request is None:
            self.request = StopRequest(reason, number, time.monotonic())
            # A signal handler must not take the event's lock: the code that it interrupted may hold it.
            _thread.start_new_thread(self.event.set, ())

    def take_signal(self, number: int) -> None:
        """Take a signal: the first request asks to stop, a second signal is only noted, a third ends the patience."""
        self.signals_taken += 1
        if self.request is None:
            self.request_stop(f"signal {signal.Signals(number).name}", signal.Signals(number))
        else:
            self.late_signals += 1


@contextmanager
def signals_taken_by(control: StopControl) -> Iterator[None]:
    """Hand stop signals to ``control`` while the block runs; dispositions are restored afterwards.

    A signal that was ignored at our start stays ignored: under ``nohup`` a hang-up must not end the import,
    although Go would enable SIGHUP again in the bare child.
    """

    def take(number: int, frame: FrameType | None) -> None:
        control.take_signal(number)

    keep_exit_statuses()
    previous = {number: signal.getsignal(number) for number in STOP_SIGNALS}
    for number, disposition in previous.items():
        if disposition is not signal.SIG_IGN:
            signal.signal(number, take)
    try:
        yield
    finally:
        for number, disposition in previous.items():
            if disposition is not None:
                signal.signal(number, disposition)


def keep_exit_statuses() -> None:
    """Undo an inherited ``ignore`` of SIGCHLD, under which the kernel throws away how children ended."""
    is_main = threading.current_thread() is threading.main_thread()
    if is_main and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
