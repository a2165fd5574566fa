"""Everything of a task that decides what is imported, read at one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from safe_lightning.core.columns import Backend, split_sql_mode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Task
from safe_lightning.lightning.task_file import section, text_of
from safe_lightning.source.charset import SCHEMA_CHARSETS
from safe_lightning.source.csv_rules import read_csv_rules
from safe_lightning.source.file_rules import NEWEST
from safe_lightning.source.files import Source, discover
from safe_lightning.source.findings import ConfigProblem
from safe_lightning.source.mapping import ignored_columns
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema_charset import CharsetRules
from safe_lightning.source.schema_files import SchemaOptions

# Lightning's own default, which is not strict. Source: pkg/lightning/config, NewConfig.
DEFAULT_SQL_MODE = "ONLY_FULL_GROUP_BY,NO_AUTO_CREATE_USER"


@dataclass(frozen=True)
class SourceSettings:
    """How the source of one task is found and read. ``config`` is the task file, with lower-case keys."""

    data_source_dir: str
    cwd: Path
    config: Mapping[str, Any] = field(default_factory=dict)
    table_filter: tuple[str, ...] = ()
    backend: Backend = Backend.PHYSICAL
    version: tuple[int, int] = NEWEST

    @classmethod
    def of_task(cls, task: Task, config: Mapping[str, Any], version: tuple[int, int] = NEWEST) -> SourceSettings:
        """Take what a resolved task says; ``config`` is its file as `read_task_file` returns it."""
        backend = Backend.LOGICAL if task.backend == Backend.LOGICAL else Backend.PHYSICAL
        return cls(task.data_source_dir, task.cwd, config, task.table_filter, backend, version)

    @property
    def sql_mode(self) -> frozenset[str]:
        """The flags of `[tidb] sql-mode`."""
        return split_sql_mode(text_of(section(self.config, "tidb"), "sql-mode", DEFAULT_SQL_MODE))

    def discover(self) -> Source:
        """Look at the folder. Raises CouldNotLook and ConfigProblem; see `files.discover`."""
        return discover(self.data_source_dir, self.cwd, self.config, self.table_filter, self.version)

    def reading_rules(self) -> ReadingRules:
        """Read how data files are read. Raises ConfigProblem."""
        return ReadingRules(read_csv_rules(self.config), self.sql_mode)

    def schema_options(self, rules: CharsetRules | None = None) -> SchemaOptions:
        """Read how schema files are read; ``rules`` is what the target decides. Raises ConfigProblem."""
        charset = text_of(section(self.config, "mydumper"), "character-set", "auto").lower() or "auto"
        if charset not in SCHEMA_CHARSETS:
            raise ConfigProblem(f"`mydumper.character-set` = '{charset}' is not supported")
        return SchemaOptions(charset, self.sql_mode, rules or CharsetRules())

    def ignored_columns(self, table: TableName) -> tuple[str, ...]:
        """Read the columns of a target table that are not imported. Raises ConfigProblem."""
        return ignored_columns(self.config, table)
