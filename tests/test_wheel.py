"""The wheel, installed into an environment of its own, works under both names."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy of the sources and install it; return the environment's bin folder."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in ("pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "safe_lightning", "hooks"):
        subprocess.run(["cp", "-r", str(ROOT / name), str(sources)], check=True)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "-o", str(folder), str(sources)], check=True, capture_output=True
    )
    (wheel,) = folder.glob("safe_lightning-*.whl")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    pip = [str(folder / "env" / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel)], check=True)
    return folder / "env" / "bin"


def run(command: Path, folder: Path, *words: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **more}
    return subprocess.run([str(command), *words], cwd=folder, env=environ, capture_output=True, check=False)


def test_under_its_own_name_the_demo_runs(installed: Path, tmp_path: Path) -> None:
    ended = run(installed / "safe-lightning", tmp_path, "demo")
    assert ended.returncode == 0, ended.stdout.decode() + ended.stderr.decode()


def test_under_the_name_of_the_binary_it_passes_the_version_through(installed: Path, tmp_path: Path) -> None:
    real = tmp_path / "bin" / "tidb-lightning"
    real.parent.mkdir()
    real.write_text("#!/bin/sh\necho Release Version: v8.5.4\n")
    real.chmod(0o755)
    (tmp_path / "early").mkdir()
    (tmp_path / "early" / "tidb-lightning").symlink_to(installed / "safe-lightning")
    path = f"{tmp_path / 'early'}:{real.parent}:/usr/bin:/bin"
    ended = run(tmp_path / "early" / "tidb-lightning", tmp_path, "-V", PATH=path)
    assert (ended.returncode, ended.stdout) == (0, b"Release Version: v8.5.4\n"), ended.stderr.decode()


def test_every_built_in_hook_and_schema_is_in_it(installed: Path, tmp_path: Path) -> None:
    ended = run(installed / "safe-lightning", tmp_path, "hooks", "list")
    assert ended.returncode == 0
    assert b"cannot be loaded" not in ended.stdout
