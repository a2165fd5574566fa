"""``quarantine``: tables that were set aside instead of dropped; listed, given their name back, or dropped for good."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from safe_lightning.acts.quarantined_tables import (
    ROWS_COUNTED_MOST,
    Keeper,
    NotDone,
    Planned,
    Standing,
    plan_purge,
    plan_restore,
    purge,
    restore,
)
from safe_lightning.commands.found_policy import policy_of
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import resolve_task
from safe_lightning.policy.units import read_duration
from safe_lightning.record.clock import rfc3339
from safe_lightning.record.lock import LockBusy, LockUnavailable, RunLocks
from safe_lightning.record.state_dir import StateUnavailable, state_dir

SCHEMA = 1

Act = Callable[[], None]

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

_Arguments = Annotated[
    list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS", help="What tidb-lightning is given.")
]
_AsJson = Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")]
_Apply = Annotated[bool, typer.Option("--apply", help="Do it; without this the plan is only shown.")]
_Plan = Annotated[bool, typer.Option("--plan", help="Show what would be done; so it is without --apply.")]


@app.command("list")
def list_tables(arguments: _Arguments = None, as_json: _AsJson = False) -> None:
    """List the tables that were set aside in the target: since when, by which run, and how many rows they hold."""
    keeper = _keeper(arguments or [])
    with _looking():
        found = keeper.tables()
    if as_json:
        show_bytes(json.dumps(to_json(keeper, [Planned(one, ()) for one in found]), ensure_ascii=False))
        return
    lines = [line for one in found for line in _lines(one)]
    show_bytes("\n".join(lines) or f"Nothing is set aside in {keeper.target_name}.")


@app.command("restore")
def restore_table(
    name: Annotated[str, typer.Argument(metavar="TABLE", help="The table by its new or its old name: '`db`.`table`'.")],
    arguments: _Arguments = None,
    plan: _Plan = False,
    apply: _Apply = False,
    as_json: _AsJson = False,
) -> None:
    """Give a table its name back, where that is free or taken by an empty table; nothing is dropped for it.

    Exit code 0 if it was done, 80 if it would be, 88 if something forbids it, 69 if it could not be looked at.
    """
    keeper = _keeper(arguments or [])
    with _looking():
        planned = plan_restore(keeper, _table(name))
    _check_options(plan, apply)
    _show(keeper, [planned], "restore", is_applied=apply, as_json=as_json)
    _finish(keeper, [planned], is_applied=apply, act=lambda: restore(keeper, planned, _say))


@app.command("purge")
def purge_tables(
    arguments: _Arguments = None,
    older_than: Annotated[str, typer.Option(help="Only what was set aside longer ago, such as 30d or 12h.")] = "30d",
    plan: _Plan = False,
    apply: _Apply = False,
    as_json: _AsJson = False,
) -> None:
    """Drop what was set aside long ago, for good; only where the policy accepts in words that tables are dropped.

    A table that safe-lightning does not remember to have set aside is never touched. Exit code 0 if there is nothing to
    do or it was done, 80 if there is, 88 if something forbids it, 69 if it could not be looked at.
    """
    keeper = _keeper(arguments or [])
    try:
        seconds = read_duration(older_than)
    except ValueError as error:
        fail(f"--older-than: {error}", ExitCode.USAGE)
    with _looking():
        planned = plan_purge(keeper, seconds, time.time())
    _check_options(plan, apply)
    _show(keeper, planned, "purge", is_applied=apply, as_json=as_json)
    _finish(keeper, planned, is_applied=apply, act=lambda: purge(keeper, planned, _say))


def _check_options(plan: bool, apply: bool) -> None:
    if plan and apply:
        fail("--plan shows, --apply does: give one of them", ExitCode.USAGE)


def _finish(keeper: Keeper, planned: Sequence[Planned], *, is_applied: bool, act: Act) -> None:
    """Act where nothing forbids it and it was asked for; else end with the code that says what there is."""
    if not planned:
        return
    forbidden = [one for one in planned if one.objections and one.standing.facts.exists]
    if forbidden:
        raise typer.Exit(int(ExitCode.BLOCKED))
    if not is_applied:
        raise typer.Exit(int(ExitCode.LEFTOVER_CHECKPOINT))
    with _locked(keeper, planned):
        try:
            act()
        except NotDone as error:
            fail(str(error), ExitCode.BLOCKED)


def _keeper(arguments: list[str]) -> Keeper:
    task = resolve_task(arguments, Path.cwd(), os.environ)
    if task.is_bad:
        fail(f"Lightning rejects this task: {task.problems[0].message}", ExitCode.USAGE)
    policy = policy_of(task.config_file)
    try:
        return Keeper(task, policy, state_dir(policy.state_dir, os.environ))
    except StateUnavailable as error:
        fail(str(error), ExitCode.COULD_NOT_LOOK)


@contextmanager
def _looking() -> Iterator[None]:
    try:
        yield
    except CouldNotLook as error:
        fail(str(error), ExitCode.COULD_NOT_LOOK)
    except NotDone as error:
        fail(str(error), ExitCode.USAGE)


@contextmanager
def _locked(keeper: Keeper, planned: Sequence[Planned]) -> Iterator[None]:
    """Keep every run of the same tables out meanwhile."""
    from safe_lightning.record.claim import Claim

    claim = Claim(
        run="quarantine", started_at=time.time(), pid=os.getpid(), target=keeper.target_name,
        checkpoint_location=keeper.task.checkpoint.location if keeper.task.checkpoint.enabled else "",
        tables=frozenset(one.standing.known.original for one in planned), argv=("quarantine",),
    )  # fmt: skip
    try:
        locks = RunLocks.acquire(keeper.state, claim)
    except (LockBusy, LockUnavailable) as error:
        fail(str(error), ExitCode.TRY_LATER)
    try:
        yield
    finally:
        locks.release()


def _table(text: str) -> TableName:
    try:
        return TableName.parse(text)
    except ValueError:
        fail(f"{text!r} is no table; write it as '`db`.`table`'", ExitCode.USAGE)


def _say(text: str) -> None:
    print(f"safe-lightning: {text}", file=sys.stderr)


def _show(keeper: Keeper, planned: Sequence[Planned], act: str, *, is_applied: bool, as_json: bool) -> None:
    if as_json:
        show_bytes(json.dumps(to_json(keeper, planned), ensure_ascii=False))
        return
    lines = [line for one in planned for line in _plan_lines(one, act)]
    if planned and not is_applied and not any(one.objections for one in planned):
        lines.append("Do it with --apply.")
    show_bytes("\n".join(lines) or f"Nothing to {act} in {keeper.target_name}.")


def _plan_lines(one: Planned, act: str) -> Iterator[str]:
    yield from _lines(one.standing)
    what = f"rename back to {one.standing.known.original}" if act == "restore" else "drop"
    yield f"    {act}: {what}"
    yield from (f"    refused: {said}" for said in one.objections)


def _lines(one: Standing) -> Iterator[str]:
    known = one.known
    yield f"{known.name}  {_rows(one)}"
    unfinished = "" if known.is_settled else ", not finished: the checkpoint may still hold its entry"
    yield f"    was {known.original}, set aside {rfc3339(known.at)} by run {known.run}{unfinished}"


def _rows(one: Standing) -> str:
    if not one.facts.exists:
        return "gone"
    if one.rows is None:
        return "rows not counted"
    if one.rows > ROWS_COUNTED_MOST:
        return f"more than {ROWS_COUNTED_MOST} rows"
    return f"{one.rows} row{'s' if one.rows != 1 else ''}"


def to_json(keeper: Keeper, planned: Sequence[Planned]) -> dict[str, Any]:
    """Return the contract of every ``quarantine … --json``."""
    return {
        "schema": SCHEMA,
        "target": keeper.target_name,
        "tables": [_table_to_json(one) for one in planned],
    }


def _table_to_json(one: Planned) -> dict[str, Any]:
    known, rows = one.standing.known, one.standing.rows
    return {
        "table": str(known.name),
        "original": str(known.original),
        "run": known.run,
        "since": rfc3339(known.at),
        "exists": one.standing.facts.exists,
        "is_finished": known.is_settled,
        "rows": rows if rows is not None and rows <= ROWS_COUNTED_MOST else None,
        "refusals": list(one.objections),
    }
