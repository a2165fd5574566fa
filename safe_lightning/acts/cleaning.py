"""A clean-up plan performed: each act under the laws, its intent on the disk before, what came of it after.

Done again after a kill at any point, the same plan goes on: every act may be repeated, and what is found decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from safe_lightning.acts.leavings import World, services_of
from safe_lightning.acts.tikv_mode import fetch_modes, switch_to_normal
from safe_lightning.core.cleaning import Act, Item, Kind, Planned, changes_since
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.safety_leavings import LeavingFacts, forbidden_removal
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning import leavings_disk, leavings_rows
from safe_lightning.lightning.checkpoint_backup import back_up
from safe_lightning.lightning.leavings_store import delete_store
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy
from safe_lightning.record.cleaning_plan import SHORT, SavedPlan
from safe_lightning.record.cleanings import DONE, Trace, Writing, close_traces, open_writing, read_traces
from safe_lightning.record.fingerprints import forget_fingerprint
from safe_lightning.services import EngineServices

PLANNED, REFUSED, FAILED = "planned", "refused", "failed"
_CHANGES_SHOWN_MOST = 5


class NotCleaned(Exception):
    """A plan must not be applied, and nothing was changed; the sentence says why."""


@dataclass(frozen=True)
class Result:
    """What came of one act: done, planned (a dry run), refused or failed; and a sentence."""

    key: str
    act: Act
    status: str
    message: str

    @property
    def is_well(self) -> bool:
        """Whether the plan goes on after it."""
        return self.status in (DONE, PLANNED)


@dataclass(frozen=True)
class Cleaner:
    """What the acts of a plan are performed in; each look is made anew before its act."""

    task: Task
    policy: Policy
    state: Path
    world: World
    services: EngineServices
    writing: Writing

    def keep(self, item: Item, status: str, message: str) -> Result:
        """Write down what came of an act. Raises OSError."""
        self.writing.keep(item.key, status, message)
        return Result(item.key, item.act, status, message)


def apply(
    saved: SavedPlan, items: tuple[Item, ...], task: Task, policy: Policy, state: Path, world: World
) -> Iterator[Result]:
    """Apply a saved plan to the world as it is now, yielding what comes of each act; stops at the first not done.

    Raises NotCleaned where the world is not as the plan was made for, OSError where nothing can be recorded.
    """
    trace = next((trace for trace in read_traces(state) if trace.plan.name == saved.name), None)
    begun = frozenset((*trace.begun, *trace.failed)) if trace is not None else frozenset()
    done = frozenset(trace.done) if trace is not None else frozenset()
    _require(saved, items, world, begun, done)
    acts = [planned for planned in saved.items if planned.is_act and planned.key not in done]
    now = {item.key: item for item in items}
    with open_writing(state, saved) as writing:
        cleaner = Cleaner(task, _able(policy, world), state, world, services_of(task, policy, state), writing)
        for planned in acts:
            result = _perform(cleaner, planned, now.get(planned.key))
            yield result
            if not result.is_well:
                return
        if not policy.dry_run:
            writing.end("through")
    _close(world.dead, saved)


def _require(
    saved: SavedPlan, items: tuple[Item, ...], world: World, begun: frozenset[str], done: frozenset[str]
) -> None:
    if world.others_alive is not False:
        what = "is" if world.others_alive else "may be"
        raise NotCleaned(f"another Lightning {what} at work on the same checkpoint or target")
    if changes := changes_since(saved.items, items, begun, done):
        more = f", and {len(changes) - _CHANGES_SHOWN_MOST} more" * (len(changes) > _CHANGES_SHOWN_MOST)
        told = "; ".join(changes[:_CHANGES_SHOWN_MOST])
        raise NotCleaned(f"the world has changed since plan {saved.name[:SHORT]} was made: {told}{more}")


def _able(policy: Policy, world: World) -> Policy:
    """Act ourselves where the control tool cannot."""
    if not world.tooling.why_not:
        return policy
    return replace(policy, control_tool=replace(policy.control_tool, clean_with="direct"))


def _close(dead: tuple[Trace, ...], saved: SavedPlan) -> None:
    others = [trace for trace in dead if trace.plan.name != saved.name]
    close_traces(others, f"plan {saved.name[:SHORT]} was applied")


def _perform(cleaner: Cleaner, planned: Planned, item: Item | None) -> Result:
    if item is None or not item.leaving.found:
        said = "it was done before the clean-up died"
        cleaner.writing.keep(planned.key, DONE, said)
        return Result(planned.key, planned.act, DONE, said)
    if item.act is Act.KEEP and item.leaving.kind is not Kind.ENTRY:  # an entry has laws that know more
        return Result(planned.key, planned.act, REFUSED, item.reason)
    item = replace(item, act=planned.act)
    try:
        if item.leaving.kind is Kind.ENTRY:
            from safe_lightning.acts.cleaning_entries import treat_entry

            return treat_entry(cleaner, item)
        return _take_away(cleaner, item)
    except CouldNotLook as error:
        return cleaner.keep(item, FAILED, str(error))


def _take_away(cleaner: Cleaner, item: Item) -> Result:
    """Take away what is no entry: one way for all, each with its own act and its own proof."""
    facts = LeavingFacts(
        item.leaving.is_ours,
        item.leaving.held_by,
        cleaner.services.others_alive(),
        _entries_left(cleaner, item),
        is_record_trustworthy=True,
        is_copied=True,
    )
    if refusal := forbidden_removal(facts):
        return Result(item.key, item.act, REFUSED, refusal.reason)
    if forbidden_removal(replace(facts, dry_run=cleaner.policy.dry_run)):
        return Result(item.key, item.act, PLANNED, "not done, as this is a dry run")
    try:
        _copy(cleaner, item)
    except (CouldNotLook, OSError) as error:
        refusal = forbidden_removal(replace(facts, is_copied=False))
        return Result(item.key, item.act, REFUSED, f"{refusal.reason if refusal else 'not copied'}: {error}")
    cleaner.writing.intend(item.key, item.act, item.leaving.facts)
    try:
        said = _ACTS[item.leaving.kind](cleaner, item)
    except OSError as error:
        said = error.strerror or str(error)
    proven = "it is gone" if item.act is Act.DELETE else "every store is in normal mode"
    return cleaner.keep(item, FAILED if said else DONE, said or proven)


def _entries_left(cleaner: Cleaner, item: Item) -> int:
    """Count what still needs it, asked anew: an entry may have come since."""
    if item.leaving.kind is not Kind.CHECKPOINT or not item.leaving.facts:
        return 0  # half deleted by a clean-up that died, and so known to be empty
    return len(cleaner.services.read_checkpoint().tables)


def _copy(cleaner: Cleaner, item: Item) -> None:
    """Copy what cannot be made again; engines can, from the source. Raises CouldNotLook, OSError."""
    folder, policy = cleaner.writing.folder, cleaner.policy.checkpoint
    if item.leaving.kind is Kind.CHECKPOINT and item.leaving.facts:
        back_up(cleaner.task.checkpoint, folder, policy)
    elif item.leaving.kind in (Kind.METADATA, Kind.TASK_INFO):
        leavings_rows.copy_rows(cleaner.task.target, item.leaving, folder, policy.timeout, policy.size_most)


def _switch(cleaner: Cleaner, item: Item) -> str:
    said = switch_to_normal(cleaner.task, cleaner.policy, cleaner.world.tooling)
    modes = fetch_modes(cleaner.task, cleaner.policy, cleaner.world.tooling)
    left = [store for store, mode in modes.items() if mode != "normal"]
    return f"{left[0]} is still in {modes[left[0]]} mode{said}" if left else ""


def _delete_rows(cleaner: Cleaner, item: Item) -> str:
    left = leavings_rows.delete_rows(cleaner.task.target, item.leaving, cleaner.policy.checkpoint.timeout)
    return f"{left} rows are still there" if left else ""


def _delete_folders(cleaner: Cleaner, item: Item) -> str:
    left = [folder for folder in leavings_disk.delete_folders(item.leaving) if folder.exists()]
    return f"{left[0]} is still there" if left else ""


def _delete_store(cleaner: Cleaner, item: Item) -> str:
    delete_store(cleaner.task.checkpoint, cleaner.policy.checkpoint.timeout)
    if cleaner.services.read_checkpoint().exists:
        return "it is still there"
    forget_fingerprint(cleaner.state, cleaner.task.checkpoint.location)
    return ""


def _delete_file(cleaner: Cleaner, item: Item) -> str:
    path = Path(str(item.leaving.facts["path"]))
    path.unlink(missing_ok=True)
    return "it is still there" if path.exists() else ""


_ACTS: Mapping[Kind, Callable[[Cleaner, Item], str]] = {
    Kind.IMPORT_MODE: _switch,
    Kind.METADATA: _delete_rows,
    Kind.TASK_INFO: _delete_rows,
    Kind.ENGINES: _delete_folders,
    Kind.CHECKPOINT: _delete_store,
    Kind.TEMPORARY: _delete_file,
    Kind.LOG: _delete_file,
}
