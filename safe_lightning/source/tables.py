"""Which tables an import is about, by the names of its source's files: for locks, baselines and verdicts."""

from __future__ import annotations

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import Task
from safe_lightning.lightning.task_file import TaskFileError, read_task_file
from safe_lightning.source.files import Source, discover
from safe_lightning.source.findings import ConfigProblem


def source_tables(task: Task) -> frozenset[TableName]:
    """Name the target tables of a task's source files. Raises CouldNotLook where that cannot be told from here."""
    return frozenset(table.table for table in discover_source(task).tables)


def discover_source(task: Task) -> Source:
    """Look at a task's source as Lightning would. Raises CouldNotLook where that cannot be done from here."""
    if task.server_mode or not task.data_source_dir:
        raise CouldNotLook("the task names no data source, so its tables are not known")
    try:
        config = read_task_file(task.cwd / task.config_file) if task.config_file else {}
        return discover(task.data_source_dir, task.cwd, config, task.table_filter)
    except (ConfigProblem, TaskFileError, OSError) as error:
        raise CouldNotLook(f"the tables of the source cannot be told: {error}") from error
