"""Performs a plan one step at a time: check, back up, record, act, read again, believe nothing else.

The control tool's exit code proves nothing: 0 also means "there is no such table", 1 may come after the
work is done, and 2 is its crash without PD. What counts is the checkpoint as it reads afterwards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from safe_lightning.api import Checkpoint, CouldNotLook, Policy, Services, TableFacts, Task
from safe_lightning.core.redact import redact
from safe_lightning.core.safety import SafetyFacts, forbidden
from safe_lightning.core.step_proof import Proof, entry_of, prove
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Plan, Step
from safe_lightning.lightning.ctl import control_tool_argv
from safe_lightning.lightning.pd import PdAnswer, ask_pd

if TYPE_CHECKING:
    from safe_lightning.supervise.command import CommandEnd

_OUTPUT_BYTES_KEPT = 256 << 10
_OUTPUT_BYTES_SHOWN = 8 << 10
_SENTENCE_CHARACTERS_MOST = 500
_STOP_GRACE_SECONDS = 15.0

T = TypeVar("T")


class StepStatus(StrEnum):
    """What became of a step."""

    DONE = "done"
    REPORTED = "reported"
    PLANNED = "planned"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_REACHED = "not-reached"


_ENDING = {StepStatus.REFUSED, StepStatus.FAILED}


@dataclass(frozen=True)
class StepResult:
    """The end of one step: a stable code, a sentence, and the control tool's own end where it was called."""

    step: Step
    status: StepStatus
    code: str
    message: str
    exit_code: int | None = None
    output: str = ""

    def __str__(self) -> str:
        return f"{self.step.action} {self.step.table}: {self.status} ({self.message})"


@dataclass(frozen=True)
class PlanResult:
    """The ends of all steps, in order."""

    steps: tuple[StepResult, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every step was performed or only reported: the condition for a retry."""
        return all(result.status in (StepStatus.DONE, StepStatus.REPORTED) for result in self.steps)


@dataclass(frozen=True)
class Surroundings:
    """What a plan is performed in; the callables are asked anew before every step.

    ``back_up`` copies the checkpoint and raises CouldNotLook or OSError if it cannot; ``others_alive`` says whether
    another Lightning may be at work (None: could not look); ``record_intent`` must have written durably when
    it returns, and ``is_record_trustworthy`` says afterwards whether it has.
    """

    task: Task
    policy: Policy
    services: Services
    control_tool: Path | None
    environ: Mapping[str, str]
    back_up: Callable[[], None]
    others_alive: Callable[[], bool | None]
    record_intent: Callable[[Step], None]
    record_result: Callable[[Step, StepResult], None]
    is_record_trustworthy: Callable[[], bool]
    dry_run: bool = False
    stop: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True)
class _Before:
    """The state that a step starts from; ``notes`` explains what could not be looked at, by refusal code."""

    facts: SafetyFacts
    checkpoint: Checkpoint
    pd: PdAnswer | None
    notes: Mapping[str, str]


def perform(plan: Plan, around: Surroundings) -> PlanResult:
    """Perform a plan's steps in order and stop at the first that is refused or fails.

    In a dry run every step is only examined: what would be done, what would be refused.
    """
    results: list[StepResult] = []
    for step in plan.steps:
        if not around.dry_run and any(result.status in _ENDING for result in results):
            results.append(StepResult(step, StepStatus.NOT_REACHED, "not-reached", "a step before it was not done"))
        else:
            results.append(_perform(step, around))
    return PlanResult(tuple(results))


def _perform(step: Step, around: Surroundings) -> StepResult:
    if step.action is Action.REPORT:
        return StepResult(step, StepStatus.REPORTED, "reported", step.reason)
    if around.stop.is_set():
        return _refused(step, "interrupted", "the run is being stopped")
    try:
        before = _look(step, around)
    except CouldNotLook as error:
        return _refused(step, "could-not-look", str(error))
    examined = replace(before.facts, is_backed_up=True, dry_run=False)
    if refusal := _refusal(step, examined, before.notes):
        return refusal
    if around.dry_run:
        return StepResult(step, StepStatus.PLANNED, "planned", f"{step.reason}; not done, as this is a dry run")
    return _back_up_and_act(step, around, before)


def _back_up_and_act(step: Step, around: Surroundings, before: _Before) -> StepResult:
    notes, is_backed_up = dict(before.notes), True
    try:
        around.back_up()
    except (CouldNotLook, OSError) as error:
        notes["no-backup"], is_backed_up = str(error), False
    else:
        around.record_intent(step)
    facts = replace(before.facts, is_backed_up=is_backed_up, is_record_trustworthy=around.is_record_trustworthy())
    result = _refusal(step, facts, notes) or _act(step, around, before)
    around.record_result(step, result)
    return result


def _refusal(step: Step, facts: SafetyFacts, notes: Mapping[str, str]) -> StepResult | None:
    refusal = forbidden(step, facts)
    if refusal is None:
        return None
    law = f"safety law {refusal.law}: " if refusal.law else ""
    note = f" ({notes[refusal.code]})" if notes.get(refusal.code) else ""
    return _refused(step, refusal.code, law + refusal.reason + note)


def _refused(step: Step, code: str, message: str) -> StepResult:
    return StepResult(step, StepStatus.REFUSED, code, message)


def _look(step: Step, around: Surroundings) -> _Before:
    """Gather what the safety laws ask for. Raises CouldNotLook where the checkpoint cannot be read.

    A file that cannot be read must not reach the control tool, which would overwrite it.
    """
    notes: dict[str, str] = {}
    checkpoint = around.services.read_checkpoint()
    rules = around.policy.control_tool
    pd = None if rules.is_direct else _attempt(lambda: ask_pd(around.task.target, rules.probe_timeout), "no-pd", notes)
    baselines = _attempt(around.services.baselines, "no-baseline", notes) or {}
    is_drop = step.action is Action.DESTROY
    facts = SafetyFacts(
        may_drop=around.policy.may_drop,
        dry_run=around.dry_run,
        baseline=baselines.get(step.table),
        target=_attempt(lambda: _table_of(step.table, around), "target-not-seen", notes) if is_drop else None,
        entry=entry_of(checkpoint, step.table),
        is_own_checkpoint=_is_own(checkpoint, around.task),
        others_alive=around.others_alive(),
        is_record_trustworthy=around.is_record_trustworthy(),
        has_control_tool=around.control_tool is not None,
        pd_answers=pd is not None,
        needs_control_tool=not rules.is_direct,
        shares_target=around.task.parallel_import,
    )
    return _Before(facts, checkpoint, pd, notes)


def _is_own(checkpoint: Checkpoint, task: Task) -> bool | None:
    recorded = checkpoint.task
    if recorded is None or not recorded.tidb_host:
        return None
    return (recorded.tidb_host, recorded.tidb_port) == (task.target.host, task.target.port)


def _attempt(look: Callable[[], T], code: str, notes: dict[str, str]) -> T | None:
    try:
        return look()
    except CouldNotLook as error:
        notes[code] = str(error)
        return None


def _table_of(table: TableName, around: Surroundings) -> TableFacts:
    with around.services.target() as target:
        return target.table(table)


def _act(step: Step, around: Surroundings, before: _Before) -> StepResult:
    """Act once, as a rule by the control tool, then judge by what can be read, not by how the tool ended."""
    if around.policy.control_tool.is_direct:
        from safe_lightning.direct_acts import act_directly

        said = act_directly(step, around.task, around.policy, before.facts.entry)
        return _judged(step, _prove(step, around, before), said)
    from safe_lightning.supervise.command import CommandNotStarted, run_command

    assert around.control_tool is not None, "the safety laws have seen to it"
    addresses = before.pd.addresses if before.pd else ""
    try:
        end = run_command(
            control_tool_argv(around.control_tool, around.task, step.action, step.table, addresses),
            timeout_seconds=around.policy.control_tool.timeout,
            env=dict(around.environ),
            cwd=around.task.cwd,
            output_limit_bytes=_OUTPUT_BYTES_KEPT,
            stop=_AfterGrace(around.stop),
        )
    except CommandNotStarted as error:
        return StepResult(step, StepStatus.FAILED, "not-started", str(error))
    said = describe_end(end, around.policy.control_tool.timeout)
    judged = _judged(step, _prove(step, around, before), said)
    return replace(judged, exit_code=end.exit_code, output=_output(end))


def _judged(step: Step, proof: Proof, said: str) -> StepResult:
    status = StepStatus.DONE if proof.is_reached else StepStatus.FAILED
    return StepResult(step, status, proof.code, "; ".join(filter(None, (proof.message, said))))


class _AfterGrace(threading.Event):
    """Set a while after a stop was asked for: an act that has begun is not cut off between entry and table."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop
        self._since: float | None = None

    def is_set(self) -> bool:
        """Whether the control tool has had its time since the stop."""
        if self._stop.is_set() and self._since is None:
            self._since = time.monotonic()
        return self._since is not None and time.monotonic() - self._since >= _STOP_GRACE_SECONDS


def _prove(step: Step, around: Surroundings, before: _Before) -> Proof:
    try:
        after = around.services.read_checkpoint()
    except CouldNotLook as error:
        return Proof(False, "could-not-verify", f"the checkpoint cannot be read any more: {error}")
    is_drop = step.action is Action.DESTROY
    target = _attempt(lambda: _table_of(step.table, around), "", {}) if is_drop else None
    return prove(step, before.checkpoint, after, target)


def describe_end(end: CommandEnd, timeout_seconds: float) -> str:
    """Say how the control tool ended where that was not a plain exit 0; the exit code alone proves nothing."""
    said = _last_line(end.stderr)
    if end.stopped:
        return "the run was stopped, and the control tool was killed as it did not end"
    if end.timed_out:
        return f"the control tool did not end within {timeout_seconds:g} s and was killed"
    if end.exit_code == 2 and b"panic:" in end.stderr:
        return "the control tool crashed, as it does when PD stops answering"
    if end.signal:
        return f"the control tool was killed by signal {end.signal}"
    return f"the control tool ended with exit code {end.exit_code}: {said}" if end.exit_code else ""


def _last_line(output: bytes) -> str:
    # A Go error comes first; the stack below it tells a DBA nothing.
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if not line.startswith(("\t", "github.com/", "main.", "runtime.", "Dropping "))]
    return redact(errors[-1].strip())[:_SENTENCE_CHARACTERS_MOST] if errors else "without a word"


def _output(end: CommandEnd) -> str:
    text = (end.stdout[-_OUTPUT_BYTES_SHOWN:] + end.stderr[-_OUTPUT_BYTES_SHOWN:]).decode("utf-8", "replace")
    return redact(text)
