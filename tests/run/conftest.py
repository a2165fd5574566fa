"""What the run tests share: a folder with a task and a small stand-in child, and the wrapper as a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

SUCCESS_LOG = """\
[2026/01/01 00:00:00.000 +00:00] [INFO] [info.go:53] ["Welcome to TiDB-Lightning"] [release-version=v8.5.4]
[2026/01/01 00:00:00.000 +00:00] [INFO] [lightning.go:437] [cfg] [cfg="{}"]
[2026/01/01 00:00:00.000 +00:00] [INFO] [import.go:1] ["the whole procedure start"]
[2026/01/01 00:00:00.000 +00:00] [INFO] [c.go:1] ["restore file completed"] [table=`a`.`b`] [checksum="{cksum=1,size=2,kvs=3}"]
[2026/01/01 00:00:01.000 +00:00] [INFO] [t.go:1] ["checksum pass"] [table=`a`.`b`] [local="{cksum=1,size=2,kvs=3}"]
[2026/01/01 00:00:01.000 +00:00] [INFO] [import.go:2] ["the whole procedure completed"] [takeTime=1s] []
[2026/01/01 00:00:01.000 +00:00] [INFO] [main.go:3] ["tidb lightning exit"] [finished=true]
"""
CHILD_HEAD = f"""#!{sys.executable}
import os, signal, sys, time
LOG = {SUCCESS_LOG!r}
def import_all():
    with open("lightning.log", "a") as log:
        log.write(LOG)
    print("tidb lightning exit successfully", flush=True)
"""


@dataclass
class Place:
    """A folder from which imports are started; the child's body is Python, run after CHILD_HEAD."""

    folder: Path
    environ: dict[str, str] = field(default_factory=dict)

    def child(self, body: str = "import_all()\n", name: str = "bin/tidb-lightning") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CHILD_HEAD + body)
        path.chmod(0o755)
        return path

    def policy(self, text: str) -> None:
        (self.folder / "policy.toml").write_text(f"schema = 1\n{text}")

    def environment(self, **more: str) -> dict[str, str]:
        ours = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "SAFE_LIGHTNING_BINARY": str(self.folder / "bin" / "tidb-lightning"),
            "SAFE_LIGHTNING__STATE_DIR": str(self.state),
        }
        if (self.folder / "policy.toml").exists():
            ours["SAFE_LIGHTNING_CONFIG"] = str(self.folder / "policy.toml")
        return {name: text for name, text in {**ours, **self.environ, **more}.items() if text}

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def command(self, *argv: str) -> list[str]:
        return [sys.executable, "-m", "safe_lightning", *argv]

    def run(self, *argv: str, **more: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*argv), cwd=self.folder, env=self.environment(**more), capture_output=True, timeout=60,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def start(self, *argv: str, **more: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*argv), cwd=self.folder, env=self.environment(**more), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def history(self) -> list[dict[str, Any]]:
        told = self.run("history", "--json")
        assert told.returncode == 0, told.stderr.decode()
        entries: list[dict[str, Any]] = json.loads(told.stdout)
        return entries

    def events(self, run_folder: Path | None = None) -> list[dict[str, Any]]:
        folder = run_folder or max((self.state / "runs").iterdir())
        written = folder / "events.jsonl"
        return [json.loads(line) for line in written.read_bytes().splitlines()] if written.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place with a task that only names a log file, the tidb backend, and a checkpoint of its own."""
    source = tmp_path / "data"
    source.mkdir()
    (tmp_path / "task.toml").write_text(
        "[lightning]\nfile = 'lightning.log'\n[tikv-importer]\nbackend = 'tidb'\n"
        f"[checkpoint]\ndsn = '{tmp_path / 'cp.pb'}'\n[mydumper]\ndata-source-dir = '{source}'\n"
        "[tidb]\nhost = '127.0.0.1'\nport = 1\n"
    )
    made = Place(tmp_path)
    made.child()
    return made


@pytest.fixture
def fifo(tmp_path: Path) -> Callable[[], bytes]:
    """A FIFO at ``ready`` in the place: reading it waits until somebody has written to it and closed it."""
    path = tmp_path / "ready"
    os.mkfifo(path)
    return path.read_bytes
