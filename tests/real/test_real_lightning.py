"""Against a real tidb-lightning, where one is on PATH or $REAL_TIDB_LIGHTNING names it: same bytes, same end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REAL = os.environ.get("REAL_TIDB_LIGHTNING") or shutil.which("tidb-lightning")
pytestmark = pytest.mark.skipif(
    not REAL, reason="did not run: no real tidb-lightning on PATH, and $REAL_TIDB_LIGHTNING names none"
)
Ended = subprocess.CompletedProcess[bytes]


def both(folder: Path, *argv: str) -> tuple[Ended, Ended]:
    """Run the bare binary and the guarded one in folders of their own; return their ends."""
    environ = {**os.environ, "SAFE_LIGHTNING_BINARY": str(REAL), "SAFE_LIGHTNING__STATE_DIR": str(folder / "state")}
    ends = []
    for name, command in (("bare", [str(REAL)]), ("guarded", [sys.executable, "-m", "safe_lightning"])):
        shutil.copytree(folder / "task", folder / name)
        ends.append(
            subprocess.run(
                [*command, *argv], cwd=folder / name, env=environ, capture_output=True, timeout=300, check=False
            )
        )
    return ends[0], ends[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    task = tmp_path / "task"
    (task / "data").mkdir(parents=True)
    (task / "data" / "a.b-schema.sql").write_text("CREATE TABLE b (id int PRIMARY KEY);")
    (task / "data" / "a.b.csv").write_text("id\n1\n")
    (task / "config.toml").write_text(
        "[lightning]\nfile = 'lightning.log'\n[tikv-importer]\nbackend = 'tidb'\n"
        "[mydumper]\ndata-source-dir = 'data'\n[tidb]\nhost = '127.0.0.1'\nport = 1\nstatus-port = 1\n"
        "[checkpoint]\ndsn = 'cp.pb'\n"
    )
    return tmp_path


@pytest.mark.parametrize("argv", [["-V"], ["-nosuch"], ["--config", "missing.toml"]], ids=" ".join)
def test_what_starts_no_import_is_passed_through(folder: Path, argv: list[str]) -> None:
    bare, guarded = both(folder, *argv)
    assert (guarded.returncode, guarded.stdout) == (bare.returncode, bare.stdout)


def test_a_target_that_is_down_ends_as_the_bare_run_does(folder: Path) -> None:
    bare, guarded = both(folder, "--config", "config.toml")
    assert (guarded.returncode, guarded.stdout) == (bare.returncode, bare.stdout)
