"""What the parts of the stand-in importer share during one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Task
from safe_lightning.rehearsal.checkpoints import STEP_NAMES, CheckpointBook, Engine, Table
from safe_lightning.rehearsal.cluster import Cluster
from safe_lightning.rehearsal.play import Play
from safe_lightning.rehearsal.progress import Progress
from safe_lightning.rehearsal.schema import TableSchema
from safe_lightning.rehearsal.source import CsvDialect, SourceTable
from safe_lightning.rehearsal.status_server import StatusBoard
from safe_lightning.rehearsal.zap import ZapLog

_HOLD_SECONDS = 0.05


class ImportStepError(Exception):
    """A step failed; ``step`` is Lightning's number of it in `run failed`."""

    def __init__(self, step: int, message: str) -> None:
        super().__init__(message)
        self.step = step


@dataclass(frozen=True)
class TableFailure:
    """A failure that the checkpoint records, for the summary at the end."""

    table: TableName
    step_name: str
    message: str


@dataclass
class Import:
    """One run: its task, its surroundings, and what came of it so far."""

    task: Task
    play: Play
    log: ZapLog
    cluster: Cluster
    book: CheckpointBook
    schemas: Sequence[str]
    sources: Sequence[SourceTable]
    progress: Progress
    board: StatusBoard = field(default_factory=StatusBoard)
    table_schemas: dict[TableName, TableSchema] = field(default_factory=dict)
    failures: list[TableFailure] = field(default_factory=list)
    are_periodic_actions_over: bool = False

    @property
    def is_local(self) -> bool:
        """Whether it is a physical import."""
        return self.task.backend == "local"

    @property
    def adds_to_rows(self) -> bool:
        """Whether a physical import goes into tables that may hold rows, whose sum is then part of the comparison."""
        return self.is_local and self.task.values.get("tikv-importer.incremental-import") is True

    @property
    def folder(self) -> Path:
        """Return the data source as a local path."""
        return (self.task.cwd / self.task.data_source_dir.removeprefix("file://")).resolve()

    @property
    def sorted_kv_dir(self) -> Path:
        """Return the folder of the local backend's engines."""
        return self.task.cwd / self.task.sorted_kv_dir

    @property
    def dialect(self) -> CsvDialect:
        """Return how CSV files are written."""
        return CsvDialect.of(self.task)

    def hold_while_paused(self) -> None:
        """Stand still for as long as the status port says so. Raises CanceledError after a signal."""
        while self.board.is_paused:
            self.play.rest(_HOLD_SECONDS)

    def record_failure(
        self, name: TableName, table: Table, step: int, message: str, engine: Engine | None = None
    ) -> None:
        """Record a failed step in the checkpoint and for the summary."""
        table.fail(step, engine)
        self.book.save()
        self.failures.append(TableFailure(name, STEP_NAMES[step], message))
