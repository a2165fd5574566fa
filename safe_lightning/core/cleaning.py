"""What a failed import left in its many places, and what becomes of each: facts in, items with a reason out.

An entry decides for all that belongs to its table: its rows in Lightning's own schemas and its engine folders go
only where the entry goes, or where there is none. What can still be resumed stays, unless the import is given up in
words. Nothing here acts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.safety_leavings import LeavingFacts, forbidden_removal
from safe_lightning.core.tables import TableName


class Kind(StrEnum):
    """The places, in the order in which they are cleaned: what the checkpoint tells of goes before the checkpoint."""

    IMPORT_MODE = "import-mode"
    METADATA = "metadata"
    TASK_INFO = "task-info"
    ENGINES = "engines"
    ENTRY = "entry"
    CHECKPOINT = "checkpoint"
    TEMPORARY = "temporary-file"
    LOG = "log"


class Act(StrEnum):
    """What becomes of a leaving; destroy drops the table with its entry, remove takes out the entry alone."""

    NONE = "none"
    KEEP = "keep"
    SWITCH = "switch"
    DELETE = "delete"
    REMOVE = "remove"
    DESTROY = "destroy"


@dataclass(frozen=True)
class Leaving:
    """One thing that was looked for: ``found`` is None where it could not be looked at, and ``said`` says why.

    ``facts`` is plain JSON: what must still be so when a plan is applied; ``moments`` is kept beside it and not
    compared, as times of a server move with the clocks. ``held_by`` says who uses it now.
    """

    kind: Kind
    name: str
    found: bool | None
    said: str
    is_ours: bool | None = None
    held_by: str = ""
    table: TableName | None = None
    facts: Mapping[str, object] = field(default_factory=dict)
    moments: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """A leaving, whether it may go safely (None: not known), what becomes of it, and why."""

    leaving: Leaving
    is_safe: bool | None
    act: Act
    reason: str

    @property
    def key(self) -> str:
        """Name it within a plan."""
        return f"{self.leaving.kind}:{self.leaving.name}"

    @property
    def is_act(self) -> bool:
        """Whether it would be changed."""
        return self.act not in (Act.NONE, Act.KEEP)

    @property
    def digest(self) -> str:
        """Return a hash over what was seen of it: another one means that it has changed."""
        seen = (self.leaving.found, self.leaving.is_ours, self.leaving.held_by, self.leaving.facts)
        return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Wish:
    """What the user asked for in words: to give up what could be resumed, to delete logs as well."""

    gives_up: bool = False
    with_logs: bool = False


def plan_leavings(
    leavings: Iterable[Leaving], entries: Sequence[Item], others_alive: bool | None, wish: Wish
) -> tuple[Item, ...]:
    """Plan everything, given what becomes of the checkpoint's entries, in the order in which it is to be done."""
    items = [*entries, *(_item(leaving, entries, others_alive, wish) for leaving in leavings)]
    order = {kind: place for place, kind in enumerate(Kind)}
    return tuple(sorted(items, key=lambda item: (order[item.leaving.kind], item.leaving.name)))


_ACTS = {Kind.IMPORT_MODE: Act.SWITCH}
_WHY = {
    Kind.IMPORT_MODE: "an import that is over leaves TiKV slow for everybody",
    Kind.METADATA: "a later import would wait for a task that is gone, or leave its checksum to it",
    Kind.TASK_INFO: "a later run under this task would resolve conflicts that are over, and delete good rows",
    Kind.ENGINES: "a later import would open them and add to what they hold",
    Kind.CHECKPOINT: "no entry of it is needed any more",
    Kind.TEMPORARY: "it was being written when its process ended",
    Kind.LOG: "asked for with --logs",
}


def _item(leaving: Leaving, entries: Sequence[Item], others_alive: bool | None, wish: Wish) -> Item:
    if leaving.found is None:
        return Item(leaving, None, Act.KEEP, "could not look")
    if not leaving.found:
        return Item(leaving, None, Act.NONE, "nothing there")
    left = _entries_left(leaving, entries)
    refusal = forbidden_removal(
        LeavingFacts(
            leaving.is_ours, leaving.held_by, others_alive, left, is_record_trustworthy=True, is_copied=True
        )
    )  # fmt: skip
    if refusal is not None:
        return Item(leaving, False, Act.KEEP, refusal.reason)
    if leaving.kind is Kind.LOG and not wish.with_logs:
        return Item(leaving, True, Act.KEEP, "`explain` reads it; --logs deletes it")
    return Item(leaving, True, _ACTS.get(leaving.kind, Act.DELETE), _WHY[leaving.kind])


def _entries_left(leaving: Leaving, entries: Sequence[Item]) -> int | None:
    """Count the entries that stay and need it; None where the entries are not known."""
    if leaving.kind in (Kind.IMPORT_MODE, Kind.TEMPORARY, Kind.LOG):
        return 0
    if any(item.leaving.found is None for item in entries):
        return None
    staying = [item.leaving.table for item in entries if item.leaving.found and item.act is Act.KEEP]
    if leaving.table is None:
        return len(staying)
    return staying.count(leaving.table)


@dataclass(frozen=True)
class Planned:
    """An item as a saved plan keeps it."""

    key: str
    act: Act
    digest: str

    @property
    def kind(self) -> str:
        """The kind of place, which begins the key."""
        return self.key.partition(":")[0]

    @property
    def is_act(self) -> bool:
        """Whether it was to be changed."""
        return self.act not in (Act.NONE, Act.KEEP)


def changes_since(
    planned: Sequence[Planned], now: Sequence[Item], begun: frozenset[str], done: frozenset[str]
) -> tuple[str, ...]:
    """Say what is not as a plan was made for, one sentence each; none: it can be applied.

    ``begun`` are items whose act was begun by an earlier application of the same plan: whatever that left of them is
    what it was about. What is ``done`` must be gone, or something has come into being since. What is kept and is no
    entry does not matter. What cannot be looked at now has not gone.
    """
    seen, known = {item.key: item for item in now}, {item.key for item in planned}
    said = [f"{item.key}: it has come since" for item in now if _matters(item) and item.key not in known]
    unseen = {str(item.leaving.kind): item.leaving.said for item in now if item.leaving.found is None}
    for then in planned:
        item = seen.get(then.key)
        if then.is_act and then.kind in unseen and then.key not in done:
            said.append(f"{then.key}: it cannot be looked at now: {unseen[then.kind]}")
        elif then.key in done:
            said += [f"{then.key}: it is back"] * bool(item and item.leaving.found)
        elif then.key not in begun:
            said += _changes(then, item)
    return tuple(said)


def _matters(item: Item) -> bool:
    return bool(item.leaving.found) and (item.is_act or item.leaving.kind is Kind.ENTRY)


def _changes(then: Planned, item: Item | None) -> list[str]:
    if item is None:
        return [f"{then.key}: it is gone"] * then.is_act
    if not then.is_act and not _matters(item):
        return []
    if item.digest != then.digest:
        return [f"{then.key}: it is not as it was: {item.leaving.said}"]
    if then.is_act and then.act is not item.act:
        return [f"{then.key}: it would not be treated so any more ({item.act}): {item.reason}"]
    return []
