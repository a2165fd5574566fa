"""The rows of one data file as rows of its table: fields mapped to columns, and everything odd counted on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace

from safe_lightning.core.columns import Backend
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.csv_reader import CsvReader
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import InputError, Level, SourceFinding
from safe_lightning.source.mapping import ColumnMapping, UnknownColumns, field_count_finding, map_columns
from safe_lightning.source.opening import ReadingRules, RowReader, open_rows
from safe_lightning.source.parquet_reader import ParquetReader
from safe_lightning.source.raw_bytes import Heard, ignore_bytes
from safe_lightning.source.rows import Row
from safe_lightning.source.schema_model import TableDefinition

# Lightning splits files that are larger than this by default: max-region-size and a tenth.
_SPLIT_BYTES = (256 << 20) * 11 // 10


class TableRows:
    """Iterate once over the rows of a file; afterwards ``findings`` and ``row_count`` are complete.

    ``mapping`` is made at the first row and then stays, as Lightning's does. Iteration never raises: whatever ends
    it early is a finding of level ERROR, or WARN where Lightning would take the part for the whole, and
    ``is_read_to_end`` is False then.
    """

    def __init__(
        self,
        file: SourceFile,
        table: TableName,
        definition: TableDefinition,
        rules: ReadingRules,
        ignored: Collection[str] = (),
        backend: Backend = Backend.PHYSICAL,
        wanted: Collection[str] | None = None,
        heard: Heard = ignore_bytes,
    ) -> None:
        self.file = file
        self._heard = heard
        self.row_count = 0
        self.mapping: ColumnMapping | None = None
        self.is_read_to_end = False
        self._table = table
        self._definition = definition
        self._rules = rules
        self._ignored = ignored
        self._backend = backend
        self._wanted = wanted
        self._said: dict[str, SourceFinding] = {}
        self._counts: Counter[str] = Counter()

    @property
    def findings(self) -> tuple[SourceFinding, ...]:
        """What was found: one finding a kind, at its first place, with the number of rows it holds for."""
        return tuple(
            replace(found, message=f"{found.message} (in {count} rows)") if count > 1 else found
            for code, found in self._said.items()
            for count in [self._counts[code]]
        )

    def __iter__(self) -> Iterator[Row]:
        try:
            reader = open_rows(self.file, self._rules, self._wanted, self._heard)
            yield from self._rows(reader)
            self.is_read_to_end = True
            self._look_back(reader)
        except InputError as error:
            self._say(error.finding(self._table))
        except UnknownColumns as error:
            self._say(SourceFinding("unknown-columns", f"{error}: Lightning refuses the table", Level.ERROR))
        except CouldNotLook as error:
            self._say(SourceFinding("could-not-look", str(error), Level.ERROR))

    def _rows(self, reader: RowReader) -> Iterator[Row]:
        columns: tuple[str, ...] | None = None
        for row in reader:
            if self.mapping is None:
                columns = reader.columns
                self.mapping = self._map(reader, row)
            elif reader.columns != columns:
                self._say_of_row(_CHANGED_LIST, row)
            self.row_count += 1
            if len(row.fields) != self.mapping.expected_fields:
                self._say_count(self.mapping, row)
            yield row

    def _map(self, reader: RowReader, row: Row) -> ColumnMapping:
        if isinstance(reader, ParquetReader):
            # A column that is not read still counts as one that the table must have.
            map_columns(self._definition, reader.all_columns, self._ignored)
        return map_columns(
            self._definition, reader.columns, self._ignored, self.file.constants, first_row_fields=len(row.fields)
        )

    def _say_count(self, mapping: ColumnMapping, row: Row) -> None:
        found = field_count_finding(mapping, len(row.fields), len(self._definition.columns), self._backend)
        if found is not None:
            self._say_of_row(found, row)

    def _say_of_row(self, finding: SourceFinding, row: Row) -> None:
        self._say(replace(finding, line=row.line, offset=row.offset))

    def _say(self, finding: SourceFinding) -> None:
        self._counts[finding.code] += 1
        if finding.code not in self._said:
            self._said[finding.code] = replace(finding, file=self.file.name, table=self._table)

    def _look_back(self, reader: RowReader) -> None:
        if not self.row_count:
            self._say(SourceFinding("no-row", "the file holds no row: nothing is imported from it"))
        hidden = reader.hidden_line_end if isinstance(reader, CsvReader) else None
        if hidden is not None and self.file.size_bytes > _SPLIT_BYTES:
            message = "a field holds the line terminator: with strict-format Lightning may cut the file there"
            self._say(SourceFinding("terminator-in-field", message, Level.WARN, line=hidden[0], offset=hidden[1]))


_CHANGED_LIST = SourceFinding(
    "changed-column-list",
    "this statement has another column list than the first: Lightning keeps to the first and puts values into wrong "
    "columns",
)
