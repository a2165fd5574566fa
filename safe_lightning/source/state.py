"""The source of a task as it stands now: files with sizes and times, and what its schema files say, as a hash."""

from __future__ import annotations

import hashlib
from pathlib import Path

from safe_lightning.core.source_state import FileState, SourceState, TableSource
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import Task
from safe_lightning.source.files import SourceFile, SourceTable
from safe_lightning.source.tables import discover_source

_SCHEMA_BYTES_MOST = 16 << 20


def source_state(task: Task) -> SourceState:
    """Look at every file of a task's source; none is read but schema files.

    Raises CouldNotLook where the source is not local or cannot be told from here.
    """
    return SourceState({table.table: _state(table) for table in discover_source(task).tables})


def _state(table: SourceTable) -> TableSource:
    return TableSource(tuple(map(_file_state, table.files)), _schema_hash(table.schema_file))


def _file_state(file: SourceFile) -> FileState:
    try:
        modified = file.path.stat().st_mtime_ns
    except OSError:
        modified = 0
    return FileState(file.name, file.size_bytes, modified)


def _schema_hash(file: SourceFile | None) -> str:
    return _hash(file.path) if file is not None else ""


def _hash(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            return hashlib.sha256(opened.read(_SCHEMA_BYTES_MOST)).hexdigest()
    except OSError as error:
        raise CouldNotLook(f"the schema file {path} cannot be read: {error.strerror}") from error
