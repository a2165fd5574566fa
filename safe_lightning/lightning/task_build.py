"""Building the task: flags, then the config file, then what Lightning derives from both and what it rejects.

No environment variable changes a task: Lightning has none of its own, and $TMPDIR only moves the default log.
Keys that merely are younger than an old release are no problem here: of the release nothing is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from safe_lightning.core.goflags import CONTROL_TOOL_FLAGS, GoFlags
from safe_lightning.core.tablefilter import DEFAULT_FILTER
from safe_lightning.lightning import task_checks as checks
from safe_lightning.lightning.task import Problem, Task
from safe_lightning.lightning.task_conflict import check_conflict, strategy_of
from safe_lightning.lightning.task_file import TaskFileError, read_task_file
from safe_lightning.lightning.task_keys import LEVELS, find_unknown_keys, find_wrong_types
from safe_lightning.lightning.task_store import checkpoint_of, target_of
from safe_lightning.lightning.task_values import Values, flatten, merge

_CHECKS: tuple[checks.Check, ...] = (
    checks.check_backend,
    checks.check_csv,
    checks.check_source,
    checks.check_security,
    checks.check_tidb,
    checks.check_checkpoint,
    checks.check_routes,
    check_conflict,
    checks.check_filter,
)
_USELESS_WITHOUT_CHECKPOINT = {name for name in CONTROL_TOOL_FLAGS if name.startswith("checkpoint-")}


def build_task(flags: GoFlags, argv: tuple[str, ...], cwd: Path, environ: Mapping[str, str]) -> Task:
    """Resolve an invocation; whatever is wrong with it becomes a problem, in Lightning's own order."""
    name = flags.text("config")
    task = Task(
        argv=argv,
        cwd=cwd,
        config_file=cwd / name if name else None,
        is_info_only=flags.is_info_only,
        is_control_tool_call=flags.is_control_tool_call,
        unknown_flags=flags.unknown,
        problems=tuple(Problem(f"-{p.flag.lstrip('-')}", p.message, p.is_certain) for p in flags.problems),
    )
    if task.is_info_only:  # answered before any config is read
        return replace(task, problems=())
    data, file_problem = _read(task.config_file, name)
    task = _with_values(task, merge(data, flags))
    return replace(task, problems=task.problems + _find_problems(task, flags, data, file_problem))


def _read(path: Path | None, name: str) -> tuple[dict[str, Any], Problem | None]:
    if path is None:
        return {}, None
    try:
        return read_task_file(path, name), None
    except TaskFileError as error:
        return {}, Problem("config", str(error), error.is_certain)


def _with_values(task: Task, values: Values) -> Task:
    target = target_of(values)
    backend = checks.backend_of(values)
    patterns = values.get("mydumper.filter")
    # With the tidb backend nothing is compared or analyzed, whatever the task says.
    is_logical = backend == "tidb"
    return replace(
        task,
        backend=backend,
        target=target,
        checkpoint=checkpoint_of(values, target, task.cwd),
        data_source_dir=values.text("mydumper.data-source-dir"),
        sorted_kv_dir=values.text("tikv-importer.sorted-kv-dir"),
        log_file=values.text("lightning.file"),
        log_level=values.text("lightning.level") or "info",
        status_addr=_status_addr(values),
        server_mode=values.flag("lightning.server-mode"),
        checksum="off" if is_logical else values.word("post-restore.checksum", LEVELS, "required"),
        analyze="off" if is_logical else values.word("post-restore.analyze", LEVELS, "optional"),
        conflict_strategy=strategy_of(values),
        table_filter=tuple(map(str, patterns)) if isinstance(patterns, list) else DEFAULT_FILTER,
        has_routes=bool(values.tables("routes")),
        has_file_rules=bool(values.tables("mydumper.files")),
        parallel_import=checks.is_parallel(values),
        check_requirements=values.flag("lightning.check-requirements", True),
        values=flatten(values),
    )


def _status_addr(values: Values) -> str:
    port = values.number("lightning.pprof-port")
    return values.text("lightning.status-addr") or (f":{port}" if port else "")


def _find_problems(
    task: Task, flags: GoFlags, data: Mapping[str, Any], file_problem: Problem | None
) -> tuple[Problem, ...]:
    if task.is_bad:  # Lightning reads no further than the first flag it refuses
        return ()
    if file_problem is not None:  # without the file nothing more can be told
        return (file_problem,)
    found = _find_in_file(task, flags, data)
    if flags.unknown:  # where the flags behind an unknown one begin is a guess
        found = [replace(problem, is_certain=False) for problem in found]
    return tuple(found)


def _find_in_file(task: Task, flags: GoFlags, data: Mapping[str, Any]) -> list[Problem]:
    wrong = list(find_wrong_types(data))
    if any(problem.is_certain for problem in wrong):  # what hangs on these values cannot be judged
        return wrong
    found = [*wrong, *_check_server(task), *find_unknown_keys(data)]
    if task.server_mode:  # tasks come later, by HTTP
        return found
    values = merge(data, flags)
    found += [problem for check in _CHECKS for problem in check(values, task.cwd)]
    return [*_without_source(found), *_check_control_tool(task, flags)] if task.is_control_tool_call else found


def _without_source(found: list[Problem]) -> Iterator[Problem]:
    # The control tool of 4.0 asks for no data source, that of 8.5 does.
    for problem in found:
        yield replace(problem, is_certain=False) if problem.key == "mydumper.data-source-dir" else problem


def _check_server(task: Task) -> Iterator[Problem]:
    key, address = "lightning.status-addr", task.status_addr
    if task.server_mode and not address:
        yield Problem(key, "If server-mode is enabled, the status-addr must be a valid listen address")
    host, colon, _ = address.rpartition(":")
    if not address or task.is_control_tool_call:
        return
    # Lightning says so on stderr only and ends with exit code 0.
    if not colon or address.endswith("]"):
        yield Problem(key, f"failed to start HTTP server: listen tcp: address {address}: missing port in address")
    elif ":" in host and not host.startswith("["):
        yield Problem(key, f"failed to start HTTP server: listen tcp: address {address}: too many colons in address")


def _check_control_tool(task: Task, flags: GoFlags) -> Iterator[Problem]:
    if not task.checkpoint.enabled and any(name in flags.values for name in _USELESS_WITHOUT_CHECKPOINT):
        yield Problem("checkpoint.enable", "cannot perform this function while checkpoints is disabled")
