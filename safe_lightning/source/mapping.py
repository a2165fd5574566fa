"""Which field of a file goes into which column of the table.

Source: lightning/pkg/importer (createColumnPermutation, parseColumnPermutations), backend/kv/sql2kv.go and
backend/tidb/tidb.go (what a row with too many or too few fields becomes), pkg/lightning/config (GetIgnoreColumns).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Any

from safe_lightning.core.columns import Backend
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tablefilter import FilterError, parse_filter
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task_file import flag_of, section, text_of
from safe_lightning.source.findings import ConfigProblem, Level, SourceFinding
from safe_lightning.source.rows import Field
from safe_lightning.source.schema_model import TableDefinition

ROW_ID = "_tidb_rowid"


class Origin(StrEnum):
    """Where the value of a column comes from: a field, or why none is asked."""

    FIELD = "field"
    ABSENT = "absent"
    IGNORED = "ignored"
    GENERATED = "generated"


@dataclass(frozen=True)
class Missing:
    """A row has no field for a column; the column's default counts."""

    origin: Origin


@dataclass(frozen=True)
class ColumnMapping:
    """The fields of one file. ``places`` has the field's index for each column of the table, or the reason for none.

    ``constants`` stand behind the fields of every row; ``row_id`` is the field of `_tidb_rowid`, if the file has one
    and the table uses it. ``expected_fields`` is what a row has when nothing is wrong with it.
    """

    places: tuple[int | Origin, ...]
    expected_fields: int
    constants: tuple[bytes, ...] = ()
    row_id: int | None = None

    @property
    def mapped_count(self) -> int:
        """The number of columns that get a field."""
        return sum(isinstance(place, int) for place in self.places)

    def value(self, fields: Sequence[Field], column: int) -> Field | Missing:
        """Return what a row has for a column of the table, before any cast."""
        place = self.places[column]
        return Missing(place) if isinstance(place, Origin) else self._at(fields, place)

    def _at(self, fields: Sequence[Field], place: int) -> Field | Missing:
        if place < len(fields):
            return fields[place]
        # Constants are appended to the row as it is, so a row that is too short or too long shifts them.
        behind = place - len(fields)
        return self.constants[behind] if behind < len(self.constants) else Missing(Origin.ABSENT)

    def row_id_of(self, fields: Sequence[Field]) -> Field | Missing:
        """Return the explicit row id of a row."""
        return Missing(Origin.ABSENT) if self.row_id is None else self._at(fields, self.row_id)


class UnknownColumns(ValueError):
    """The file names columns that the table does not have: Lightning refuses the table."""


def map_columns(
    table: TableDefinition,
    names: Sequence[str] | None,
    ignored: Collection[str] = (),
    constants: Sequence[tuple[str, str]] = (),
    first_row_fields: int | None = None,
) -> ColumnMapping:
    """Map a file's fields. Raises UnknownColumns.

    ``names`` are those of the header or of the column list, lower case; None maps by position, counting generated
    columns too. The mapping is made once, from the first row, and kept for the whole file.
    """
    places = _by_name(table, names, ignored) if names else _by_position(table, ignored)
    expected = len(names) if names else len(table.columns) - len(constants)
    first = expected if first_row_fields is None else first_row_fields
    for behind, (name, _value) in enumerate(constants):
        for column, definition in enumerate(table.columns):
            if definition.name == name:
                places[column] = first + behind
    row_id = None
    if names and table.has_row_id and ROW_ID in names:
        row_id = len(names) - 1 - list(reversed(names)).index(ROW_ID)
    return ColumnMapping(tuple(places), expected, tuple(value.encode() for _name, value in constants), row_id)


def _by_position(table: TableDefinition, ignored: Collection[str]) -> list[int | Origin]:
    return [
        Origin.IGNORED if column.name.lower() in ignored else Origin.GENERATED if column.generated else place
        for place, column in enumerate(table.columns)
    ]


def _by_name(table: TableDefinition, names: Sequence[str], ignored: Collection[str]) -> list[int | Origin]:
    known = {column.name.lower() for column in table.columns} | {ROW_ID} | set(ignored)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise UnknownColumns(f"unknown columns in header ({','.join(unknown[:20])}) for table {table.name}")
    last = {name: place for place, name in enumerate(names)}
    places: list[int | Origin] = []
    for column in table.columns:
        place = last.get(column.name.lower())
        if column.generated:
            places.append(Origin.GENERATED)
        elif place is None:
            places.append(Origin.ABSENT)
        else:
            places.append(Origin.IGNORED if column.name.lower() in ignored else place)
    return places


def ignored_columns(config: Mapping[str, Any], table: TableName) -> tuple[str, ...]:
    """Read the columns that `[[mydumper.ignore-columns]]` takes out of a target table. Raises ConfigProblem.

    The first entry that fits counts. The table's name is compared in lower case unless the run is case-sensitive,
    the entry's names are not: an entry in capitals never fits then.
    """
    mydumper = section(config, "mydumper")
    entries = mydumper.get("ignore-columns", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigProblem("`mydumper.ignore-columns` must be a list of tables")
    name = table
    if not flag_of(mydumper, "case-sensitive", False):
        name = TableName(table.schema.lower(), table.table.lower())
    for entry in entries:
        is_named = (text_of(entry, "db"), text_of(entry, "table")) == (name.schema, name.table)
        if is_named or _fits_filter(entry, name):
            return tuple(str(column).lower() for column in entry.get("columns", ()))
    return ()


def _fits_filter(entry: Mapping[str, Any], name: TableName) -> bool:
    patterns = entry.get("table-filter", [])
    if not patterns:
        return False
    try:
        return parse_filter([str(pattern) for pattern in patterns], is_case_sensitive=True).matches(name)
    except FilterError as error:
        raise ConfigProblem(f"invalid table filter in ignore columns: {error}") from error


def field_count_finding(
    mapping: ColumnMapping, field_count: int, column_count: int, backend: Backend
) -> SourceFinding | None:
    """Say what becomes of a row with so many fields; None where it has as many as it should."""
    if field_count == mapping.expected_fields:
        return None
    has_too_many = field_count > mapping.expected_fields
    counts = f"{field_count} fields instead of {mapping.expected_fields}"
    if backend is Backend.LOGICAL:
        count = field_count + len(mapping.constants)
        if count < mapping.mapped_count or count > column_count + 1:
            return SourceFinding("wrong-field-count", f"{counts}: Lightning stops here", Level.ERROR)
    code = "surplus-fields" if has_too_many else "missing-fields"
    consequence = "the last are dropped, those before may be shifted" if has_too_many else "the rest gets its default"
    return SourceFinding(code, f"{counts}: {consequence}, and Lightning says nothing")
