"""The sandbox: nothing of the user's is changed, nothing leads out of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from safe_lightning.core.goflags import read_flags
from safe_lightning.lightning.task import resolve_task
from safe_lightning.rehearsal.sandbox import SandboxError, open_sandbox
from safe_lightning.rehearsal.sandbox_task import sandbox_argv, sandbox_config
from safe_lightning.rehearsal.scenario import SCENARIO_FILE, Ending, Scenario
from safe_lightning.rehearsal.target import Ports
from safe_lightning.rehearsal.toml_text import write_toml

from .conftest import CLEAN

PORTS = Ports(mysql=1001, status=1002, pd=1003)


@pytest.fixture
def user(tmp_path: Path) -> Path:
    """A user's folder: task, source, a checkpoint of her own, a log."""
    home = tmp_path / "user"
    (home / "export").mkdir(parents=True)
    for name, text in CLEAN.items():
        (home / "export" / name).write_text(text)
    task = {
        "lightning": {"file": str(home / "lightning.log"), "status-addr": ":8289"},
        "tidb": {"host": "prod", "port": 4000, "password": "geheim", "pd-addr": "pd:2379", "status-port": 10080},
        "checkpoint": {"dsn": str(home / "checkpoint.pb"), "keep-after-success": "origin"},
        "tikv-importer": {"backend": "local", "sorted-kv-dir": str(home / "sorted")},
        "mydumper": {"data-source-dir": "export"},
    }
    (home / "task.toml").write_text(write_toml(task))
    (home / "checkpoint.pb").write_bytes(b"mine")
    (home / "lightning.log").write_bytes(b"mine\n")
    return home


def digest(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_nothing_of_the_user_is_changed(user: Path, tmp_path: Path) -> None:
    from safe_lightning.rehearsal.sandbox import run_tool

    before = digest(user)
    with open_sandbox(["--config", "task.toml"], user, Scenario(), tmp_path / "sandbox") as sandbox:
        assert run_tool(sandbox).exit_code == 0
    assert digest(user) == before
    assert not (user / "sorted").exists()


def test_the_task_points_to_the_stand_ins_and_keeps_the_rest(user: Path, tmp_path: Path) -> None:
    task = resolve_task(["--config", "task.toml"], user, {})
    data = {"tidb": {"host": "prod", "password": "geheim", "max-allowed-packet": 7}, "security": {"ca-path": "/x"}}
    config = sandbox_config(data, task, tmp_path, PORTS)
    assert config["tidb"] == {
        "host": "127.0.0.1", "port": 1001, "user": "root", "status-port": 1002, "pd-addr": "127.0.0.1:1003",
        "max-allowed-packet": 7,
    }  # fmt: skip
    assert config["checkpoint"]["dsn"] == str(tmp_path / "checkpoint.pb")
    assert config["mydumper"]["data-source-dir"] == str(user / "export")
    assert "security" not in config


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["-tidb-host", "prod", "--tidb-password=x", "-pd-urls=pd:1"], []),
        (["-backend", "tidb", "-checksum=off"], ["--backend=tidb", "--checksum=off"]),
        (["-log-file=/var/log/x", "-status-addr=:8289", "-sorted-kv-dir=/data"], []),
        (["-check-requirements=false"], ["--check-requirements=false"]),
        (["-nosuch"], ["--nosuch"]),
    ],
)
def test_flags_that_would_lead_out_are_left_out(given: list[str], kept: list[str]) -> None:
    assert sandbox_argv(read_flags(given), Path("/sandbox/task.toml")) == ["--config", "/sandbox/task.toml", *kept]


def test_the_front_door_finds_our_tools_and_keeps_its_record_in_the_sandbox(user: Path, tmp_path: Path) -> None:
    with open_sandbox(["--config", "task.toml"], user, Scenario(), tmp_path / "sandbox") as sandbox:
        environ = sandbox.environ({"SAFE_LIGHTNING__STATE_DIR": "/var/lib/safe-lightning", "HOME": "/home/u"})
    assert environ == {
        "HOME": "/home/u",
        "SAFE_LIGHTNING_BINARY": str(tmp_path / "sandbox" / "bin" / "tidb-lightning"),
        "SAFE_LIGHTNING__STATE_DIR": str(tmp_path / "sandbox" / "state"),
        "SAFE_LIGHTNING__CONTROL_TOOL__PATH": str(tmp_path / "sandbox" / "bin" / "tidb-lightning-ctl"),
        "SAFE_LIGHTNING__LOCK__LEASE": "off",
    }


def test_a_folder_with_something_else_in_it_is_not_used(user: Path) -> None:
    before = digest(user)
    with (
        pytest.raises(SandboxError, match="is not empty and no sandbox"),
        open_sandbox(["--config", "task.toml"], user, Scenario(), user),
    ):
        pytest.fail("it was opened")
    assert digest(user) == before


def test_a_kept_sandbox_is_used_again(user: Path, tmp_path: Path) -> None:
    for _ in range(2):
        with open_sandbox(["--config", "task.toml"], user, Scenario(), tmp_path / "sandbox") as sandbox:
            assert (sandbox.folder / SCENARIO_FILE).exists()


@pytest.mark.parametrize(
    ("flags", "ending", "said"),
    [
        (["--backend=tidb"], Ending.CHECKSUM_MISMATCH, "needs the local backend"),
        (["--checksum=off"], Ending.CHECKSUM_MISMATCH, "needs the local backend"),
        (["-d", "s3://bucket/export"], Ending.CLEAN, "local files only"),
    ],
)
def test_what_cannot_be_rehearsed_is_said(user: Path, flags: list[str], ending: Ending, said: str) -> None:
    argv = ["--config", "task.toml", *flags]
    with pytest.raises(SandboxError, match=said), open_sandbox(argv, user, Scenario(ending=ending)):
        pytest.fail("it was opened")


def test_no_password_of_the_user_gets_into_the_sandbox(user: Path, tmp_path: Path) -> None:
    with open_sandbox(["--config", "task.toml", "-tidb-password=geheim"], user, Scenario(), tmp_path / "sandbox"):
        files = [path for path in (tmp_path / "sandbox").rglob("*") if path.is_file()]
        assert [path for path in files if b"geheim" in path.read_bytes()] == []
