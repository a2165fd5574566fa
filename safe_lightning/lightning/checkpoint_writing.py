"""Acts on a checkpoint store without the control tool: the file replaced as a whole, or one transaction."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Collection
from pathlib import Path

from safe_lightning.core.checkpoint import UnreadableCheckpoint
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, CouldNotLook
from safe_lightning.lightning.checkpoint_edit import with_engines_rewound, with_errors_ignored, without_table
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.lightning.wire import WireError
from safe_lightning.policy.model import CheckpointPolicy

Change = Callable[[bytes], bytes]


def change_entry(store: CheckpointStore, policy: CheckpointPolicy, action: Action, table: TableName) -> None:
    """Do to one entry what the control tool's act does: remove, ignore, and of a destroy the part in the checkpoint.

    Raises CouldNotLook where the store cannot be read or holds no such entry, OSError where it cannot be written;
    then nothing is changed.
    """
    if store.driver == "mysql":
        from safe_lightning.lightning import checkpoint_sql

        with checkpoint_sql.open_store(store, policy.timeout) as server:
            server.ignore(table) if action is Action.IGNORE else server.remove(table)
        return
    _rewrite(
        store, policy, lambda data: (with_errors_ignored if action is Action.IGNORE else without_table)(data, table)
    )


def rewind_engines(
    store: CheckpointStore, policy: CheckpointPolicy, table: TableName, engines: Collection[int]
) -> None:
    """Set engines of a table back to before their first chunk. Raises CouldNotLook, OSError; see `checkpoint_edit`."""
    if store.driver == "mysql":
        from safe_lightning.lightning import checkpoint_sql

        with checkpoint_sql.open_store(store, policy.timeout) as server:
            server.rewind(table, engines)
        return
    _rewrite(store, policy, lambda data: with_engines_rewound(data, table, engines))


def _rewrite(store: CheckpointStore, policy: CheckpointPolicy, change: Change) -> None:
    if store.path is None:
        raise CouldNotLook(f"the checkpoint {store.location or 'of this task'} is no local file that could be changed")
    path = Path(os.path.realpath(store.path))  # a link stays a link
    before = _state(path)
    if not stat.S_ISREG(before.st_mode) or before.st_size > policy.size_most:
        raise UnreadableCheckpoint(f"{path} is not a regular file within checkpoint.size_most")
    try:
        changed = change(path.read_bytes())
    except WireError as error:
        raise UnreadableCheckpoint(f"{path} is no whole checkpoint: {error}") from error
    _replace(path, changed, before)


def _replace(path: Path, data: bytes, before: os.stat_result) -> None:
    """Put other bytes in a file's place, whole or not at all, whatever is cut off when."""
    aside = path.with_name(f"{path.name}.safe-lightning.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            if os.geteuid() == 0:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
            os.fsync(file.fileno())
        if _identity(_state(path)) != _identity(before):
            raise CouldNotLook(f"{path} was changed meanwhile: is a Lightning at work on it?")
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _state(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise CouldNotLook(f"{path} cannot be looked at: {error.strerror}") from error


def _identity(state: os.stat_result) -> tuple[int, int, int, int]:
    return state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns
