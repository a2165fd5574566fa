"""What Lightning would import: the tables of a source folder, the files of each in order, and what is odd about them.

Source: pkg/lightning/mydump/loader.go (setup, constructFileInfo, route).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tablefilter import DEFAULT_FILTER, FilterError, TableFilter, parse_filter
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task_file import flag_of, section
from safe_lightning.source.file_rules import NEWEST, Compression, FileRule, FileType, RouteError, read_file_rules
from safe_lightning.source.findings import ConfigProblem, Level, SourceFinding
from safe_lightning.source.table_routes import RouteConflict, TableRoutes, read_table_routes
from safe_lightning.source.walk import FoundFile, local_folder, walk

_NAMED_MOST = 20


@dataclass(frozen=True)
class SourceFile:
    """A file that belongs to a table or a database.

    ``name`` is relative to the source folder; ``source_table`` is what the file's name says, before routes.
    ``constants`` are the columns that routes append behind the fields of every row.
    """

    path: Path
    name: str
    source_table: TableName
    type: FileType
    compression: Compression = Compression.NONE
    size_bytes: int = 0
    sort_key: str = ""
    constants: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SourceTable:
    """A target table: its data files in Lightning's order, and the schema file whose definition counts."""

    table: TableName
    files: tuple[SourceFile, ...] = ()
    schema_file: SourceFile | None = None
    is_view: bool = False

    @property
    def size_bytes(self) -> int:
        """The size of its data files."""
        return sum(file.size_bytes for file in self.files)


@dataclass(frozen=True)
class Source:
    """Everything found. ``database_files`` maps a target database to its schema file."""

    folder: Path
    tables: tuple[SourceTable, ...] = ()
    database_files: Mapping[str, SourceFile] = field(default_factory=dict)
    findings: tuple[SourceFinding, ...] = ()
    filtered_count: int = 0

    def table(self, name: TableName) -> SourceTable | None:
        """Return a table, found without regard to case."""
        wanted = _fold(name)
        return next((table for table in self.tables if _fold(table.table) == wanted), None)


@dataclass(frozen=True)
class DiscoveryRules:
    """How files become tables in a run."""

    file_rules: tuple[FileRule, ...]
    table_filter: TableFilter
    routes: TableRoutes = field(default_factory=TableRoutes)


def discover(
    data_source_dir: str,
    cwd: Path,
    config: Mapping[str, Any] | None = None,
    table_filter: Sequence[str] = (),
    version: tuple[int, int] = NEWEST,
) -> Source:
    """Look at a source as Lightning would. ``config`` is the task file, lower-case keys; a folder is enough.

    ``table_filter`` holds the effective patterns of the task, as flags win over the file; without it the file's
    count, and without these the default.
    Raises CouldNotLook for a source that is not local or a setting that cannot be reproduced, ConfigProblem for
    one that Lightning refuses.
    """
    folder = local_folder(data_source_dir, cwd)
    rules = read_discovery_rules(config or {}, folder, table_filter, version)
    found, findings = walk(folder)
    return sort_files(folder, found, rules, findings)


def read_discovery_rules(
    config: Mapping[str, Any], folder: Path, table_filter: Sequence[str] = (), version: tuple[int, int] = NEWEST
) -> DiscoveryRules:
    """Read file rules, table filter and routes. Raises ConfigProblem and CouldNotLook."""
    is_case_sensitive = flag_of(section(config, "mydumper"), "case-sensitive", False)
    patterns = tuple(table_filter) or _written_filter(config) or DEFAULT_FILTER
    try:
        chosen = parse_filter(patterns, is_case_sensitive=is_case_sensitive, read_file=_lines_of)
    except FilterError as error:
        if error.is_certain:
            raise ConfigProblem(f"parse filter failed: {error}") from error
        raise CouldNotLook(f"the table filter cannot be reproduced: {error}") from error
    return DiscoveryRules(read_file_rules(config, folder, version), chosen, read_table_routes(config))


def _written_filter(config: Mapping[str, Any]) -> tuple[str, ...]:
    written = section(config, "mydumper").get("filter", ())
    if not isinstance(written, list | tuple) or not all(isinstance(pattern, str) for pattern in written):
        raise ConfigProblem("`mydumper.filter` must be a list of strings")
    return tuple(written)


def _lines_of(name: str) -> list[str]:
    return Path(name).read_text("utf-8").splitlines()


@dataclass
class _Sorting:
    """The tables while files are sorted into them; keys are folded, because TiDB does not tell cases apart."""

    folder: Path
    rules: DiscoveryRules
    findings: list[SourceFinding]
    names: dict[TableName, TableName] = field(default_factory=dict)
    data: dict[TableName, list[SourceFile]] = field(default_factory=dict)
    schemas: dict[TableName, list[SourceFile]] = field(default_factory=dict)
    views: dict[TableName, SourceFile] = field(default_factory=dict)
    databases: dict[str, list[SourceFile]] = field(default_factory=dict)
    unmatched: list[str] = field(default_factory=list)
    filtered_count: int = 0

    def say_unmatched(self) -> None:
        """Say which files no rule matches: some by name, the rest by number."""
        for name in self.unmatched[:_NAMED_MOST]:
            self._say("unmatched-file", f"no rule matches {name}: it is not imported", name, Level.NOTE)
        left = len(self.unmatched) - _NAMED_MOST
        if left > 0:
            self._say("unmatched-file", f"no rule matches {left} more files", self.unmatched[-1], Level.NOTE)

    def add(self, found: FoundFile) -> None:
        try:
            file = self._route(found)
        except RouteError as error:
            self._say("unroutable-file", f"apply file routing on file '{found.name}' failed: {error}", found.name)
            return
        if file is None:
            return
        try:
            target = self.rules.routes.target(file.source_table)
        except RouteConflict as error:
            self._say("route-conflict", str(error), found.name)
            return
        if found.problem:
            self._say("unreadable-file", f"{found.name} {found.problem}", found.name, table=target)
        self._place(file, target)

    def _route(self, found: FoundFile) -> SourceFile | None:
        for rule in self.rules.file_rules:
            route = rule.route(found.name)
            if route is not None:
                break
        else:
            self.unmatched.append(found.name)
            return None
        if route.type is FileType.IGNORE:
            return None
        source_table = TableName(route.schema, route.table)
        if route.table and not self.rules.table_filter.matches(source_table):
            self.filtered_count += 1
            return None
        return SourceFile(
            self.folder / found.name,
            found.name,
            source_table,
            route.type,
            route.compression,
            found.size_bytes,
            route.sort_key,
            self.rules.routes.constants(source_table) if route.type.is_data else (),
        )

    def _place(self, file: SourceFile, target: TableName) -> None:
        if file.type is FileType.DATABASE_SCHEMA:
            self.databases.setdefault(target.schema.lower(), []).append(file)
            return
        key = _fold(target)
        known = self.names.setdefault(key, target)
        if known != target:
            message = f"{target} and {known} differ only in case: TiDB takes them for one table, Lightning for two"
            self._say("case-clash", message, file.name, Level.WARN, known)
        if file.type is FileType.TABLE_SCHEMA:
            self.schemas.setdefault(key, []).append(file)
        elif file.type is FileType.VIEW_SCHEMA:
            self.views.setdefault(key, file)
        else:
            self.data.setdefault(key, []).append(file)

    def _say(
        self, code: str, message: str, file: str, level: Level = Level.ERROR, table: TableName | None = None
    ) -> None:
        self.findings.append(SourceFinding(code, message, level, file, table=table))


def sort_files(
    folder: Path, found: Iterable[FoundFile], rules: DiscoveryRules, findings: Iterable[SourceFinding] = ()
) -> Source:
    """Sort files into tables; nothing is read. Tables come smallest first, as Lightning imports them."""
    sorting = _Sorting(folder, rules, list(findings))
    for file in found:
        sorting.add(file)
    sorting.say_unmatched()
    tables = [_table(sorting, key, name) for key, name in sorting.names.items()]
    tables.sort(key=lambda table: table.size_bytes)
    for table in tables:
        sorting.findings += table_findings(table, _schema_count(sorting, table), rules)
    for name, files in sorting.databases.items():
        if len(files) > 1 and not rules.routes.rules:
            message = f"invalid database schema file, duplicated item - {files[1].name} (database {name})"
            sorting.findings.append(SourceFinding("two-schema-files", message, Level.ERROR, files[1].name))
    if not tables and not sorting.databases:
        sorting.findings.append(SourceFinding("no-table", "no file belongs to a table: nothing would be imported"))
    databases = {name: files[0] for name, files in sorting.databases.items()}
    return Source(folder, tuple(tables), databases, tuple(sorting.findings), sorting.filtered_count)


def _schema_count(sorting: _Sorting, table: SourceTable) -> int:
    """Count the schema files that Lightning takes for the same table: those that agree in case as well."""
    names = [file.source_table for file in sorting.schemas.get(_fold(table.table), ())]
    return max(Counter(names).values(), default=0)


def _table(sorting: _Sorting, key: TableName, name: TableName) -> SourceTable:
    files = sorted(sorting.data.get(key, ()), key=lambda file: file.sort_key.encode("utf-8", "surrogateescape"))
    schemas = sorting.schemas.get(key, ())
    return SourceTable(name, tuple(files), schemas[0] if schemas else None, key in sorting.views)


def table_findings(table: SourceTable, schema_count: int, rules: DiscoveryRules) -> list[SourceFinding]:
    """Say what is odd about a table's files."""
    said: list[SourceFinding] = []

    def say(code: str, message: str, level: Level = Level.WARN, file: str | None = None) -> None:
        said.append(SourceFinding(code, message, level, file, table=table.table))

    if schema_count > 1 and not rules.routes.rules:
        say("two-schema-files", f"{table.table} has {schema_count} schema files: Lightning refuses that", Level.ERROR)
    if table.is_view and not schema_count:
        say("view-without-table", f"miss host table schema for view {table.table}: Lightning refuses that", Level.ERROR)
    if not table.files and not table.is_view:
        say("no-data-file", f"{table.table} has a schema file but no data file: it stays as it is")
    if table.files and table.schema_file is None:
        say("no-schema-file", f"{table.table} has no schema file: it must exist in the target", Level.NOTE)
    if not table.table.table:
        say("empty-table-name", "a file name gives an empty table name", Level.ERROR)
    for file in table.files:
        if not file.compression.is_readable:
            message = f"Lightning recognises {file.compression} and then cannot open the file"
            say("unreadable-compression", message, Level.ERROR, file.name)
        elif not file.size_bytes and file.compression in (Compression.GZIP, Compression.SNAPPY):
            say("zero-bytes", "the compressed file has no byte, not even a header", Level.ERROR, file.name)
        elif not file.size_bytes:
            say("zero-bytes", "the file has no byte: no row is imported from it", Level.WARN, file.name)
    return said


def _fold(name: TableName) -> TableName:
    return TableName(name.schema.lower(), name.table.lower())
