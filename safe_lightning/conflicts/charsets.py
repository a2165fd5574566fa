"""What a column's character set keeps of the bytes of a text.

Source: `pkg/parser/charset/encoding_*.go`. TiDB holds every string in UTF-8, whatever the column's character set; the
set only decides which characters may be in it. latin1 and binary columns take any bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.weights import gbk_characters

Check = Callable[[bytes], bytes | None]
"""Returns None for a text that the set takes as it is, else the text with `?` for what it does not know."""

LEAD_SIZES = ((0x80, 1), (0xE0, 2), (0xF0, 3), (0x100, 4))


def check_of(charset: str) -> Check | None:
    """Return the check of a character set, None for a set that takes any bytes.

    Raises `NotReproducible` for a character set that is not known here.
    """
    if charset not in CHECKS:
        raise NotReproducible(f"the character set {charset} is not known")
    return CHECKS[charset]


def _check_utf8mb4(field: bytes) -> bytes | None:
    try:
        field.decode()
    except UnicodeDecodeError:
        return _replace(field, lambda code: 0xDC80 <= code <= 0xDCFF)
    return None


def _check_utf8(field: bytes) -> bytes | None:
    """Check for characters of at most three bytes."""
    if field.isascii():
        return None
    checked = _replace(field, lambda code: code > 0xFFFF or 0xDC80 <= code <= 0xDCFF)
    return None if checked == field else checked


def _replace(field: bytes, is_bad: Callable[[int], bool]) -> bytes:
    """Replace bad characters; every byte of a sequence that is no UTF-8 is a character of its own."""
    text = field.decode("utf-8", "surrogateescape")
    bad = {code: "?" for code in set(map(ord, text)) if is_bad(code)}
    return text.translate(bad).encode("utf-8", "surrogateescape")


def _check_ascii(field: bytes) -> bytes | None:
    return None if field.isascii() else _replace_units(field, lambda unit: unit[0] < 0x80)


def check_gbk(field: bytes) -> bytes | None:
    """Check for characters that GBK can hold; the euro sign is none."""
    if field.isascii():
        return None
    checked = _replace_units(field, partial(_is_gbk, known=gbk_characters()))
    return None if checked == field else checked


def _is_gbk(unit: bytes, known: frozenset[str]) -> bool:
    try:
        return unit.decode() in known
    except UnicodeDecodeError:
        return False


def _replace_units(field: bytes, is_good: Callable[[bytes], bool]) -> bytes:
    """Replace bad units, a unit being as long as its first byte promises: a broken one swallows its neighbours."""
    pieces = []
    index = 0
    while index < len(field):
        size = next(size for limit, size in LEAD_SIZES if field[index] < limit)
        unit = field[index : index + size]
        pieces.append(unit if is_good(unit) else b"?")
        index += size
    return b"".join(pieces)


CHECKS: dict[str, Check | None] = {
    "utf8mb4": _check_utf8mb4,
    "utf8": _check_utf8,
    "utf8mb3": _check_utf8,
    "ascii": _check_ascii,
    "gbk": check_gbk,
    "latin1": None,
    "binary": None,
}
