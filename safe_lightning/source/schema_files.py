"""Schema files as Lightning reads them, and the table definition that they give.

Source: pkg/lightning/mydump/reader.go (ExportStatement), schema_import.go (createIfNotExistsStmt).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.charset import decode_schema
from safe_lightning.source.compression import read_blocks
from safe_lightning.source.cursor import BOM
from safe_lightning.source.files import Source, SourceFile, SourceTable
from safe_lightning.source.findings import InputError, Level, SourceFinding
from safe_lightning.source.schema import Schema
from safe_lightning.source.schema_charset import CharsetRules
from safe_lightning.source.schema_model import TableDefinition
from safe_lightning.source.schema_tokens import SchemaError

_SIZE_BYTES_MOST = 16 << 20


@dataclass(frozen=True)
class SchemaOptions:
    """What decides how schema files are read."""

    charset: str = "auto"
    sql_mode: frozenset[str] = frozenset()
    rules: CharsetRules = field(default_factory=CharsetRules)


def statements_in(data: bytes) -> tuple[bytes, bytes]:
    """Return what Lightning executes of a schema file, and the rest without `;` that it drops without a word.

    Lines are trimmed, empty ones dropped; what begins with `/*` and ends with `*/;` is dropped whole.
    """
    kept, pending = list[bytes](), list[bytes]()
    for line in data.removeprefix(BOM).split(b"\n"):
        stripped = _trimmed(line)
        if not stripped:
            continue
        pending.append(stripped)
        if stripped.endswith(b";"):
            statement = b"\n".join(pending)
            if not (statement.startswith(b"/*") and statement.endswith(b"*/;")):
                kept.append(statement)
            pending = []
    rest = b"\n".join(pending)
    is_comment = rest.startswith(b"/*") and rest.endswith(b"*/")
    return b"".join(kept), b"" if is_comment else rest


def _trimmed(line: bytes) -> bytes:
    # The two bytes beyond ASCII are white space to Go only as characters; as parts of UTF-8 they are none.
    return line.strip(b"\t\n\v\f\r ")


def read_schema_file(file: SourceFile, options: SchemaOptions) -> tuple[str, str]:
    """Read a schema file; return its statements and the rest that is dropped. Raises InputError."""
    data = _read_whole(file)
    statements, rest = statements_in(data)
    try:
        return decode_schema(statements, options.charset), decode_schema(rest, options.charset)
    except ValueError as error:
        raise InputError("schema-charset", str(error), file.name) from error


def _read_whole(file: SourceFile) -> bytes:
    pieces, size = list[bytes](), 0
    for block in read_blocks(file.path, file.compression, file.name):
        pieces.append(block)
        size += len(block)
        if size > _SIZE_BYTES_MOST:
            raise InputError("schema-too-large", f"more than {_SIZE_BYTES_MOST} bytes are no schema file", file.name)
    return b"".join(pieces)


@dataclass(frozen=True)
class TableSchema:
    """A table's definition out of its schema file; None where nothing can be said, and the findings say why."""

    table: TableName
    definition: TableDefinition | None
    findings: tuple[SourceFinding, ...] = ()


def table_schema(source: Source, table: SourceTable, options: SchemaOptions) -> TableSchema:
    """Read the definition of a table from the schema files of the source. Never raises.

    An existing table of the target wins over this: ask there first.
    """
    if table.schema_file is None:
        message = f"{table.table} has no schema file, so its keys are known only to the target"
        return TableSchema(table.table, None, (_finding("no-schema-file", message, table),))
    try:
        schema = _database(source, table, options)
        statements, rest = read_schema_file(table.schema_file, options)
        schema.apply(statements, table.table.table)
    except InputError as error:
        return TableSchema(table.table, None, (error.finding(table.table),))
    except CouldNotLook as error:
        return TableSchema(table.table, None, (_finding("schema-not-read", str(error), table, Level.ERROR),))
    except (SchemaError, RecursionError) as error:
        message = f"{table.schema_file.name}: the definition cannot be used: {error}"
        return TableSchema(table.table, None, (_finding("schema-not-understood", message, table, Level.ERROR),))
    definition = schema.table(table.table.table)
    findings = list(_said(table, rest, definition))
    return TableSchema(table.table, definition, tuple(findings))


def _said(table: SourceTable, rest: str, definition: TableDefinition | None) -> Iterable[SourceFinding]:
    if rest:
        message = "the last statement has no semicolon: Lightning drops it up to 8.5, and refuses it later"
        yield _finding("unfinished-statement", message, table)
    if definition is None:
        message = f"{table.schema_file.name if table.schema_file else ''} creates no table"
        yield _finding("schema-without-table", message, table, Level.ERROR)


def _database(source: Source, table: SourceTable, options: SchemaOptions) -> Schema:
    schema = Schema(rules=options.rules, sql_mode=options.sql_mode)
    file = source.database_files.get(table.table.schema.lower())
    if file is not None:
        statements, _rest = read_schema_file(file, options)
        schema.apply(statements)
    return schema


def _finding(code: str, message: str, table: SourceTable, level: Level = Level.WARN) -> SourceFinding:
    file = table.schema_file.name if table.schema_file is not None else None
    return SourceFinding(code, message, level, file, table=table.table)
