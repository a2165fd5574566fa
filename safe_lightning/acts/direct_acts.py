"""A step of a plan done by ourselves where the control tool is not to be used: it needs PD, and crashes without one.

The checkpoint reads afterwards as after the tool (tests/checkpoint/test_direct_acts.py, on every recorded call). Of a
destroy the table goes first and its entry last: killed in between, the entry still tells that there is work left,
where the tool would leave a table that nothing knows of any more.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from safe_lightning.core.checkpoint import TableRecord
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, CouldNotLook, Step
from safe_lightning.lightning.checkpoint_writing import change_entry
from safe_lightning.lightning.engine_folders import engine_folder
from safe_lightning.lightning.mysql_connection import open_session
from safe_lightning.lightning.task import Server, Task
from safe_lightning.policy.model import Policy

_ENGINE_SUFFIXES = ("", ".dupdetect", ".dupresult")


def act_directly(step: Step, task: Task, policy: Policy, entry: TableRecord | None) -> str:
    """Do one step to the checkpoint, and of a destroy to the table; return what went wrong, "" if nothing did."""
    try:
        if step.action is Action.DESTROY:
            drop_table(task.target, step.table, policy.control_tool.timeout)
        change_entry(task.checkpoint, policy.checkpoint, step.action, step.table)
        if step.action is Action.DESTROY and task.sorted_kv_dir and entry is not None:
            for folder in engine_folders(task.cwd / task.sorted_kv_dir, step.table, entry.engines):
                shutil.rmtree(folder)
    except (CouldNotLook, OSError) as error:
        return str(error)
    return ""


def forget_metadata(step: Step, task: Task, policy: Policy, task_id: int) -> str:
    """Delete what `lightning_metadata` holds of a table whose entry is gone; return what stays of it, and why.

    The control tool does the same, but for all tasks at once; of a task whose id is not known nothing is touched.
    """
    if step.action not in (Action.REMOVE, Action.DESTROY) or task.backend != "local" or not task_id:
        return ""
    from safe_lightning.lightning.leavings_rows import forget_instance

    return forget_instance(task, task_id, step.table, policy.checkpoint.timeout)


def drop_table(target: Server, table: TableName, timeout_seconds: float) -> None:
    """Drop a table of the target; one that is gone already is none to drop. Raises CouldNotLook."""
    with open_session(target, timeout_seconds) as session:
        session.query("ROLLBACK")  # the session begins in a read-only transaction
        session.query(f"DROP TABLE IF EXISTS {table}")


def engine_folders(folder: Path, table: TableName, engines: Iterable[int]) -> list[Path]:
    """List the folders of a table's engines that stand in a sorted-kv-dir."""
    names = (engine_folder(folder, table, number).name for number in engines)
    places = (folder / f"{name}{suffix}" for name in names for suffix in _ENGINE_SUFFIXES)
    return [place for place in places if place.is_dir() and not place.is_symlink()]
