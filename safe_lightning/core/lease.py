"""Leases: what a run claims of a target in the sight of other hosts, and who has to give way.

A lease ends by the clock of the server that keeps it, so no host's own clock counts. Whoever finds one over may take
it over; its holder, should it wake up, finds its row gone and must not destroy anything any more (fencing). A lease
that is over and that nobody took is its holder's again once it is renewed.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.peer import Peer, Shared
from safe_lightning.core.tables import TableName, shared_names, some_names


class Hold(StrEnum):
    """What a run knows of its own lease: UNSURE where the server did not say."""

    HELD = "held"
    UNSURE = "unsure"
    LOST = "lost"


@dataclass(frozen=True)
class LeaseClaim:
    """What a lease is on: a checkpoint, named so that every host names it alike, and tables of the target.

    ``checkpoint`` is "" where none is kept; ``tables`` is None where they are not known before the import.
    """

    checkpoint: str
    tables: frozenset[TableName] | None
    is_parallel_import: bool = False


@dataclass(frozen=True)
class Holder:
    """Who holds a lease: run, host and process."""

    run: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"run {self.run} (process {self.pid} of {self.host})"


@dataclass(frozen=True)
class Lease:
    """One lease as the server holds it; ``seconds_left`` is by its clock, negative once it is over.

    ``token`` grows with every lease that is ever taken: of two that claim the same, the larger one counts.
    """

    holder: Holder
    claim: LeaseClaim
    token: int
    seconds_left: float

    @property
    def is_over(self) -> bool:
        """Whether it was not renewed in time."""
        return self.seconds_left <= 0


@dataclass(frozen=True)
class Ruling:
    """Whether a claim may be taken: ``busy`` says why not, else ``overtaken`` are the leases that it ends."""

    busy: str = ""
    overtaken: tuple[Lease, ...] = ()


def rule(ours: LeaseClaim, leases: Iterable[Lease]) -> Ruling:
    """Decide whether a claim may stand beside the leases that there are."""
    found = [(lease, common) for lease in leases if (common := in_common(ours, lease.claim))]
    for lease, common in found:
        if not lease.is_over:
            return Ruling(f"{common} is in use by {lease.holder}, whose lease ends in {lease.seconds_left:.0f} s")
    return Ruling(overtaken=tuple(lease for lease, _ in found))


def in_common(ours: LeaseClaim, theirs: LeaseClaim) -> str:
    """Name what two claims cannot both have; "" where they can stand side by side.

    Instances of a parallel import may fill one table together, each from a checkpoint of its own.
    """
    if ours.checkpoint and ours.checkpoint == theirs.checkpoint:
        return f"the checkpoint {ours.checkpoint}"
    if ours.is_parallel_import and theirs.is_parallel_import:
        return ""
    return some_names(shared_names(ours.tables, theirs.tables))


def lease_peers(ours: LeaseClaim, leases: Iterable[Lease], own_run: str) -> tuple[Peer, ...]:
    """Name the runs that hold a lease now and share something with a claim, or may: unknown tables may be shared."""
    found = []
    for lease in leases:
        shared = None if lease.is_over or lease.holder.run == own_run else _shared(ours, lease.claim)
        if shared is not None:
            holder = lease.holder
            found.append(Peer(holder.pid, shared[1], shared[0], host=holder.host, run=holder.run))
    return tuple(found)


def _shared(ours: LeaseClaim, theirs: LeaseClaim) -> tuple[Shared, str] | None:
    if ours.checkpoint and ours.checkpoint == theirs.checkpoint:
        return Shared.CHECKPOINT, f"the checkpoint {ours.checkpoint}"
    if names := shared_names(ours.tables, theirs.tables):
        is_one_import = ours.is_parallel_import and theirs.is_parallel_import
        return Shared.INSTANCE if is_one_import else Shared.TABLES, some_names(names)
    if ours.tables is None or theirs.tables is None:
        return Shared.TARGET, "the target, in tables that are not known"
    return None
