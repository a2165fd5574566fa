"""What a step has really done, read from the checkpoint and the target before and after it."""

from __future__ import annotations

from dataclasses import replace

from safe_lightning.core.checkpoint import Checkpoint, TableRecord, status_name
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Step, TableFacts


@dataclass(frozen=True)
class Proof:
    """Whether a step's aim is reached, with a stable code and a sentence."""

    is_reached: bool
    code: str
    message: str


def prove(step: Step, before: Checkpoint, after: Checkpoint, target: TableFacts | None) -> Proof:
    """Compare the decoded checkpoints, never their bytes: the control tool rewrites the file in another order.

    ``target`` is the table as it stands afterwards, None where it could not be looked at; of a quarantine, the table
    under its new name. Only these two need it. A rewind is proven by `core.rewind`, and a resume-replace changes
    no checkpoint.
    """
    if changed := others_changed(step, before, after):
        return changed
    return _PROOFS[step.action](step.table, entry_of(after, step.table), target)


def others_changed(step: Step, before: Checkpoint, after: Checkpoint) -> Proof | None:
    """Return the failed proof of an act during which entries of other tables changed; None where none did."""
    if others(before, step.table) == others(after, step.table):
        return None
    return Proof(False, "others-changed", "entries of other tables changed meanwhile: another Lightning at work?")


def entry_of(checkpoint: Checkpoint, table: TableName) -> TableRecord | None:
    """Return the entry under exactly this name."""
    return next((record for record in checkpoint.tables if record.table == table), None)


def others(checkpoint: Checkpoint, table: TableName) -> dict[TableName, TableRecord]:
    """Return all entries but one, without their times: those of a server move with the clocks between two looks."""
    return {
        record.table: replace(record, created_at=None, updated_at=None)
        for record in checkpoint.tables
        if record.table != table
    }


def _removed(table: TableName, entry: TableRecord | None, target: TableFacts | None) -> Proof:
    if entry is None:
        return Proof(True, "removed", f"the checkpoint has no entry of {table} any more")
    return _no_effect(entry)


def _ignored(table: TableName, entry: TableRecord | None, target: TableFacts | None) -> Proof:
    if entry is None:
        return Proof(False, "entry-gone", f"the checkpoint's entry of {table} vanished instead of being set back")
    if not entry.failed_status:
        return Proof(True, "ignored", f"the recorded failure of {table} is cleared ({status_name(entry.status)})")
    return _no_effect(entry)


def _destroyed(table: TableName, entry: TableRecord | None, target: TableFacts | None) -> Proof:
    if entry is not None:
        return _no_effect(entry)
    if target is None:
        return Proof(False, "could-not-verify", f"the entry of {table} is gone; whether the table is could not be seen")
    if target.exists:
        by_hand = f"the entry of {table} is gone but the table still stands, with partial rows: drop it by hand"
        return Proof(False, "table-remains", by_hand)
    return Proof(True, "destroyed", f"the entry of {table} and the table itself are gone")


def _quarantined(table: TableName, entry: TableRecord | None, target: TableFacts | None) -> Proof:
    if target is None or not target.exists:
        known = "whether it was renamed could not be seen" if target is None else "it was not renamed"
        left = "is gone" if entry is None else "still stands"
        return Proof(
            False, "could-not-verify" if target is None else "not-renamed", f"the entry of {table} {left}; {known}"
        )
    if entry is not None:
        return Proof(
            False, "entry-remains", f"{table} is now {target.table}, and its entry still stands in the checkpoint"
        )
    return Proof(True, "quarantined", f"{table} is now {target.table}, and its entry is gone")


def _no_effect(entry: TableRecord) -> Proof:
    return Proof(False, "no-effect", f"{entry.table} is still recorded as {status_name(entry.status)}")


_PROOFS = {
    Action.REMOVE: _removed,
    Action.IGNORE: _ignored,
    Action.DESTROY: _destroyed,
    Action.QUARANTINE: _quarantined,
}
