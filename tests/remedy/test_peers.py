"""Another Lightning at work: found by what it works on, and one that cannot be understood may be one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from safe_lightning.lightning.peers import are_others_alive, find_peers
from safe_lightning.lightning.task import Task, resolve_task

Start = Callable[..., int]


def write_task(path: Path, port: int, checkpoint: Path) -> Path:
    path.write_text(
        f'[tikv-importer]\nbackend = "tidb"\n[mydumper]\ndata-source-dir = "/data"\n'
        f'[tidb]\nhost = "127.0.0.1"\nport = {port}\n[checkpoint]\ndriver = "file"\ndsn = "{checkpoint}"\n'
    )
    return path


@pytest.fixture
def task(tmp_path: Path) -> Task:
    config = write_task(tmp_path / "ours.toml", 14001, tmp_path / "ours.pb")
    return resolve_task(["--config", str(config)], tmp_path, {})


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a real process with a name and arguments; it waits until the test is over."""
    processes = []

    def started(*argv: str, name: str = "tidb-lightning") -> int:
        binary = tmp_path / "bin" / name
        binary.parent.mkdir(exist_ok=True)
        binary.write_text(f"#!{sys.executable}\nprint('ready', flush=True)\ninput()\n")
        binary.chmod(0o755)
        process = subprocess.Popen(
            [str(binary), *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=tmp_path, env={**os.environ}
        )
        processes.append(process)
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        return process.pid

    yield started
    for process in processes:
        process.kill()
        process.communicate()


def found(task: Task, pid: int) -> str | None:
    """Tell what a process shares with the task; other tests' processes on this machine do not count."""
    return next((peer.shares for peer in find_peers(task) if peer.pid == pid), None)


def test_one_on_the_same_checkpoint_is_found(task: Task, start: Start, tmp_path: Path) -> None:
    config = write_task(tmp_path / "theirs.toml", 14002, tmp_path / "ours.pb")
    assert found(task, start("-config", str(config))) == f"the checkpoint {tmp_path / 'ours.pb'}"
    assert are_others_alive(task) is True


def test_one_on_the_same_checkpoint_by_another_path_is_found(task: Task, start: Start, tmp_path: Path) -> None:
    (tmp_path / "link.pb").symlink_to(tmp_path / "ours.pb")
    config = write_task(tmp_path / "theirs.toml", 14002, tmp_path / "link.pb")
    assert found(task, start(f"--config={config}"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_one_on_the_same_target_is_found(task: Task, start: Start, tmp_path: Path, host: str) -> None:
    config = write_task(tmp_path / "theirs.toml", 14001, tmp_path / "theirs.pb")
    assert found(task, start("-c", str(config), "-tidb-host", host)) == "the target 127.0.0.1:14001"


@pytest.mark.parametrize("name", ["tidb-lightning-ctl", "tidb-lightning-8.5"])
def test_the_control_tool_and_renamed_binaries_count(task: Task, start: Start, tmp_path: Path, name: str) -> None:
    config = write_task(tmp_path / "theirs.toml", 14001, tmp_path / "theirs.pb")
    assert found(task, start("-config", str(config), name=name))


def test_one_on_other_things_is_no_peer(task: Task, start: Start, tmp_path: Path) -> None:
    config = write_task(tmp_path / "theirs.toml", 14002, tmp_path / "theirs.pb")
    assert found(task, start("-config", str(config))) is None


def test_one_that_only_tells_its_version_is_no_peer(task: Task, start: Start) -> None:
    assert found(task, start("-V")) is None


def test_one_whose_config_is_gone_may_be_a_peer(task: Task, start: Start, tmp_path: Path) -> None:
    config = write_task(tmp_path / "theirs.toml", 14002, tmp_path / "theirs.pb")
    pid = start("-config", str(config))
    config.unlink()
    assert found(task, pid) == "a task that cannot be read"


def test_other_programs_are_none(task: Task, start: Start, tmp_path: Path) -> None:
    assert found(task, start("-config", str(tmp_path / "ours.toml"), name="mydumper")) is None


def test_our_own_processes_are_none(task: Task, start: Start, tmp_path: Path) -> None:
    pid = start("-config", str(tmp_path / "ours.toml"))
    assert pid in {peer.pid for peer in find_peers(task)}
    assert pid not in {peer.pid for peer in find_peers(task, frozenset({pid}))}


def test_what_we_descend_from_is_none(task: Task, tmp_path: Path) -> None:
    script = tmp_path / "tidb-lightning-nightly"
    script.write_text(f'#!/bin/sh\n{sys.executable} "$0.py" ; exit $?\n')
    script.chmod(0o755)
    config = tmp_path / "ours.toml"
    (tmp_path / "tidb-lightning-nightly.py").write_text(
        "import os, pathlib\nfrom safe_lightning.lightning.peers import find_peers\n"
        "from safe_lightning.lightning.task import resolve_task\n"
        f"task = resolve_task(['-config', {str(config)!r}], pathlib.Path('/'), {{}})\n"
        "print(os.getppid() in {peer.pid for peer in find_peers(task)})\n"
    )
    assert subprocess.run([script], capture_output=True, check=True).stdout == b"False\n"


def test_one_that_ends_with_a_complaint_about_its_task_is_none(task: Task, start: Start, tmp_path: Path) -> None:
    config = write_task(tmp_path / "theirs.toml", 14002, tmp_path / "theirs.pb")
    pid = start("-config", str(config))
    config.unlink()
    assert found(task, pid)
    threading.Timer(0.3, os.kill, (pid, signal.SIGKILL)).start()
    assert are_others_alive(task) is False
