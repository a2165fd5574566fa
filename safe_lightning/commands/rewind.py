"""``rewind``: set engines back that count as imported though they never were, so that the resume reads them again.

A verb of its own and not one of ``checkpoint``: that one takes Lightning's flags itself, and only reads.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from safe_lightning.acts.rewinding import NotRewound, RewindPlan, perform, plan
from safe_lightning.commands.found_policy import policy_of
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.rewind import Evidence
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.policy.model import Policy
from safe_lightning.record.lock import LockBusy, LockUnavailable, RunLocks
from safe_lightning.record.state_dir import StateUnavailable, state_dir

SCHEMA = 1


def rewind(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS", help="What tidb-lightning is given.")
    ] = None,
    log: Annotated[
        list[Path] | None, typer.Option(help="A log of the run that was stopped, as further evidence.")
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(help="An engine that you know to be empty, such as '`db`.`t`:0', though no log says so."),
    ] = None,
    only_plan: Annotated[
        bool, typer.Option("--plan", help="Show what would be done; so it is without --apply.")
    ] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without this the plan is only shown.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
) -> None:
    """Set back what a stop left marked as imported though it is empty, so that the resume imports just that.

    Shows what would be done; with --apply it is done, after a backup. Exit code 0 if there is nothing to do or it was
    done, 80 if engines are to be set back, 88 if something forbids it, 69 if it could not be looked at.
    """
    if only_plan and apply:
        fail("--plan shows and --apply does: give one of them", ExitCode.USAGE)
    task, policy = _resolve(arguments or [])
    try:
        state = state_dir(policy.state_dir, os.environ)
        made = plan(task, policy, state, log or [], [_confirmed(text) for text in engine or []])
    except (CouldNotLook, StateUnavailable) as error:
        fail(str(error), ExitCode.COULD_NOT_LOOK)
    for note in made.notes:
        print(f"safe-lightning: note: {note}", file=sys.stderr)
    show_bytes(json.dumps(to_json(made), ensure_ascii=False) if as_json else "\n".join(_lines(made)))
    if apply and made.is_allowed:
        _apply(made, task, policy, state)
    elif made.tables:
        raise typer.Exit(int(ExitCode.LEFTOVER_CHECKPOINT if made.is_allowed else ExitCode.BLOCKED))


def _apply(made: RewindPlan, task: Task, policy: Policy, state: Path) -> None:
    from safe_lightning.record.claim import Claim

    claim = Claim(
        run="rewind",
        started_at=time.time(),
        pid=os.getpid(),
        target=f"{task.target.host}:{task.target.port}", checkpoint_location=task.checkpoint.location,
        tables=frozenset(table.table for table in made.tables), is_parallel_import=False, argv=("rewind",),
    )  # fmt: skip
    try:
        locks = RunLocks.acquire(state, claim)
    except (LockBusy, LockUnavailable) as error:
        fail(str(error), ExitCode.TRY_LATER)
    try:
        perform(made, task, policy, state, lambda text: print(f"safe-lightning: {text}", file=sys.stderr))
    except NotRewound as error:
        fail(str(error), ExitCode.BLOCKED)
    finally:
        locks.release()


def _resolve(arguments: list[str]) -> tuple[Task, Policy]:
    task = resolve_task(arguments, Path.cwd(), os.environ)
    if task.is_bad:
        fail(f"Lightning rejects this task: {task.problems[0].message}", ExitCode.USAGE)
    if not task.checkpoint.enabled:
        fail("the task keeps no checkpoint (checkpoint.enable = false)", ExitCode.USAGE)
    return task, policy_of(task.config_file)


def _confirmed(text: str) -> Evidence:
    name, _, number = text.rpartition(":")
    try:
        return Evidence(TableName.parse(name), int(number), "confirmed by you")
    except ValueError:
        fail(f"{text!r} is no engine; write it as '`db`.`table`:0'", ExitCode.USAGE)


def to_json(made: RewindPlan) -> dict[str, Any]:
    """Return the contract of ``rewind --json``."""
    return {
        "schema": SCHEMA,
        "location": made.checkpoint.location,
        "is_allowed": made.is_allowed,
        "tables": [
            {
                "table": str(table.table),
                "engines": list(table.engines),
                "evidence": list(table.evidence),
                "refusals": list(table.refusals),
            }
            for table in made.tables
        ],
    }


def _lines(made: RewindPlan) -> Iterator[str]:
    if not made.tables:
        yield f"Nothing to set back in {made.checkpoint.location}: no engine is known to be imported yet empty."
        return
    for table in made.tables:
        yield f"{table.table}: set back engine(s) {', '.join(map(str, table.engines))}"
        yield from (f"  because {said}" for said in table.evidence)
        yield from (f"  refused: {said}" for said in table.refusals)
    if made.is_allowed:
        yield "The next import reads only their files again, and its checksum proves the whole. Do it with --apply."
