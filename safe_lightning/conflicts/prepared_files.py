"""One data file made ready: first row read by the reference reader, fields mapped, way of reading chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from io import FileIO
from itertools import islice

from safe_lightning.conflicts.dialects import csv_dialect, sql_dialect
from safe_lightning.conflicts.kernel.binding import Dialect
from safe_lightning.conflicts.key_columns import KeyColumn
from safe_lightning.conflicts.scan_model import KeyScan
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.compression import read_blocks
from safe_lightning.source.csv_reader import CsvReader
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.file_rules import Compression, FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import InputError
from safe_lightning.source.mapping import ColumnMapping, Missing, Origin, UnknownColumns, map_columns
from safe_lightning.source.opening import RowReader, open_rows
from safe_lightning.source.parquet_reader import ParquetReader
from safe_lightning.source.raw_bytes import Heard, ignore_bytes, read_raw
from safe_lightning.source.rows import Field, Row
from safe_lightning.source.schema_model import ColumnDefinition, DefaultKind
from safe_lightning.source.sql_reader import SqlReader

COULD_NOT_LOOK = "could-not-look"
FIRST_ROWS = 8
FIRST_BYTES = 1 << 16
FIELDS_MOST = 4096  # columns of a TiDB table; a file with more takes the reference reader


class NotKnown(ValueError):
    """What a row holds in a column cannot be told from the files."""


@dataclass(frozen=True)
class Identity:
    """A file as it was when it was first looked at."""

    size_bytes: int
    mtime_ns: int
    inode: int


@dataclass
class PreparedFile:
    """A file, where its rows begin, how its fields are mapped.

    ``dialect`` is None where only the reference reader knows the format. ``mapping`` is None for a file without rows.
    ``ghost`` is the only row of a file that ends right behind a line of blanks: one of nothing.
    """

    number: int
    source: SourceFile
    identity: Identity
    start: int = 0
    first_line: int = 1
    mapping: ColumnMapping | None = None
    dialect: Dialect | None = None
    error: InputError | None = None
    ghost: Row | None = None

    @property
    def is_seekable(self) -> bool:
        """Whether any part of it can be read by itself."""
        return self.source.compression is Compression.NONE and self.source.type is not FileType.PARQUET


def identify(source: SourceFile) -> Identity:
    """Look at a file. Raises InputError."""
    try:
        status = source.path.stat()
    except OSError as error:
        raise InputError("unreadable-file", f"the file cannot be read ({error.strerror})", source.name) from error
    return Identity(status.st_size, status.st_mtime_ns, status.st_ino)


def check_unchanged(file: PreparedFile) -> None:
    """Raise InputError if the file is not the one that was first looked at."""
    try:
        now = identify(file.source)
    except InputError as error:
        raise InputError("vanished-file", "the file vanished while it was read", file.source.name) from error
    if now != file.identity:
        raise InputError("changed-file", "the file changed while it was read", file.source.name)


def open_file(file: PreparedFile) -> FileIO:
    """Open a file to read from any place. Raises InputError."""
    try:
        return FileIO(file.source.path)
    except OSError as error:
        raise InputError("vanished-file", f"the file cannot be opened ({error.strerror})", file.source.name) from error


def prepare_file(scan: KeyScan, number: int, source: SourceFile) -> PreparedFile:
    """Read a file's first row and map its fields. An error in the file is in the result, not raised."""
    file = PreparedFile(number, source, Identity(0, 0, 0))
    try:
        file.identity = identify(source)
        reader = open_rows(source, scan.rules, wanted_columns(scan))
        rows = iter(reader)
        first = next(rows, None)
        if first is not None:
            _map_fields(scan, file, reader, first)
            _choose_field_count(file, first, rows)
    except InputError as error:
        file.error = error
    except UnknownColumns as error:
        file.error = InputError("unknown-columns", str(error), source.name)
    except CouldNotLook as error:
        file.error = InputError(COULD_NOT_LOOK, str(error), source.name)
    return file


def wanted_columns(scan: KeyScan) -> frozenset[str]:
    """Name the columns of all keys, which is what a Parquet file is asked for."""
    return frozenset(part.column.lower() for key in scan.keys for part in key.parts if part.column)


def _map_fields(scan: KeyScan, file: PreparedFile, reader: RowReader, first: Row) -> None:
    names, constants = reader.columns, file.source.constants
    if isinstance(reader, ParquetReader):
        map_columns(scan.definition, reader.all_columns, scan.ignored)
    file.mapping = map_columns(scan.definition, names, scan.ignored, constants, len(first.fields))
    file.start, file.first_line = first.offset, first.line
    if file.source.type is FileType.CSV and not _row_bytes(file, first):
        file.ghost = Row(0, 1, 1, first.fields)
    elif file.source.type is FileType.CSV:
        file.dialect = csv_dialect(scan.rules.csv)
    elif file.source.type is FileType.SQL:
        has_escapes = "NO_BACKSLASH_ESCAPES" not in scan.rules.sql_mode
        file.dialect = sql_dialect(_row_bytes(file, first), has_escapes=has_escapes)


def _choose_field_count(file: PreparedFile, first: Row, rows: Iterator[Row]) -> None:
    """Take for regular what most of the first rows have."""
    counts = [len(first.fields)]
    with suppress(InputError):  # It will come up again when the file is scanned, with what is before it.
        counts += [len(row.fields) for row in islice(rows, FIRST_ROWS)]
    fields = Counter(counts).most_common(1)[0][0]
    if file.dialect is not None and 0 < fields <= FIELDS_MOST:
        file.dialect.fields = fields
    else:
        file.dialect = None


def _row_bytes(file: PreparedFile, first: Row) -> bytes:
    """Return the beginning of the first row, for a look at its quotes."""
    seen = b""
    with suppress(InputError):  # As above.
        for block in skip_bytes(unpacked_blocks(file), first.offset):
            seen += block
            if len(seen) > FIRST_BYTES:
                break
    return seen


def column_value(scan: KeyScan, file: PreparedFile, fields: Sequence[Field], column: int) -> Field:
    """Return what a row has for a column: its field, a constant, the default. Raises NotKnown."""
    assert file.mapping is not None
    value = file.mapping.value(fields, column)
    return absent_value(scan.definition.columns[column], value) if isinstance(value, Missing) else value


def absent_value(column: ColumnDefinition, missing: Missing) -> Field:
    """Return what a column gets when a row has no field for it. Raises NotKnown where the target makes it up."""
    if missing.origin is Origin.GENERATED or column.generated:
        raise NotKnown(f"column {column.name} is generated")
    if column.auto:
        raise NotKnown(f"column {column.name} is not in the files: the target numbers the rows")
    if column.default.kind is DefaultKind.LITERAL:
        value = column.default.value
        return value.encode() if isinstance(value, str) else value
    if column.default.kind is DefaultKind.NONE and column.is_nullable:
        return None
    raise NotKnown(f"column {column.name} is not in the files, and its default is not a constant")


def place_of(scan: KeyScan, file: PreparedFile, column: KeyColumn) -> int | None:
    """Return the field that a regular row has for a key column, None where a constant stands for it."""
    assert file.mapping is not None
    place = file.mapping.places[column.place]
    fields = file.dialect.fields if file.dialect is not None else file.mapping.expected_fields
    return place if isinstance(place, int) and place < fields else None


def read_from(scan: KeyScan, file: PreparedFile, offset: int, heard: Heard = ignore_bytes) -> Iterator[Row]:
    """Read rows with the reference reader from a row's start on; offsets count from there, lines too.

    Raises InputError whose place counts from there as well.
    """
    blocks = _blocks_from(file, offset, heard)
    if file.source.type is FileType.SQL:
        has_escapes = "NO_BACKSLASH_ESCAPES" not in scan.rules.sql_mode
        return iter(SqlReader(blocks, file.source.name, has_escapes, scan.rules.row_bytes_most))
    return iter(CsvReader(blocks, headless(scan), file.source.name, scan.rules.row_bytes_most))


def headless(scan: KeyScan) -> CsvRules:
    """Return the dialect for reading in the middle of a file."""
    return replace(scan.rules.csv, header=False)


def _blocks_from(file: PreparedFile, offset: int, heard: Heard) -> Iterator[bytes]:
    if file.is_seekable:
        yield from read_raw(file.source.path, file.source.name, heard, offset)
    else:
        yield from skip_bytes(unpacked_blocks(file, heard), offset)


def unpacked_blocks(file: PreparedFile, heard: Heard = ignore_bytes) -> Iterator[bytes]:
    """Read a file's content from its beginning; ``heard`` hears of the bytes that are read of the file itself."""
    return read_blocks(file.source.path, file.source.compression, file.source.name, heard)


def skip_bytes(blocks: Iterator[bytes], count: int) -> Iterator[bytes]:
    """Leave out the first bytes of a stream."""
    for block in blocks:
        if count < len(block):
            yield block[count:] if count else block
        count = max(count - len(block), 0)


def with_end(blocks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Tell of each block whether it is the last, which is an empty one of its own."""
    for block in blocks:
        yield block, False
    yield b"", True
