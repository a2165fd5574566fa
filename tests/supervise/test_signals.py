"""Stop requests: the first counts, and taking one never waits for a lock."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from safe_lightning.supervise.signals import STOP_SIGNALS, StopControl, signals_taken_by


def test_the_first_request_counts_and_the_third_ends_the_patience() -> None:
    control = StopControl()
    assert not control.stop_requested
    control.take_signal(signal.SIGINT)
    control.request_stop("a stall")
    control.take_signal(signal.SIGTERM)
    assert control.request
    assert (control.request.reason, control.request.signal) == ("signal SIGINT", signal.SIGINT)
    assert (control.late_signals, control.is_impatient) == (1, False)
    control.take_signal(signal.SIGTERM)
    assert control.is_impatient
    assert control.event.wait(10)


def test_signals_after_a_stop_of_our_own_are_late_ones() -> None:
    control = StopControl()
    control.request_stop("a stall")
    control.take_signal(signal.SIGINT)
    assert control.request
    assert (control.request.reason, control.late_signals) == ("a stall", 1)


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_every_stop_signal_is_taken_and_dispositions_return(number: signal.Signals) -> None:
    control, before = StopControl(), signal.getsignal(number)
    with signals_taken_by(control):
        os.kill(os.getpid(), number)
        assert control.event.wait(10)
    assert control.request
    assert control.request.signal is number
    assert signal.getsignal(number) is before


def test_a_signal_is_taken_even_by_code_that_holds_the_events_lock() -> None:
    control = StopControl()
    lock = next(value for value in vars(control.event).values() if isinstance(value, threading.Condition))
    with signals_taken_by(control):
        with lock:  # as inside event.wait()
            os.kill(os.getpid(), signal.SIGTERM)
            assert control.stop_requested
        assert control.event.wait(10)
