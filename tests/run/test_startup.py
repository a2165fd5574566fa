"""What a start must not load, for whoever calls the command waits for it: modules that belong to other days."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import CHILD_HEAD

#: Writes what is loaded when the child is about to be started; asked by the interpreter itself, nothing is replaced.
CALL = """
import json, sys
def note(event, arguments):
    if event == "subprocess.Popen":
        with open("loaded.json", "w") as file:
            json.dump(sorted(sys.modules), file)
sys.addaudithook(note)
from safe_lightning.__main__ import main
sys.exit(main())
"""
#: Never before the child is started, whatever is called.
ALWAYS = [
    "asyncio.events",  # structlog names it, nobody awaits
    "dis",  # of inspect, which dataclasses imports and does not use
    "html",
    "http.client",  # nothing is asked over HTTP: the status port, PD and the status API are
    "mysql_mimic",
    "pyarrow",
    "pymysql",
    "rich",
    "safe_lightning.commands",
    "safe_lightning.explaining",
    "safe_lightning.rehearsal",
    "safe_lightning.report.run_page",
    "safe_lightning.verifying",
    "sqlglot",
    "ssl",
    "tomlkit",
    "typer",
]
#: Not for `-V` and `--help`, which need neither hooks nor a look at anything.
FOR_VERSION = [
    "psutil",  # an import loads it where some process is called tidb-lightning
    "safe_lightning.conflicts",
    "safe_lightning.lightning.checkpoint_file",
    "safe_lightning.lightning.mysql_connection",
    "safe_lightning.scan",
    "safe_lightning.source",
    "safe_lightning_hooks",
]


def loaded(folder: Path, *words: str) -> set[str]:
    """Call the command with a trivial child and return what was loaded when that was started."""
    child = folder / "tidb-lightning"
    child.write_text(CHILD_HEAD + "import_all()\n")
    child.chmod(0o755)
    (folder / "data").mkdir()
    (folder / "data" / "a.b.csv").write_text("id\n1\n")
    environ = {
        "PATH": "/usr/bin:/bin", "HOME": str(folder), "SAFE_LIGHTNING_BINARY": str(child),
        "SAFE_LIGHTNING__STATE_DIR": str(folder / "state"),
    }  # fmt: skip
    command = [sys.executable, "-c", CALL, *words]
    ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=60, check=False)
    assert (folder / "loaded.json").exists(), ended.stderr.decode()
    return set(json.loads((folder / "loaded.json").read_text()))


@pytest.fixture(scope="module")
def for_version(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return loaded(tmp_path_factory.mktemp("version"), "-V")


@pytest.fixture(scope="module")
def for_import(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    return loaded(tmp_path_factory.mktemp("import"), "--backend", "tidb", "-d", "data", "-log-file", "lightning.log")


@pytest.mark.parametrize("name", ALWAYS + FOR_VERSION)
def test_asking_for_the_version_does_not_load(for_version: set[str], name: str) -> None:
    assert name not in for_version


@pytest.mark.parametrize("name", ALWAYS)
def test_a_trivial_import_does_not_load(for_import: set[str], name: str) -> None:
    assert name not in for_import


def test_the_hooks_have_looked_before_the_child_starts(for_import: set[str]) -> None:
    assert {"safe_lightning_hooks.conflicts", "safe_lightning.scan.task_scan"} <= for_import
