"""``check``: the pre-import hooks and nothing else."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from safe_lightning.api import Context, CouldNotLook, Stage, Status, TableBaseline, TableName
from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.hook_json import verdict_to_json
from safe_lightning.core.redact import redact_argv
from safe_lightning.hooking import HookLoadError, HookResult, LoadedHook, load_hooks, run_stage
from safe_lightning.invocation import Invocation, resolve
from safe_lightning.services import EngineServices, known_state
from safe_lightning.supervise.signals import StopControl, signals_taken_by


def check(
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="-- LIGHTNING-FLAGS", help="What tidb-lightning is given.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
) -> None:
    """Look before the import: run the pre-import hooks, and start nothing.

    What a hook would have done about its findings is shown and not done. Exit code 0 if the import may start, else
    the code that the run itself would end with: 80 leftover checkpoint, 69 could not look, 75 try later, 88 blocked.
    """
    call, hooks = _resolve(tuple(arguments or ()))
    _say_problems(call)
    _advise(call)
    results = _look(call, hooks)
    if as_json:
        show_bytes(json.dumps(to_json(results), ensure_ascii=False))
    else:
        show_bytes("\n".join(line for result in results for line in _lines(result)) or "The policy names no hooks.")
    raise typer.Exit(_code(results))


def _resolve(argv: tuple[str, ...]) -> tuple[Invocation, list[LoadedHook]]:
    from safe_lightning.policy.load import PolicyError

    try:
        call = resolve(argv, os.environ, Path.cwd())
        return call, load_hooks(call.loaded.policy.hooks)
    except (PolicyError, HookLoadError) as error:
        fail(str(error), ExitCode.POLICY)


def _say_problems(call: Invocation) -> None:
    for problem in call.task.problems:
        certainty = "Lightning rejects" if problem.is_certain else "Lightning may reject"
        print(f"safe-lightning: {certainty} {problem.key or 'the task'}: {problem.message}", file=sys.stderr)


def _advise(call: Invocation) -> None:
    task, rules = call.task, call.loaded.policy.supervise
    if rules.safe_stop == "auto" and not task.status_addr and not task.is_bad:
        print(
            "safe-lightning: advice: the task has no lightning.status-addr, so a stop cannot drain it first and its "
            'resume may lose rows: name one, or set [supervise] safe_stop = "always"',
            file=sys.stderr,
        )


def _look(call: Invocation, hooks: Sequence[LoadedHook]) -> list[HookResult]:
    from safe_lightning.logs import configure, flush, get_logger

    policy = call.loaded.policy
    configure(policy.log)
    context = Context(
        run=call.run,
        attempt=1,
        stage=Stage.PRE_IMPORT,
        run_dir=None,
        argv=redact_argv(call.argv),
        task=call.task,
        policy=policy,
        services=EngineServices(call.task, policy, lambda: _recall(call), state=known_state(policy, call.environ)),
        dry_run=True,
    )
    control = StopControl()
    with signals_taken_by(control):
        results = run_stage(
            hooks,
            Stage.PRE_IMPORT,
            context,
            stop_event=control.event,
            on_verdict=lambda result: None,
            log=get_logger(run=call.run),
        )
    flush()
    return results


def _recall(call: Invocation) -> Mapping[TableName, TableBaseline]:
    from safe_lightning.record.baselines import baseline_key, recall
    from safe_lightning.record.state_dir import StateUnavailable, find_state_dir

    target = call.task.target
    try:
        state = find_state_dir(call.loaded.policy.state_dir, call.environ)
    except StateUnavailable as error:
        raise CouldNotLook(str(error)) from error
    return recall(state, baseline_key(call.task.checkpoint.location, f"{target.host}:{target.port}"))


def to_json(results: Sequence[HookResult]) -> list[dict[str, Any]]:
    """Return the contract of ``check --json``: the verdicts in the order in which they were given."""
    return [{"hook": result.name, "stops": result.stops, **verdict_to_json(result.verdict)} for result in results]


def _lines(result: HookResult) -> list[str]:
    verdict = result.verdict
    lines = [f"{verdict.status.upper():<5} {result.name} ({verdict.code}): {verdict.message}"]
    lines += [f"      - {finding.message}" for finding in verdict.findings]
    if verdict.plan:
        lines += [f"      plan: {step.action} {step.table} ({step.reason})" for step in verdict.plan.steps]
    return lines


def _code(results: Sequence[HookResult]) -> int:
    from safe_lightning.ending import stop_code

    stopping = next((result for result in results if result.stops), None)
    broken = any(result.verdict.status is Status.ERROR for result in results)
    if stopping is not None:
        return int(stop_code(stopping.verdict))
    return int(ExitCode.COULD_NOT_LOOK) if broken else 0
