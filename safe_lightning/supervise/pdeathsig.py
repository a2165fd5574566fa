"""Tying a child's life to ours: Linux kills it when we die, however we die."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def death_bond() -> Callable[[], None] | None:
    """Return what to call in the child between fork and exec, or None where the system has no such bond.

    The C function is bound here, before the fork, so that the child does nothing but two system calls; an
    interpreter started as a helper instead would cost every run its start-up time. The signal fires when the
    *thread* that forked ends, so the child must be started by the main thread. It reaches the child alone: what
    that has started itself lives on, and is found as another Lightning by the next run.
    """
    if not sys.platform.startswith("linux"):
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, ctypes.c_ulong]
    number = ctypes.c_ulong(signal.SIGKILL)
    parent = os.getpid()

    def bind() -> None:
        prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before the bond was made
            os._exit(128 + signal.SIGKILL)

    return bind
