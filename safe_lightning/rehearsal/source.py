"""The data source as Lightning's default naming finds it: schema files, CSV and SQL files of each table."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Task
from safe_lightning.rehearsal.insert_dump import read_inserts

_SCHEMA = re.compile(r"^(?P<db>[^.]+)-schema-create\.sql$", re.IGNORECASE)
_TABLE = re.compile(r"^(?P<db>[^.]+)\.(?P<table>.+)-schema\.sql$", re.IGNORECASE)
_DATA = re.compile(r"^(?P<db>[^.]+)\.(?P<table>.*?)(?:\.(?P<sort>[0-9]+))?\.(?P<type>csv|sql)$", re.IGNORECASE)
_IGNORED = re.compile(r"-schema(-trigger|-post|-view)?\.sql$|^metadata$", re.IGNORECASE)
_NULL, _NULL_MARK = "\\N", "\ue000N"
_FIELD_CHARACTERS_MOST = 16 << 20

Value = str | None


class SourceError(ValueError):
    """The data source cannot be read as far as a rehearsal needs it."""


@dataclass(frozen=True)
class DataFile:
    """One file of rows; ``path`` is relative to the data source."""

    path: str
    kind: str
    sort_key: str
    size_bytes: int


@dataclass
class SourceTable:
    """One table of the source: its schema file, if there is one, and its data files in order."""

    name: TableName
    schema_file: Path | None = None
    files: list[DataFile] = field(default_factory=list)


@dataclass(frozen=True)
class CsvDialect:
    """The part of [mydumper.csv] that a rehearsal honours."""

    separator: str = ","
    delimiter: str = '"'
    has_header: bool = True
    null: tuple[str, ...] = ("\\N",)
    backslash_escape: bool = True

    @classmethod
    def of(cls, task: Task) -> CsvDialect:
        """Take the settings from a task's effective values."""
        values: Mapping[str, object] = task.values
        found = values.get("mydumper.csv.null", ["\\N"])
        null = tuple(map(str, found)) if isinstance(found, (list, tuple)) else (str(found),)
        return cls(
            separator=str(values.get("mydumper.csv.separator", ",")),
            delimiter=str(values.get("mydumper.csv.delimiter", '"')),
            has_header=values.get("mydumper.csv.header", True) is not False,
            null=null,
            backslash_escape=values.get("mydumper.csv.backslash-escape", True) is not False,
        )


@dataclass(frozen=True)
class Row:
    """A row of a file: the columns it names (None: all of the table, in order) and its values."""

    columns: tuple[str, ...] | None
    values: tuple[Value, ...]


def discover(folder: Path, patterns: Sequence[str]) -> tuple[list[str], list[SourceTable]]:
    """List the schemas and tables below a folder that the filter lets through. Raises SourceError."""
    if not folder.is_dir():
        raise SourceError(f"{folder} is not a folder")
    schemas, tables = set[str](), dict[TableName, SourceTable]()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        if found := _SCHEMA.match(path.name):
            schemas.add(unquote(found["db"]))
        elif found := _TABLE.match(path.name):
            _table(tables, found).schema_file = path
        elif not _IGNORED.search(path.name) and (found := _DATA.match(path.name)):
            relative = path.relative_to(folder).as_posix()
            kind, size_bytes = found["type"].lower(), path.stat().st_size
            _table(tables, found).files.append(DataFile(relative, kind, found["sort"] or "", size_bytes))
    wanted = [table for name, table in sorted(tables.items(), key=lambda item: str(item[0])) if _passes(name, patterns)]
    return sorted(schemas | {table.name.schema for table in wanted}), wanted


def _table(tables: dict[TableName, SourceTable], found: re.Match[str]) -> SourceTable:
    name = TableName(unquote(found["db"]), unquote(found["table"]))
    return tables.setdefault(name, SourceTable(name))


def _passes(name: TableName, patterns: Sequence[str]) -> bool:
    from safe_lightning.core.tablefilter import TableFilter

    return not patterns or TableFilter.parse(patterns).matches(name)


def read_rows(folder: Path, file: DataFile, dialect: CsvDialect, rows_most: int) -> Iterator[Row]:
    """Read the first rows of a file. Raises SourceError naming file and line."""
    path = folder / file.path
    try:
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
            rows = read_inserts(lines.read()) if file.kind == "sql" else None
            if rows is not None:
                yield from (Row(columns, values) for columns, values in islice(rows, rows_most))
            else:
                yield from islice(_read_csv(lines, dialect), rows_most)
    except (OSError, ValueError, csv.Error) as error:
        raise SourceError(f"{path}: {error}") from error


def _read_csv(lines: Iterator[str], dialect: CsvDialect) -> Iterator[Row]:
    csv.field_size_limit(_FIELD_CHARACTERS_MOST)
    reader = csv.reader(_marked(lines, dialect), _format(dialect))
    header = next(reader, None) if dialect.has_header else None
    columns = tuple(name.strip() for name in header) if header else None
    null = {_NULL_MARK if dialect.backslash_escape and text == _NULL else text for text in dialect.null}
    for fields in reader:
        if fields:
            yield Row(columns, tuple(None if text in null else text for text in fields))


def _marked(lines: Iterator[str], dialect: CsvDialect) -> Iterator[str]:
    # The csv module would take \N for an escaped N, so it is hidden from it.
    if not dialect.backslash_escape:
        return lines
    return (line.replace(_NULL, _NULL_MARK) for line in lines)


def _format(dialect: CsvDialect) -> type[csv.Dialect]:
    if len(dialect.separator) != 1 or len(dialect.delimiter) > 1:
        raise SourceError("a rehearsal reads CSV with separator and delimiter of one character only")

    class Format(csv.excel):
        delimiter = dialect.separator
        quotechar = dialect.delimiter or None
        escapechar = "\\" if dialect.backslash_escape else None
        quoting = csv.QUOTE_MINIMAL if dialect.delimiter else csv.QUOTE_NONE

    return Format
