"""Collations: which strings are the same key.

With the new collation framework off, TiDB compares the stored bytes whatever the collation says. With it on, a
collation pads (trailing U+0020 do not count) or not, and compares bytes or weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.charsets import check_gbk
from safe_lightning.conflicts.weights import ASCII, load_weights

IDENTITY = bytes(range(256))
Collate = Callable[[bytes], bytes]
"""Makes the key of a stored string; raises `ServerFails` where TiDB has none."""


class Collation(NamedTuple):
    """How a collation compares; `table` names its weights, and is empty if it compares bytes."""

    pads: bool
    table: str = ""


class AsciiTable(NamedTuple):
    """How a string of ASCII characters alone becomes its key: strip blanks at the end, delete, replace byte by byte.

    Made for `bytes.translate(replaced, deleted)`; the stripping comes first.
    """

    pads: bool
    replaced: bytes
    deleted: bytes


COLLATIONS = {
    "binary": Collation(False),
    "ascii_bin": Collation(True),
    "latin1_bin": Collation(True),
    "gbk_bin": Collation(True),
    "gbk_chinese_ci": Collation(True, "gbk_chinese_ci"),
    "utf8_bin": Collation(True),
    "utf8_general_ci": Collation(True, "utf8mb4_general_ci"),
    "utf8_unicode_ci": Collation(True, "utf8mb4_unicode_ci"),
    "utf8mb4_bin": Collation(True),
    "utf8mb4_general_ci": Collation(True, "utf8mb4_general_ci"),
    "utf8mb4_unicode_ci": Collation(True, "utf8mb4_unicode_ci"),
    "utf8mb4_0900_ai_ci": Collation(False, "utf8mb4_0900_ai_ci"),
    "utf8mb4_0900_bin": Collation(False),
}
REFUSED = frozenset({"utf8mb4_zh_pinyin_tidb_as_cs"})
"""Collations that a table can have but into which TiDB inserts nothing."""


def find_collation(name: str, *, new_collation: bool) -> Collation:
    """Return how a collation compares. Raises `NotReproducible` for one that is not known here."""
    name = name.lower().replace("utf8mb3_", "utf8_")
    if name in REFUSED or (new_collation and name not in COLLATIONS):
        raise NotReproducible(f"the collation {name} is not known")
    return COLLATIONS[name] if new_collation else COLLATIONS["binary"]


def ascii_table(name: str, *, new_collation: bool = True) -> AsciiTable:
    """Return the byte tables of a collation for ASCII strings; bytes of 80 and above stand for themselves in them."""
    return _ascii_table(find_collation(name, new_collation=new_collation))


@cache
def _ascii_table(collation: Collation) -> AsciiTable:
    if not collation.table:
        return AsciiTable(collation.pads, IDENTITY, b"")
    weights = load_weights(collation.table)
    replaced = bytes(ord(weights[point] or "\0") for point in ASCII) + IDENTITY[0x80:]
    return AsciiTable(collation.pads, replaced, bytes(point for point in ASCII if not weights[point]))


def collate_of(name: str, *, new_collation: bool) -> Collate:
    """Make the function from a stored string to its key under a collation."""
    collation = find_collation(name, new_collation=new_collation)
    if collation.table:
        return _by_weight(collation)
    return _strip_blanks if collation.pads else bytes


def _strip_blanks(value: bytes) -> bytes:
    return value.rstrip(b" ")


def _by_weight(collation: Collation) -> Collate:
    pads, replaced, deleted = _ascii_table(collation)
    weights = load_weights(collation.table)

    def collate(value: bytes) -> bytes:
        if pads:
            value = value.rstrip(b" ")
        if value.isascii():
            return value.translate(replaced, deleted)
        return decode_valid(value).translate(weights).encode("utf-8", "surrogatepass")

    return collate


def decode_valid(value: bytes) -> str:
    """Decode UTF-8 up to the first byte that is none; TiDB does not look behind it."""
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        return value[: error.start].decode()


def collate_names_of(name: str, *, new_collation: bool) -> Collate:
    """Make the function that compares element names of ENUM and SET.

    Unlike a stored string, a name may hold characters that the column's character set does not know; GBK's
    collations compare them as `?`.
    """
    collate = collate_of(name, new_collation=new_collation)
    if not new_collation or not name.lower().startswith("gbk_"):
        return collate
    return lambda value: collate(check_gbk(value) or value)
