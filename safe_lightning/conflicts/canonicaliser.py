"""From a column and a mode to the function that makes keys of field texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from safe_lightning.conflicts.bits import bit_cast, year_cast
from safe_lightning.conflicts.canonical import NULL, Canonical, Canonicaliser, Cast, NotReproducible
from safe_lightning.conflicts.datetimes import date_cast
from safe_lightning.conflicts.decimals import decimal_cast
from safe_lightning.conflicts.durations import time_cast
from safe_lightning.conflicts.floats import float_cast
from safe_lightning.conflicts.integers import integer_cast
from safe_lightning.conflicts.members import enum_cast, set_cast
from safe_lightning.conflicts.strings import bytes_cast, string_cast
from safe_lightning.core.columns import (
    BYTE_TYPES,
    CHARACTER_TYPES,
    DATE_TYPES,
    INTEGER_BITS,
    Backend,
    ColumnType,
    KeyMode,
)

TRADITIONAL = frozenset({"STRICT_TRANS_TABLES", "STRICT_ALL_TABLES", "NO_ZERO_IN_DATE", "NO_ZERO_DATE"})
"""What of the flags behind sql_mode TRADITIONAL decides about values; a server spells the name out."""

_CASTS = {
    **dict.fromkeys(INTEGER_BITS, integer_cast),
    **dict.fromkeys(DATE_TYPES, date_cast),
    "decimal": decimal_cast,
    "float": float_cast,
    "double": float_cast,
    "bit": bit_cast,
    "year": year_cast,
    "time": time_cast,
    "enum": enum_cast,
    "set": set_cast,
}


def canonicalise(column: ColumnType, mode: KeyMode, prefix_length: int | None = None) -> Canonicaliser:
    """Make the function from a field to its canonical form.

    The field is the content after CSV unescaping and conversion of the file's character set, None for NULL: bytes as
    Lightning hands them on, usually UTF-8, possibly broken. `prefix_length` is the length written in the key
    definition. NULL into a NOT NULL column is for the caller, because the answer depends on the statement.

    Raises `NotReproducible` for a type, collation, character set, zone or mode whose keys are not known exactly.
    """
    cast = _cast_of(column, mode, prefix_length)

    def canonical(field: bytes | None) -> Canonical:
        return NULL if field is None else cast(field)

    return canonical


def _cast_of(column: ColumnType, mode: KeyMode, prefix_length: int | None) -> Cast:
    mode = _spell_out(mode)
    if "TIME_TRUNCATE_FRACTIONAL" in mode.sql_mode and column.name in {*DATE_TYPES, "time"}:
        raise NotReproducible("sql_mode TIME_TRUNCATE_FRACTIONAL cuts fractions instead of rounding them")
    if column.name in CHARACTER_TYPES and column.charset != "binary":
        return string_cast(column, mode, prefix_length)
    if column.name in CHARACTER_TYPES | BYTE_TYPES:
        return bytes_cast(column, mode, prefix_length)
    if column.name not in _CASTS:
        raise NotReproducible(f"the type {column.name} is not known as a key")
    return _CASTS[column.name](column, mode)


def _spell_out(mode: KeyMode) -> KeyMode:
    if not mode.has("TRADITIONAL"):
        return mode
    if mode.backend is Backend.PHYSICAL:
        raise NotReproducible("sql_mode TRADITIONAL is not spelled out by Lightning, which may or may not be strict")
    return replace(mode, sql_mode=mode.sql_mode | TRADITIONAL)


def join_key(parts: Sequence[Canonical]) -> tuple[bytes, ...] | None:
    """Return the key of a row from the canonical forms of its parts: None if one is NULL or refused."""
    key = tuple(part.key for part in parts if part.key is not None)
    return key if len(key) == len(parts) else None
