"""``verify``: whether the target holds what an import brought, proven by looks of our own that only read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from safe_lightning.commands.found_policy import policy_of
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.verification import Expected, TableProof, verify_exit_code
from safe_lightning.report.labels import paragraph

if TYPE_CHECKING:
    from safe_lightning.core.tables import TableName
    from safe_lightning.lightning.task import Task
    from safe_lightning.policy.model import Policy
    from safe_lightning.verifying import Wanted


def verify(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS", help="What tidb-lightning was given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
    log: Annotated[
        list[str] | None, typer.Option("--log", metavar="FILE", help="Lightning's log of the import, or a run id.")
    ] = None,
    table: Annotated[
        list[str] | None, typer.Option("--table", metavar="PATTERN", help='Only these tables, such as "app.*".')
    ] = None,
) -> None:
    """Prove that the target holds what an import brought, or that it does not.

    Compares what Lightning summed up (--log, else the last recorded run with these flags, else the checkpoint) with
    ADMIN CHECKSUM TABLE; for a table without such a sum, its rows in the source with those in the target. Reads only.
    Exit code 0 if all is proven, 85 if something does not match, 87 if a part could not be looked at, 69 if all of it.
    """
    task, policy = _task(arguments or [])
    wanted = _wanted(task, policy, log or [], table or [])
    for note in wanted.notes:
        print(f"safe-lightning: note: {note}", file=sys.stderr)
    proofs = _prove(task, policy, wanted)
    if as_json:
        show_bytes(json.dumps(to_json(proofs, wanted.totals), ensure_ascii=False))
    else:
        show_bytes("\n".join(to_text(proofs)) or "There is no table to be verified.")
    raise typer.Exit(int(verify_exit_code(proofs)))


def _task(arguments: list[str]) -> tuple[Task, Policy]:
    from safe_lightning.lightning.task import resolve_task

    task = resolve_task(arguments, Path.cwd(), os.environ)
    if not task.target.port:
        unread = [problem.message for problem in task.problems if problem.is_certain]
        fail(unread[0] if unread else "the task names no port of the target (tidb.port)", ExitCode.USAGE)
    return task, policy_of(task.config_file)


def _wanted(task: Task, policy: Policy, logs: Sequence[str], patterns: Sequence[str]) -> Wanted:
    from safe_lightning.core.tablefilter import FilterError, parse_filter
    from safe_lightning.explaining import UnreadableInput
    from safe_lightning.verifying import find_wanted

    try:
        is_meant = parse_filter(patterns or ["*.*"]).matches
        return find_wanted(task, policy, logs, os.environ).only(is_meant)
    except FilterError as error:
        fail(f"--table: {error}", ExitCode.USAGE)
    except UnreadableInput as error:
        fail(str(error), ExitCode.NO_INPUT)


def _prove(task: Task, policy: Policy, wanted: Wanted) -> list[TableProof]:
    from safe_lightning.supervise.signals import StopControl, signals_taken_by
    from safe_lightning.verifying import prove

    control = StopControl()
    with signals_taken_by(control):
        return prove(task, policy, wanted, control.event, os.environ)


def to_json(proofs: Sequence[TableProof], expected: Mapping[TableName, Expected]) -> dict[str, Any]:
    """Return the contract of ``verify --json``."""
    return {
        "schema": 1,
        "exit_code": int(verify_exit_code(proofs)),
        "tables": [
            {
                "table": str(proof.table),
                "proof": str(proof.proof),
                "basis": str(proof.basis) if proof.basis else None,
                "origin": expected[proof.table].origin if proof.table in expected else None,
                "message": proof.message,
                "checksum": proof.checksum.to_json() if proof.checksum else None,
                "rows_in_source": proof.rows_in_source,
                "rows_in_target": proof.rows_in_target,
            }
            for proof in proofs
        ],
    }


def to_text(proofs: Sequence[TableProof]) -> Iterator[str]:
    """Write one verdict and its arithmetic for each table, what is wrong first."""
    for proof in sorted(proofs, key=lambda proof: _ORDER.index(proof.proof)):
        basis = f", by {_BASES[proof.basis]}" if proof.basis else ""
        yield f"{proof.table}  {proof.proof}{basis}"
        yield from paragraph("", proof.message)


_ORDER = ("mismatch", "could-not-look", "proven")
_BASES = {"checksum": "checksum", "rows": "number of rows"}
