"""A real wrapper process to send signals to, scripts to be its child, and lines to wait for."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DRIVER = Path(__file__).with_name("driver.py")
PATIENCE_SECONDS = 30.0


class Lines:
    """Reads a pipe line by line; waiting too long fails the test instead of hanging it."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = b""

    def next(self, seconds: float = PATIENCE_SECONDS) -> bytes | None:
        """Return the next line without its end; None at the end of the pipe, TimeoutError after the time."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no line came within {seconds} s")
            data = os.read(self._fd, 1 << 16)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def rest(self) -> list[bytes]:
        """Return all lines up to the end of the pipe."""
        return list(iter(self.next, None))


def await_end(pid: int, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until any process has ended; one that lives on is a TimeoutError."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not select.select([handle], [], [], seconds)[0]:
            raise TimeoutError(f"process {pid} lives on")
    finally:
        os.close(handle)


@dataclass
class Wrapper:
    """A running wrapper and what it tells."""

    folder: Path
    process: subprocess.Popen[bytes]
    told: Lines
    stdout: Lines
    events: list[dict[str, Any]] = field(default_factory=list)

    def await_event(self, name: str, seconds: float = PATIENCE_SECONDS) -> dict[str, Any]:
        """Read events until one of this name comes."""
        while (line := self.told.next(seconds)) is not None:
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == name:
                return self.events[-1]
        raise AssertionError(f"the wrapper ended without the event {name}: {self.events}")

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self) -> dict[str, Any]:
        """Wait for the end; return what the wrapper knows of its child's end."""
        self.events += [json.loads(line) for line in self.told.rest()]
        self.process.wait(PATIENCE_SECONDS)
        result: dict[str, Any] = json.loads((self.folder / "end.json").read_text())
        return result

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]


Start = Callable[..., Wrapper]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a wrapper around a script; it is ended with the test."""
    wrappers: list[Wrapper] = []

    def started(
        child: Path,
        *,
        stdout: int = subprocess.PIPE,
        stderr: int | None = None,
        ignored: tuple[int, ...] = (),
        **more: Any,
    ) -> Wrapper:
        reading, writing = os.pipe()
        options = {
            "events_fd": writing,
            "grace_seconds": 60.0,
            "die_with_parent": True,
            "drain_seconds": 5.0,
            "signal_before": False,
            "signal_when_started": False,
            "broken_tap": False,
        }

        def ignore() -> None:
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)

        process = subprocess.Popen(
            [sys.executable, str(DRIVER), str(tmp_path), json.dumps(options | more), str(child)],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(writing,),
            preexec_fn=ignore,
            bufsize=0,
        )
        os.close(writing)
        lines = Lines(process.stdout.fileno() if process.stdout else os.open(os.devnull, os.O_RDONLY))
        wrappers.append(Wrapper(tmp_path, process, Lines(reading), lines))
        return wrappers[-1]

    yield started
    for wrapper in wrappers:
        wrapper.process.kill()
        wrapper.process.wait()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """Write a script that the kernel can run: Python unless it brings its own first line."""

    def make(body: str, name: str = "child") -> Path:
        path = tmp_path / name
        first = "" if body.startswith("#!") else f"#!{sys.executable}\nimport os, signal, sys, threading, time\n"
        path.write_text(first + body)
        path.chmod(0o755)
        return path

    return make
