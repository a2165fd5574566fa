"""The checkpoint store of a task, read with whichever driver the task names."""

from __future__ import annotations

from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.policy.model import CheckpointPolicy


def read_checkpoint(store: CheckpointStore, policy: CheckpointPolicy) -> Checkpoint:
    """Read a store, its chunks counted. Raises CouldNotLook for one that cannot be reached or trusted.

    A store that the task turns off is not read: Lightning does not look at it either.
    """
    if not store.enabled:
        return Checkpoint(store.driver, store.location, False, None, ())
    if store.driver == "mysql":
        return _read_server(store, policy)
    if store.path is None:
        raise CouldNotLook(f"the checkpoint {store.url or 'a place not named'} is remote: it cannot be read from here")
    from safe_lightning.lightning.checkpoint_file import read_summary

    return read_summary(store.path, policy.size_most)


def _read_server(store: CheckpointStore, policy: CheckpointPolicy) -> Checkpoint:
    if store.server is None:
        raise CouldNotLook("the task does not say which server keeps the checkpoint (checkpoint.dsn)")
    from safe_lightning.lightning.checkpoint_mysql import read_mysql

    return read_mysql(store.server, store.schema, store.location, policy.timeout)
