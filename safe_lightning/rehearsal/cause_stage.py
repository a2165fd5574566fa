"""The stage of a rehearsed cause: its source and task in a folder, a sandbox around them, and what went before."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from safe_lightning.lightning.task import Server
from safe_lightning.rehearsal.causes import CauseCase, EarlierRun
from safe_lightning.rehearsal.cluster import Cluster
from safe_lightning.rehearsal.sandbox import Sandbox, open_sandbox, run_tool
from safe_lightning.rehearsal.scenario import SCENARIO_FILE, Ending, Mishap, Scenario
from safe_lightning.rehearsal.toml_text import write_toml

_EXPORT = "export"


@contextmanager
def open_cause(case: CauseCase, folder: Path | None = None) -> Iterator[Sandbox]:
    """Set up a sandbox in which the next import ends in a mismatch of this cause.

    ``folder`` is kept, without it a temporary one is used. A kept one goes on where it was: what went before is not
    played again. Raises SandboxError, ClusterError.
    """
    scenario, is_used = Scenario(version=case.version), folder is not None and (folder / _EXPORT).exists()
    with open_sandbox([], Path.cwd(), scenario, folder, lambda place: _furnish(case, place)) as sandbox:
        if not is_used:
            _play_before(sandbox, case)
        replace(sandbox.scenario, mishap=case.mishap).write(sandbox.folder / SCENARIO_FILE)
        yield sandbox


def _furnish(case: CauseCase, place: Path) -> list[str]:
    """Write source and task; return the command line that names them."""
    source = place / _EXPORT
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    for name, text in case.files.items():
        (source / name).write_text(text, encoding="utf-8")
    importer = {"backend": "local", "sorted-kv-dir": str(place / "sorted"), **case.task.get("tikv-importer", {})}
    task = {
        "lightning": {"check-requirements": False},
        "tidb": {"host": "127.0.0.1", "port": 4000},
        "mydumper": {"data-source-dir": str(source), "filter": ["*.*"]},
        **case.task,
        "tikv-importer": importer,
    }
    config = place / "import.toml"
    config.write_text(write_toml(task), encoding="utf-8")
    return ["--config", str(config)]


def _play_before(sandbox: Sandbox, case: CauseCase) -> None:
    with Cluster(Server(port=sandbox.ports.mysql), sandbox.scenario) as cluster:
        for statement in case.before:
            cluster.run(statement)
    if case.earlier is not None:
        _play_earlier(sandbox, case.earlier)


def _play_earlier(sandbox: Sandbox, earlier: EarlierRun) -> None:
    mark = sandbox.folder / f"{SCENARIO_FILE}.played"
    replace(sandbox.scenario, ending=earlier.ending, mishap=earlier.mishap).write(sandbox.folder / SCENARIO_FILE)
    run_tool(sandbox)
    mark.unlink(missing_ok=True)
    replace(sandbox.scenario, ending=Ending.CLEAN, mishap=Mishap.NONE).write(sandbox.folder / SCENARIO_FILE)
    if earlier.loses_sorted_pairs:
        shutil.rmtree(sandbox.folder / "sorted-kv", ignore_errors=True)
