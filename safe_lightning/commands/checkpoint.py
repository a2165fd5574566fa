"""``checkpoint``: what a leftover checkpoint says, table by table, and what it is worth now."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from safe_lightning.api import judge_leftover
from safe_lightning.commands.found_policy import policy_of
from safe_lightning.commands.instances import instances_json, instances_text
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.checkpoint import Checkpoint, CheckpointVerdict, TaskRecord, status_name
from safe_lightning.core.checkpoint_verdict import CheckpointJudgement, TableJudgement
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.services import EngineServices, known_state


def checkpoint(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS", help="What tidb-lightning is given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
) -> None:
    """Show the checkpoint that an import would resume from, and whether it can.

    Reads only. Exit code 69 if the checkpoint cannot be read, 0 for any verdict on one that can.
    """
    task = _resolve(arguments or [])
    policy = policy_of(task.config_file)
    services = EngineServices(task, policy, state=known_state(policy, os.environ))
    try:
        found = services.read_checkpoint()
    except CouldNotLook as error:
        _show_unreadable(task, error, as_json=as_json)
    judgement, failures = judge_leftover(services, found, time.time(), task)
    judgement, failures = _with_peers(services, judgement, failures)
    for note in (*judgement.not_looked, *failures, *found.notes):
        print(f"safe-lightning: note: {note}", file=sys.stderr)
    if as_json:
        show_bytes(json.dumps(to_json(found, judgement), ensure_ascii=False))
        return
    show_bytes("\n".join(to_text(found, judgement)))


def _with_peers(
    services: EngineServices, judgement: CheckpointJudgement, failures: tuple[str, ...]
) -> tuple[CheckpointJudgement, tuple[str, ...]]:
    """Say of a checkpoint that another Lightning is at work on it: whatever else it is, it is live."""
    try:
        peers = services.peers()
    except CouldNotLook as error:
        return judgement, (*failures, f"whether another Lightning is at work is not known: {error}")
    in_the_way = [peer for peer in peers if peer.is_in_the_way]
    # The instances of a parallel import are told of with it.
    others = (peer for peer in peers if not peer.is_in_the_way and (peer.is_certain or judgement.instances is None))
    failures += tuple(peer.sentence for peer in others if peer.is_known)
    if not in_the_way:
        return judgement, failures
    said = "; ".join(peer.sentence for peer in in_the_way)
    evidence = f"{said}; {judgement.evidence}"
    return replace(judgement, verdict=CheckpointVerdict.LIVE, evidence=evidence), failures


def _resolve(arguments: list[str]) -> Task:
    task = resolve_task(arguments, Path.cwd(), os.environ)
    for problem in task.problems:
        certain = "Lightning rejects this task" if problem.is_certain else "Lightning may reject this task"
        print(f"safe-lightning: note: {certain}: {problem.message}", file=sys.stderr)
    if task.is_bad and task.checkpoint.is_default_path:
        # What names another place may be the very part that could not be read.
        fail("the task cannot be read, so it is not known where its checkpoint lies", ExitCode.USAGE)
    if not task.checkpoint.enabled:
        print("safe-lightning: note: the task keeps no checkpoint (checkpoint.enable = false)", file=sys.stderr)
    return task


def _show_unreadable(task: Task, error: CouldNotLook, *, as_json: bool) -> NoReturn:
    if as_json:
        store = task.checkpoint
        show_bytes(json.dumps(_document(store.driver, store.location, "unreadable", None, []), ensure_ascii=False))
    fail(str(error), ExitCode.COULD_NOT_LOOK)


def to_json(found: Checkpoint, judgement: CheckpointJudgement) -> dict[str, Any]:
    """Return the contract of ``checkpoint --json``."""
    tables = [_table_json(table) for table in judgement.tables]
    document = _document(found.driver, found.location, judgement.verdict, found.task, tables)
    return document | {"parallel_import": judgement.instances and instances_json(judgement.instances, _task_id(found))}


def _document(
    driver: str, location: str, verdict: str, task: TaskRecord | None, tables: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "schema": 1,
        "driver": driver,
        "location": location,
        "verdict": str(verdict),
        "task": _task_json(task) if task else None,
        "tables": tables,
    }


def _task_id(found: Checkpoint) -> int:
    return found.task.task_id if found.task else 0


def _task_json(task: TaskRecord) -> dict[str, Any]:
    values = asdict(task)
    values["lightning_ver"] = values.pop("lightning_version")  # the store's own names
    return values


def _table_json(table: TableJudgement) -> dict[str, Any]:
    record = table.record
    return {
        "table": str(record.table),
        "status": record.status,
        "status_name": status_name(record.status),
        "verdict": str(table.verdict),
        "engines": len(record.engines),
        "chunks_done": record.chunks_done,
        "chunks_total": record.chunks_total,
        "evidence": table.evidence,
        "danger": table.danger or None,
        "doubts": list(table.doubts),
    }


def to_text(found: Checkpoint, judgement: CheckpointJudgement) -> Iterator[str]:
    """Write for a reader at night: the verdict first, then a line or two per table, within 80 columns but for names."""
    yield f"Checkpoint  {found.location} ({found.driver} driver)"
    yield f"Verdict     {judgement.verdict}: {judgement.evidence}"
    if found.modified_at is not None:
        yield f"Written     {_moment(found.modified_at)}"
    if found.task:
        yield f"Source      {found.task.source_dir}"
        yield f"Target      {found.task.tidb_host}:{found.task.tidb_port}, backend {found.task.backend}"
        yield f"Lightning   {found.task.lightning_version}, task {found.task.task_id}"
    for table in judgement.tables:
        yield ""
        yield from _table_text(table)
    if judgement.instances is not None:
        yield ""
        yield from map(_printable, instances_text(judgement.instances, _task_id(found)))


def _table_text(table: TableJudgement) -> Iterator[str]:
    record = table.record
    name = status_name(record.failed_status or record.status)
    yield f"{_printable(str(record.table))}  {table.verdict}"
    files = f"{record.files_done} of {record.files_total} files done"
    if record.chunks_total and not record.files_total:  # too many to be told apart
        files = f"{record.chunks_done} of {record.chunks_total} chunks done"
    yield f"    {name}, {files}{_rows(record.rows)}"
    moment = record.updated_at if record.updated_at is not None else record.created_at
    if moment is not None:
        since = "changed" if record.updated_at is not None else "begun"
        yield f"    {since} {_moment(moment)}"
    yield f"    {_printable(table.evidence)}"
    if table.danger:
        yield f"    NOT SAFE TO RESUME: {_printable(table.danger)}"
    for doubt in table.doubts:
        yield f"    in doubt: {_printable(doubt)}"


def _rows(rows: int | None) -> str:
    return f", {rows:,} rows" if rows is not None else ""


def _printable(name: str) -> str:
    """Keep control characters of a hostile name away from the terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in name)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
