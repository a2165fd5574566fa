"""One recorded run as typed objects, read once from its folder: what every view of a run for people is written from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Plan, Step
from safe_lightning.record.clock import rfc3339
from safe_lightning.record.result import AttemptEnd, RunResult
from safe_lightning.record.run_folder import ALIVE, is_alive, read_json, read_run
from safe_lightning.record.strict_json import UnreadableRecord
from safe_lightning.record.trail import Phase, TrailStep, TrailVerdict, read_phases, read_steps, read_verdicts

#: What of the resolved task a reader asks for, and how it is called there.
_TASK_FACTS = (
    ("config file", ("config_file",)),
    ("source", ("data_source_dir",)),
    ("backend", ("backend",)),
    ("target", ("target", "host")),
    ("checksum", ("checksum",)),
    ("conflict.strategy", ("conflict_strategy",)),
)


@dataclass(frozen=True)
class Call:
    """What was called where; of the environment only the names are known."""

    cwd: str = ""
    versions: tuple[tuple[str, str], ...] = ()
    checkpoint_location: str = ""
    environment: tuple[str, ...] = ()


@dataclass(frozen=True)
class RecordedFile:
    """An entry of the run's folder; the size is None for a folder, and for what is only about to be written."""

    name: str
    size_bytes: int | None = None


@dataclass(frozen=True)
class RecordedRun:
    """Everything that is recorded of one run.

    ``state`` says what a run without an outcome does, or did when it died; it is empty once there is an outcome.
    ``unreadable`` names the parts of the record that could not be read, and why.
    """

    folder: Path
    result: RunResult
    state: str
    phases: tuple[Phase, ...]
    verdicts: tuple[TrailVerdict, ...]
    plan: Plan | None
    steps: tuple[TrailStep, ...]
    log_path: str
    files: tuple[RecordedFile, ...]
    call: Call
    task: tuple[tuple[str, str], ...]
    unreadable: tuple[str, ...]

    @property
    def attempts(self) -> tuple[AttemptEnd, ...]:
        """The end of every attempt, the last one's included; empty where there was only one."""
        result = self.result
        if not result.previous_attempts:
            return ()
        if result.outcome is None:
            return result.previous_attempts
        last = AttemptEnd(result.outcome, result.reason, result.child_exit_code, result.child_signal)
        return (*result.previous_attempts, last)


def read_recorded_run(folder: Path, result: RunResult | None = None) -> RecordedRun:
    """Read a run, as far as it has come. Raises OSError, UnreadableRecord.

    ``result`` is that of a run which is just about to write it.
    """
    documents = {name: _document(folder / name) for name in ("argv.json", "plan.json", "log.json", "task.json")}
    call, plan, log, task = (document for document, _ in documents.values())
    # Masked is a result only where it is written, so one that is still to be written is taken as it will be.
    told = RunResult.from_json(result.to_json()) if result else read_run(folder)
    phases = tuple(read_phases(folder))
    return RecordedRun(
        folder,
        told,
        "" if told.outcome is not None else _state(folder, phases),
        phases,
        tuple(read_verdicts(folder)),
        _plan(plan),
        tuple(read_steps(folder)),
        told.log_path or str(log.get("path", "")),
        tuple(_files(folder, is_ending=result is not None)),
        _call(call),
        tuple(_task_facts(task)),
        tuple(trouble for _, trouble in documents.values() if trouble),
    )


def _document(path: Path) -> tuple[dict[str, Any], str]:
    try:
        document = read_json(path)
    except FileNotFoundError:
        return {}, ""
    except UnreadableRecord as error:
        return {}, str(error)
    return (document, "") if isinstance(document, dict) else ({}, f"{path}: not an object")


def _state(folder: Path, phases: tuple[Phase, ...]) -> str:
    doing = f"{phases[-1].name} since {rfc3339(phases[-1].at)}" if phases else "it has only begun"
    return f"{'still going on' if is_alive(folder) else 'died without writing its end'}: {doing}"


def _plan(document: Mapping[str, Any]) -> Plan | None:
    steps = document.get("steps")
    read = tuple(_steps(steps if isinstance(steps, list) else []))
    reason = document.get("reason")
    if not read and not reason:
        return None
    return Plan(read, str(reason or ""), document.get("then_retry") is True)


def _steps(documents: list[Any]) -> Iterator[Step]:
    for document in documents:
        with suppress(AttributeError, ValueError):
            action, table = Action(document.get("action")), TableName.parse(str(document.get("table")))
            yield Step(action, table, str(document.get("reason", "")))


def _files(folder: Path, *, is_ending: bool) -> Iterator[RecordedFile]:
    found = {path.name: path for path in folder.iterdir() if path.name != ALIVE and not path.name.startswith(".")}
    coming = {"result.json", "report.html"} if is_ending else set()
    for name in sorted({*found, *coming}):
        path = found.get(name)
        if path is None or name in coming:
            yield RecordedFile(name)
        elif path.is_dir():
            yield RecordedFile(f"{name}/")
        else:
            yield RecordedFile(name, None if path.is_symlink() else path.lstat().st_size)


def _call(document: Mapping[str, Any]) -> Call:
    versions, names = document.get("versions"), document.get("environment")
    return Call(
        str(document.get("cwd", "")),
        tuple((str(name), str(text)) for name, text in versions.items()) if isinstance(versions, dict) else (),
        str(document.get("checkpoint_location", "")),
        tuple(map(str, names)) if isinstance(names, list) else (),
    )


def _task_facts(task: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, keys in _TASK_FACTS:
        value: object = task
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if name == "target" and value:
            target = task["target"]
            value = f"{value}:{target['port']}" if target.get("port") else value
        if isinstance(value, str) and value:
            yield name, value
