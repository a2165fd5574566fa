"""What a NULL becomes in a column that takes none, where the mode is not strict."""

from __future__ import annotations

from safe_lightning.core.columns import DATE_TYPES, INTEGER_BITS, ColumnType, KeyMode
from safe_lightning.source.rows import Field
from safe_lightning.source.schema_model import ColumnDefinition

_NUMBERS = {*INTEGER_BITS, "decimal", "float", "double", "bit", "year", "enum", "set"}


def zero_field(kind: ColumnType) -> Field:
    """Return a field that every mode casts to the zero value of a type."""
    if kind.name in _NUMBERS:
        return 0
    if kind.name in DATE_TYPES:
        return b"0000-00-00" if kind.name == "date" else b"0000-00-00 00:00:00"
    return b"00:00:00" if kind.name == "time" else b""


def null_field(column: ColumnDefinition, mode: KeyMode) -> Field:
    """Return what a NULL becomes in a column; None where it stays NULL, gets an id of its own or is refused."""
    return None if column.is_nullable or column.auto or mode.strict else zero_field(column.type)
