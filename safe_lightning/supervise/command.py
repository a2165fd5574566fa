"""Short commands: hooks and the control tool, bounded in time, in memory and in what they leave running."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.supervise.signals import keep_exit_statuses
from safe_lightning.supervise.tree import kill_tree, wait_for_end

_MARKER = "SAFE_LIGHTNING_COMMAND_ID"
_READ_BYTES = 1 << 16
_POLL_SECONDS = 0.02
_DRAIN_SECONDS = 1.0

OutputTap = Callable[[str, bytes], None]


class CommandNotStarted(Exception):
    """A command could not be started; the sentence names it and says why."""


@dataclass(frozen=True)
class CommandEnd:
    """How a command ended. Output beyond the limit is dropped (``is_truncated``), never kept in memory."""

    exit_code: int | None
    signal: int | None
    timed_out: bool
    stopped: bool
    stdout: bytes
    stderr: bytes
    is_truncated: bool
    duration_seconds: float
    leftover_killed: int


class _Reader(threading.Thread):
    """Reads one pipe to its end and keeps its first bytes; owns the pipe until then."""

    def __init__(self, stream: str, source: IO[bytes], limit_bytes: int, tap: OutputTap | None) -> None:
        super().__init__(name=f"read {stream}", daemon=True)
        self.kept = bytearray()
        self.is_truncated = False
        self._stream = stream
        self._source = source
        self._limit_bytes = limit_bytes
        self._tap = tap

    def run(self) -> None:
        with self._source, contextlib.suppress(OSError):
            while data := os.read(self._source.fileno(), _READ_BYTES):
                room = self._limit_bytes - len(self.kept)
                self.is_truncated |= len(data) > room
                self.kept += data[: max(0, room)]
                if self._tap:
                    self._tap(self._stream, data)


def run_command(
    argv: Sequence[str],
    *,
    timeout_seconds: float,
    env: Mapping[str, str],
    cwd: Path,
    stdin: bytes | None = None,
    on_output: OutputTap | None = None,
    output_limit_bytes: int = 1 << 20,
    stop: threading.Event | None = None,
) -> CommandEnd:
    """Run a command to its end, its time-out or a stop; nothing of it is left running.

    It has a session of its own and no terminal. Descendants are found by kinship and, where they called
    setsid and were re-parented, by an environment marker. Raises CommandNotStarted.
    """
    keep_exit_statuses()
    marker = secrets.token_hex(8)
    process = _start(argv, {**env, _MARKER: marker}, cwd, stdin is not None)
    started = time.monotonic()
    readers = _read(process, output_limit_bytes, on_output)
    if stdin is not None:
        # In a thread of its own: a command that reads nothing must not hold us beyond its time-out.
        threading.Thread(target=_feed, args=(process.stdin, stdin), name="feed stdin", daemon=True).start()
    timed_out, stopped = _wait(process, started + timeout_seconds, stop)
    entry = f"{_MARKER}={marker}"
    # What a command leaves behind in the background (a daemon) must not outlive it unnoticed.
    killed = kill_tree(process.pid if process.returncode is None else None, entry)
    process.wait()
    for reader in readers:
        reader.join(_DRAIN_SECONDS)
    code = process.returncode
    return CommandEnd(
        exit_code=code if code >= 0 else None,
        signal=-code if code < 0 else None,
        timed_out=timed_out,
        stopped=stopped,
        stdout=bytes(readers[0].kept),
        stderr=bytes(readers[1].kept),
        is_truncated=any(reader.is_truncated for reader in readers),
        duration_seconds=time.monotonic() - started,
        leftover_killed=killed,
    )


def _start(argv: Sequence[str], env: Mapping[str, str], cwd: Path, has_input: bool) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE if has_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        raise CommandNotStarted(f"{argv[0]} cannot be started: {getattr(error, 'strerror', None) or error}") from error


def _read(process: subprocess.Popen[bytes], limit_bytes: int, tap: OutputTap | None) -> tuple[_Reader, _Reader]:
    assert process.stdout
    assert process.stderr
    readers = (
        _Reader("stdout", process.stdout, limit_bytes, tap),
        _Reader("stderr", process.stderr, limit_bytes, tap),
    )
    for reader in readers:
        reader.start()
    return readers


def _feed(pipe: IO[bytes], data: bytes) -> None:
    view = memoryview(data)
    with pipe, contextlib.suppress(BrokenPipeError):
        while view:
            view = view[os.write(pipe.fileno(), view) :]


def _wait(process: subprocess.Popen[bytes], deadline: float, stop: threading.Event | None) -> tuple[bool, bool]:
    """Wait for the end; return whether the time was up, and whether a stop was asked for."""
    while process.poll() is None:
        if stop is not None and stop.is_set():
            return False, True
        if time.monotonic() >= deadline:
            return True, False
        wait_for_end(process.pid, _POLL_SECONDS)
    return False, False
