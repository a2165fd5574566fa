"""Rows as the readers deliver them: where a row starts, and its fields as Lightning's parsers hand them on."""

from __future__ import annotations

from safe_lightning.core.lean_dataclass import dataclass

ROW_BYTES_MOST = 120 << 20  # the largest txn-entry-size-limit, beyond which Lightning refuses a row
FIELDS_MOST = 65_536  # TiDB has at most 4,096 columns in a table; what is beyond is no row but an accident


@dataclass(frozen=True)
class BinaryLiteral:
    """A hexadecimal or bit literal of a SQL dump: its cast differs from that of a string."""

    data: bytes


Field = bytes | int | float | BinaryLiteral | None


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the byte it starts at, its line, its number in the file, its fields.

    Line and number count from 1; the header is a line but no row.

    A field of a CSV file is text (UTF-8 or the file's own bytes) or None for NULL. SQL dumps and Parquet files
    also have numbers and binary literals, because TiDB casts these in another way than text.
    """

    offset: int
    line: int
    number: int
    fields: list[Field]
