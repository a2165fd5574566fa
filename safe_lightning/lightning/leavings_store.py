"""The checkpoint store itself, once no entry of it is needed any more."""

from __future__ import annotations

import os

from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.cleaning import Kind, Leaving
from safe_lightning.core.tables import quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_mysql import choose_tables
from safe_lightning.lightning.checkpoint_server import number_of, text_of
from safe_lightning.lightning.mysql_connection import open_session
from safe_lightning.lightning.task import CheckpointStore


def store_leaving(checkpoint: Checkpoint, *, is_foreign: bool) -> Leaving:
    """Describe a store that was read; without a task in it, it is not known whose it is."""
    if not checkpoint.exists:
        return Leaving(Kind.CHECKPOINT, checkpoint.location, False, "there is none")
    task = checkpoint.task
    is_known = task is not None and bool(task.task_id or task.source_dir)
    said = f"{checkpoint.driver} driver" + (f", task {task.task_id}" if task and is_known else ", of no task")
    facts = {"driver": checkpoint.driver, "task_id": task.task_id if task else None}
    held_by = f"another release of Lightning may need it: {checkpoint.notes[0]}" if checkpoint.notes else ""
    is_ours = False if is_foreign else (True if is_known else None)
    return Leaving(Kind.CHECKPOINT, checkpoint.location, True, said, is_ours, held_by, facts=facts)


def delete_store(store: CheckpointStore, timeout_seconds: float) -> None:
    """Delete a store that holds no entry any more: its file, or its tables and the schema if nothing else is in it.

    Raises CouldNotLook where it holds an entry after all or cannot be asked, OSError where it cannot be deleted.
    """
    if store.driver == "mysql":
        _drop_tables(store, timeout_seconds)
    elif store.path is not None:
        store.path.unlink(missing_ok=True)
        descriptor = os.open(store.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    else:
        raise CouldNotLook(f"the checkpoint {store.location} is no local file that could be deleted")


def _drop_tables(store: CheckpointStore, timeout_seconds: float) -> None:
    if store.server is None:
        raise CouldNotLook("the task does not say which server keeps the checkpoint (checkpoint.dsn)")
    schema = quote(store.schema)
    with open_session(store.server, timeout_seconds) as session:
        session.query("ROLLBACK")  # the session begins in a read-only transaction
        names = [text_of(row[0]) for row in session.query(f"SHOW TABLES FROM {schema}")]
        tables, notes = choose_tables(store.schema, _with_missing(names))
        if notes:
            raise CouldNotLook(notes[0])
        table = tables.get("table")
        if table in names and number_of(session.query(f"SELECT COUNT(*) FROM {schema}.{quote(table)}")[0][0]):  # noqa: S608
            raise CouldNotLook(f"{schema} holds entries of tables: is a Lightning at work on it?")
        if set(names) == set(tables.values()):
            session.query(f"DROP SCHEMA {schema}")  # one act, whole or not at all
        elif chosen := [f"{schema}.{quote(name)}" for name in tables.values() if name in names]:
            session.query(f"DROP TABLE {', '.join(chosen)}")


def _with_missing(names: list[str]) -> list[str]:
    """Complete the kinds of a store that was dropped half: a kill in between leaves some of them."""
    kinds = {name.rpartition("_v")[0] for name in names}
    return [*names, *(f"{kind}_v0" for kind in ("table", "engine", "chunk") if kind not in kinds)] if names else []
