"""The sandbox: a folder with a stand-in cluster, stand-in tools and a task that knows nothing of the real ones."""

from __future__ import annotations

import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from safe_lightning.core.goflags import read_flags
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Server, Task, resolve_task
from safe_lightning.lightning.task_file import read_task_file
from safe_lightning.rehearsal.checkpoints import all_chunks, load
from safe_lightning.rehearsal.cluster import Cluster
from safe_lightning.rehearsal.sandbox_task import sandbox_argv, sandbox_config
from safe_lightning.rehearsal.scenario import SCENARIO_FILE, VARIABLE, Ending, Scenario
from safe_lightning.rehearsal.target import Ports
from safe_lightning.rehearsal.toml_text import write_toml
from safe_lightning.supervise.background import Background, ServerNotReadyError, start_background
from safe_lightning.supervise.command import CommandEnd, CommandNotStarted, run_command

_READY_SECONDS = 20.0
_FIRST_RUN_SECONDS = 300.0
_AGE_SECONDS = 3600.0
_SYSTEM = {"information_schema", "metrics_schema", "performance_schema", "mysql", "sys"}
_NEEDS_CHECKSUM = {Ending.CHECKSUM_MISMATCH, Ending.CHECKSUM_INCOMPLETE}
_NEEDS_FIRST_RUN = {Ending.STALE, Ending.FINISHED}


class SandboxError(Exception):
    """A rehearsal cannot be made of this task; the sentence says why."""


@dataclass(frozen=True)
class Sandbox:
    """A sandbox whose cluster is running."""

    folder: Path
    argv: tuple[str, ...]
    scenario: Scenario
    ports: Ports

    def environ(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return an environment in which the front door finds our tools and keeps its record in the sandbox."""
        ours = {
            "SAFE_LIGHTNING_BINARY": str(self.folder / "bin" / "tidb-lightning"),
            "SAFE_LIGHTNING__STATE_DIR": str(self.folder / "state"),
            "SAFE_LIGHTNING__CONTROL_TOOL__PATH": str(self.folder / "bin" / "tidb-lightning-ctl"),
            "SAFE_LIGHTNING__LOCK__LEASE": "off",  # nobody else can see the sandbox
        }
        return {**base, **ours}


@contextmanager
def open_sandbox(
    argv: Sequence[str],
    cwd: Path,
    scenario: Scenario,
    folder: Path | None = None,
    furnish: Callable[[Path], Sequence[str]] | None = None,
) -> Iterator[Sandbox]:
    """Set up a sandbox for an import's command line and take it down afterwards.

    Nothing of the user's is changed: the data source is read, all else is replaced. ``folder`` is kept, without
    it a temporary one is used. ``furnish`` may put a source into it and return the command line for that.
    Raises SandboxError.
    """
    with _folder(folder) as place:
        scenario.write(place / SCENARIO_FILE)
        for name in ("bin", "state"):
            (place / name).mkdir(exist_ok=True)
        argv = furnish(place) if furnish is not None else argv
        cluster = _start_cluster(place)
        try:
            yield _furnish(argv, cwd, scenario, place, Ports(**json.loads(cluster.greeting)))
        finally:
            cluster.stop()


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="safe-lightning-rehearsal-") as name:
            yield Path(name).resolve()
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        is_foreign = any(folder.iterdir()) and not (folder / SCENARIO_FILE).exists()
    except OSError as error:
        raise SandboxError(f"{folder} cannot be used as the sandbox: {error.strerror}") from error
    if is_foreign:
        raise SandboxError(f"{folder} is not empty and no sandbox of an earlier rehearsal: nothing in it is touched")
    yield folder.resolve()


def _start_cluster(place: Path) -> Background:
    argv = [sys.executable, "-P", "-m", "safe_lightning.rehearsal.target", str(place / "cluster.sqlite")]
    try:
        return start_background(
            argv, env=os.environ, cwd=place, log=place / "cluster.log", ready_seconds=_READY_SECONDS
        )
    except ServerNotReadyError as error:
        raise SandboxError(f"the stand-in cluster did not start: {error}") from error


def _furnish(argv: Sequence[str], cwd: Path, scenario: Scenario, place: Path, ports: Ports) -> Sandbox:
    task = resolve_task(argv, cwd, {})
    _refuse_unfit(task, scenario.ending)
    data = read_task_file(task.cwd / task.config_file) if task.config_file else {}
    config = place / "task.toml"
    config.write_text(write_toml(sandbox_config(data, task, place, ports)), encoding="utf-8")
    scenario = replace(scenario, store_port=ports.pd)
    scenario.write(place / SCENARIO_FILE)
    for tool, module in (("tidb-lightning", "importer"), ("tidb-lightning-ctl", "ctl")):
        _write_launcher(place, tool, module)
    sandbox = Sandbox(place, tuple(sandbox_argv(read_flags(argv), config)), scenario, ports)
    if scenario.ending in _NEEDS_FIRST_RUN:
        _play_first_run(sandbox)
    return sandbox


def _refuse_unfit(task: Task, ending: Ending) -> None:
    certain = [problem for problem in task.problems if problem.is_certain]
    if certain:
        raise SandboxError(f"the task is not accepted by Lightning: {certain[0].message}")
    if task.backend not in ("local", "tidb"):
        raise SandboxError(f"a rehearsal knows the backends local and tidb, not {task.backend!r}")
    if "://" in task.data_source_dir.removeprefix("file://"):
        raise SandboxError("a rehearsal reads local files only; point it at a sample: -d FOLDER")
    if ending in _NEEDS_CHECKSUM and (task.backend != "local" or task.checksum == "off"):
        raise SandboxError(f"--ending {ending} needs the local backend with a checksum: nothing else compares one")


def _write_launcher(place: Path, tool: str, module: str) -> None:
    words = [sys.executable, "-P", "-m", f"safe_lightning.rehearsal.{module}"]
    launcher = place / "bin" / tool
    launcher.write_text(
        f"#!/bin/sh\n# Made for a rehearsal: a stand-in, not the real {tool}.\n"
        f'{VARIABLE}={shlex.quote(str(place / SCENARIO_FILE))} exec {shlex.join(words)} "$@"\n',
        encoding="utf-8",
    )
    launcher.chmod(0o755)


def _play_first_run(sandbox: Sandbox) -> None:
    """Import once and keep the checkpoint, an hour old by its time stamp; for `stale`, create the tables anew."""
    plain = replace(sandbox.scenario, ending=Ending.CLEAN)
    plain.write(sandbox.folder / SCENARIO_FILE)
    config, kept = sandbox.folder / "task.toml", (sandbox.folder / "task.toml").read_bytes()
    data = read_task_file(config)
    checkpoint = data["checkpoint"]
    config.write_text(
        write_toml({**data, "checkpoint": {**checkpoint, "keep-after-success": "origin"}}), encoding="utf-8"
    )
    _expect_success(run_tool(sandbox))
    config.write_bytes(kept)
    sandbox.scenario.write(sandbox.folder / SCENARIO_FILE)
    age_checkpoint(sandbox)
    if sandbox.scenario.ending is Ending.STALE:
        recreate_tables(sandbox)


def _expect_success(end: CommandEnd) -> None:
    if end.exit_code != 0:
        said = end.stderr.decode("utf-8", "replace").strip()
        raise SandboxError(f"the import that was to leave a checkpoint failed itself: {said}")


def age_checkpoint(sandbox: Sandbox) -> None:
    """Date the checkpoint back by an hour: CREATE_TIME has whole seconds only, and a sandbox is faster than that."""
    path, then = sandbox.folder / "checkpoint.pb", time.time() - _AGE_SECONDS
    book = load(path)
    for chunk in all_chunks(book.tables.values()):
        chunk.timestamp = int(then)
    book.save()
    os.utime(path, (then, then))


def recreate_tables(sandbox: Sandbox) -> None:
    """Drop and create what the sandbox's cluster holds, as somebody cleaning up by hand would."""
    with Cluster(Server(port=sandbox.ports.mysql), sandbox.scenario) as cluster:
        for schema in sorted(cluster.databases()):
            for table in cluster.tables(schema) if schema.lower() not in _SYSTEM else ():
                name = TableName(schema, table)
                statement = cluster.run(f"SHOW CREATE TABLE {name}")[0][1]
                cluster.drop(name)
                cluster.create_statement_of(name, str(statement))


def count_rows(sandbox: Sandbox, table: TableName) -> int | None:
    """Count a table's rows in the sandbox's cluster; None if the table is not there."""
    with Cluster(Server(port=sandbox.ports.mysql), sandbox.scenario) as cluster:
        if not cluster.table_id(table):
            return None
        return int(str(cluster.run(f"SELECT COUNT(*) FROM {table}")[0][0]))  # noqa: S608


def run_tool(sandbox: Sandbox) -> CommandEnd:
    """Run the stand-in importer bare, without any guard. Raises SandboxError where it cannot be started."""
    argv = [str(sandbox.folder / "bin" / "tidb-lightning"), *sandbox.argv]
    try:
        return run_command(argv, timeout_seconds=_FIRST_RUN_SECONDS, env=os.environ, cwd=sandbox.folder)
    except CommandNotStarted as error:
        raise SandboxError(str(error)) from error
