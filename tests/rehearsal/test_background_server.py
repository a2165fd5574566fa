"""A server in the background: heard to be ready, and gone when it is stopped."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psutil
import pytest

from safe_lightning.supervise.background import Background, ServerNotReadyError, start_background

WAIT = "import os, sys, threading; print(os.getpid(), flush=True); threading.Event().wait()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAIT}"


def start(folder: Path, code: str, ready_seconds: float = 20) -> Background:
    argv = [sys.executable, "-c", code]
    return start_background(argv, env=os.environ, cwd=folder, log=folder / "log", ready_seconds=ready_seconds)


@pytest.mark.parametrize("code", [WAIT, pytest.param(DEAF, id="deaf to SIGTERM")])
def test_it_greets_and_is_gone_after_stop(tmp_path: Path, code: str) -> None:
    server = start(tmp_path, code)
    pid = int(server.greeting)
    assert psutil.pid_exists(pid)
    server.stop()
    assert not psutil.pid_exists(pid)
    server.stop()  # once more does no harm


@pytest.mark.parametrize(
    ("code", "ready_seconds"),
    [
        ("import sys; sys.exit('no port is free')", 20),
        ("import threading; threading.Event().wait()", 0.3),
        ("import sys; sys.stdout.write('half a line')", 20),
    ],
)
def test_one_that_does_not_greet_is_an_error_and_not_left_running(
    tmp_path: Path, code: str, ready_seconds: float
) -> None:
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(ServerNotReadyError):
        start(tmp_path, code, ready_seconds)
    assert {c.pid for c in psutil.Process().children() if c.status() != psutil.STATUS_ZOMBIE} <= before


def test_what_it_says_on_stderr_is_in_its_log(tmp_path: Path) -> None:
    with pytest.raises(ServerNotReadyError, match="log"):
        start(tmp_path, "import sys; sys.exit('no port is free')")
    assert "no port is free" in (tmp_path / "log").read_text()


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerNotReadyError, match="nosuch cannot be started"):
        start_background(["nosuch"], env=os.environ, cwd=tmp_path, log=tmp_path / "log", ready_seconds=1)
