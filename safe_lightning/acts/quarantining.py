"""A table set aside by a plan: remembered, renamed, looked at under its new name, its entry taken out afterwards.

What the import began with is put back: where the table stood there empty before the first attempt, an empty one of the
same definition takes its place; where it did not, Lightning makes it from the source's schema, as it did before.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from safe_lightning.acts.remedy_steps import Deed, Surroundings
from safe_lightning.api import Services
from safe_lightning.core.checkpoint import TableRecord
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.quarantine import Quarantined, is_same_table, objections_to_quarantine
from safe_lightning.core.step_proof import Proof
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, CouldNotLook, Step, TableBaseline, TableFacts
from safe_lightning.lightning.mysql_connection import ServerRefused
from safe_lightning.record.quarantined import forget, recall, remember

Look = Callable[[TableName], TableFacts]


@dataclass(frozen=True)
class Prepared:
    """A step with the name that it gives, and what was learned of it before.

    ``known`` is what an earlier run remembers of the same table without having finished, if anything.
    """

    step: Step
    objections: tuple[str, ...]
    known: Quarantined | None = None
    is_aside_already: bool = False


def target_name(around: Surroundings) -> str:
    """Name the target as quarantined tables remember it."""
    return f"{around.task.target.host}:{around.task.target.port}"


def prepare(step: Step, around: Surroundings, look: Look) -> Prepared:
    """Learn what forbids setting a table aside, and whether an earlier run began with it. Raises CouldNotLook."""
    from safe_lightning.lightning.renaming import ties_of

    if around.state is None or step.into is None:
        raise CouldNotLook("there is no record in which the table's new name could be kept")
    unfinished = [q for q in recall(around.state, target_name(around)) if q.original == step.table and not q.is_settled]
    for known in unfinished:
        aside = look(known.name)
        if aside.exists and is_same_table(known, aside):
            return Prepared(replace(step, into=known.name), (), known, is_aside_already=True)
    ties = ties_of(around.task.target, step.table, around.policy.checkpoint.timeout)
    return Prepared(step, objections_to_quarantine(look(step.into), ties), unfinished[0] if unfinished else None)


def set_aside(made: Prepared, around: Surroundings, before: TableFacts, baseline: TableBaseline | None) -> Deed:
    """Rename the table as prepared, unless it is aside already or gone: then only its entry is left to take out.

    A refusal of the server changes nothing. What it means that an answer did not come is left to whoever looks.
    """
    from safe_lightning.lightning import renaming

    step, into = made.step, made.step.into
    if made.is_aside_already or not before.exists:
        return Deed()
    assert into is not None, "prepare has seen to it"
    assert around.state is not None, "prepare has seen to it"
    remembered = Quarantined(
        into, step.table, around.run, time.time(), target_name(around), around.task.checkpoint.location,
        before.table_id, before.created_at,
    )  # fmt: skip
    try:
        if made.known is not None:
            forget(around.state, made.known)  # it never came to the rename
        remember(around.state, remembered)
    except OSError as error:
        return Deed(f"the new name cannot be remembered: {error}", "no-record")
    recreate = baseline is not None and baseline.existed
    try:
        renaming.set_aside(
            around.task.target, step.table, into, recreate=recreate, timeout_seconds=around.policy.control_tool.timeout
        )
    except ServerRefused as error:
        return _refused(error, remembered, around)
    except CouldNotLook as error:
        return Deed(f"whether {step.table} was renamed is not known: {error}", "not-answered")
    return Deed()


def _refused(error: ServerRefused, remembered: Quarantined, around: Surroundings) -> Deed:
    """Tell of a refusal, and forget the name if nothing stands under it."""
    try:
        with around.services.target() as target:
            is_there = target.table(remembered.name).exists
        if not is_there and around.state is not None:
            forget(around.state, remembered)
    except (CouldNotLook, OSError) as trouble:
        return Deed(f"{error}; whether {remembered.name} exists is not known: {trouble}", "rename-refused")
    held = f"; the table is {remembered.name} now, rename it back by hand" if is_there else "; nothing was changed"
    return Deed(f"{error}{held}", "rename-refused")


def tell_unfinished(state: Path, target: str, services: Services) -> list[str]:
    """Say of every quarantine that a run began and did not finish what stands now, and what to do about it."""
    from safe_lightning.record.run_folder import is_alive, run_folders

    try:
        begun = [known for known in recall(state, target) if not known.is_settled]
        alive = (
            {folder.name.rpartition("-")[2] for folder in run_folders(state) if is_alive(folder)} if begun else set()
        )
    except (CouldNotLook, OSError) as error:
        return [f"what earlier runs set aside is not known: {error}"]
    return [_tell(known, services) for known in begun if known.run not in alive]


def _tell(known: Quarantined, services: Services) -> str:
    begun = f"run {known.run} began to set {known.original} aside as {known.name}"
    try:
        with services.target() as found:
            aside = found.table(known.name)
    except CouldNotLook as error:
        return f"{begun}; whether it did is not known: {error}"
    if not aside.exists:
        return f"{begun}, and was not renamed by it: nothing was changed"
    return (
        f"{begun}, and died: it has that name now, and the checkpoint may still hold its entry; the answer "
        '"quarantine" to that entry finishes this, `safe-lightning quarantine restore` gives the name back'
    )


def remove_engine_folders(around: Surroundings, table: TableName, entry: TableRecord | None) -> str:
    """Remove what a table's engines left in the sorted-kv-dir, as a destroy does; return what went wrong."""
    from safe_lightning.acts.direct_acts import engine_folders

    if not around.task.sorted_kv_dir or entry is None:
        return ""
    try:
        for folder in engine_folders(around.task.cwd / around.task.sorted_kv_dir, table, entry.engines):
            shutil.rmtree(folder)
    except OSError as error:
        return f"the folders of its engines stay: {error}"
    return ""


def settle(made: Prepared, around: Surroundings, aside: TableFacts | None, proof: Proof) -> Proof:
    """Remember that the table is aside and its entry gone, with the facts it is known by from now on."""
    if not proof.is_reached or aside is None or not aside.exists or around.state is None:
        return proof
    try:
        for known in recall(around.state, target_name(around)):
            if known.name == aside.table:
                facts = replace(known, table_id=aside.table_id, created_at=aside.created_at, is_settled=True)
                remember(around.state, facts)
    except (CouldNotLook, OSError) as error:
        return replace(proof, message=f"{proof.message}; that could not be remembered: {error}")
    return proof


def as_removal(step: Step) -> Step:
    """Return the part of a quarantine that concerns the checkpoint."""
    return replace(step, action=Action.REMOVE)
