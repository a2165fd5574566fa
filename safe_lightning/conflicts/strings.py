"""CHAR, VARCHAR and TEXT kinds, BINARY, VARBINARY and BLOB kinds.

Source: `pkg/types/datum.go` (`convertToString`, `ProduceStrWithSpecifiedTp`), `pkg/table/column.go`,
`pkg/tablecodec/tablecodec.go` (`TruncateIndexValue`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from safe_lightning.conflicts.canonical import (
    INCORRECT_VALUE,
    SERVER_FAILS,
    TOO_LONG,
    Altered,
    Canonical,
    Cast,
    refusal,
)
from safe_lightning.conflicts.charsets import check_of
from safe_lightning.conflicts.collations import Collate, collate_of
from safe_lightning.conflicts.weights import ServerFails
from safe_lightning.core.columns import BLOB_BYTES, TEXT_BYTES, ColumnType, KeyMode

BLANKS = b" \t\n\r"
"""What may hang over the end of a CHAR or VARCHAR without being called too long."""

REPLACEMENTS = dict.fromkeys(range(0xDC80, 0xDD00), "\ufffd")
"""What Python's decoder leaves for bytes that are no UTF-8, and what Go's makes of them."""

Cut = Callable[[bytes], tuple[bytes, bool]]
"""Cuts a string to the column: what is kept, and whether strict mode calls it too long."""


def size_of(column: ColumnType) -> int:
    """Return how many characters (CHAR, VARCHAR) or bytes (all others) a column holds."""
    if column.length is not None:
        return column.length
    return (TEXT_BYTES | BLOB_BYTES).get(column.name, 1)


def string_cast(column: ColumnType, mode: KeyMode, prefix_length: int | None) -> Cast:
    """Make the cast of a character column; the key is the string's collation key."""
    check, cut = check_of(column.charset), _cut_of(column)
    size, strict, is_char = size_of(column), mode.strict, column.name == "char"
    make_key = _key_maker(column, mode, prefix_length)

    def cast(field: bytes) -> Canonical:
        altered = Altered.NOTHING
        value = field
        if not (len(field) <= size and field.isascii()):
            checked = check(field) if check else None
            value, is_long = cut(field) if checked is None else (checked, False)
            if strict and (checked is not None or is_long):
                return refusal(TOO_LONG if checked is None else INCORRECT_VALUE)
            altered = Altered.REPLACED if checked is not None else Altered.CUT if value != field else altered
        if is_char:
            value = value.rstrip(b" ")
        try:
            return Canonical(make_key(value), value, altered)
        except ServerFails:
            return refusal(SERVER_FAILS)

    return cast


def bytes_cast(column: ColumnType, mode: KeyMode, prefix_length: int | None) -> Cast:
    """Make the cast of a byte string column; BINARY is filled up with zero bytes."""
    size, strict, pads = size_of(column), mode.strict, column.name in ("binary", "char")
    prefix = size if prefix_length is None else prefix_length

    def cast(field: bytes) -> Canonical:
        value, altered = field, Altered.NOTHING
        if len(field) > size:
            if strict:
                return refusal(TOO_LONG)
            value, altered = field[:size], Altered.CUT
        elif pads:
            value = field.ljust(size, b"\0")
        return Canonical(value[:prefix], value, altered)

    return cast


def _key_maker(column: ColumnType, mode: KeyMode, prefix_length: int | None) -> Collate:
    """Make the function from a stored string to its key.

    A prefix as long as the column is none: TiDB keeps such a part whole, even of a string that is too long because a
    bad byte was replaced in it.
    """
    collate = collate_of(column.collation, new_collation=mode.new_collation)
    if prefix_length is None or (column.name in ("char", "varchar") and prefix_length == size_of(column)):
        return collate
    if column.charset in ("ascii", "binary"):
        return lambda value: collate(value[:prefix_length])
    return lambda value: collate(value if len(value) <= prefix_length else _first_characters(value, prefix_length))


def _first_characters(value: bytes, count: int) -> bytes:
    """Take the first characters; where there are more, bytes that are no UTF-8 become U+FFFD on the way."""
    text = value.decode("utf-8", "surrogateescape")
    if len(text) <= count:
        return value
    return text[:count].translate(REPLACEMENTS).encode()


def _cut_of(column: ColumnType) -> Cut:
    if column.name in TEXT_BYTES:
        return partial(_cut_bytes, size=size_of(column))
    return partial(_cut_characters, size=size_of(column))


def _cut_characters(field: bytes, size: int) -> tuple[bytes, bool]:
    if len(field) <= size:
        return field, False
    text = field.decode("utf-8", "surrogateescape")
    if len(text) <= size:
        return field, False
    kept = text[:size].encode("utf-8", "surrogateescape")
    return kept, field[len(kept) :].strip(BLANKS) != b""


def _cut_bytes(field: bytes, size: int) -> tuple[bytes, bool]:
    """Cut behind the last whole character that fits; a TEXT is too long even by blanks."""
    if len(field) <= size:
        return field, False
    while size and not _ends_with_character(field[max(0, size - 4) : size]):
        size -= 1
    return field[:size], True


def _ends_with_character(value: bytes) -> bool:
    """Tell whether the last of these few bytes are a character; those before may be part of another."""
    for size in range(1, 5):
        tail = value[-size:]
        if tail[0] & 0xC0 != 0x80:
            try:
                return len(tail.decode()) == 1
            except UnicodeDecodeError:
                return False
    return False
