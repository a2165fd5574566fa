"""A parallel import as its instances tell of it in the target: one checkpoint each, one metadata schema for all.

The words are Lightning's (release-8.5, lightning/pkg/importer/meta_manager.go). A row is written once and then only
moves on; nothing renews it. So a row that is not at its end belongs to an instance at work or to one that was killed,
and nothing in it tells which: it counts as a Lightning that may be alive.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.peer import Peer, Shared
from safe_lightning.core.tables import TableName, Totals, folded
from safe_lightning.core.verdict import Finding

#: Of a task: it has ended well, while others were at work or as the last one.
_TASK_ENDS = {"skip_switch", "switched"}
#: Of a table: this instance's rows are in the cluster, and its part of the checksum is written down or over.
_TABLE_ENDS = {"checksum_skipped", "finish"}
#: Of a table: whoever comes to the checksum now leaves it to this instance.
_CHECKSUM_WAITS = {"", "initialized", "allocated", "restore", "restore_finished"}
_SHOWN_MOST = 3

_TABLE_WORDS = {
    "": "not begun",
    "initialized": "not begun",
    "allocated": "row ids allotted",
    "restore": "being imported",
    "restore_finished": "imported",
    "checksuming": "comparing the checksum of all",
    "checksum_skipped": "imported, its checksum left to the last instance",
    "finish": "done",
}


class InstanceState(StrEnum):
    """What the rows of an instance say of it."""

    UNFINISHED = "unfinished"
    STOPPED = "stopped"
    FINISHED = "finished"


@dataclass(frozen=True)
class TableShare:
    """What one instance has done of one table; ``totals`` are the sums over its own rows, once it has written them.

    ``table`` is None where the stored name was cut (it takes 64 characters) or is no name.
    """

    table: TableName | None
    stored_name: str
    status: str
    totals: Totals | None = None
    has_duplicates: bool = False

    @property
    def words(self) -> str:
        """Say the stored status in words."""
        return _TABLE_WORDS.get(self.status, f"status {self.status!r}")

    @property
    def is_waited_for(self) -> bool:
        """Whether the other instances leave the checksum of this table to this one."""
        return self.status in _CHECKSUM_WAITS


@dataclass(frozen=True)
class Instance:
    """One instance: its task's row, if there is one, and its tables' rows.

    ``has_exited``: it said that it ended before its work was done.
    """

    task_id: int
    status: str | None
    has_exited: bool = False
    shares: tuple[TableShare, ...] = ()

    @property
    def state(self) -> InstanceState:
        """Whether it has ended, and how."""
        if self.status in _TASK_ENDS:
            return InstanceState.FINISHED
        if self.has_exited:
            return InstanceState.STOPPED
        if self.status is None and all(share.status in _TABLE_ENDS for share in self.shares):
            return InstanceState.FINISHED
        return InstanceState.UNFINISHED

    @property
    def may_be_alive(self) -> bool:
        """Whether it may be at work: its rows are not at their end."""
        return self.state is InstanceState.UNFINISHED

    def shared_with(self, tables: AbstractSet[TableName] | None) -> tuple[TableShare, ...]:
        """Return its shares of some tables; all where those are not known, and those whose name is not."""
        wanted = None if tables is None else {folded(table) for table in tables}
        return tuple(
            share for share in self.shares if wanted is None or share.table is None or folded(share.table) in wanted
        )


@dataclass(frozen=True)
class Metadata:
    """All rows of one metadata schema; ``exists`` is False where there is no such schema, or no table in it."""

    schema: str
    exists: bool
    instances: tuple[Instance, ...] = ()

    @property
    def state(self) -> InstanceState | None:
        """The whole import's state: unfinished or stopped if any instance is; None where there is no instance."""
        states = {instance.state for instance in self.instances}
        worst_first = (InstanceState.UNFINISHED, InstanceState.STOPPED, InstanceState.FINISHED)
        return next((state for state in worst_first if state in states), None)

    def others(self, own_task_id: int) -> tuple[Instance, ...]:
        """Return the instances that are not the task's own."""
        return tuple(instance for instance in self.instances if instance.task_id != own_task_id)


def metadata_peers(
    metadata: Metadata, own_task_id: int, tables: AbstractSet[TableName] | None, *, is_parallel_import: bool
) -> tuple[Peer, ...]:
    """Name the instances that may be at work on the tables of an import.

    One that has not reached its first table yet may be about to; ``tables`` is None where they are not known.
    """
    kind, found = Shared.INSTANCE if is_parallel_import else Shared.TABLES, []
    for instance in metadata.others(own_task_id):
        shares = instance.shared_with(tables)
        if instance.may_be_alive and (shares or not instance.shares):
            what = f"{_names(shares)} in `{metadata.schema}`" if shares else f"the schema `{metadata.schema}`"
            found.append(Peer(0, what, kind, task_id=instance.task_id, is_certain=False))
    return tuple(found)


def _names(shares: tuple[TableShare, ...]) -> str:
    named = [f"{share.table or share.stored_name} ({share.words})" for share in shares]
    more = f" and {len(named) - _SHOWN_MOST} more tables" if len(named) > _SHOWN_MOST else ""
    return ", ".join(named[:_SHOWN_MOST]) + more


_STATE_WORDS = {
    InstanceState.UNFINISHED: "at work or killed",
    InstanceState.STOPPED: "stopped before its end",
    InstanceState.FINISHED: "finished",
}
_WHOLE_WORDS = {
    InstanceState.UNFINISHED: "a killed one's row keeps all others from comparing the checksum",
    InstanceState.STOPPED: "what was stopped is missing until it is resumed from its own checkpoint",
    InstanceState.FINISHED: "every instance has ended, yet the metadata was not cleared away",
}


def counted(metadata: Metadata) -> str:
    """Count the instances by their state."""
    counts = {state: sum(instance.state is state for instance in metadata.instances) for state in _STATE_WORDS}
    parts = [f"{count} {_STATE_WORDS[state]}" for state, count in counts.items() if count]
    if not parts:
        return "no instance: none has begun, or all have ended"
    total = len(metadata.instances)
    return f"{total} instance{'s' if total > 1 else ''}: {', '.join(parts)}"


def meaning(metadata: Metadata) -> str:
    """Say what follows for the whole import; "" where there is no instance."""
    return _WHOLE_WORDS[metadata.state] if metadata.state else ""


def told(instance: Instance, own_task_id: int) -> str:
    """Name an instance and its state."""
    whose = " (this checkpoint's)" if instance.task_id == own_task_id else ""
    return f"task {instance.task_id}{whose}: {_STATE_WORDS[instance.state]}"


def instance_findings(metadata: Metadata, own_task_id: int) -> tuple[Finding, ...]:
    """Tell how the whole import stands, and of each other instance that was stopped before its end.

    Those that may be at work are told as peers (`metadata_peers`).
    """
    if metadata.state is None:
        return ()
    data = {"state": str(metadata.state), "instances": len(metadata.instances)}
    sentence = f"parallel import in `{metadata.schema}`, {counted(metadata)}; {meaning(metadata)}"
    whole = Finding("parallel-import", sentence, None, data)
    stopped = (
        Finding(
            "instance-stopped",
            f"{told(instance, own_task_id)}, {_names(instance.shares) or 'no table yet'}",
            None,
            {"task_id": instance.task_id},
        )
        for instance in metadata.others(own_task_id)
        if instance.state is InstanceState.STOPPED
    )
    return (whole, *stopped)
