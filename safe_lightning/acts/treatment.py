"""Plans that hooks propose: shown, performed step by step under the safety laws, and what came of them kept."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from safe_lightning.api import Action, CouldNotLook, Plan, Step
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.quarantine import quarantine_name
from safe_lightning.hooking import HookResult
from safe_lightning.record.baselines import forget
from safe_lightning.record.result import RemedyEntry
from safe_lightning.session import Session

if TYPE_CHECKING:
    import threading

    from safe_lightning.acts.remedy_engine import PlanResult, StepResult, Surroundings


@dataclass(frozen=True)
class Treatment:
    """What came of all plans of one stage."""

    is_complete: bool = True
    wants_retry: bool = False
    retries_most: int = 0


def treat(session: Session, results: Iterable[HookResult], binary: Path, stop: threading.Event) -> Treatment:
    """Perform the plans of a stage's verdicts in order, and stop at the first that is not completed.

    A retry is wanted where some plan asks for one and every plan was completed.
    """
    plans = [result.verdict.plan for result in results if result.verdict.plan and not result.stops]
    for plan in plans:
        if not _perform(session, plan, binary, stop).is_complete:
            return Treatment(is_complete=False)
    retries = [plan.max_attempts for plan in plans if plan.then_retry]
    return Treatment(wants_retry=bool(retries), retries_most=min(retries, default=0))


def _perform(session: Session, plan: Plan, binary: Path, stop: threading.Event) -> PlanResult:
    from safe_lightning.acts.remedy_engine import perform

    plan = _named(session, plan)
    _show(session, plan)
    session.record.write_plan(plan)
    session.record.enter("remedying", time.time())
    result = perform(plan, surroundings(session, binary, stop))
    for step in result.steps:
        _keep(session, step)
    return result


def _named(session: Session, plan: Plan) -> Plan:
    """Give every quarantine the name that its table will have; one set aside before in this run gets a further one."""
    before = Counter(entry.table for entry in session.remedy_entries if entry.action is Action.QUARANTINE)
    steps = tuple(
        replace(step, into=quarantine_name(step.table, session.call.run, before[step.table] + 1))
        if step.action is Action.QUARANTINE
        else step
        for step in plan.steps
    )
    return replace(plan, steps=steps)


def _show(session: Session, plan: Plan) -> None:
    names = [f" as {step.into}" if step.into else "" for step in plan.steps]
    steps = [f"{s.action} {s.table}{name}: {s.reason}" for s, name in zip(plan.steps, names, strict=True)]
    session.log.info("plan", reason=plan.reason, steps=steps, dry_run=session.policy.dry_run)


def _keep(session: Session, result: StepResult) -> None:
    is_well = result.status in ("done", "reported", "planned")
    (session.log.info if is_well else session.log.warning)(
        "plan-step", action=str(result.step.action), table=str(result.step.table), status=str(result.status),
        code=result.code, message=result.message,
    )  # fmt: skip
    step = result.step
    session.remedy_entries.append(
        RemedyEntry(step.table, step.action, step.reason, f"{result.status}: {result.message}")
    )
    if result.status == "done" and step.action in (Action.DESTROY, Action.REMOVE, Action.QUARANTINE):
        _forget_baseline(session, step)


def _forget_baseline(session: Session, step: Step) -> None:
    # The entry is verified to be gone: what the next attempt finds is its own beginning. After a destroy that is
    # an absent table; after a remove the rows are still there and must count as rows from before.
    if session.state is None:
        return
    try:
        forget(session.state, session.baseline_key, [step.table])
    except (CouldNotLook, OSError) as error:
        session.note(f"what stood in {step.table} before could not be forgotten: {error}")


def surroundings(session: Session, binary: Path, stop: threading.Event) -> Surroundings:
    """Return what a plan is performed in."""
    from safe_lightning.acts.overriding import override
    from safe_lightning.acts.remedy_engine import Surroundings
    from safe_lightning.leasing import others_alive
    from safe_lightning.lightning.binary import find_control_tool

    call, record = session.call, session.record
    return Surroundings(
        task=session.task,
        policy=session.policy,
        services=session.services,
        control_tool=find_control_tool(session.policy.control_tool.path, binary, call.environ, call.cwd),
        environ=call.child_environ,
        back_up=lambda: _back_up(session),
        others_alive=lambda: others_alive(session),
        record_intent=record.record_intent,
        record_result=record.record_result,
        is_record_trustworthy=lambda: record.is_trustworthy,
        dry_run=session.policy.dry_run,
        stop=stop,
        override=lambda checkpoint: override(session, checkpoint),
        state=session.state,
        run=call.run,
    )


def _back_up(session: Session) -> None:
    from safe_lightning.lightning.checkpoint_backup import back_up

    if session.record.path is None:
        raise CouldNotLook("there is no record to put a backup into")
    folder = session.record.path / "checkpoint-backups"
    folder.mkdir(mode=0o700, exist_ok=True)
    copy = back_up(session.task.checkpoint, folder, session.policy.checkpoint)
    session.log.info("checkpoint-backed-up", path=str(copy))
