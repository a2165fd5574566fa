"""Opening a data file with the reader that its type asks for."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import field
from typing import Protocol

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.compression import read_blocks
from safe_lightning.source.csv_reader import CsvReader
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.parquet_reader import ParquetReader
from safe_lightning.source.raw_bytes import Heard, ignore_bytes
from safe_lightning.source.rows import ROW_BYTES_MOST, Row
from safe_lightning.source.sql_reader import SqlReader


class RowReader(Protocol):
    """What all readers have in common: rows, and the names by which their fields are mapped."""

    columns: tuple[str, ...] | None

    def __iter__(self) -> Iterator[Row]:
        """Deliver the rows, once."""
        ...


@dataclass(frozen=True)
class ReadingRules:
    """What of a task decides how data files are read."""

    csv: CsvRules = field(default_factory=CsvRules)
    sql_mode: frozenset[str] = frozenset()
    row_bytes_most: int = ROW_BYTES_MOST


def open_rows(
    file: SourceFile, rules: ReadingRules, wanted: Collection[str] | None = None, heard: Heard = ignore_bytes
) -> RowReader:
    """Open a data file for reading its rows once.

    ``wanted`` names the columns (lower case) that a Parquet file is asked for; other files are read whole.
    ``heard`` hears of the bytes of the file that are done, for Parquet of its rows' share of them.
    Reading raises InputError for what Lightning would not read to the end, CouldNotLook for what cannot be read here.
    """
    if file.type is FileType.PARQUET:
        return ParquetReader(file.path, file.name, wanted, heard)
    blocks = read_blocks(file.path, file.compression, file.name, heard)
    if file.type is FileType.CSV:
        return CsvReader(blocks, rules.csv, file.name, rules.row_bytes_most)
    has_escapes = "NO_BACKSLASH_ESCAPES" not in rules.sql_mode
    return SqlReader(blocks, file.name, has_escapes, rules.row_bytes_most)
