"""Killing a whole process tree, including what tried to slip away from it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from safe_lightning.lean_import import psutil

_WAIT_SECONDS = 5.0
_PAUSE_SECONDS = 0.01


def kill_tree(pid: int | None, marker: str = "") -> int:
    """Kill a process and all its descendants; return how many were killed.

    All are suspended before the first is killed, so that none can start more meanwhile. ``pid`` is None where the
    head of the tree has been reaped and its number may belong to another process by now. ``marker`` is an
    environment entry (``NAME=value``) that finds descendants which called setsid and were re-parented. Nothing is
    reaped: the exit status of our own child stays for the one who waits for it.
    """
    victims = _suspend_all(pid, marker)
    for process in victims:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.kill()
    _await_death(victims)
    return len(victims)


def _suspend_all(pid: int | None, marker: str) -> set[psutil.Process]:
    victims: set[psutil.Process] = set()
    while fresh := {*_family(pid), *marked(marker)} - victims:
        for process in fresh:
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process.suspend()
        victims |= fresh
    return victims


def _family(pid: int | None) -> list[psutil.Process]:
    if pid is None:
        return []
    try:
        parent = psutil.Process(pid)
        return [process for process in (parent, *parent.children(recursive=True)) if _is_running(process)]
    except psutil.NoSuchProcess:
        return []


def marked(marker: str) -> list[psutil.Process]:
    """Find the processes whose environment carries ``marker``, ours excepted (Linux; elsewhere none are found)."""
    if not marker or not Path("/proc/self/environ").exists():
        return []
    wanted = marker.encode()
    return [process for number in _numbers() if _carries(number, wanted) and (process := _process(number))]


def _numbers() -> Iterable[int]:
    numbers = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return (number for number in numbers if number != os.getpid())


def _carries(pid: int, wanted: bytes) -> bool:
    try:
        return wanted in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def _process(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _await_death(processes: Iterable[psutil.Process]) -> None:
    # psutil.wait_procs would reap our own child, and its exit status would be lost.
    deadline = time.monotonic() + _WAIT_SECONDS
    while any(map(_is_running, processes)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)


def _is_running(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def listening_ports(pid: int) -> frozenset[int] | None:
    """Return the TCP ports on which a process or a descendant of it listens; None where that cannot be seen."""
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        sockets = [socket for process in family for socket in process.net_connections("tcp")]
    except (psutil.Error, OSError):
        return None
    return frozenset(socket.laddr.port for socket in sockets if socket.status == psutil.CONN_LISTEN)


def send_signal(group: int, number: signal.Signals) -> bool:
    """Send one signal once to every process of a group; False if all are gone already."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def wait_for_end(pid: int, timeout_seconds: float) -> None:
    """Wait until a child of ours has ended, without reaping it, or until the time is over."""
    try:
        handle = os.pidfd_open(pid)
    except OSError:  # an old kernel, or a sandbox that forbids it
        time.sleep(min(_PAUSE_SECONDS, timeout_seconds))
        return
    try:
        select.select([handle], [], [], timeout_seconds)
    finally:
        os.close(handle)
