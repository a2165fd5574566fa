"""ENUM and SET columns: element names, and numbers where no name fits.

Source: `pkg/types/enum.go` (`ParseEnum`), `pkg/types/set.go` (`ParseSet`).
"""

from __future__ import annotations

import re

from safe_lightning.conflicts.canonical import SERVER_FAILS, TRUNCATED, Altered, Canonical, Cast, refusal
from safe_lightning.conflicts.collations import collate_names_of
from safe_lightning.conflicts.weights import ServerFails
from safe_lightning.core.columns import ColumnType, KeyMode

_NUMBERS = (
    (re.compile(rb"0[xX](?:_?[0-9a-fA-F])+"), 16),
    (re.compile(rb"0[bB](?:_?[01])+"), 2),
    (re.compile(rb"0[oO](?:_?[0-7])+"), 8),
    (re.compile(rb"0(?:_?[0-7])*"), 8),
    (re.compile(rb"[1-9](?:_?[0-9])*"), 10),
)


def read_go_number(text: bytes) -> int | None:
    """Read an unsigned 64-bit number as Go spells it in its sources: `0x2`, `0b10`, `010` (eight), `1_0`."""
    for pattern, base in _NUMBERS:
        if pattern.fullmatch(text):
            digits = text.replace(b"_", b"")
            digits = digits[2:] if digits[1:2].isalpha() and base != 10 else digits
            value = int(digits[-4000:], base) if not digits[:-4000].strip(b"0") else 1 << 64
            return value if value < 1 << 64 else None
    return None


def enum_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of an ENUM column; the key is the element's number, 0 for a text that is none."""
    collate = collate_names_of(column.collation, new_collation=mode.new_collation)
    names = [member.encode() for member in column.members]
    numbers: dict[bytes, int] = {}
    for number, name in enumerate(names, 1):
        numbers.setdefault(collate(name), number)
    strict = mode.strict

    def cast(field: bytes) -> Canonical:
        try:
            number = numbers.get(collate(field)) or read_go_number(field) or 0
        except ServerFails:
            return refusal(SERVER_FAILS)
        if 0 < number <= len(names):
            return Canonical(b"%d" % number, names[number - 1])
        return refusal(TRUNCATED) if strict else Canonical(b"0", b"", Altered.ZEROED)

    return cast


def set_cast(column: ColumnType, mode: KeyMode) -> Cast:
    """Make the cast of a SET column; the key is the number whose bits are the elements."""
    collate = collate_names_of(column.collation, new_collation=mode.new_collation)
    names = [member.encode() for member in column.members]
    bits: dict[bytes, int] = {}
    for index, name in enumerate(names):
        bits.setdefault(collate(name), 1 << index)
    strict = mode.strict

    def cast(field: bytes) -> Canonical:
        try:
            found = [bits.get(collate(name)) for name in field.split(b",")] if field else []
        except ServerFails:
            return refusal(SERVER_FAILS)
        number = read_go_number(field) if None in found else _join(found)
        if number is None or number >> len(names):
            return refusal(TRUNCATED) if strict else Canonical(b"0", b"", Altered.ZEROED)
        text = b",".join(name for index, name in enumerate(names) if number >> index & 1)
        return Canonical(b"%d" % number, text)

    return cast


def _join(bits: list[int | None]) -> int:
    number = 0
    for bit in bits:
        number |= bit or 0
    return number
