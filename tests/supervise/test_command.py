"""Short commands: bounded in time and memory, and nothing of them is left running."""

from __future__ import annotations

import os
import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.supervise.command import CommandEnd, CommandNotStarted, run_command

from .conftest import await_end

Script = Callable[..., Path]
DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        while True:
            signal.pause()
    os._exit(0)
os.wait()
"""


def run(command: Path, **more: Any) -> CommandEnd:
    facts: dict[str, Any] = {"timeout_seconds": 60, "env": os.environ, "cwd": command.parent}
    return run_command([str(command)], **(facts | more))


def test_an_end_is_told_with_both_streams_apart(script: Script) -> None:
    end = run(script("print('out'); print('err', file=sys.stderr); sys.exit(3)"))
    assert (end.exit_code, end.signal, end.stdout, end.stderr) == (3, None, b"out\n", b"err\n")
    assert (end.timed_out, end.stopped, end.is_truncated, end.leftover_killed) == (False, False, False, 0)


def test_a_signal_is_told_as_one(script: Script) -> None:
    end = run(script("os.kill(os.getpid(), signal.SIGSEGV)"))
    assert (end.exit_code, end.signal) == (None, 11)


def test_the_time_out_ends_the_command_and_what_slipped_away_from_it(script: Script) -> None:
    end = run(script(DAEMON + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nsignal.pause()"), timeout_seconds=1)
    assert (end.timed_out, end.signal, end.leftover_killed) == (True, 9, 2)
    await_end(int(end.stdout), seconds=0)


def test_a_daemon_does_not_outlive_a_command_that_ended_well(script: Script) -> None:
    end = run(script(DAEMON))
    assert (end.exit_code, end.timed_out, end.leftover_killed) == (0, False, 1)
    await_end(int(end.stdout), seconds=0)


def test_a_stop_ends_the_command(script: Script) -> None:
    stop = threading.Event()
    end = run(
        script("print('working', flush=True); signal.pause()"), stop=stop, on_output=lambda stream, data: stop.set()
    )
    assert (end.stopped, end.timed_out, end.signal, end.stdout) == (True, False, 9, b"working\n")


def test_a_gibibyte_of_output_is_read_but_not_kept(script: Script) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    end = run(script("#!/bin/sh\nhead -c 1073741824 /dev/zero\n"), output_limit_bytes=4096)
    assert (end.exit_code, len(end.stdout), end.is_truncated) == (0, 4096, True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


@pytest.mark.parametrize("size", [0, 10, 1 << 20])
def test_what_is_fed_arrives_whole(script: Script, size: int) -> None:
    end = run(script("#!/bin/sh\ncat\n"), stdin=b"x" * size, output_limit_bytes=2 << 20)
    assert end.stdout == b"x" * size


def test_a_command_that_reads_nothing_does_not_hold_us_beyond_its_time(script: Script) -> None:
    assert run(script("signal.pause()"), stdin=b"x" * (1 << 20), timeout_seconds=0.5).timed_out
    assert run(script("sys.exit(4)"), stdin=b"x" * (1 << 20)).exit_code == 4


def test_without_input_it_reads_an_end_at_once_and_has_no_terminal(script: Script) -> None:
    body = "print(sys.stdin.read() == '', os.getsid(0) == os.getpid())\n"
    body += "try: open('/dev/tty')\nexcept OSError: print('no tty')"
    assert run(script(body)).stdout == b"True True\nno tty\n"


def test_one_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no program")
    for argv in ([str(tmp_path / "nosuch")], [str(tmp_path / "plain")], [sys.executable, "a\0b"]):
        with pytest.raises(CommandNotStarted, match="cannot be started"):
            run_command(argv, timeout_seconds=5, env=os.environ, cwd=tmp_path)
