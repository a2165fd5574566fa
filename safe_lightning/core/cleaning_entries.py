"""What becomes of a checkpoint's entries and their tables when an import is cleaned up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from safe_lightning.core.checkpoint import LOADED, CheckpointVerdict
from safe_lightning.core.cleaning import Act, Item, Leaving, Wish
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.safety import SafetyFacts, forbidden
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Step


@dataclass(frozen=True)
class Limits:
    """How far a clean-up may go; ``drop_phrase`` is what the policy must say before a table is dropped."""

    drop_phrase: str = ""
    max_tables: int = 0
    max_rows_dropped: int = 0
    require_empty_before: bool = False


@dataclass(frozen=True)
class Entry:
    """An entry, what it is worth now, and what the safety laws know of it.

    ``rows`` are those that stand in the table now, None where they were not counted. ``is_half_destroyed``: a clean-up
    that died took the entry and left the table.
    """

    leaving: Leaving
    verdict: CheckpointVerdict
    evidence: str
    safety: SafetyFacts
    danger: str = ""
    rows: int | None = None
    is_half_destroyed: bool = False


def plan_entries(entries: Iterable[Entry], wish: Wish, limits: Limits) -> tuple[Item, ...]:
    """Plan entry by entry; beyond ``max_tables`` acts none of them is done."""
    found = list(entries)
    # A finished table inside an unfinished import is what its resume passes over.
    is_over = all(entry.verdict is CheckpointVerdict.FINISHED for entry in found)
    items = [_plan(entry, wish, limits, is_over=is_over) for entry in found]
    acts = sum(item.is_act for item in items)
    if not limits.max_tables or acts <= limits.max_tables:
        return tuple(items)
    reason = f"{acts} entries would be treated, more than checkpoint.max_tables allows"
    return tuple(replace(item, act=Act.KEEP, is_safe=False, reason=reason) if item.is_act else item for item in items)


def _plan(entry: Entry, wish: Wish, limits: Limits, *, is_over: bool) -> Item:
    verdict = entry.verdict
    if entry.is_half_destroyed or verdict is CheckpointVerdict.FAILED:
        return _start_over(entry, limits)
    if verdict is CheckpointVerdict.STALE:
        return _stale(entry, limits)
    if verdict is CheckpointVerdict.FINISHED:
        return _finished(entry, wish, limits, is_over=is_over)
    if verdict in (CheckpointVerdict.RESUMABLE, CheckpointVerdict.FRESH):
        if wish.gives_up:
            given_up = replace(entry, safety=replace(entry.safety, is_given_up=True))
            return _start_over(given_up, limits)
        why = f"not safe to resume: {entry.danger}" if entry.danger else "the next import resumes it"
        return _kept(entry, f"{why}; --give-up starts over", is_safe=True)
    return _kept(entry, entry.evidence)


def _start_over(entry: Entry, limits: Limits) -> Item:
    """Take the entry out, and the table with it unless there is nothing in it."""
    target = entry.safety.target
    if target is not None and not target.exists:
        return _removed(entry, limits, "the table is gone already")
    if target is not None and target.is_empty and _is_untouched(entry):
        return _removed(entry, limits, "nothing was written into the table yet")
    refusal = _refusal(entry, limits)
    if refusal:
        return _kept(entry, refusal)
    return Item(entry.leaving, True, Act.DESTROY, f"its rows go with it; {_before(entry)}")


def _is_untouched(entry: Entry) -> bool:
    record = entry.safety.entry
    if record is None or entry.is_half_destroyed or record.begun_engines or record.kvs:
        return False
    return all(status <= LOADED for status in (record.status, *record.engines.values()))


def _before(entry: Entry) -> str:
    before = entry.safety.baseline
    if before is None:
        return "nothing stood there before"
    return f"{'it was empty' if before.existed else 'there was no such table'} before run {before.run}"


def _refusal(entry: Entry, limits: Limits) -> str:
    """Say why the table must not be dropped; "" if nothing forbids it. Leave is asked for only where that is all."""
    step = Step(Action.DESTROY, _table(entry), "")
    if refusal := forbidden(step, replace(entry.safety, may_drop=True)):
        return refusal.reason
    if limits.max_rows_dropped and (entry.rows is None or entry.rows > limits.max_rows_dropped):
        held = "an unknown number of" if entry.rows is None else f"{entry.rows:,}"
        return f"{held} rows would go, more than checkpoint.max_rows_dropped allows"
    if not entry.safety.may_drop:
        rows = "rows" if entry.rows is None else f"{entry.rows:,} rows"
        return f'to drop it with its {rows} the policy must say: allow = ["{limits.drop_phrase}"]'
    return ""


def _stale(entry: Entry, limits: Limits) -> Item:
    target = entry.safety.target
    if target is None:
        return _kept(entry, "the target could not be asked about it")
    if target.exists and target.is_empty is not True:
        held = "it holds rows" if target.is_empty is False else "whether it is empty is not known"
        return _kept(entry, f"{held}, which the next import would meet: empty it or keep the entry ({entry.evidence})")
    return _removed(entry, limits, entry.evidence)


def _finished(entry: Entry, wish: Wish, limits: Limits, *, is_over: bool) -> Item:
    if is_over:
        return _removed(entry, limits, "the import is over; its rows stay")
    if wish.gives_up:
        return _removed(entry, limits, "given up; its rows are whole and stay")
    return _kept(entry, "it is finished: the next import passes over it", is_safe=True)


def _removed(entry: Entry, limits: Limits, why: str) -> Item:
    before = entry.safety.baseline
    was_empty = before is not None and (not before.existed or before.was_empty is True)
    if limits.require_empty_before and not was_empty:
        return _kept(entry, "it is not recorded to have been empty before (checkpoint.require_empty_before)")
    step = Step(Action.REMOVE, _table(entry), "")
    if refusal := forbidden(step, entry.safety):
        return _kept(entry, refusal.reason)
    return Item(entry.leaving, True, Act.REMOVE, why)


def _table(entry: Entry) -> TableName:
    assert entry.leaving.table is not None, "an entry is of a table"
    return entry.leaving.table


def _kept(entry: Entry, why: str, *, is_safe: bool | None = False) -> Item:
    return Item(entry.leaving, is_safe, Act.KEEP, why)
