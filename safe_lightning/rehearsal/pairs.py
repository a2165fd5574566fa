"""Rows as key-value pairs, counted and summed the way a checksum counts them.

One record pair per row and one pair per index entry, keys laid out as TiKV's (``t`` table id ``_r`` handle,
``t`` table id ``_i`` index id values). Values are encoded more simply than TiDB does it: what matters here is
that the same row always gives the same pairs, and that rows with equal keys share them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import Totals
from safe_lightning.rehearsal.schema import Column, Key, TableSchema

_RECORD_PREFIX_BYTES = 9
_GROUP_BYTES = 8
_SIGN = 1 << 63
_MASK = (1 << 64) - 1
_DIGITS_MOST = 40
_EXACT = Context(prec=100, Emin=MIN_EMIN, Emax=MAX_EMAX)  # a DECIMAL has up to 65 digits
_POLYNOMIAL = 0xC96C5795D7870F42  # CRC-64/ECMA-182, reflected: Go's crc64.ECMA

Value = str | None


def _table() -> tuple[int, ...]:
    entries = []
    for byte in range(256):
        for _ in range(8):
            byte = (byte >> 1) ^ _POLYNOMIAL if byte & 1 else byte >> 1
        entries.append(byte)
    return tuple(entries)


_CRC = _table()


def crc64(data: bytes) -> int:
    """Return Go's ``crc64.Checksum(data, ECMA)``.

    >>> hex(crc64(b"123456789"))
    '0x995dc9bbdf1939fa'
    """
    state, table = _MASK, _CRC
    for byte in data:
        state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ _MASK


@dataclass(frozen=True)
class Pair:
    """A key with its value; ``index`` is None for the record itself, else the number of the index."""

    key: bytes
    value: bytes
    index: int | None


def sum_pairs(pairs: Iterable[Pair]) -> Totals:
    """Sum pairs as Lightning does: every pair counts, also one whose key was there before."""
    checksum = kvs = size = 0
    for pair in pairs:
        checksum ^= crc64(pair.key + pair.value)
        kvs += 1
        size += len(pair.key) + len(pair.value)
    return Totals(checksum, kvs, size)


def add(left: Totals, right: Totals) -> Totals:
    """Join the totals of two sets of pairs."""
    return Totals((left.checksum or 0) ^ (right.checksum or 0), left.kvs + right.kvs, left.bytes + right.bytes)


def encode_row(schema: TableSchema, table_id: int, row_id: int, values: Sequence[Value]) -> list[Pair]:
    """Encode one row; ``row_id`` identifies it where no primary key does."""
    handle = _handle(schema, row_id, values)
    record = Pair(record_prefix(table_id) + handle, encode_record(values), None)
    return [record, *encode_entries(schema, record.key, values)]


def encode_entries(schema: TableSchema, record_key: bytes, values: Sequence[Value]) -> list[Pair]:
    """Encode the index entries of the row whose record has this key."""
    prefix, handle = record_key[:_RECORD_PREFIX_BYTES], record_key[_RECORD_PREFIX_BYTES + 2 :]
    return [_entry(schema, prefix, number, key, handle, values) for number, key in numbered(schema)]


def numbered(schema: TableSchema) -> Iterator[tuple[int, Key]]:
    """Yield the indexes with the numbers in their entries' keys; the primary key is the record's own key."""
    return enumerate((key for key in schema.keys if not key.is_primary), 1)


def record_prefix(table_id: int) -> bytes:
    """Return what the keys of a table's records begin with."""
    return b"t" + _integer(table_id) + b"_r"


def index_prefix(table_id: int, number: int) -> bytes:
    """Return what the keys of an index's entries begin with."""
    return b"t" + _integer(table_id) + b"_i" + _integer(number)


def _handle(schema: TableSchema, row_id: int, values: Sequence[Value]) -> bytes:
    primary = next((key for key in schema.keys if key.is_primary), None)
    if primary is None:
        return _integer(row_id)
    if schema.integer_primary:
        value = values[schema.position(schema.integer_primary)]
        return _integer(_whole(value)) if value is not None else _integer(row_id)
    return _values(schema, primary, values)


def _entry(schema: TableSchema, prefix: bytes, number: int, key: Key, handle: bytes, values: Sequence[Value]) -> Pair:
    encoded = _values(schema, key, values)
    has_null = any(values[schema.position(name)] is None for name in key.columns)
    if key.is_unique and not has_null:
        return Pair(prefix + b"_i" + _integer(number) + encoded, handle, number)
    return Pair(prefix + b"_i" + _integer(number) + encoded + handle, b"0", number)


def with_row_id(record: Pair, added: int) -> Pair:
    """Return the record under another row id: its handle, which must be a number, plus ``added``."""
    prefix, handle = record.key[:-8], int.from_bytes(record.key[-8:], "big")
    return Pair(prefix + ((handle + added) & _MASK).to_bytes(8, "big"), record.value, None)


def encode_record(values: Sequence[Value]) -> bytes:
    """Encode a row's values as its record holds them."""
    return b"".join(_part(None if value is None else value.encode("utf-8", "surrogateescape")) for value in values)


def decode_record(value: bytes) -> list[Value]:
    """Read a record pair's value back into the row's values."""
    row: list[Value] = []
    while value:
        length = int.from_bytes(value[:4], "big")
        if length == 0xFFFFFFFF:
            row.append(None)
            length = 0
        else:
            row.append(value[4 : 4 + length].decode("utf-8", "surrogateescape"))
        value = value[4 + length :]
    return row


def _part(data: bytes | None) -> bytes:
    return b"\xff\xff\xff\xff" if data is None else len(data).to_bytes(4, "big") + data


def _values(schema: TableSchema, key: Key, values: Sequence[Value]) -> bytes:
    return b"".join(_key_part(schema.columns[at], values[at]) for at in map(schema.position, key.columns))


def _key_part(column: Column, value: Value) -> bytes:
    """Encode so that values which TiDB takes for equal are equal: 1 and 01, 2.5 and 2.50, blanks at the end, case."""
    if value is None:
        return b"\x00"
    if column.kind == "integer":
        return b"\x03" + _integer(_whole(value))
    text = _number(value) if column.kind == "number" else _folded(column, value)
    return b"\x01" + _grouped(text.encode("utf-8", "surrogateescape"))


def _grouped(data: bytes) -> bytes:
    """Write bytes so that they compare as they did: groups of eight, each with a sign of how full it is.

    Source: codec.EncodeBytes of TiDB (pkg/util/codec/bytes.go).
    """
    groups = [data[at : at + _GROUP_BYTES] for at in range(0, len(data) + 1, _GROUP_BYTES)]
    return b"".join(one.ljust(_GROUP_BYTES, b"\0") + bytes([0xFF - _GROUP_BYTES + len(one)]) for one in groups)


def _folded(column: Column, value: str) -> str:
    text = value.rstrip(" ")
    return text.upper() if column.folds_case else text


def _number(value: str) -> str:
    try:
        return str(_EXACT.normalize(Decimal(value)))
    except ArithmeticError:
        return value


def _whole(value: str) -> int:
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return 0
    return int(number) if number.is_finite() and number.adjusted() < _DIGITS_MOST else 0


def _integer(number: int) -> bytes:
    return ((number + _SIGN) & _MASK).to_bytes(8, "big")
