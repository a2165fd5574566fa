"""Another Lightning at work, and what it shares with the task."""

from __future__ import annotations

from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass


class Shared(StrEnum):
    """What two Lightnings have in common; UNKNOWN where the other one's task cannot be read.

    TABLES is tables of the target that both fill though they are no instances of one parallel import (INSTANCE);
    TARGET is the cluster alone.
    """

    CHECKPOINT = "checkpoint"
    SORTED_KV_DIR = "sorted-kv-dir"
    STATUS_PORT = "status port"
    TABLES = "target tables"
    INSTANCE = "parallel import"
    TARGET = "target"
    UNKNOWN = "unknown"


_EXCLUSIVE = {Shared.CHECKPOINT, Shared.SORTED_KV_DIR, Shared.STATUS_PORT, Shared.TABLES}


@dataclass(frozen=True)
class Peer:
    """Another Lightning: who it is, what it shares with us in words, and of which kind that is.

    ``pid`` is its process on this machine, or on ``host``; 0 where only the target tells of it. ``task_id`` is set for
    an instance of a parallel import, ``run`` for one that holds a lease. ``is_certain`` is False where it may as well
    have been killed long ago.
    """

    pid: int
    shares: str
    kind: Shared = Shared.UNKNOWN
    host: str = ""
    task_id: int | None = None
    run: str = ""
    is_certain: bool = True

    @property
    def is_known(self) -> bool:
        """Whether its task could be read."""
        return self.kind is not Shared.UNKNOWN

    @property
    def is_in_the_way(self) -> bool:
        """Whether the two cannot both go on: one would overwrite the other's state, or end without importing."""
        return self.is_certain and self.kind in _EXCLUSIVE

    @property
    def who(self) -> str:
        """Name it."""
        if self.run:
            return f"run {self.run} (process {self.pid} of {self.host})"
        return f"process {self.pid}" if self.task_id is None else f"task {self.task_id}"

    @property
    def sentence(self) -> str:
        """Say that it is there, and what is not certain about that."""
        if self.is_certain:
            return f"another Lightning is at work: {self.who} shares {self.shares}"
        return (
            f"another Lightning may be at work: {self.who} shares {self.shares}; where it was killed instead, its rows "
            "stay and every later instance leaves the checksum to it"
        )
