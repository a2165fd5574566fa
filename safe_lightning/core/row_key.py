"""A key of a table's row or index entry, as Lightning logs it in hexadecimal, told in values that people know.

The layout is that of pkg/tablecodec of TiDB: ``t``, table id, ``_r`` and the row's handle, or ``_i``, index id and
the index's values; behind those of an index that is not unique stands the handle.
"""

from __future__ import annotations

from collections.abc import Mapping

from safe_lightning.core.key_codec import BadKey, KeyValue, Kind, read_bytes, read_integer, read_value
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, quote

_TABLE, _ROW, _INDEX = b"t", b"_r", b"_i"
_HEAD_BYTES = 11
#: TiDB pads a clustered key that is shorter than this, so that it cannot be taken for an integer.
_COMMON_HANDLE_BYTES_LEAST = 9
_KEY_BYTES_MOST = 16 << 10
_VALUES_MOST = 64
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class RowKey:
    """A decoded key: of a row where ``index_id`` is None, else of an entry of that index."""

    table_id: int
    index_id: int | None
    values: tuple[KeyValue, ...]


def decode_key(text: str) -> RowKey:
    """Read a key in hexadecimal, with or without the storage's own grouping. Raises BadKey.

    >>> decode_key("7480000000000000745F7280000000000001F4").values[0].value
    500
    """
    if len(text) > 2 * _KEY_BYTES_MOST:
        raise BadKey("the key is longer than a key may be")
    try:
        data = bytes.fromhex(text)
    except ValueError as error:
        raise BadKey("the key is not written in hexadecimal (it may be redacted)") from error
    if _is_table_key(data):
        return _decode(data)
    plain, _ = read_bytes(data, 0)
    if not _is_table_key(plain):
        raise BadKey("the key is not one of a table's row or index")
    return _decode(plain)


def _is_table_key(data: bytes) -> bool:
    return data[:1] == _TABLE and data[9:_HEAD_BYTES] in (_ROW, _INDEX)


def _decode(data: bytes) -> RowKey:
    table_id, _ = read_integer(data, 1)
    if data[9:_HEAD_BYTES] == _ROW:
        return RowKey(table_id, None, _handle(data[_HEAD_BYTES:]))
    index_id, at = read_integer(data, _HEAD_BYTES)
    return RowKey(table_id, index_id, _values(data, at))


def _handle(data: bytes) -> tuple[KeyValue, ...]:
    if len(data) == 8:
        return (KeyValue(Kind.INTEGER, read_integer(data, 0)[0]),)
    values = _values(data, 0)
    if len(data) == _COMMON_HANDLE_BYTES_LEAST:
        # A primary key holds no NULL: those at the end are padding.
        while values and values[-1].kind is Kind.NULL:
            values = values[:-1]
    if not values:
        raise BadKey("the row's key holds no value")
    return values


def _values(data: bytes, at: int) -> tuple[KeyValue, ...]:
    values = list[KeyValue]()
    while at < len(data):
        if len(values) >= _VALUES_MOST:
            raise BadKey("the key holds more values than a key may")
        value, at = read_value(data, at)
        values.append(value)
    return tuple(values)


def describe_key(
    text: str, tables: Mapping[int, TableName], indexes: Mapping[tuple[TableName, int], str] | None = None
) -> str:
    """Tell a logged key in words: row or index entry, of which table, with its values. Never raises.

    ``indexes`` names the indexes of tables whose definition is known; the others are told by their ids.

    >>> describe_key("7480000000000000745F7280000000000001F4", {116: TableName("shop", "orders")})
    'row 500 of `shop`.`orders`'
    """
    try:
        key = decode_key(text)
    except BadKey as error:
        shown = text[:_SHOWN_CHARACTERS]
        return f"key {shown if shown.isprintable() else ascii(shown)}: {error}"
    known = tables.get(key.table_id)
    table = known or f"table {key.table_id}"
    values = ", ".join(show_value(value) for value in key.values)
    if key.index_id is None:
        return f"row {values} of {table}"
    name = (indexes or {}).get((known, key.index_id)) if known else None
    return f"entry ({values}) of index {quote(name) if name else key.index_id} of {table}"


def show_value(value: KeyValue) -> str:
    """Show one value of a key; a number that also is a packed time is told as both."""
    content = value.value
    if isinstance(content, bytes):
        return _text(content)
    if value.kind is Kind.DURATION and isinstance(content, int):
        return _clock(content)
    if value.kind is Kind.UNSIGNED and isinstance(content, int) and (time := _packed_time(content)):
        return f"{content} (as a time: {time})"
    return "NULL" if content is None else str(content)


def _text(content: bytes) -> str:
    for words, note in (_utf8(content), ""), (_folded(content), " (as its collation folds it)"):
        if words is not None:
            shown = words if len(words) <= _SHOWN_CHARACTERS else words[:_SHOWN_CHARACTERS] + "…"
            return f"'{shown}'{note}"
    shown = content[:_SHOWN_CHARACTERS].hex().upper()
    return f"0x{shown}{'…' if len(content) > _SHOWN_CHARACTERS else ''}"


def _utf8(content: bytes) -> str | None:
    try:
        words = content.decode()
    except UnicodeDecodeError:
        return None
    return words if words.isprintable() else None


def _folded(content: bytes) -> str | None:
    """Read two-byte weights as utf8mb4_general_ci writes them: one code point each, letters upper-case."""
    if not content or len(content) % 2 or any(content[0::2]):
        return None
    words = content[1::2].decode("latin-1")
    return words if words.isascii() and words.isprintable() else None


def _clock(nanoseconds: int) -> str:
    seconds, rest = divmod(abs(nanoseconds), 10**9)
    part = f".{rest:09d}".rstrip("0") if rest else ""
    sign = "-" if nanoseconds < 0 else ""
    return f"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{part}"


def _packed_time(number: int) -> str:
    """Read a number as TiDB packs times (year, month, day, hour, minute, second, microsecond); "" if it is none."""
    clock, microseconds = (number >> 24) & 0x1FFFF, number & 0xFFFFFF
    date = number >> 41
    year, month = divmod(date >> 5, 13)
    hour, minute, second = clock >> 12, clock >> 6 & 63, clock & 63
    is_date = 1000 <= year <= 9999 and 1 <= month <= 12 and 1 <= date & 31 <= 31
    if not is_date or hour > 23 or minute > 59 or second > 59 or microseconds > 999_999:
        return ""
    day = f"{year:04d}-{month:02d}-{date & 31:02d}"
    rest = f".{microseconds:06d}" if microseconds else ""
    return f"{day} {hour:02d}:{minute:02d}:{second:02d}{rest}" if clock or rest else day
