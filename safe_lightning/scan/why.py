"""Why rows share a key: their fields are read a second time and held against one another."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from safe_lightning.conflicts.canonical import Altered, Canonical, NotReproducible
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.scan.model import Example, Group, KeyFound, Place, RowPlace, TableScanRequest, Why
from safe_lightning.scan.unpacked import UnpackedContent
from safe_lightning.scan.values import ROW_ID_COLUMN, ColumnCast, column_cast
from safe_lightning.source.compression import read_blocks
from safe_lightning.source.csv_reader import CsvReader
from safe_lightning.source.file_rules import Compression, FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import InputError
from safe_lightning.source.mapping import ColumnMapping, Missing, UnknownColumns, map_columns
from safe_lightning.source.opening import ReadingRules, open_rows
from safe_lightning.source.rows import Field, Row
from safe_lightning.source.sql_reader import SqlReader

_BLOCK_BYTES = 1 << 16
_SHOWN_CHARACTERS_MOST = 200
_ALIKE = (Why.IDENTICAL_ROWS, Why.SAME_KEY)

Fields = Sequence[Field]
Reread = Mapping[tuple[int, int], tuple[Row, ColumnMapping]]


def explain(request: TableScanRequest, found: Sequence[KeyFound]) -> dict[str, tuple[Example, ...]]:
    """Turn the groups of every key into examples with the reason why their rows are equal."""
    rows = read_again(request, (place for key in found for group in key.groups for place in group.places))
    return {
        key.key.name: tuple(_example(request, key, group, rows) for group in key.groups) for key in found if key.groups
    }


def read_again(
    request: TableScanRequest, places: Iterable[RowPlace]
) -> dict[tuple[int, int], tuple[Row, ColumnMapping]]:
    """Read the rows at these places once more; those that cannot be read are missing."""
    by_file: dict[int, set[int]] = defaultdict(set)
    for place in places:
        by_file[place.file].add(place.offset)
    rows: dict[tuple[int, int], tuple[Row, ColumnMapping]] = {}
    for number, offsets in by_file.items():
        file = request.files[number]
        try:
            mapping = _mapping(request, file)
            for row in _rows_at(file, request.rules, sorted(offsets)):
                rows[number, row.offset] = row, mapping
        except (InputError, CouldNotLook, UnknownColumns, OSError):
            continue  # the place is reported all the same, as one that could not be read again
    return rows


def _mapping(request: TableScanRequest, file: SourceFile) -> ColumnMapping:
    reader = open_rows(file, request.rules)
    first = next(iter(reader))
    return map_columns(
        request.definition, reader.columns, request.ignored, file.constants, first_row_fields=len(first.fields)
    )


def _rows_at(file: SourceFile, rules: ReadingRules, offsets: list[int]) -> Iterator[Row]:
    if file.type is FileType.PARQUET:
        yield from _rows_among(open_rows(file, rules), offsets)
        return
    is_packed = file.compression is not Compression.NONE
    content = UnpackedContent(read_blocks(file.path, file.compression, file.name)) if is_packed else None
    for offset in offsets:
        blocks = _blocks_from(file.path, offset) if content is None else content.from_offset(offset)
        if file.type is FileType.CSV:
            csv = replace(rules.csv, header=False)
            reader: CsvReader | SqlReader = CsvReader(blocks, csv, file.name, rules.row_bytes_most)
        else:
            reader = SqlReader(blocks, file.name, "NO_BACKSLASH_ESCAPES" not in rules.sql_mode, rules.row_bytes_most)
        row = next(iter(reader), None)
        if row is not None:
            yield replace(row, offset=offset)


def _rows_among(rows: Iterable[Row], offsets: list[int]) -> Iterator[Row]:
    wanted = set(offsets)
    for row in rows:
        if row.offset in wanted:
            yield row
        if row.offset >= offsets[-1]:
            return


def _blocks_from(path: Path, offset: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(_BLOCK_BYTES):
            yield block


@dataclass
class _Compared:
    """The rows of a group as they were read again."""

    fields: list[Fields] = field(default_factory=list)
    values: list[list[Field | Missing]] = field(default_factory=list)
    forms: list[list[Canonical]] = field(default_factory=list)


def _example(request: TableScanRequest, found: KeyFound, group: Group, rows: Reread) -> Example:
    places = tuple(_place(request, place) for place in group.places)
    compared = _Compared()
    try:
        for place in group.places:
            row, mapping = rows[place.file, place.offset]
            signed = request.files[place.file].type is FileType.PARQUET
            compared.fields.append(row.fields)
            values = _values(found, row, mapping)
            compared.values.append(values)
            casts = _casts(request, found, signed)
            compared.forms.append([cast(value) for cast, value in zip(casts, values, strict=True)])
    except (KeyError, NotReproducible):
        return Example((), Why.NOT_READ_AGAIN, places)
    why = _why(request, found, compared)
    if why in _ALIKE and any(place.file == request.existing for place in group.places):
        why = Why.IN_TARGET  # of whose rows only the keys were read
    return Example(tuple(_shown(form.stored) for form in compared.forms[0]), why, places)


def _place(request: TableScanRequest, place: RowPlace) -> Place:
    name = request.files[place.file].name
    return Place(name) if place.file == request.existing else Place(name, place.line, place.offset, place.row)


def _values(found: KeyFound, row: Row, mapping: ColumnMapping) -> list[Field | Missing]:
    if not found.key.parts:
        return [mapping.row_id_of(row.fields)]
    return [mapping.value(row.fields, place) for place, _ in found.key.parts]


def _casts(request: TableScanRequest, found: KeyFound, signed: bool) -> list[ColumnCast]:
    if not found.key.parts:
        return [column_cast(ROW_ID_COLUMN, request.mode, signed=signed)]
    columns = request.definition.columns
    return [column_cast(columns[place], request.mode, signed=signed) for place, _ in found.key.parts]


def _why(request: TableScanRequest, found: KeyFound, rows: _Compared) -> Why:
    if any(isinstance(value, Missing) or value is None for values in rows.values for value in values):
        return Why.DEFAULTED
    if all(values == rows.values[0] for values in rows.values):
        return Why.IDENTICAL_ROWS if all(fields == rows.fields[0] for fields in rows.fields) else Why.SAME_KEY
    if any(Altered.CUT in form.altered for forms in rows.forms for form in forms):
        return Why.TRUNCATED
    stored = [[form.stored for form in forms] for forms in rows.forms]
    if all(values == stored[0] for values in stored):
        return Why.AFTER_CAST
    # Without the prefix of the key: what still is equal is so by its collation.
    keys = [[form.key for form in forms] for forms in rows.forms]
    return Why.UNDER_COLLATION if all(values == keys[0] for values in keys) else Why.TRUNCATED


def _shown(stored: bytes | None) -> str | None:
    if stored is None:
        return None
    try:
        text = stored.decode()
    except UnicodeDecodeError:
        text = f"0x{stored.hex().upper()}"
    return text if len(text) <= _SHOWN_CHARACTERS_MOST else f"{text[:_SHOWN_CHARACTERS_MOST]}…"
