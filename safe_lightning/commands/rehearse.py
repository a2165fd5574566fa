"""``rehearse``: the same story against a sandbox, for a look at what a policy would do before it has to."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from safe_lightning.commands.output import fail
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.rehearsal.causes import CASES, ENVIRONMENT
from safe_lightning.rehearsal.scenario import MEANINGS, Ending, Scenario

if TYPE_CHECKING:
    from safe_lightning.rehearsal.sandbox import Sandbox

#: Every cause that can be played.
Cause = StrEnum("Cause", [(name, name) for name in CASES])  # type: ignore[misc]  # named by data
_ENDINGS = "; ".join(f"{ending}: {meaning}" for ending, meaning in MEANINGS.items())


def rehearse(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS...", help="The import's own flags, after --.")
    ] = None,
    cause: Annotated[
        Cause | None,
        typer.Option(
            "--cause",
            metavar="NAME",
            help=f"Play a mismatch of one cause, with data of its own: {', '.join(CASES)}. Flags after -- then only "
            "tell where your policy is.",
        ),
    ] = None,
    ending: Annotated[
        Ending, typer.Option("--ending", metavar="NAME", help=f"How the importer ends. {_ENDINGS}.")
    ] = Ending.CLEAN,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Use this folder as the sandbox and keep it.")
    ] = None,
    rows: Annotated[int, typer.Option("--rows", min=1, help="Rows read of each source file at most.")] = 20_000,
) -> None:
    """Rehearse an import in a sandbox: your source and policy, stand-ins for Lightning and the cluster.

    No cluster, checkpoint or file of yours is changed; the source is only read. Your own hooks do run.
    The exit code is the one that the real run would end with. With --cause the source is a small one of the sandbox.
    """
    from safe_lightning.lightning.task_file import TaskFileError
    from safe_lightning.rehearsal.cluster import ClusterError
    from safe_lightning.rehearsal.sandbox import SandboxError

    flags = arguments or []
    if cause is None and not flags:
        fail("name the import: its flags after --, or --cause for a prepared one", ExitCode.USAGE)
    scenario = Scenario(ending=ending, rows_most=rows)
    try:
        with _opened(cause, flags, scenario, keep) as sandbox:
            _say_start(sandbox, cause)
            code = _run(sandbox, flags, ENVIRONMENT if cause is not None else {})
            _say_end(sandbox, code, is_kept=keep is not None)
    except (SandboxError, TaskFileError, ClusterError) as error:
        fail(str(error), ExitCode.USAGE)
    raise typer.Exit(code)


def _opened(
    cause: Cause | None, flags: Sequence[str], scenario: Scenario, keep: Path | None
) -> AbstractContextManager[Sandbox]:
    from safe_lightning.rehearsal.cause_stage import open_cause
    from safe_lightning.rehearsal.sandbox import open_sandbox

    if cause is not None:
        return open_cause(CASES[cause.value], keep)
    return open_sandbox(flags, Path.cwd(), scenario, keep)


def _run(sandbox: Sandbox, arguments: Sequence[str], more: Mapping[str, str]) -> int:
    from safe_lightning.cli import drop_in

    return drop_in(sandbox.argv, {**sandbox.environ(policy_environ(arguments, os.environ)), **more})


def policy_environ(arguments: Sequence[str], environ: Mapping[str, str]) -> dict[str, str]:
    """Name the policy that the real run would find, as the sandbox's task lies elsewhere."""
    from safe_lightning.lightning.task import resolve_task
    from safe_lightning.policy.load import find_policy

    found = find_policy(environ, resolve_task(arguments, Path.cwd(), environ).config_file)
    return {**environ, **({"SAFE_LIGHTNING_CONFIG": str(found)} if found else {})}


def _say_start(sandbox: Sandbox, cause: Cause | None) -> None:
    ending = sandbox.scenario.ending
    _say("This is a REHEARSAL in a sandbox: stand-ins for Lightning, its control tool and the cluster.")
    if cause is not None:
        _say(f"Cause played: {cause.value} ({CASES[cause.value].told}). Sandbox: {sandbox.folder}")
        return
    _say(f"Ending played: {ending} ({MEANINGS[ending]}).")
    _say(f"At most {sandbox.scenario.rows_most:,} rows of each file are read. Sandbox: {sandbox.folder}")


def _say_end(sandbox: Sandbox, code: int, *, is_kept: bool) -> None:
    gone = "It is gone now, and the page of the run with it (--keep DIR keeps both)."
    where = f"It is kept in {sandbox.folder}." if is_kept else gone
    _say(f"End of the rehearsal, exit code {code}. Nothing outside the sandbox was changed. {where}")


def _say(text: str) -> None:
    print(f"[rehearsal] {text}", file=sys.stderr, flush=True)
