"""Protocol-buffer wire format, read strictly and written as Lightning writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MASK64 = (1 << 64) - 1

#: A value inside a message: where its bytes begin and end.
Span = tuple[int, int]


class WireError(ValueError):
    """Bytes that are not what the schema allows, with the offset of the first one that is wrong."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(f"byte {offset}: {what}")
        self.offset = offset
        self.what = what


class Kind(Enum):
    """The type of a field; the value is the wire type that carries it."""

    INT64 = "int64"
    INT32 = "int32"
    UINT32 = "uint32"
    UINT64 = "uint64"
    SINT32 = "sint32"
    FIXED64 = "fixed64"
    SFIXED64 = "sfixed64"
    STRING = "string"
    BYTES = "bytes"
    INT32_LIST = "repeated int32"
    MESSAGE = "message"


_WIRE_TYPES = {Kind.FIXED64: _FIXED64, Kind.SFIXED64: _FIXED64} | dict.fromkeys(
    (Kind.STRING, Kind.BYTES, Kind.INT32_LIST, Kind.MESSAGE), _LENGTH
)


@dataclass(frozen=True)
class Field:
    """One field of a message: its name in the model and its type."""

    name: str
    kind: Kind


Schema = Mapping[int, Field]


def read_varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Read an unsigned number of at most 64 bits; return it and the offset behind it. Raises WireError.

    >>> read_varint(bytes([0xAC, 0x02]), 0, 2)
    (300, 2)
    """
    start, value = at, 0
    for shift in range(0, 70, 7):
        if at >= end:
            raise WireError(start, "a number is cut off")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > _MASK64:
                break
            return value, at
    raise WireError(start, "a number has more than 64 bits")


def read_fields(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int, Span]]:
    """Yield offset, number, wire type and place of each field of a message, in order. Raises WireError."""
    while at < end:
        start = at
        tag, at = read_varint(data, at, end)
        number, wire_type = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise WireError(start, f"there is no field number {number}")
        first, at = _place(data, start, at, end, wire_type)
        yield start, number, wire_type, (first, at)


def _place(data: bytes, start: int, at: int, end: int, wire_type: int) -> Span:
    if wire_type == _VARINT:
        return at, read_varint(data, at, end)[1]
    if wire_type == _LENGTH:
        length, at = read_varint(data, at, end)
    elif wire_type in (_FIXED64, _FIXED32):
        length = 8 if wire_type == _FIXED64 else 4
    else:
        raise WireError(start, f"there is no wire type {wire_type}")
    if at + length > end:
        raise WireError(start, f"a value of {length} bytes is cut off after {end - at}")
    return at, at + length


def read_message(data: bytes, span: Span, schema: Schema, into: dict[str, Any]) -> None:
    """Read a message's known fields into a dict; fields of a later version are skipped.

    Scalars: the last one wins. Lists grow. A message field becomes the list of its places, in the order
    of the bytes, for the caller to merge. Raises WireError, also for a known field of another wire type.
    """
    for start, number, wire_type, place in read_fields(data, *span):
        field = schema.get(number)
        if field is None:
            continue
        if field.kind is Kind.INT32_LIST and wire_type == _VARINT:
            into.setdefault(field.name, []).append(_scalar(data, place, Kind.INT32))
        elif wire_type != _WIRE_TYPES.get(field.kind, _VARINT):
            raise WireError(start, f"{field.name} is not of type {field.kind.value}")
        elif field.kind is Kind.MESSAGE:
            into.setdefault(field.name, []).append(place)
        elif field.kind is Kind.INT32_LIST:
            into.setdefault(field.name, []).extend(_read_list(data, place))
        else:
            into[field.name] = _scalar(data, place, field.kind)


def _read_list(data: bytes, place: Span) -> Iterator[int]:
    at, end = place
    while at < end:
        value, at = read_varint(data, at, end)
        yield _signed(value, 32)


def _scalar(data: bytes, place: Span, kind: Kind) -> int | str | bytes:
    at, end = place
    if kind is Kind.STRING:
        return read_text(data, at, end)
    if kind is Kind.BYTES:
        return bytes(data[at:end])
    if kind in (Kind.FIXED64, Kind.SFIXED64):
        return int.from_bytes(data[at:end], "little", signed=kind is Kind.SFIXED64)
    return _NUMBERS[kind](read_varint(data, at, end)[0])


def read_text(data: bytes, at: int, end: int) -> str:
    """Decode UTF-8. Raises WireError naming the byte that is none."""
    try:
        return data[at:end].decode()
    except UnicodeDecodeError as error:
        raise WireError(at + error.start, "the text is not UTF-8") from error


def _signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _zigzag(value: int) -> int:
    value &= 0xFFFFFFFF
    return (value >> 1) ^ -(value & 1)


_NUMBERS: Mapping[Kind, Callable[[int], int]] = {
    Kind.INT64: lambda value: _signed(value, 64),
    Kind.INT32: lambda value: _signed(value, 32),
    Kind.UINT64: lambda value: value,
    Kind.UINT32: lambda value: value & 0xFFFFFFFF,
    Kind.SINT32: _zigzag,
}


def write_varint(value: int) -> bytes:
    """Write a number; a negative one takes ten bytes, as in two's complement."""
    value &= _MASK64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write_span(number: int, payload: bytes) -> bytes:
    """Write a field that carries its length: text, bytes or a message."""
    return write_varint(number << 3 | _LENGTH) + write_varint(len(payload)) + payload


def write_message(schema: Schema, values: Mapping[str, Any], *, keep_zero: bool = False) -> bytes:
    """Write scalar and list fields in the order of their numbers; zero values are left out, as proto3 does.

    Map entries keep them (``keep_zero``), as Lightning's encoder does.
    """
    return b"".join(
        _write(number, field.kind, values[field.name])
        for number, field in sorted(schema.items())
        if field.name in values and (keep_zero or values[field.name])
    )


def _write(number: int, kind: Kind, value: Any) -> bytes:  # noqa: ANN401 - the schema says which type it is
    if kind is Kind.STRING:
        return write_span(number, str(value).encode())
    if kind in (Kind.BYTES, Kind.MESSAGE):
        return write_span(number, bytes(value))
    if kind is Kind.INT32_LIST:
        return write_span(number, _write_list(value))
    if kind in (Kind.FIXED64, Kind.SFIXED64):
        return write_varint(number << 3 | _FIXED64) + int(value & _MASK64).to_bytes(8, "little")
    if kind is Kind.SINT32:
        value = (value << 1) ^ (value >> 31)
    return write_varint(number << 3 | _VARINT) + write_varint(value)


def _write_list(values: Sequence[int]) -> bytes:
    return b"".join(map(write_varint, values))
