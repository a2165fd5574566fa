"""Rows that the kernel hands out: exact canonical forms in Python, one definition for what is not plain.

Everything is counted per row and key: values the target refuses, values it alters, rows with a wrong number of fields.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from safe_lightning.conflicts.canonical import ALTERATIONS, Canonical
from safe_lightning.conflicts.kernel.binding import HardRow, Kind
from safe_lightning.conflicts.key_columns import KeyColumn, Weighing
from safe_lightning.conflicts.literals import FieldCanonicaliser, canonicalise_field
from safe_lightning.conflicts.number_text import trim_space
from safe_lightning.conflicts.prepared_files import PreparedFile, column_value, headless
from safe_lightning.conflicts.scan_model import KeyScan
from safe_lightning.source.csv_fields import field_decoder, quoted_run
from safe_lightning.source.csv_reader import CsvReader
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.findings import InputError
from safe_lightning.source.rows import Field
from safe_lightning.source.sql_reader import SqlReader

_HEAD_BYTES = ctypes.sizeof(HardRow)


class HandedRow(NamedTuple):
    """A row as the kernel hands it out; ``bounds`` are start and size of each key column's text."""

    offset: int
    line: int
    row: int
    kind: Kind
    columns: int
    text: bytes
    bounds: tuple[int, ...]


def handed_rows(address: int, size_bytes: int, column_count: int) -> Iterator[HandedRow]:
    """Read the kernel's list; rows of SQL come without bounds, and ``column_count`` has to be 0 for them."""
    at = 0
    while at < size_bytes:
        head = HardRow.from_address(address + at)
        count = 0 if head.kind == Kind.ROW else 2 * column_count
        bounds = tuple((ctypes.c_uint32 * count).from_address(address + at + _HEAD_BYTES))
        text = ctypes.string_at(address + at + _HEAD_BYTES + 4 * count, head.size)
        yield HandedRow(head.offset, head.line, head.row, Kind(head.kind), head.hard_columns, text, bounds)
        at += head.stride


class FieldReader:
    """From the bytes of a row, or of one raw CSV field, to the fields that Lightning makes of them."""

    def __init__(self, scan: KeyScan, file: PreparedFile) -> None:
        self._scan = scan
        self._file = file
        self._is_sql = file.source.type is FileType.SQL
        self._decode = field_decoder(scan.rules.csv)
        self._quote = scan.rules.csv.encoded(scan.rules.csv.delimiter)
        self._end = scan.rules.csv.encoded(scan.rules.csv.terminator) or b"\n"
        run = quoted_run(self._quote, scan.rules.csv.escaped_by.encode()) if self._quote else None
        self._pair = None if run is None else run.pair

    def value(self, raw: bytes) -> bytes | None:
        """Decode a raw field of a regular CSV row. Raises ValueError for a character that cannot be vouched for."""
        quote = self._quote
        if quote and len(raw) > 1 and raw.startswith(quote):
            raw = raw[1:-1]
            if quote in raw and self._pair is not None:
                raw = self._pair.sub(lambda found: found[1] or quote, raw)
        return self._decode(raw)

    def rows(self, texts: Sequence[bytes]) -> Iterator[list[Field]]:
        """Read whole rows, each by itself or many at once. Raises InputError."""
        if self._is_sql:
            yield from (row.fields for row in SqlReader([b",".join(texts)], self._file.source.name, self._has_escapes))
            return
        together: list[bytes] = []
        for text in texts:
            if trim_space(text):
                together.append(text)
                continue
            # A row of blanks is one by the end of the file only, so nothing may stand behind it; a row of nothing is
            # the end of the file behind a line of blanks.
            yield from self._read(together)
            together = []
            content = text or b" " + self._end
            yield from (row.fields for row in CsvReader([content], headless(self._scan), self._file.source.name))
        yield from self._read(together)

    def place_in_row(self, error: InputError) -> tuple[int, int]:
        """Return the line and the byte of a row, from 0, where its error is: of SQL the literal, of CSV the row."""
        return ((error.line or 1) - 1, error.offset or 0) if self._is_sql else (0, 0)

    @property
    def _has_escapes(self) -> bool:
        return "NO_BACKSLASH_ESCAPES" not in self._scan.rules.sql_mode

    def _read(self, texts: list[bytes]) -> Iterator[list[Field]]:
        # Empty lines are no rows; the one in front keeps a row from being taken for a byte order mark.
        content = self._end + self._end.join(texts) + self._end if texts else b""
        return (row.fields for row in CsvReader([content], headless(self._scan), self._file.source.name))


class KeyMaker:
    """Makes the canonical forms of a row's key columns, and remembers which keys cannot be told."""

    def __init__(self, scan: KeyScan, columns: Sequence[KeyColumn], weighings: Sequence[Weighing | None] = ()) -> None:
        self._scan = scan
        self._columns = columns
        self._weighings = weighings or [None] * len(columns)
        self._casts: dict[bool, list[FieldCanonicaliser]] = {}

    def cast(self, file: PreparedFile, column: int, field: Field) -> Canonical:
        """Return the canonical form of a field. Raises NotReproducible."""
        if field is None:
            field = self._columns[column].null_field
        signed = file.source.type is FileType.PARQUET
        if signed not in self._casts:
            self._casts[signed] = [
                canonicalise_field(part.type, self._scan.mode, part.prefix, signed=signed) for part in self._columns
            ]
        weighing = self._weighings[column]
        if weighing is not None and isinstance(field, bytes) and not field.isascii():
            weighing.learn(field)
        return self._casts[signed][column](field)

    def of_fields(self, file: PreparedFile, fields: Sequence[Field], column: int) -> Canonical:
        """Return the canonical form of a row's key column. Raises NotReproducible and NotKnown."""
        return self.cast(file, column, self.field(file, fields, column))

    def field(self, file: PreparedFile, fields: Sequence[Field], column: int) -> Field:
        """Return what a row has for a key column. Raises NotKnown."""
        return column_value(self._scan, file, fields, self._columns[column].place)

    def column_name(self, column: int) -> str:
        """Name a column for a message."""
        return self._scan.definition.columns[self._columns[column].place].name


REFUSALS = {1292: "is no value of its type", 1264: "is out of range", 1366: "is not a value of its type"}


def value_findings(canonical: Canonical, column: str) -> Iterator[tuple[str, str, bool]]:
    """Yield code, sentence and whether it is an error for what the target does to a key value."""
    if canonical.refused:
        meaning = REFUSALS.get(canonical.refused, "is refused")
        yield "refused-key", f"the value of {column} {meaning} (error {canonical.refused})", True
    for flag, (code, meaning) in ALTERATIONS.items():
        if flag in canonical.altered:
            yield code, f"the value of {column} {meaning}", False
