"""The literals of SQL dumps: what kind a token is, and what value it has."""

from __future__ import annotations

import re
from enum import Enum
from functools import cache

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.rows import BinaryLiteral, Field


class Kind(Enum):
    """A token, by the name that Lightning's error messages have for it."""

    ROW_BEGIN = "RowBegin"
    ROW_END = "RowEnd"
    VALUES = "Values"
    NULL = "Null"
    TRUE = "True"
    FALSE = "False"
    HEX = "HexString"
    BITS = "BinString"
    INTEGER = "Integer"
    SINGLE_QUOTED = "SingleQuoted"
    DOUBLE_QUOTED = "DoubleQuoted"
    BACK_QUOTED = "BackQuoted"
    UNQUOTED = "Unquoted"


_WORDS = {b"values": Kind.VALUES, b"null": Kind.NULL, b"true": Kind.TRUE, b"false": Kind.FALSE}
_INTEGER = re.compile(rb"-?[0-9]+")
_HEX = re.compile(rb"0x[0-9a-fA-F]+")
_BITS = re.compile(rb"0b[01]+")


@dataclass(frozen=True)
class PlainRow:
    """Expressions for a whole row of the literals that dumps are made of, and for one of these with its comma."""

    row: re.Pattern[bytes]
    value: re.Pattern[bytes]


@cache
def plain_row(has_escapes: bool) -> PlainRow:
    """Build the expressions; nothing in them can backtrack."""
    inside = rb"(?:[^'\\]++|\\.|'')*+" if has_escapes else rb"(?:[^']++|'')*+"
    value = rb"(?:'" + inside + rb"'|-?[0-9]{1,18}+(?:\.[0-9]++)?+|NULL)"
    row = rb"\(" + value + rb"(?:," + value + rb")*+\)"
    return PlainRow(re.compile(row, re.DOTALL), re.compile(b"(" + value + rb")[,)]", re.DOTALL))


def run_kind(text: bytes, lowered: bytes) -> Kind:
    """Tell what an unquoted run is."""
    if _INTEGER.fullmatch(text):
        return Kind.INTEGER
    if lowered in _WORDS:
        return _WORDS[lowered]
    if _HEX.fullmatch(text):
        return Kind.HEX
    return Kind.BITS if _BITS.fullmatch(text) else Kind.UNQUOTED


def integer_value(text: bytes) -> Field:
    """Read an integer of 64 bits, signed if it has a sign; a longer one stays text."""
    digits = text.lstrip(b"-0")
    if len(digits) > 20:
        return text
    value = int(digits or b"0") * (-1 if text[:1] == b"-" else 1)
    least, most = (-(1 << 63), 0) if text[:1] == b"-" else (0, (1 << 64) - 1)
    return value if least <= value <= most else text


def bits_value(text: bytes) -> BinaryLiteral:
    """Read `b'101'` or `0b101`."""
    digits = text[2:] if text[:1] == b"0" else text[2:-1]
    return BinaryLiteral(_bit_bytes(digits))


def _bit_bytes(digits: bytes) -> bytes:
    # A power of two as base: no limit of int() on long texts applies.
    return int(digits, 2).to_bytes((len(digits) + 7) // 8, "big") if digits else b""
