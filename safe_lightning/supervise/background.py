"""A server of our own in the background: started, heard to be ready, stopped; it never outlives us."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from safe_lightning.supervise.pdeathsig import death_bond
from safe_lightning.supervise.tree import kill_tree

_LINE_BYTES_MOST = 1 << 16
_STOP_SECONDS = 3.0


class ServerNotReadyError(Exception):
    """The server did not start or did not say that it is ready; the sentence names it and says why."""


class Background:
    """A running server. ``greeting`` is the first line that it printed."""

    def __init__(self, process: subprocess.Popen[bytes], greeting: bytes) -> None:
        self._process = process
        self.greeting = greeting

    def stop(self) -> None:
        """End it: SIGTERM, a moment to close its files, then SIGKILL of its whole tree."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                kill_tree(self._process.pid)
                self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()


def start_background(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path, ready_seconds: float
) -> Background:
    """Start a server and wait for its first line on stdout. Raises ServerNotReadyError.

    stderr goes to ``log``. Where the system allows it the server dies with us (see pdeathsig), so this must be
    called by the main thread.
    """
    try:
        with log.open("ab") as errors:
            process = subprocess.Popen(
                list(argv),
                env=dict(env),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                preexec_fn=death_bond(),
            )
    except OSError as error:
        raise ServerNotReadyError(f"{argv[0]} cannot be started: {error.strerror or error}") from error
    assert process.stdout
    greeting = _first_line(process.stdout.fileno(), time.monotonic() + ready_seconds)
    if greeting.endswith(b"\n"):
        return Background(process, greeting)
    kill_tree(process.pid)
    process.wait()
    raise ServerNotReadyError(f"{' '.join(argv)} was not ready within {ready_seconds:g} s; see {log}")


def _first_line(fd: int, deadline: float) -> bytes:
    line = b""
    while not line.endswith(b"\n") and len(line) < _LINE_BYTES_MOST:
        ready, _, _ = select.select([fd], [], [], max(0.0, deadline - time.monotonic()))
        data = os.read(fd, 1) if ready else b""  # one byte at a time: the rest is not ours to swallow
        if not data:
            break
        line += data
    return line
