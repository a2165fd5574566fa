"""``check``: the pre-import hooks alone, with the exit code that the run itself would end with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "task.toml").write_text(
        "[lightning]\nfile = 'lightning.log'\n[tikv-importer]\nbackend = 'tidb'\n[tidb]\nhost = '127.0.0.1'\nport = 1\n"
        f"[checkpoint]\ndsn = '{tmp_path / 'cp.pb'}'\n[mydumper]\ndata-source-dir = '{tmp_path / 'data'}'\n"
    )
    return tmp_path


def hook(folder: Path, body: str) -> str:
    path = folder / "hook"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return f'[[hooks]]\nrun = ["{path}"]\n'


def check(folder: Path, *words: str, policy: str = "") -> subprocess.CompletedProcess[bytes]:
    (folder / "policy.toml").write_text(f"schema = 1\n{policy}")
    environ = {
        "PATH": os.environ["PATH"],
        "SAFE_LIGHTNING_CONFIG": str(folder / "policy.toml"),
        "SAFE_LIGHTNING__STATE_DIR": str(folder / "state"),
    }
    command = [sys.executable, "-m", "safe_lightning", "check", *words, "--", "--config", "task.toml"]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ("exit 0", 0, "PASS"),
        ("echo not today >&2; exit 1", 88, "not today"),
        ("exit 75", 75, "try-later"),
        ("exit 3", 69, "hook-broke"),
    ],
    ids=["passes", "blocks", "try-later", "breaks"],
)
def test_the_exit_code_is_the_one_of_the_run(folder: Path, body: str, code: int, said: str) -> None:
    ended = check(folder, policy=hook(folder, body))
    assert ended.returncode == code, ended.stderr.decode()
    assert said in ended.stdout.decode()


def test_nothing_is_started_and_nothing_is_recorded(folder: Path) -> None:
    assert check(folder, policy=hook(folder, "exit 0")).returncode == 0
    assert {path.name for path in folder.iterdir()} == {"data", "task.toml", "policy.toml", "hook"}


def test_the_machine_readable_form_holds_the_verdicts_in_order(folder: Path) -> None:
    ended = check(folder, "--json", policy='[[hooks]]\nuse = "checkpoint"\n' + hook(folder, "echo bad >&2; exit 1"))
    verdicts = json.loads(ended.stdout)
    assert [(v["hook"], v["status"], v["code"], v["stops"]) for v in verdicts] == [
        ("checkpoint", "pass", "checkpoint-none", False),
        ("hook", "block", "blocked", True),
    ]


def test_a_bad_policy_is_told_before_anything_is_looked_at(folder: Path) -> None:
    ended = check(folder, policy='colour = "red"\n')
    assert (ended.returncode, ended.stdout) == (78, b"")
    assert b"colour" in ended.stderr
