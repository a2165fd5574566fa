"""Copies the checkpoint aside before anything changes it."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.policy.model import CheckpointPolicy


def back_up(store: CheckpointStore, folder: Path, policy: CheckpointPolicy) -> Path:
    """Copy whatever the store is into ``folder``, durably and verified, and return the copy.

    Raises CouldNotLook where the store cannot be read as a whole, OSError where the copy cannot be written; then
    nothing is left of it.
    """
    if store.driver == "mysql":
        return back_up_server(store, folder, policy.timeout, policy.size_most)
    return back_up_file(store, folder)


def back_up_file(store: CheckpointStore, folder: Path) -> Path:
    """Copy the file driver's checkpoint into ``folder`` under a name of its own, durably, and compare.

    Raises CouldNotLook for a store that is no local file, and OSError where the copy cannot be written.
    """
    if store.driver != "file" or store.path is None:
        raise CouldNotLook(f"the checkpoint at {store.location} is not a local file that could be copied")
    if not stat.S_ISREG(store.path.stat().st_mode):
        raise CouldNotLook(f"{store.path} is not a regular file")
    with new_file(folder, ".pb") as (copy, target):
        with store.path.open("rb") as source:
            shutil.copyfileobj(source, target)
        target.flush()
        if _digest(copy) != _digest(store.path):
            raise CouldNotLook(f"{store.path} changed while it was copied: is a Lightning at work on it?")
    return copy


def back_up_server(store: CheckpointStore, folder: Path, timeout_seconds: float, size_most: int) -> Path:
    """Write every table of the mysql driver's schema into ``folder`` as SQL that restores it, and compare the counts.

    One read-only snapshot, row by row, so memory stays flat. ``timeout_seconds`` is for each answer; a schema that
    takes more than ``size_most`` bytes is no checkpoint. Raises CouldNotLook and OSError.
    """
    from safe_lightning.lightning.checkpoint_dump import dump_schema
    from safe_lightning.lightning.mysql_connection import open_session

    if store.server is None:
        raise CouldNotLook("the task does not say which server keeps the checkpoint (checkpoint.dsn)")
    with open_session(store.server, timeout_seconds) as session, new_file(folder, ".sql") as (copy, target):
        for line in dump_schema(session, store.schema):
            target.write(line.encode())
            if target.tell() > size_most:
                raise CouldNotLook(f"{store.location} is larger than {size_most} bytes: it is not copied")
    return copy


@contextmanager
def new_file(folder: Path, suffix: str, prefix: str = "checkpoint-") -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a new file that is durable once the block has ended well, and gone if it has not."""
    descriptor, name = tempfile.mkstemp(prefix=prefix, suffix=suffix, dir=folder)
    path = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield path, file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    _sync_folder(folder)


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
