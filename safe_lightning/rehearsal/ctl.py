"""The stand-in ``tidb-lightning-ctl``, with the manners of release 8.5.4: exit 0 proves nothing.

It asks PD before all else and crashes without it; an unknown table is passed over in silence; a store that is
missing is created and one that is broken is overwritten, both with two bytes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from safe_lightning.core.goflags import read_flags
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_model import FileTask
from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.rehearsal.checkpoints import LOADED, CheckpointBook, load
from safe_lightning.rehearsal.cluster import Cluster, ClusterError, pd_answers
from safe_lightning.rehearsal.importer import RELEASE
from safe_lightning.rehearsal.scenario import CLUSTER_ID, TIKV_MODE_FILE, VARIABLE, Scenario, read_scenario
from safe_lightning.rehearsal.zap import ZapLog

REMOVE, IGNORE, DESTROY = "checkpoint-remove", "checkpoint-error-ignore", "checkpoint-error-destroy"
#: When several modes are given the first of these is done, the others are not.
_MODES = (REMOVE, IGNORE, DESTROY)
_PANIC = """panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x542f8de]

goroutine 1 [running]:
main.run()
main.main()
"""


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Do what the flags say and return the tool's exit code."""
    flags = read_flags(argv)
    if flags.problems:
        message = flags.problems[0].message
        print(f"[Lightning:Common:ErrInvalidArgument]invalid argument: {message}")
        print(f"{message}\nUsage:", file=sys.stderr)
        return 2
    if flags.is_set("V"):
        print(RELEASE, end="")
        return 0
    task = resolve_task(argv, Path.cwd(), environ)
    if task.config_file is not None and not (task.cwd / task.config_file).exists():
        name = f"'{flags.text('config')}': open {flags.text('config')}: no such file or directory"
        print(f"[Lightning:Config:ErrReadConfigFile]cannot read config file {name}")
        return 2
    if not task.backend:
        print("[Lightning:Config:ErrInvalidConfig]tikv-importer.backend must not be empty!", file=sys.stderr)
        return 1
    return _act(task, flags.values, read_scenario(environ))


def _act(task: Task, values: Mapping[str, str], scenario: Scenario) -> int:
    log = ZapLog(sys.stdout)
    if not _ask_pd(task, log, scenario):
        sys.stdout.flush()
        print(_PANIC, end="", file=sys.stderr)
        return 2
    mode = next((mode for mode in _MODES if values.get(mode)), None)
    if "fetch-mode" in values or "switch-mode" in values:
        code = _tikv_mode(values)
    else:
        code = _usage() if mode is None else _perform(task, mode, values[mode], scenario)
    log.info("pd_service_discovery.go:642", "[pd] close pd service discovery client")
    log.info("client.go:347", "[pd] http client closed", ("source", "lightning-ctl"))
    return code


def _tikv_mode(values: Mapping[str, str]) -> int:
    """Tell the mode of the one store that there is, or switch it: a file in the sandbox holds it."""
    path = Path(os.environ.get(VARIABLE) or os.devnull).with_name(TIKV_MODE_FILE)
    if "fetch-mode" in values:
        mode = path.read_text(encoding="utf-8") if path.exists() else "Normal"
        print(f"{'127.0.0.1:20160':<30} | {mode} mode", file=sys.stderr)
    else:
        path.write_text(values["switch-mode"].capitalize(), encoding="utf-8")
    return 0


def _usage() -> int:
    print("Usage:", file=sys.stderr)
    return 0


def _ask_pd(task: Task, log: ZapLog, scenario: Scenario) -> bool:
    """Look for PD as often as the scenario says; the real tool goes on for about 100 s."""
    url = f"http://{task.target.pd_addr}"
    for _ in range(scenario.pd_tries):
        if task.target.pd_addr and pd_answers(task.target.pd_addr.split(",")[0]):
            log.info("pd_service_discovery.go:1023", "[pd] switch leader", ("new-leader", url), ("old-leader", ""))
            log.info("pd_service_discovery.go:499", "[pd] init cluster id", ("cluster-id", CLUSTER_ID))
            return True
        error = "[PD:client:ErrClientGetMember]error:rpc error: code = Unavailable desc = connection error"
        log.warn("pd_service_discovery.go:841", "[pd] failed to get cluster id", ("url", url), ("error", error))
        time.sleep(scenario.pd_try_seconds)
    return False


def _perform(task: Task, mode: str, which: str, scenario: Scenario) -> int:
    if not task.checkpoint.enabled or task.checkpoint.path is None:
        print("cannot perform this function while checkpoints is disabled", file=sys.stderr)
        return 1
    book = load(task.checkpoint.path)
    wanted = [name for name in book.tables if which in ("all", str(name))]
    if mode == REMOVE:
        return _remove(book, which, wanted)
    if mode == IGNORE:
        return _ignore(book, wanted)
    return _destroy(task, book, wanted, scenario)


def _close(book: CheckpointBook) -> None:
    book.task = book.task or FileTask()  # an empty record: the two bytes that a missing or broken store becomes
    book.save()


def _remove(book: CheckpointBook, which: str, wanted: Sequence[TableName]) -> int:
    if which == "all":
        book.clear()
        return 0
    for name in wanted:
        del book.tables[name]
    _close(book)
    return 0


def _ignore(book: CheckpointBook, wanted: Sequence[TableName]) -> int:
    for table in (book.tables[name] for name in wanted):
        table.status = LOADED if table.has_failed else table.status
        for engine in table.engines.values():
            engine.status = LOADED if 0 < engine.status < LOADED else engine.status
    _close(book)
    return 0


def _destroy(task: Task, book: CheckpointBook, wanted: Sequence[TableName], scenario: Scenario) -> int:
    """Drop the failed tables among those wanted; their entries go first, whatever becomes of the table."""
    failed = [name for name in wanted if book.tables[name].has_failed]
    code = 0
    try:
        with Cluster(task.target, scenario) as cluster:
            for name in failed:
                del book.tables[name]
                _close(book)
                code = _drop(cluster, name) or code
    except ClusterError as error:
        print(error, file=sys.stderr)
        return 1
    _close(book)
    return code


def _drop(cluster: Cluster, name: TableName) -> int:
    print(f"Dropping table: {name}", file=sys.stderr)
    try:
        cluster.drop(name)
    except ClusterError as error:
        print(f"* Encountered error while dropping table: drop table failed: {error}", file=sys.stderr)
        print(f"drop table failed: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
