"""``clean``: what a failed import left in its many places, and taking it away by a plan that was looked at before."""

from __future__ import annotations

import json
import os
import shlex
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safe_lightning.commands.found_policy import policy_of
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.cleaning import Act, Item, Wish
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.redact import redact_argv
from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.policy.model import Policy
from safe_lightning.record.cleaning_plan import SHORT, SavedPlan, read_plan, save_plan, to_document
from safe_lightning.record.clock import rfc3339
from safe_lightning.record.lock import LockBusy, LockUnavailable, RunLocks
from safe_lightning.record.state_dir import StateUnavailable, state_dir
from safe_lightning.record.strict_json import UnreadableRecord

if TYPE_CHECKING:
    from safe_lightning.acts.cleaning import Result
    from safe_lightning.acts.leavings import World


def clean(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS", help="What tidb-lightning is given.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Show what would be done; so it is without --apply.")] = False,
    apply: Annotated[Path | None, typer.Option("--apply", metavar="FILE", help="Do what a saved plan says.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Save the plan.")] = None,
    give_up: Annotated[bool, typer.Option("--give-up", help="Start over even what could be resumed.")] = False,
    logs: Annotated[bool, typer.Option("--logs", help="Delete the recorded runs' temporary logs as well.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
) -> None:
    """Show what a failed import left, and take it away.

    A plan changes nothing; --apply FILE does what a saved one says, if all is still as it was. Exit code 0 if nothing
    is left to be done, 80 if the plan has acts, 88 if what was found is kept or an act is refused, 69 if something
    could not be looked at, 75 if another run is at work.
    """
    if apply is not None and (plan or out is not None or give_up or logs):
        fail("--apply FILE does what the plan says: give --plan, --out, --give-up, --logs to the plan", ExitCode.USAGE)
    task, policy, state = _resolve(arguments or [])
    if apply is None:
        _plan(task, policy, state, Wish(give_up, logs), out, as_json=as_json)
    else:
        _apply(apply, task, policy, state, as_json=as_json)


def _resolve(arguments: list[str]) -> tuple[Task, Policy, Path]:
    task = resolve_task(arguments, Path.cwd(), os.environ)
    if task.is_bad:
        fail(f"Lightning rejects this task: {task.problems[0].message}", ExitCode.USAGE)
    policy = policy_of(task.config_file)
    try:
        return task, policy, state_dir(policy.state_dir, os.environ)
    except StateUnavailable as error:
        fail(f"{error}: nothing is cleaned up without a record", ExitCode.COULD_NOT_LOOK)


def _look(task: Task, policy: Policy, state: Path, wish: Wish) -> tuple[World, tuple[Item, ...]]:
    from safe_lightning.acts.leavings import look_around

    try:
        world = look_around(task, policy, state, os.environ, wish)
    except OSError as error:
        fail(f"the record cannot be read: {error}", ExitCode.COULD_NOT_LOOK)
    for note in (*world.notes, *(trace.describe() for trace in world.dead)):
        print(f"safe-lightning: note: {note}", file=sys.stderr)
    return world, world.plan(wish, policy)


def _document(items: tuple[Item, ...], wish: Wish, task: Task, world: World) -> dict[str, Any]:
    from safe_lightning.acts.leavings import import_of

    notes = (*world.notes, *(trace.describe() for trace in world.dead))
    return to_document(items, wish, import_of(task), rfc3339(time.time()), notes)


def _plan(task: Task, policy: Policy, state: Path, wish: Wish, out: Path | None, *, as_json: bool) -> None:
    world, items = _look(task, policy, state, wish)
    document = _document(items, wish, task, world)
    if out is not None:
        try:
            save_plan(out, document)
        except OSError as error:
            fail(f"the plan cannot be written to {out}: {error.strerror or error}", ExitCode.COULD_NOT_LOOK)
    show_bytes(
        json.dumps(document, ensure_ascii=False) if as_json else "\n".join(_page(document, task, policy, world, out))
    )
    raise typer.Exit(int(_code(items)))


def _page(document: dict[str, Any], task: Task, policy: Policy, world: World, out: Path | None) -> Iterator[str]:
    from safe_lightning.report.cleaning_table import table_lines

    why = world.tooling.why_not or "per policy (control_tool.clean_with)" * policy.control_tool.is_direct
    yield from table_lines(document, f"the entries without the control tool: {why}" if why else "")
    if document["acts"]:
        call = shlex.join(redact_argv(task.argv))
        if out is None:
            yield "Nothing was changed. To do it, save the plan with --out FILE, then:"
        else:
            yield "Nothing was changed. To do it:"
        yield f"  safe-lightning clean --apply {shlex.quote(str(out or 'FILE'))} -- {call}"


def _code(items: tuple[Item, ...]) -> ExitCode:
    if any(item.is_act for item in items):
        return ExitCode.LEFTOVER_CHECKPOINT
    if any(item.leaving.found is None for item in items):
        return ExitCode.COULD_NOT_LOOK
    is_kept = any(item.act is Act.KEEP and not item.is_safe and item.leaving.is_ours for item in items)
    return ExitCode.BLOCKED if is_kept else ExitCode.OK


def _apply(path: Path, task: Task, policy: Policy, state: Path, *, as_json: bool) -> None:
    saved = _read(path, task)
    try:
        locks = RunLocks.acquire(state, _claim(task))
    except (LockBusy, LockUnavailable) as error:
        fail(str(error), ExitCode.TRY_LATER)
    with locks:
        results = _perform(saved, task, policy, state, as_json=as_json)
    if as_json:
        show_bytes(
            json.dumps({**saved.document, "results": [_result(result) for result in results]}, ensure_ascii=False)
        )
    if any(not result.is_well for result in results):
        raise typer.Exit(int(ExitCode.BLOCKED))
    if policy.dry_run and results:
        raise typer.Exit(int(ExitCode.LEFTOVER_CHECKPOINT))


def _read(path: Path, task: Task) -> SavedPlan:
    from safe_lightning.acts.leavings import import_of

    try:
        saved = read_plan(path)
    except OSError as error:
        fail(f"the plan {path} cannot be read: {error.strerror or error}", ExitCode.NO_INPUT)
    except UnreadableRecord as error:
        fail(f"the plan {path} is refused: {error}", ExitCode.BLOCKED)
    planned, now = saved.document["import"], import_of(task)
    if other := [key for key in now if planned.get(key) != now[key]]:
        fail(
            f"the plan {path} is refused: it was made for another import ({', '.join(other)} differ)", ExitCode.BLOCKED
        )
    return saved


def _claim(task: Task) -> Any:  # noqa: ANN401 - a Claim, loaded when it is needed
    from safe_lightning.record.claim import Claim

    return Claim(
        run="clean", started_at=time.time(), pid=os.getpid(), target=f"{task.target.host}:{task.target.port}",
        checkpoint_location=task.checkpoint.location if task.checkpoint.enabled else "", tables=None, argv=("clean",),
    )  # fmt: skip


def _perform(saved: SavedPlan, task: Task, policy: Policy, state: Path, *, as_json: bool) -> list[Result]:
    from safe_lightning.acts.cleaning import NotCleaned, apply
    from safe_lightning.report.cleaning_table import result_lines

    world, items = _look(task, policy, state, saved.wish)
    results = []
    try:
        for result in apply(saved, items, task, policy, state, world):
            results.append(result)
            if not as_json:
                show_bytes("\n".join(result_lines(result.act, result.key, result.status, result.message)))
    except NotCleaned as error:
        fail(f"{error}; nothing was changed: make a new plan", ExitCode.BLOCKED)
    except OSError as error:
        fail(f"nothing can be recorded, so nothing more is done: {error}", ExitCode.COULD_NOT_LOOK)
    if not results and not as_json:
        show_bytes(f"Nothing is left to be done of plan {saved.name[:SHORT]}.")
    return results


def _result(result: Result) -> dict[str, str]:
    return {"key": result.key, "action": str(result.act), "status": result.status, "message": result.message}
