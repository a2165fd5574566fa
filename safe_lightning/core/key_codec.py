"""TiDB's key encoding, read back: memory-comparable values as pkg/util/codec of TiDB writes them into keys.

Every function takes bytes and a place and returns the value and the place behind it; BadKey says that the bytes are
no such value. Nothing is guessed: what follows a flag that is not known is not read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from decimal import Decimal
from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass

_SIGN = 1 << 63
_GROUP = 8
_DIGITS_PER_WORD = 9
#: Bytes that so many decimal digits take.
_BYTES_OF_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
_DECIMAL_DIGITS_MOST = 81


class BadKey(ValueError):
    """The bytes are no key, or no key value, that is known here."""


class Kind(StrEnum):
    """What a value in a key is; a date, a number without sign and an ENUM look alike."""

    NULL = "null"
    BYTES = "bytes"
    INTEGER = "integer"
    UNSIGNED = "unsigned"
    FLOAT = "float"
    DECIMAL = "decimal"
    DURATION = "duration"


@dataclass(frozen=True)
class KeyValue:
    """One value out of a key; durations are in nanoseconds."""

    kind: Kind
    value: int | float | bytes | Decimal | None


def read_value(data: bytes, at: int) -> tuple[KeyValue, int]:
    """Read one flagged value. Raises BadKey."""
    if at >= len(data):
        raise BadKey("the key ends where a value begins")
    reader = _READERS.get(data[at])
    if reader is None:
        raise BadKey(f"the flag {data[at]} is not known")
    return reader(data, at + 1)


def read_integer(data: bytes, at: int) -> tuple[int, int]:
    """Read eight bytes that order like signed integers. Raises BadKey."""
    raw, end = _take(data, at, 8)
    return int.from_bytes(raw, "big") - _SIGN, end


def read_bytes(data: bytes, at: int) -> tuple[bytes, int]:
    """Read bytes in groups of eight, each with a mark of how much of it is padding. Raises BadKey."""
    groups = bytearray()
    while True:
        group, at = _take(data, at, _GROUP + 1)
        padding = 0xFF - group[_GROUP]
        if padding > _GROUP or any(group[_GROUP - padding : _GROUP]):
            raise BadKey("a group of bytes is not marked as one")
        groups += group[: _GROUP - padding]
        if padding:
            return bytes(groups), at


def _take(data: bytes, at: int, count: int) -> tuple[bytes, int]:
    if at + count > len(data):
        raise BadKey("the key ends within a value")
    return data[at : at + count], at + count


def _null(data: bytes, at: int) -> tuple[KeyValue, int]:
    return KeyValue(Kind.NULL, None), at


def _bytes(data: bytes, at: int) -> tuple[KeyValue, int]:
    value, end = read_bytes(data, at)
    return KeyValue(Kind.BYTES, value), end


def _compact_bytes(data: bytes, at: int) -> tuple[KeyValue, int]:
    length, at = _read_uvarint(data, at)
    value, end = _take(data, at, _unzigzag(length))
    return KeyValue(Kind.BYTES, value), end


def _integer(data: bytes, at: int) -> tuple[KeyValue, int]:
    value, end = read_integer(data, at)
    return KeyValue(Kind.INTEGER, value), end


def _unsigned(data: bytes, at: int) -> tuple[KeyValue, int]:
    raw, end = _take(data, at, 8)
    return KeyValue(Kind.UNSIGNED, int.from_bytes(raw, "big")), end


def _float(data: bytes, at: int) -> tuple[KeyValue, int]:
    raw, end = _take(data, at, 8)
    bits = int.from_bytes(raw, "big")
    bits = bits ^ _SIGN if bits & _SIGN else bits ^ (1 << 64) - 1
    return KeyValue(Kind.FLOAT, struct.unpack(">d", bits.to_bytes(8, "big"))[0]), end


def _duration(data: bytes, at: int) -> tuple[KeyValue, int]:
    value, end = read_integer(data, at)
    return KeyValue(Kind.DURATION, value), end


def _varint(data: bytes, at: int) -> tuple[KeyValue, int]:
    raw, end = _read_uvarint(data, at)
    return KeyValue(Kind.INTEGER, _signed(raw)), end


def _uvarint(data: bytes, at: int) -> tuple[KeyValue, int]:
    value, end = _read_uvarint(data, at)
    return KeyValue(Kind.UNSIGNED, value), end


def _read_uvarint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        raw, at = _take(data, at, 1)
        value |= (raw[0] & 0x7F) << shift
        if raw[0] < 0x80:
            if value >> 64:
                break
            return value, at
    raise BadKey("a number is longer than 64 bits")


def _signed(raw: int) -> int:
    return (raw >> 1) ^ -(raw & 1)


def _unzigzag(raw: int) -> int:
    length = _signed(raw)
    if length < 0:
        raise BadKey("a length is negative")
    return length


def _decimal(data: bytes, at: int) -> tuple[KeyValue, int]:
    head, at = _take(data, at, 2)
    precision, fraction = head
    if not fraction <= precision <= _DECIMAL_DIGITS_MOST or not precision:
        raise BadKey("a decimal's precision is impossible")
    whole_bytes, fraction_bytes = _size(precision - fraction), _size(fraction)
    raw, end = _take(data, at, whole_bytes + fraction_bytes)
    is_negative = not raw[0] & 0x80
    raw = bytes([raw[0] ^ 0x80, *raw[1:]])
    if is_negative:
        raw = bytes(byte ^ 0xFF for byte in raw)
    digits = _whole_digits(raw[:whole_bytes], precision - fraction) + _fraction_digits(raw[whole_bytes:], fraction)
    sign = "-" if is_negative else ""
    return KeyValue(Kind.DECIMAL, Decimal(f"{sign}{digits or '0'}E-{fraction}")), end


def _size(digits: int) -> int:
    words, rest = divmod(digits, _DIGITS_PER_WORD)
    return 4 * words + _BYTES_OF_DIGITS[rest]


def _whole_digits(raw: bytes, digits: int) -> str:
    lead = digits % _DIGITS_PER_WORD
    first = _BYTES_OF_DIGITS[lead]
    text = _digits(raw[:first], lead) if lead else ""
    return text + "".join(_digits(raw[i : i + 4], _DIGITS_PER_WORD) for i in range(first, len(raw), 4))


def _fraction_digits(raw: bytes, digits: int) -> str:
    words, rest = divmod(digits, _DIGITS_PER_WORD)
    text = "".join(_digits(raw[4 * i : 4 * i + 4], _DIGITS_PER_WORD) for i in range(words))
    return text + (_digits(raw[4 * words :], rest) if rest else "")


def _digits(raw: bytes, count: int) -> str:
    number = int.from_bytes(raw, "big")
    if number >= 10**count:
        raise BadKey("a decimal holds no decimal digits")
    return f"{number:0{count}d}"


_Reader = Callable[[bytes, int], tuple[KeyValue, int]]

#: By the flag in front of a value (pkg/util/codec/codec.go).
_READERS: dict[int, _Reader] = {
    0: _null,
    1: _bytes,
    2: _compact_bytes,
    3: _integer,
    4: _unsigned,
    5: _float,
    6: _decimal,
    7: _duration,
    8: _varint,
    9: _uvarint,
}
