"""From a scan to the kernel's plan: which keys can be checked, on which columns, in how many partitions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.kernel.binding import COLUMNS_MOST, KEYS_MOST, PARTS_MOST, Plan
from safe_lightning.conflicts.kernel.choice import choose_kernel
from safe_lightning.conflicts.kernel.protocol import Kernel, RowReader
from safe_lightning.conflicts.key_columns import KernelColumns, KeyColumn
from safe_lightning.conflicts.literals import canonicalise_field
from safe_lightning.conflicts.prepared_files import (
    NotKnown,
    PreparedFile,
    absent_value,
    read_from,
    wanted_columns,
)
from safe_lightning.conflicts.scan_model import MEBIBYTE, KeyScan, ScanOptions
from safe_lightning.conflicts.zero_fields import null_field
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.mapping import Missing, Origin
from safe_lightning.source.opening import open_rows
from safe_lightning.source.raw_bytes import Heard, ignore_bytes
from safe_lightning.source.rows import Row
from safe_lightning.source.schema_model import KeyDefinition, TableDefinition

PARTITION_ROWS = 1 << 17  # so many words' bitmap stays in the L2 cache
PARTITION_BITS = (4, 12)
ROW_BYTES_LEAST = 16
BLOCK_BITS_LEAST = 12  # what a device reads and writes at once
EXPANSION = 4  # how much longer a compressed file may be
HUGE_FROM_BYTES = 64 * MEBIBYTE


@dataclass(frozen=True)
class ActiveKey:
    """A key that is checked: its parts as numbers of the scan's key columns."""

    definition: KeyDefinition
    columns: tuple[int, ...]

    @property
    def column_bits(self) -> int:
        """Its columns as a bit mask."""
        return sum(1 << column for column in set(self.columns))


@dataclass
class ScanPlan:
    """What all workers of a table share. It keeps what the kernel points to."""

    scan: KeyScan
    options: ScanOptions
    keys: list[ActiveKey]
    columns: list[KeyColumn]
    refused: dict[str, str]
    kernel: Kernel
    kernel_columns: KernelColumns
    struct: Plan

    @property
    def reader(self) -> RowReader:
        """The kernel's own reading; to be asked for only where it has one."""
        assert self.kernel.reader is not None
        return self.kernel.reader

    def rows_from(self, file: PreparedFile, offset: int, heard: Heard = ignore_bytes) -> Iterator[Row]:
        """Read rows with the reference reader, of text from a row's start on, of Parquet all."""
        if file.ghost is not None:
            return iter([file.ghost])
        if file.source.type is FileType.PARQUET:
            return iter(open_rows(file.source, self.scan.rules, wanted_columns(self.scan), heard))
        return read_from(self.scan, file, offset, heard)


def bound_columns(plan: ScanPlan, file: PreparedFile) -> int:
    """Return how many columns' bounds come with a row that the kernel hands out."""
    return 0 if file.source.type is FileType.SQL else len(plan.columns)


def choose_keys(scan: KeyScan) -> tuple[list[ActiveKey], list[KeyColumn], dict[str, str]]:
    """Sort keys into those that can be checked, with their columns, and those that cannot, with the reason."""
    keys: list[ActiveKey] = []
    columns: list[KeyColumn] = []
    refused: dict[str, str] = {}
    for key in scan.keys:
        try:
            parts = _parts_of(scan, key)
        except (NotReproducible, NotKnown) as reason:
            refused[key.name] = str(reason)
            continue
        new = [part for part in dict.fromkeys(parts) if part not in columns]
        if len(columns) + len(new) > COLUMNS_MOST or len(keys) >= KEYS_MOST or len(parts) > PARTS_MOST:
            refused[key.name] = "more keys or key columns than a scan can hold"
            continue
        columns.extend(new)
        keys.append(ActiveKey(key, tuple(map(columns.index, parts))))
    return keys, columns, refused


def _parts_of(scan: KeyScan, key: KeyDefinition) -> list[KeyColumn]:
    if key.not_checked:
        raise NotKnown(key.not_checked)
    parts = []
    for part in key.parts:
        place = None if part.column is None else scan.definition.position(part.column)
        if place is None:
            raise NotKnown("a part of the key is an expression")
        column = scan.definition.columns[place]
        if column.generated:
            raise NotKnown(f"column {column.name} is generated")
        if column.name.lower() in scan.ignored:
            absent_value(column, Missing(Origin.IGNORED))
        canonicalise_field(column.type, scan.mode, part.prefix)
        parts.append(KeyColumn(place, column.type, part.prefix, null_field(column, scan.mode)))
    return parts


def key_columns_of(definition: TableDefinition, key: KeyDefinition) -> tuple[str, ...]:
    """Name a key's columns, in its order."""
    return tuple(part.column or part.expression or "" for part in key.parts)


def make_plan(scan: KeyScan, options: ScanOptions) -> ScanPlan:
    """Plan the scan of a table."""
    keys, columns, refused = choose_keys(scan)
    kernel_columns = KernelColumns(columns, scan.mode)
    struct = _struct(scan, options, keys, kernel_columns)
    return ScanPlan(scan, options, keys, columns, refused, choose_kernel(options.build), kernel_columns, struct)


def _struct(scan: KeyScan, options: ScanOptions, keys: Sequence[ActiveKey], columns: KernelColumns) -> Plan:
    bits = partition_bits(scan)
    struct = Plan(columns=len(columns.weighings), keys=len(keys), partition_bits=bits, column=columns.structs)
    words_bytes = 8 * rows_at_most(scan) * max(len(keys), 1)
    struct.block_bits = 14 if bits < 10 else 13
    struct.huge_pages = words_bytes > HUGE_FROM_BYTES
    struct.pool_bytes = options.memory_bytes // max(options.threads, 1)
    if struct.pool_bytes >> struct.block_bits < 4 * len(keys) << bits:
        struct.block_bits = BLOCK_BITS_LEAST
    struct.chunk_bytes = options.chunk_bytes
    struct.row_bytes_most = scan.rules.row_bytes_most
    struct.sample_of_4096 = max(1, min(4096, round(options.sample_fraction * 4096)))
    struct.seed = secrets.randbits(64) if options.seed is None else options.seed
    for number, key in enumerate(keys):
        struct.key_columns[number] = key.column_bits
        struct.key_parts[number] = len(key.columns)
        for place, column in enumerate(key.columns):
            struct.key_order[number][place] = column
    return struct


def rows_at_most(scan: KeyScan) -> int:
    """Guess how many rows a table has, rather too many."""
    size = sum(file.size_bytes * (EXPANSION if file.compression else 1) for file in scan.files)
    return size // max(ROW_BYTES_LEAST, 6 * len(scan.definition.columns))


def partition_bits(scan: KeyScan) -> int:
    """Choose the number of partitions so that the words of one are searched within the cache."""
    low, high = PARTITION_BITS
    return max(low, min(high, (rows_at_most(scan) // PARTITION_ROWS).bit_length()))
