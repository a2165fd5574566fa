"""Parquet files as Lightning up to 8.5 reads them: numbers as numbers, everything that is a date or decimal as text.

Source: pkg/lightning/mydump/parquet_parser.go of release 8.5 (setDatumValue, setDatumByInt, setDatumByString).
Needs the Python package pyarrow, which is asked for only when a Parquet file is there.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Collection, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol, TypeVar

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.findings import InputError
from safe_lightning.source.raw_bytes import Heard, ignore_bytes
from safe_lightning.source.rows import Field, Row

_BATCH_ROWS = 4096
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAY_MICROS = 86_400_000_000
_UNIT_NANOS = {"milliseconds": 1_000_000, "microseconds": 1_000, "nanoseconds": 1}
_ARROW_UNITS = {"milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns"}

_Result = TypeVar("_Result")
_Convert = Callable[[Any], Field]


class _Array(Protocol):
    """A column of values in Arrow."""

    def cast(self, target_type: object) -> _Array: ...

    def to_pylist(self) -> list[object]: ...


class _LogicalType(Protocol):
    """What the values of a column mean."""

    type: str

    def to_json(self) -> str: ...


class _Column(Protocol):
    """A column of the file's own schema."""

    name: str
    path: str
    physical_type: str
    logical_type: _LogicalType
    max_repetition_level: int
    scale: int


_Prepare = Callable[[_Array], list[object]]


class ParquetReader:
    """Reads the rows of one file. Iterate over it once.

    ``all_columns`` are the names in the file, lower case; ``columns`` those that are read, in the order of the fields.
    A Parquet file has no lines: ``offset`` of a row is its index, ``line`` its number. Raises InputError for a file
    that Lightning cannot read, CouldNotLook where pyarrow is missing or a type cannot be reproduced.
    """

    def __init__(
        self, path: Path, name: str = "", wanted: Collection[str] | None = None, heard: Heard = ignore_bytes
    ) -> None:
        self.file = name or str(path)
        self._path, self._heard = path, heard
        self._arrow = _library("pyarrow")
        self._parquet = _library("pyarrow.parquet")
        self._open = self._guarded(
            lambda: self._parquet.ParquetFile(path, pre_buffer=False, coerce_int96_timestamp_unit="us")
        )
        schemas: list[_Column] = [self._open.schema.column(place) for place in range(len(self._open.schema))]
        for schema in schemas:
            if schema.max_repetition_level or "." in schema.path:
                raise InputError("unsupported-parquet", f"the column {schema.path} is nested", self.file)
        self.all_columns = tuple(schema.name.lower() for schema in schemas)
        read = [schema for schema in schemas if wanted is None or schema.name.lower() in wanted]
        self.columns: tuple[str, ...] | None = tuple(schema.name.lower() for schema in read)
        self._names = [schema.name for schema in read]
        self._conversions = [self._conversion(schema) for schema in read]

    def __iter__(self) -> Iterator[Row]:
        number = told = 0
        size_bytes, row_count = self._path.stat().st_size, max(1, self._open.metadata.num_rows)
        batches = self._guarded(lambda: self._open.iter_batches(batch_size=_BATCH_ROWS, columns=self._names))
        while (batch := self._guarded(lambda: next(batches, None))) is not None:
            columns = [
                self._values(column, *conversion)
                for column, conversion in zip(batch.columns, self._conversions, strict=True)
            ]
            for place in range(batch.num_rows):
                number += 1
                yield Row(number - 1, number, number, [column[place] for column in columns])
            self._heard(size_bytes * number // row_count - told)
            told = size_bytes * number // row_count

    def _values(self, column: _Array, prepare: _Prepare, convert: _Convert) -> list[Field]:
        return [None if value is None else convert(value) for value in self._guarded(lambda: prepare(column))]

    def _guarded(self, act: Callable[[], _Result]) -> _Result:
        try:
            return act()
        except (self._arrow.lib.ArrowException, OSError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InputError("damaged-parquet", f"the Parquet file cannot be read: {reason}", self.file) from error

    def _conversion(self, schema: _Column) -> tuple[_Prepare, _Convert]:
        """Choose how the values of a column are taken out of Arrow, and what Lightning makes of each."""
        arrow, physical, logical = self._arrow, schema.physical_type, schema.logical_type
        kind = logical.type
        described = _described(logical)
        if kind == "DECIMAL":
            scale, is_integer = int(schema.scale), physical in ("INT32", "INT64")
            return _as_is, (lambda value: _decimal(value, scale, is_integer))
        if kind == "DATE":
            return _cast(arrow.date32(), arrow.int32()), self._date
        if kind == "TIME":
            unit = described["timeUnit"]
            of_type = arrow.time32("ms") if unit == "milliseconds" else arrow.time64(_ARROW_UNITS[unit])
            to_integer = arrow.int32() if unit == "milliseconds" else arrow.int64()
            return _cast(of_type, to_integer), _clock(_UNIT_NANOS[unit], described["isAdjustedToUTC"])
        if kind == "TIMESTAMP":
            unit = described["timeUnit"]
            of_type = arrow.timestamp(_ARROW_UNITS[unit])
            return _cast(of_type, arrow.int64()), self._stamp(_UNIT_NANOS[unit], described["isAdjustedToUTC"])
        if physical == "INT96":
            return _cast(arrow.timestamp("us"), arrow.int64()), self._stamp(1000, True)
        return self._plain(kind, physical)

    def _plain(self, kind: str, physical: str) -> tuple[_Prepare, _Convert]:
        arrow = self._arrow
        if physical == "BOOLEAN":
            return _as_is, int
        if physical in ("INT32", "INT64") and kind in ("NONE", "INT"):
            return _as_is, _signed(32 if physical == "INT32" else 64)
        if physical in ("FLOAT", "DOUBLE"):
            return _as_is, float
        if physical in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY") and kind in ("NONE", "STRING", "ENUM", "JSON", "BSON"):
            return _cast(arrow.binary()), bytes
        raise CouldNotLook(f"{self.file}: columns of the Parquet type {kind} ({physical}) cannot be reproduced")

    def _date(self, days: int) -> bytes:
        return self._day_text(days).encode()

    def _day_text(self, days: int) -> str:
        ordinal = _EPOCH_DAY + days
        if not 1 <= ordinal <= date.max.toordinal():
            raise InputError("parquet-date", f"day {days} is no date of the years 1 to 9999", self.file)
        return date.fromordinal(ordinal).isoformat()

    def _stamp(self, unit_nanos: int, is_utc: bool) -> _Convert:
        clock = _clock(1000, is_utc)

        def text(value: int) -> bytes:
            days, micros = divmod(value * unit_nanos // 1000, _DAY_MICROS)
            return f"{self._day_text(days)} ".encode() + clock(micros)

        return text


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise CouldNotLook("Parquet files cannot be read without the Python package pyarrow") from error


def _described(logical: _LogicalType) -> dict[str, Any]:
    return dict(json.loads(logical.to_json()))


def _as_is(column: _Array) -> list[object]:
    return _plain_array(column).to_pylist()


def _cast(*types: object) -> _Prepare:
    def prepare(column: _Array) -> list[object]:
        column = _plain_array(column)
        for of_type in types:
            column = column.cast(of_type)
        return column.to_pylist()

    return prepare


def _plain_array(column: _Array) -> _Array:
    # What a writer noted of its own types (dictionaries) is undone: Lightning sees the values only.
    decode: Callable[[], _Array] | None = getattr(column, "dictionary_decode", None)
    return column if decode is None else decode()


def _signed(bits: int) -> _Convert:
    """Read an integer as signed whatever the file says, as the parser does."""
    limit = 1 << (bits - 1)

    def value_of(value: int) -> int:
        return value - 2 * limit if value >= limit else value

    return value_of


def _decimal(value: Decimal, scale: int, is_integer: bool) -> Field:
    """Write a decimal with all its digits; an integer of scale 0 stays a number where it is stored as one."""
    sign, digits, exponent = value.as_tuple()
    unscaled = int("".join(map(str, digits))) * int(10 ** (scale + int(exponent)))
    if is_integer and scale == 0:
        return -unscaled if sign else unscaled
    text = f"{unscaled:0{scale + 1}d}"
    whole, fraction = text[: len(text) - scale], text[len(text) - scale :]
    is_negative = bool(sign) and unscaled != 0
    return f"{'-' if is_negative else ''}{whole}{'.' if scale else ''}{fraction}".encode()


def _clock(unit_nanos: int, is_utc: bool) -> Callable[[int], bytes]:
    def text(value: int) -> bytes:
        seconds, micros = divmod(value * unit_nanos // 1000, 1_000_000)
        fraction = f".{micros:06d}".rstrip("0").rstrip(".")
        return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}{'Z' * is_utc}".encode()

    return text
