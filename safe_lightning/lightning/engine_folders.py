"""The folders below sorted-kv-dir in which the local backend keeps an engine's pairs until they are ingested."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID, uuid5

from safe_lightning.core.checkpoint import IMPORTED, MAX_INVALID, TableRecord
from safe_lightning.core.tables import TableName

#: Source: pkg/lightning/backend/backend.go, release-8.5.
_NAMESPACE = UUID("d68d6abe-c59e-45d6-ade8-e2b0ceb7bedf")
_INDEX_IMPORTED = 140


def engine_folder(sorted_kv_dir: Path, table: TableName, number: int) -> Path:
    """Name the folder of an engine.

    >>> engine_folder(Path("/sorted"), TableName("db", "t"), 0).name
    'a65740db-8738-5be7-8167-cd5dc61a6d79'
    """
    return sorted_kv_dir / str(uuid5(_NAMESPACE, f"{table}:{number}"))


def lost_engines(sorted_kv_dir: Path, records: Iterable[TableRecord]) -> frozenset[tuple[TableName, int]]:
    """Find engines that were begun and not imported, and whose folder is not there.

    Lightning asks the same of these (``cannot find local file``), and does not look inside either.
    """
    return frozenset(
        (record.table, number)
        for record in records
        if MAX_INVALID < record.status < _INDEX_IMPORTED
        for number, status in record.engines.items()
        if number in record.begun_engines and MAX_INVALID < status < IMPORTED
        if not engine_folder(sorted_kv_dir, record.table, number).is_dir()
    )
