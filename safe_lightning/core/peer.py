"""Another Lightning at work, and what it shares with the task."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Shared(StrEnum):
    """What two Lightnings have in common; UNKNOWN where the other one's task cannot be read."""

    CHECKPOINT = "checkpoint"
    SORTED_KV_DIR = "sorted-kv-dir"
    STATUS_PORT = "status port"
    TARGET = "target"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Peer:
    """A running Lightning: its process id, what it shares with us in words, and of which kind that is."""

    pid: int
    shares: str
    kind: Shared = Shared.UNKNOWN

    @property
    def is_known(self) -> bool:
        """Whether its task could be read."""
        return self.kind is not Shared.UNKNOWN

    @property
    def is_in_the_way(self) -> bool:
        """Whether the two cannot both go on: one would overwrite the other's state, or end without importing."""
        return self.kind in (Shared.CHECKPOINT, Shared.SORTED_KV_DIR, Shared.STATUS_PORT)
