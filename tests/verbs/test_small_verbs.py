"""Help, version and completion: what a stranger types first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from safe_lightning import __version__
from safe_lightning.cli import VERBS


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "safe_lightning", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_the_version_is_ours(tmp_path: Path) -> None:
    assert run(tmp_path, "version").stdout.startswith(f"safe-lightning {__version__} ")


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"help"}))
def test_every_verb_explains_itself(tmp_path: Path, verb: str) -> None:
    told = run(tmp_path, verb, "--help")
    assert (told.returncode, told.stderr) == (0, "")
    assert "Usage: safe-lightning" in told.stdout


def test_a_rewind_is_found_under_the_checkpoint_too(tmp_path: Path) -> None:
    told = run(tmp_path, "checkpoint", "rewind", "--help")
    assert "Usage: safe-lightning rewind" in told.stdout


def test_help_names_every_verb(tmp_path: Path) -> None:
    told = run(tmp_path, "help").stdout
    assert [verb for verb in VERBS if verb != "help" and verb not in told] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_a_shell(tmp_path: Path, shell: str) -> None:
    told = run(tmp_path, "completion", shell)
    assert (told.returncode, "_SAFE_LIGHTNING_COMPLETE" in told.stdout) == (0, True)


def test_bash_completes_our_verbs(tmp_path: Path) -> None:
    script = f'source <("{sys.executable}" -m safe_lightning completion bash); complete -p safe-lightning'
    told = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "safe-lightning" in told.stdout, told.stderr


@pytest.mark.parametrize("words", [["check", "--nosuch"], ["history", "--limit", "x"]], ids=" ".join)
def test_wrong_usage_is_64(tmp_path: Path, words: list[str]) -> None:
    told = run(tmp_path, *words)
    assert (told.returncode, told.stdout) == (64, "")
    assert "Error" in told.stderr or "safe-lightning" in told.stderr
