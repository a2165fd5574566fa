"""An entry of the checkpoint and its table cleaned up: by the remedy engine, and where the control tool cannot do it.

The tool drops recorded failures only. An import that is given up before it failed is started over by ourselves, and
so is the drop ended that a kill left undone: the tool deletes the entry first, and knows nothing of the table then.
"""

from __future__ import annotations

from dataclasses import replace

from safe_lightning.acts.cleaning import FAILED, PLANNED, REFUSED, Cleaner, Result
from safe_lightning.acts.direct_acts import act_directly, drop_table, forget_metadata
from safe_lightning.acts.remedy_engine import StepStatus, Surroundings, perform
from safe_lightning.core.checkpoint import Checkpoint, CheckpointVerdict
from safe_lightning.core.cleaning import Act, Item
from safe_lightning.core.cleaning_entries import Entry
from safe_lightning.core.safety import forbidden
from safe_lightning.core.step_proof import prove
from safe_lightning.core.verdict import Action, Plan, Step, TableFacts
from safe_lightning.lightning.checkpoint_backup import back_up
from safe_lightning.record.baselines import baseline_key, forget
from safe_lightning.record.cleanings import DONE

_UNFINISHED = (CheckpointVerdict.RESUMABLE, CheckpointVerdict.FRESH)


def treat_entry(cleaner: Cleaner, item: Item) -> Result:
    """Take out an entry, and the table with it if that is planned. Raises CouldNotLook, OSError."""
    assert item.leaving.table is not None, "an entry is of a table"
    entry = next(entry for entry in cleaner.world.entries if entry.leaving == item.leaving)
    step = Step(Action(str(item.act)), item.leaving.table, item.reason)
    if entry.is_half_destroyed or (item.act is Act.DESTROY and entry.verdict in _UNFINISHED):
        return _destroy_ourselves(cleaner, item, entry, step)
    result = perform(Plan((step,), "clean-up"), _surroundings(cleaner, item)).steps[0]
    if result.status is StepStatus.DONE:
        _forget(cleaner, step)
    return Result(item.key, item.act, str(result.status), result.message)


def _surroundings(cleaner: Cleaner, item: Item) -> Surroundings:
    return Surroundings(
        task=cleaner.task,
        policy=cleaner.policy,
        services=cleaner.services,
        control_tool=cleaner.world.tooling.control_tool,
        environ=cleaner.world.tooling.environ,
        back_up=lambda: _back_up(cleaner),
        others_alive=cleaner.services.others_alive,
        record_intent=lambda step: cleaner.writing.intend(item.key, item.act, item.leaving.facts),
        record_result=lambda step, result: cleaner.writing.keep(item.key, str(result.status), result.message),
        is_record_trustworthy=lambda: True,  # what cannot be written raises
        dry_run=cleaner.policy.dry_run,
        state=cleaner.state,
    )


def _back_up(cleaner: Cleaner) -> None:
    back_up(cleaner.task.checkpoint, cleaner.writing.folder, cleaner.policy.checkpoint)


def _destroy_ourselves(cleaner: Cleaner, item: Item, entry: Entry, step: Step) -> Result:
    facts = replace(
        entry.safety, target=_look(cleaner, step), others_alive=cleaner.services.others_alive(), is_given_up=True
    )  # fmt: skip
    if refusal := forbidden(step, facts):
        return Result(item.key, item.act, REFUSED, refusal.reason)
    if forbidden(step, replace(facts, dry_run=cleaner.policy.dry_run)):
        return Result(item.key, item.act, PLANNED, "not done, as this is a dry run")
    before = cleaner.services.read_checkpoint()
    if before.exists:
        _back_up(cleaner)
    cleaner.writing.intend(item.key, item.act, item.leaving.facts)
    said = _destroy(cleaner, entry, step, before)
    proof = prove(step, before, cleaner.services.read_checkpoint(), _look(cleaner, step))
    if proof.is_reached:
        _forget(cleaner, step)
    message = "; ".join(filter(None, (proof.message, said)))
    return cleaner.keep(item, DONE if proof.is_reached else FAILED, message)


def _destroy(cleaner: Cleaner, entry: Entry, step: Step, before: Checkpoint) -> str:
    if entry.is_half_destroyed:
        drop_table(cleaner.task.target, step.table, cleaner.policy.control_tool.timeout)
        return ""
    said = act_directly(step, cleaner.task, cleaner.policy, entry.safety.entry)
    number = before.task.task_id if before.task is not None else 0
    return said or forget_metadata(step, cleaner.task, cleaner.policy, number)


def _look(cleaner: Cleaner, step: Step) -> TableFacts:
    with cleaner.services.target() as target:
        return target.table(step.table)


def _forget(cleaner: Cleaner, step: Step) -> None:
    """Forget what stood there before: what the next attempt finds is its own beginning."""
    task = cleaner.task
    forget(
        cleaner.state, baseline_key(task.checkpoint.location, f"{task.target.host}:{task.target.port}"), [step.table]
    )
