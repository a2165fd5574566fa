"""Finds Lightnings at work beyond the processes of this machine.

The target tells: by the metadata that the instances of a parallel import write there, and by the leases of runs that
take one (policy key lock.lease). Both are read only, in one bounded session.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from safe_lightning.api import CouldNotLook, Peer, Policy, TableName, Task
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.lease import LeaseClaim, lease_peers
from safe_lightning.core.parallel import Metadata, metadata_peers
from safe_lightning.lightning.task import CheckpointStore, Server

if TYPE_CHECKING:
    from safe_lightning.lightning.mysql_connection import Session

_LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}


def host_name(policy: Policy) -> str:
    """Name this host as other hosts see it."""
    return policy.lock.host or socket.gethostname()


def lease_claim(task: Task, policy: Policy, tables: AbstractSet[TableName] | None) -> LeaseClaim:
    """Say what an import claims, in names that every host gives it."""
    place = _place(task.checkpoint, task.target, host_name(policy)) if task.checkpoint.enabled else ""
    return LeaseClaim(place, None if tables is None else frozenset(tables), task.parallel_import)


def _place(store: CheckpointStore, target: Server, host: str) -> str:
    if store.server is None:
        # A file is this host's own; a folder that hosts share goes by one name on each only if they say so.
        return f"{host}:{os.path.realpath(store.path)}" if store.path is not None else store.url
    if (store.server.host, store.server.port, store.server.unix_socket) == (target.host, target.port, ""):
        return f"schema {store.schema} of the target"
    if store.server.unix_socket or store.server.host.lower() in _LOOPBACK:
        return f"{host}:{store.server.unix_socket or store.server.port}/{store.schema}"
    return f"mysql://{store.server.host.lower()}:{store.server.port}/{store.schema}"


@dataclass(frozen=True)
class OwnWork:
    """What is ours of what the target may show: our task's id in the checkpoint (0: none), and our tables.

    ``tables`` is None where they are not known: then whoever is at work on any counts.
    """

    task_id: int
    tables: frozenset[TableName] | None


def peers_elsewhere(task: Task, policy: Policy, own_work: Callable[[], OwnWork], own_run: str = "") -> tuple[Peer, ...]:
    """List who may be at work on an import's tables or checkpoint by what the target tells. Raises CouldNotLook.

    ``own_work`` is only asked for where anything was found: that may take reading the checkpoint. The task's own rows,
    and the lease of ``own_run``, are no peer's.
    """
    from safe_lightning.lightning.lease_store import leases_in
    from safe_lightning.lightning.mysql_connection import open_session

    if not task.target.port:
        raise CouldNotLook("the task names no port of the target (tidb.port)")
    lock = policy.lock
    with open_session(task.target, policy.checkpoint.timeout) as session:
        metadata = _metadata(task, session)
        leases = leases_in(session, lock.lease_schema, is_needed=lock.lease != "off")
    if not leases and not any(instance.may_be_alive for instance in metadata.instances):
        return ()
    own = own_work()
    holders = lease_peers(lease_claim(task, policy, own.tables), leases, own_run)
    return holders + metadata_peers(metadata, own.task_id, own.tables, is_parallel_import=task.parallel_import)


def _metadata(task: Task, session: Session) -> Metadata:
    """Read the metadata; a user of a lone import has no rights on it as a rule, and then it tells of nobody."""
    from safe_lightning.lightning.metadata import metadata_in, metadata_schema
    from safe_lightning.lightning.mysql_connection import DENIED, ServerRefused

    schema = metadata_schema(task)
    try:
        return metadata_in(session, schema)
    except ServerRefused as error:
        if task.parallel_import or error.code not in DENIED:
            raise
    return Metadata(schema, False, ())


def read_instances(task: Task, policy: Policy) -> Metadata:
    """Read what the instances of a parallel import tell of themselves in the target. Raises CouldNotLook."""
    from safe_lightning.lightning.metadata import read_metadata

    return read_metadata(task, policy.checkpoint.timeout)
