"""Performs a plan one step at a time: check, back up, record, act, read again, believe nothing else.

The control tool's exit code proves nothing: 0 also means "there is no such table", 1 may come after the
work is done, and 2 is its crash without PD. What counts is the checkpoint as it reads afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from safe_lightning.acts.control_tool_acts import act_on_entry
from safe_lightning.acts.quarantining import Prepared
from safe_lightning.acts.remedy_steps import ENDING, Deed, PlanResult, StepResult, StepStatus, Surroundings
from safe_lightning.api import Checkpoint, CouldNotLook, TableFacts, TableRecord, Task
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.rewind import TableRewind, is_rewound
from safe_lightning.core.safety import SafetyFacts, forbidden, rows_seen
from safe_lightning.core.step_proof import Proof, entry_of, others_changed, prove
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Plan, Step
from safe_lightning.lightning.pd import PdAnswer, ask_pd
from safe_lightning.record.same_import import last_checksum

__all__ = ["PlanResult", "StepResult", "StepStatus", "Surroundings", "perform"]

T = TypeVar("T")


@dataclass(frozen=True)
class _Before:
    """The state that a step starts from; ``notes`` explains what could not be looked at, by refusal code.

    ``step`` is the one that was planned, with the name that a quarantine gives; ``aside`` and ``rewind`` are what
    those two acts are about.
    """

    step: Step
    facts: SafetyFacts
    checkpoint: Checkpoint
    pd: PdAnswer | None
    notes: Mapping[str, str]
    aside: Prepared | None = None
    rewind: TableRewind | None = None


def perform(plan: Plan, around: Surroundings) -> PlanResult:
    """Perform a plan's steps in order and stop at the first that is refused or fails.

    In a dry run every step is only examined: what would be done, what would be refused.
    """
    results: list[StepResult] = []
    for step in plan.steps:
        if not around.dry_run and any(result.status in ENDING for result in results):
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
    step = before.step
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
    entry = entry_of(checkpoint, step.table)
    facts = SafetyFacts(
        may_drop=around.policy.may_drop,
        dry_run=around.dry_run,
        baseline=baselines.get(step.table),
        target=_target_of(step, around, notes),
        entry=entry,
        is_own_checkpoint=is_own_checkpoint(checkpoint, around.task),
        others_alive=around.others_alive(),
        is_record_trustworthy=around.is_record_trustworthy(),
        has_control_tool=around.control_tool is not None,
        pd_answers=pd is not None,
        needs_control_tool=not rules.is_direct,
        shares_target=around.task.parallel_import,
        is_physical=around.task.backend == "local",
        rows_seen=_attempt(lambda: _rows_seen(step, around, entry), "not-recalled", notes),
    )
    return _attempt_own(_Before(step, facts, checkpoint, pd, notes), around)


def _attempt_own(before: _Before, around: Surroundings) -> _Before:
    """Add what an act's own rules ask for; where that cannot be learned its law refuses."""
    notes = dict(before.notes)
    found = _attempt(lambda: _own_look(before, around), "not-examined", notes)
    return replace(found or before, notes=notes)


def _own_look(before: _Before, around: Surroundings) -> _Before:
    step, facts = before.step, before.facts
    if step.action is Action.QUARANTINE:
        from safe_lightning.acts.quarantining import prepare

        with around.services.target() as target:
            made = prepare(step, around, target.table)
        facts = replace(facts, objections=made.objections, is_aside_already=made.is_aside_already)
        return replace(before, step=made.step, facts=facts, aside=made)
    if step.action is Action.REWIND:
        from safe_lightning.acts.rewinding import plan_one

        rewind = plan_one(around.task, before.checkpoint, around.state, step.table)
        objections = rewind.refusals if rewind else ("nothing tells of an engine that was never ingested",)
        return replace(before, facts=replace(facts, objections=objections), rewind=rewind)
    if step.action is Action.RESUME_REPLACE:
        from safe_lightning.acts.overriding import objections_now

        return replace(before, facts=replace(facts, objections=objections_now(around, before.checkpoint)))
    return before


def is_own_checkpoint(checkpoint: Checkpoint, task: Task) -> bool | None:
    """Whether a checkpoint was written for the target that the task names; None where it does not say."""
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


def _target_of(step: Step, around: Surroundings, notes: dict[str, str]) -> TableFacts | None:
    """Look at the table that an act would take away, and count what a drop would lose as far as the policy has time."""
    if step.action not in (Action.DESTROY, Action.QUARANTINE):
        return None
    seen = _attempt(lambda: _table_of(step.table, around), "target-not-seen", notes)
    if seen is None or not seen.exists or step.action is Action.QUARANTINE:
        return seen
    return replace(seen, row_count=_attempt(lambda: around.services.count_rows(step.table), "not-counted", notes))


def _rows_seen(step: Step, around: Surroundings, entry: TableRecord | None) -> int | None:
    if step.action is not Action.DESTROY or around.state is None:
        return None
    return rows_seen(last_checksum(around.state, around.task.argv, around.task.cwd, step.table), entry)


def _act(step: Step, around: Surroundings, before: _Before) -> StepResult:
    """Act once, then judge by what can be read, not by what the act said of itself."""
    if step.action is Action.RESUME_REPLACE:
        return _judged(step, around.override(before.checkpoint), Deed())
    deed = _do(step, around, before)
    if deed.code:
        return StepResult(step, StepStatus.FAILED, deed.code, deed.said, deed.exit_code, deed.output)
    return _judged(step, _prove(step, around, before), deed)


def _do(step: Step, around: Surroundings, before: _Before) -> Deed:
    addresses = before.pd.addresses if before.pd else ""
    if step.action is Action.REWIND:
        from safe_lightning.acts.rewinding import set_back

        return Deed(set_back(around.task, around.policy, step.table, before.rewind.engines if before.rewind else ()))
    if step.action is not Action.QUARANTINE:
        return act_on_entry(step, around, before.facts.entry, addresses)
    from safe_lightning.acts import quarantining

    assert before.aside is not None, "the safety laws have seen to it"
    assert before.facts.target is not None, "the safety laws have seen to it"
    deed = quarantining.set_aside(before.aside, around, before.facts.target, before.facts.baseline)
    if deed.code:
        return deed
    deed = act_on_entry(quarantining.as_removal(step), around, before.facts.entry, addresses)
    if deed.code:
        return replace(deed, code="")  # the table is aside by now: what can be read tells how far it came
    trouble = quarantining.remove_engine_folders(around, step.table, before.facts.entry)
    return replace(deed, said="; ".join(filter(None, (deed.said, trouble))))


def _judged(step: Step, proof: Proof, deed: Deed) -> StepResult:
    status = StepStatus.DONE if proof.is_reached else StepStatus.FAILED
    message = "; ".join(filter(None, (proof.message, deed.said)))
    return StepResult(step, status, proof.code, message, deed.exit_code, deed.output)


def _prove(step: Step, around: Surroundings, before: _Before) -> Proof:
    try:
        after = around.services.read_checkpoint()
    except CouldNotLook as error:
        return Proof(False, "could-not-verify", f"the checkpoint cannot be read any more: {error}")
    if step.action is Action.REWIND:
        return _prove_rewind(step, before, after)
    if step.action is Action.QUARANTINE and before.facts.target is not None and not _stands(before):
        return prove(replace(step, action=Action.REMOVE), before.checkpoint, after, None)
    looked_at = {Action.DESTROY: step.table, Action.QUARANTINE: step.into}.get(step.action)
    target = _attempt(lambda: _table_of(looked_at, around), "", {}) if looked_at else None
    proof = prove(step, before.checkpoint, after, target)
    if before.aside is None:
        return proof
    from safe_lightning.acts.quarantining import settle

    return settle(before.aside, around, target, proof)


def _stands(before: _Before) -> bool:
    """Whether there is a table to be set aside, or was before an earlier run set it aside."""
    return before.facts.is_aside_already or (before.facts.target is not None and before.facts.target.exists)


def _prove_rewind(step: Step, before: _Before, after: Checkpoint) -> Proof:
    if changed := others_changed(step, before.checkpoint, after):
        return changed
    engines = before.rewind.engines if before.rewind is not None else ()
    if not is_rewound(entry_of(after, step.table), engines):
        return Proof(False, "no-effect", f"the checkpoint does not read {step.table} as set back")
    return Proof(True, "rewound", f"engine(s) {', '.join(map(str, engines))} of {step.table} are set back")
