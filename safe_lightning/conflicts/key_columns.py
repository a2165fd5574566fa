"""Key columns for the kernel: which texts it may take as they are, and by which tables it folds them.

What is plain here gives the same bytes as `canonicalise`; a test holds the two together.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from functools import cache

from safe_lightning.conflicts.charsets import check_of
from safe_lightning.conflicts.collations import IDENTITY, ascii_table, find_collation
from safe_lightning.conflicts.integers import integer_range
from safe_lightning.conflicts.kernel.binding import UNLIMITED, Beyond, Column, ColumnFlag, Form
from safe_lightning.conflicts.strings import size_of
from safe_lightning.conflicts.weights import ServerFails, load_weights
from safe_lightning.conflicts.zones import Civil, Zone, to_seconds
from safe_lightning.core.columns import (
    BYTE_TYPES,
    CHARACTER_TYPES,
    DATE_TYPES,
    INTEGER_BITS,
    TEXT_BYTES,
    ColumnType,
    KeyMode,
)
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.rows import Field

HARD_CHARACTER = 1 << 31
BLOCKS = 0x1100
CALM_DAYS = (Civil(2038, 1, 1), Civil(1971, 1, 1))
_DAY_SECONDS = 86_400
_PROBE_SECONDS = _DAY_SECONDS // 2
_WIDE = 4  # days around a transition that are left to the slow path
_BEYOND = {"utf8mb4": Beyond.UTF8MB4, "utf8": Beyond.UTF8MB3, "utf8mb3": Beyond.UTF8MB3}


@dataclass(frozen=True)
class KeyColumn:
    """A column of the table as a part of keys, with the length of a prefix.

    ``null_field`` is the field that a NULL becomes, None where it stays NULL.
    """

    place: int
    type: ColumnType
    prefix: int | None = None
    null_field: Field = None


class Weighing:
    """A collation's weights as the kernel reads them: blocks of 256 code points, made when first met."""

    def __init__(self, table: str) -> None:
        self._weights = load_weights(table)
        self._blocks: dict[int, ctypes.Array[ctypes.c_char]] = {}
        self.pointers = (ctypes.c_uint64 * BLOCKS)()

    def learn(self, text: bytes) -> None:
        """Make the blocks of all characters of a text; what is no UTF-8 is passed over."""
        for point in map(ord, text.decode("utf-8", "ignore")):
            if point >= 0x80 and point >> 8 not in self._blocks:
                self._add(point >> 8)

    def _add(self, number: int) -> None:
        starts, pieces, size = [], [], 0
        for point in range(number << 8, (number + 1) << 8):
            weight = self._weight(point)
            starts.append(size | (HARD_CHARACTER if weight is None else 0))
            pieces.append(weight or b"")
            size += len(weight or b"")
        head = (ctypes.c_uint32 * 257)(*starts, size)
        block = ctypes.create_string_buffer(bytes(head) + b"".join(pieces))
        self._blocks[number] = block
        self.pointers[number] = ctypes.addressof(block)

    def _weight(self, point: int) -> bytes | None:
        try:
            return self._weights[point].encode("utf-8", "surrogatepass")
        except ServerFails:
            return None


class KernelColumns:
    """The columns of a scan in the kernel's form, and what they point to for as long as the scan runs."""

    def __init__(self, columns: list[KeyColumn], mode: KeyMode) -> None:
        self.structs = (Column * max(len(columns), 1))()
        self.weighings: list[Weighing | None] = [None] * len(columns)
        self._kept: list[object] = []
        for place, column in enumerate(columns):
            self._fill(place, column, mode)

    def _fill(self, place: int, column: KeyColumn, mode: KeyMode) -> None:
        struct, kind = self.structs[place], column.type
        struct.prefix = UNLIMITED if column.prefix is None else column.prefix
        if kind.name in INTEGER_BITS:
            _fill_integer(struct, kind)
        elif kind.name == "decimal":
            struct.form, struct.scale = Form.DECIMAL, kind.scale or 0
            struct.size_most = (10 if kind.length is None else kind.length) - struct.scale
            struct.flags = ColumnFlag.UNSIGNED if kind.unsigned else 0
        elif kind.name in DATE_TYPES:
            self._fill_date(struct, kind, mode)
        elif kind.name == "time":
            struct.form, struct.scale = Form.TIME, kind.fsp
        elif kind.name in ("float", "double") and kind.scale is None:
            struct.form = Form.FLOAT
            struct.flags = ColumnFlag.UNSIGNED if kind.unsigned else 0
            struct.flags |= ColumnFlag.IS_SINGLE if kind.name == "float" else 0
        elif kind.name in BYTE_TYPES or (kind.name in CHARACTER_TYPES and kind.charset == "binary"):
            struct.form, struct.size_most = Form.BYTES, size_of(kind)
            struct.flags = ColumnFlag.ZERO_FILLED if kind.name in ("binary", "char") else 0
        elif kind.name in CHARACTER_TYPES:
            self._fill_text(place, column, mode)
        if column.null_field is not None:
            struct.flags |= ColumnFlag.NULL_IS_VALUE

    def _fill_date(self, struct: Column, kind: ColumnType, mode: KeyMode) -> None:
        struct.form, struct.scale = Form.DATE, 0 if kind.name == "date" else kind.fsp
        struct.flags = 0 if kind.name == "date" else ColumnFlag.HAS_TIME
        if kind.name == "timestamp":
            struct.flags |= ColumnFlag.IS_TIMESTAMP
            calm = calm_days(mode.time_zone)
            if calm is not None:
                self._kept.append(calm)
                struct.calm_days = ctypes.addressof(calm)

    def _fill_text(self, place: int, column: KeyColumn, mode: KeyMode) -> None:
        struct, kind = self.structs[place], column.type
        collation = find_collation(kind.collation, new_collation=mode.new_collation)
        table = ascii_table(kind.collation, new_collation=mode.new_collation)
        struct.form, struct.size_most = Form.TEXT, size_of(kind)
        struct.beyond = Beyond.ANY if check_of(kind.charset) is None else _BEYOND.get(kind.charset, Beyond.HARD)
        struct.flags |= ColumnFlag.TRIM_FIRST if kind.name == "char" else 0
        struct.flags |= ColumnFlag.TRIM_LAST if collation.pads else 0
        struct.flags |= ColumnFlag.COUNTS_BYTES if kind.name in TEXT_BYTES else 0
        if not collation.table:
            return
        struct.flags |= ColumnFlag.FOLDS
        deleted = bytes(byte in table.deleted for byte in range(256))
        bytes_table = ctypes.create_string_buffer(table.replaced + deleted)
        self._kept.append(bytes_table)
        struct.ascii = ctypes.addressof(bytes_table)
        if struct.beyond != Beyond.HARD:
            weighing = Weighing(collation.table)
            self.weighings[place] = weighing
            struct.weights = ctypes.addressof(weighing.pointers)
        if not _folds_like_capitals(table.replaced, table.deleted):
            struct.form = Form.OPAQUE


def _folds_like_capitals(replaced: bytes, deleted: bytes) -> bool:
    """Tell whether printable ASCII folds to capitals and nothing else, which is what the kernel's fast way does."""
    printable = range(0x20, 0x7F)
    capitals = IDENTITY.upper()
    return all(replaced[byte] == capitals[byte] and byte not in deleted for byte in printable)


def _fill_integer(struct: Column, kind: ColumnType) -> None:
    low, high = integer_range(kind)
    struct.form = Form.INTEGER
    for name, limit in (("highest", high), ("lowest", -low)):
        digits = b"%d" % limit if limit else b""
        setattr(struct, f"{name}_size", len(digits))
        ctypes.memmove(getattr(struct, name), digits, len(digits))


@cache
def calm_days(time_zone: str) -> ctypes.Array[ctypes.c_uint8] | None:
    """Return a bit for each day of 1971 to 2037 on which a zone's offset does not change; None if it never does."""
    end, start = map(to_seconds, CALM_DAYS)
    days = (end - start) // _DAY_SECONDS
    changes = list(_changes(Zone(time_zone), start, end))
    if not changes:
        return None
    bits = (ctypes.c_uint8 * (days // 8 + 1))(*[255] * (days // 8 + 1))
    for change in changes:
        middle = (change - start) // _DAY_SECONDS
        for day in range(max(middle - _WIDE, 0), min(middle + _WIDE, days)):
            bits[day >> 3] &= ~(1 << (day & 7)) & 255
    return bits


def _changes(zone: Zone, start: int, end: int) -> Iterator[int]:
    offset = None
    for instant in range(start - _WIDE * _DAY_SECONDS, end + _WIDE * _DAY_SECONDS, _PROBE_SECONDS):
        before, offset = offset, to_seconds(zone.to_local(instant)) - instant
        if before not in (None, offset):
            yield instant
