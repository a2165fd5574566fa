"""What the child said about its own run, gathered line by line from its log and its streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Protocol

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.mismatch import read_mismatch, read_totals
from safe_lightning.core.tables import Comparison, TableName, Totals

#: Errors and skipped keys kept for the report; all are counted.
KEPT = 50
#: Chunks kept per table, to find the one that is missing; beyond it none is.
FILES_KEPT = 1000


class Record(Protocol):
    """The parts of a log record that are read here."""

    @property
    def level(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def fields(self) -> Mapping[str, str]: ...  # noqa: D102


@dataclass
class TableTrace:
    """What the log says of one table."""

    table: TableName
    reused: bool = False
    engines_reused: int = 0
    chunks: int = 0
    chunk_kvs: int = 0
    restored: bool = False
    local: Totals | None = None
    passed: Totals | None = None
    skipped: str = ""
    mismatch: Comparison | None = None
    remote_pending: bool = False
    failed_step: str = ""
    error: str = ""
    loaded_fresh: bool = False
    was_empty: bool | None = None
    own: Totals | None = None
    base: Totals | None = None
    #: ``file:offset`` of a chunk, its checksum, bytes and pairs; forgotten once the table is verified.
    files: list[tuple[str, int | None, int, int]] = field(default_factory=list)
    has_more_files: bool = False

    def note_passed(self, totals: Totals | None) -> None:
        """Note that the checksum passed: nothing of this table needs to be explained any more."""
        self.passed = totals
        self.remote_pending = False
        self.files.clear()


@dataclass
class Ingest:
    """The last ingest of one engine: pairs it held, pairs that Lightning counted as imported."""

    table: TableName | None
    engine: str
    kvs: int
    imported: int


@dataclass
class TaskEvidence:
    """Everything about one task; a server-mode log holds several."""

    version: str | None = None
    saw_config: bool = False
    started: bool = False
    schema_restored: bool = False
    import_started: bool = False
    completed: bool = False
    task_canceled: bool = False
    canceled_by_api: bool = False
    finished: bool | None = None
    failed: bool = False
    first_launch: bool = False
    keep_after_success: str = ""
    tables: dict[TableName, TableTrace] = field(default_factory=dict)
    ingests: dict[str, Ingest] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)
    final_error: str = ""
    refusal: str = ""
    unnamed_mismatches: list[Comparison] = field(default_factory=list)
    mismatch_tolerated: bool = False
    checksum_not_computed: str = ""
    skipped_keys: list[str] = field(default_factory=list)
    skipped_key_count: int = 0
    conflicts: int = 0
    type_errors: int = 0
    conflicts_resolved: bool = False
    written_bytes: int = 0
    config: dict[str, str | bool] = field(default_factory=dict)
    table_ids: dict[int, TableName] = field(default_factory=dict)
    #: Tags (table and number) of the engines that were opened, by uuid, the latest only.
    engines_opened: dict[str, str] = field(default_factory=dict)
    unnamed_ingests: set[str] = field(default_factory=set)
    #: Engines that an earlier run in the same log counted as imported although pairs were missing.
    lost_before: dict[TableName, list[Ingest]] = field(default_factory=dict)
    #: By the name as it is logged: reading it anew for every line of a busy log costs more than the rest of a rule.
    _traces: dict[str, TableTrace] = field(default_factory=dict, repr=False, compare=False)

    def trace(self, name: str) -> TableTrace | None:
        """Return the trace of a back-quoted table, made on first sight; None for any other text."""
        if known := self._traces.get(name):
            return known
        try:
            table = TableName.parse(name)
        except ValueError:
            return None
        trace = self._traces[name] = self.tables.setdefault(table, TableTrace(table))
        return trace

    def note_ingest(self, uuid: str, kvs: int, imported: int) -> None:
        """Note the last ingest of an engine; its log line names only the uuid."""
        known = self.ingests.get(uuid)
        table, engine = (known.table, known.engine) if known else self.engine_of(uuid)
        self.ingests[uuid] = Ingest(table, engine, kvs, imported)
        if table is None:
            self.unnamed_ingests.add(uuid)

    def engine_of(self, uuid: str) -> tuple[TableName | None, str]:
        """Name table and number of an engine that was opened."""
        name, _, number = self.engines_opened.get(uuid, "").rpartition(":")
        trace = self.trace(name)
        return (trace.table, number) if trace else (None, "")

    def add_mismatch(self, text: str, table: TableName | None) -> None:
        """Note a mismatch sentence, once per table and once per pair of totals."""
        comparison = read_mismatch(text)
        if comparison is None:
            return
        if table is not None:
            self.tables.setdefault(table, TableTrace(table)).mismatch = comparison
        elif comparison not in self.unnamed_mismatches:
            self.unnamed_mismatches.append(comparison)

    @property
    def mismatches(self) -> tuple[tuple[TableName | None, Comparison], ...]:
        """List the mismatches, those that nobody named last and only where no table has the same totals."""
        named = [(t.table, t.mismatch) for t in self.tables.values() if t.mismatch]
        known = [comparison for _, comparison in named]
        rest = [(None, c) for c in self.unnamed_mismatches if c not in known]
        return (*named, *rest)


@dataclass
class StreamEvidence:
    """What stdout and stderr said, as far as it tells an end."""

    banner_path: str = ""
    said_success: bool = False
    said_exit: bool = False
    said_canceled: bool = False
    said_killed: bool = False
    version_lines: int = 0
    release: str = ""
    has_usage: bool = False
    is_control_tool: bool = False
    first_stderr_line: str = ""
    http_server_error: str = ""
    config_error: str = ""
    final_error: str = ""
    loop_error: str = ""
    sentence: str = ""
    panic: str = ""
    was_interrupted: bool = False
    panic_in_precheck: bool = False
    conflicts: int = 0
    type_errors: int = 0
    unnamed_mismatches: list[Comparison] = field(default_factory=list)
    named_mismatches: dict[TableName, Comparison] = field(default_factory=dict)


def totals_field(record: Record, name: str) -> Totals | None:
    """Read a checksum field of a record."""
    return read_totals(record.fields.get(name, ""))
