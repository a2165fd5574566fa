"""The stand-in ``tidb-lightning``: a real executable that reads real files and writes a real log and checkpoint.

Called as ``python -m safe_lightning.rehearsal.importer <Lightning's own flags>``, or through the launcher that a
sandbox generates. It speaks release 8.5.4's words.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path

from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.rehearsal.checkpoints import load, task_record
from safe_lightning.rehearsal.cluster import Cluster, ClusterError
from safe_lightning.rehearsal.import_context import Import, ImportStepError
from safe_lightning.rehearsal.play import CanceledError, Cancellation, Play
from safe_lightning.rehearsal.procedure import run_procedure
from safe_lightning.rehearsal.progress import Progress, interval_seconds
from safe_lightning.rehearsal.scenario import Ending, read_scenario
from safe_lightning.rehearsal.screen import banner
from safe_lightning.rehearsal.source import SourceError, discover
from safe_lightning.rehearsal.status_server import StatusBoard, status_server
from safe_lightning.rehearsal.zap import ZapLog, took

RELEASE = """Release Version: v8.5.4
Git Commit Hash: None
Git Branch: None
Go Version: go1.26.8
UTC Build Time: None
Race Enabled: false
"""


def main(argv: Sequence[str]) -> int:
    """Run one stand-in import and return Lightning's exit code."""
    cancellation = Cancellation()
    cancellation.install()
    task = resolve_task(argv, Path.cwd(), os.environ)
    if task.is_info_only:
        print(RELEASE.replace("v8.5.4", read_scenario().version), end="")
        return 0
    if task.is_bad or task.unknown_flags:
        return _refuse(task)
    play = Play(read_scenario(), cancellation, dict(os.environ))
    with ExitStack() as stack:
        path = _log_path(task)
        stream = sys.stdout if path == "-" else stack.enter_context(Path(path).open("a", encoding="utf-8"))
        log = ZapLog(stream)
        if path != "-":
            print(banner(path), end="", flush=True)
        if play.is_on(Ending.STATUS_PORT_BUSY):
            return _say_port_busy(task, log)
        return _serve_and_import(task, play, log)


def _refuse(task: Task) -> int:
    problem = next((problem for problem in task.problems if problem.is_certain), task.problems[0])
    is_flag = problem.message.startswith(("flag ", "invalid ", "bad flag"))
    if is_flag:
        print(f"[Lightning:Common:ErrInvalidArgument]invalid argument: {problem.message}")
        return 2
    print(f"tidb lightning encountered error: {problem.message}", file=sys.stderr)
    return 1


def _log_path(task: Task) -> str:
    if task.log_file == "-":
        return "-"
    if task.log_file:
        return str(task.cwd / task.log_file)
    name = f"lightning.log.{time.strftime('%Y-%m-%dT%H.%M.%S%z')}"
    return str(Path(tempfile.gettempdir()) / name)


def _say_port_busy(task: Task, log: ZapLog) -> int:
    error = f"listen tcp {task.status_addr or '127.0.0.1:8289'}: bind: address already in use"
    log.error("main.go:80", "failed to start HTTP server", ("error", error))
    print(f"failed to start HTTP server: {error}", file=sys.stderr)
    return 0


def _serve_and_import(task: Task, play: Play, log: ZapLog) -> int:
    board = StatusBoard()
    try:
        with status_server(task.status_addr, board, log) if task.status_addr else nullcontext():
            return _import(task, play, log, board)
    except OSError:
        if board.run is not None:
            raise
        return _say_port_busy(task, log)


def _import(task: Task, play: Play, log: ZapLog, board: StatusBoard) -> int:
    log.info(
        "info.go:53",
        "Welcome to TiDB-Lightning",
        ("release-version", play.scenario.version),
        ("git-hash", "None"),
        ("git-branch", "None"),
        ("go-version", "go1.26.8"),
        ("utc-build-time", "None"),
        ("race-enabled", False),
    )
    log.info("lightning.go:437", "cfg", ("cfg", _config(task)))
    try:
        with Cluster(task.target, play.scenario) as cluster:
            board.run = _prepare(task, play, log, cluster, board)
            run_procedure(board.run)
    except CanceledError:
        log.info("main.go:110", "tidb lightning exit", ("finished", False))
        print("tidb lightning canceled", flush=True)
        return 0
    except (ImportStepError, ClusterError, SourceError) as error:
        log.error("main.go:107", "tidb lightning encountered error stack info", ("error", error))
        print(f"tidb lightning encountered error: {error}", file=sys.stderr)
        return 1
    log.info("main.go:110", "tidb lightning exit", ("finished", True))
    print("tidb lightning exit successfully", flush=True)
    return 0


def _prepare(task: Task, play: Play, log: ZapLog, cluster: Cluster, board: StatusBoard) -> Import:
    started = time.monotonic()
    log.info("lightning.go:537", "load data source start")
    folder = task.cwd / task.data_source_dir.removeprefix("file://")
    patterns = ["nothing.matches"] if play.is_on(Ending.NOTHING) else task.table_filter
    schemas, sources = discover(folder, patterns)
    log.info("lightning.go:543", "load data source completed", took(started), None)
    book = load(task.checkpoint.path if task.checkpoint.enabled else None)
    files = [file for source in sources for file in source.files]
    progress = Progress(
        log,
        interval_seconds(task.values),
        tables=len(sources),
        chunks=len(files),
        bytes_total=sum(file.size_bytes for file in files),
    )
    return Import(task, play, log, cluster, book, schemas, sources, progress, board)


def _config(task: Task) -> str:
    """Show the settings that matter here in the shape of Lightning's own echo; passwords are never part of it."""
    return json.dumps(
        {
            "id": task_record(task).task_id,
            "lightning": {"check-requirements": task.check_requirements},
            "tidb": {
                "host": task.target.host,
                "port": task.target.port,
                "user": task.target.user,
                "status-port": task.target.status_port,
                "pd-addr": task.target.pd_addr,
            },
            "checkpoint": {
                "schema": task.checkpoint.schema,
                "driver": task.checkpoint.driver,
                "enable": task.checkpoint.enabled,
                "keep-after-success": task.checkpoint.keep_after_success,
            },
            "mydumper": {"data-source-dir": task.data_source_dir, "filter": list(task.table_filter)},
            "tikv-importer": {
                "backend": task.backend,
                "sorted-kv-dir": task.sorted_kv_dir,
                "incremental-import": task.values.get("tikv-importer.incremental-import") is True,
            },
            "conflict": {"strategy": task.conflict_strategy},
            "post-restore": {"checksum": task.checksum, "analyze": task.analyze},
        },
        separators=(",", ":"),
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
