"""The words of rows that the kernel does not read itself: exact canonical forms, hashed, and what is odd counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter

from safe_lightning.conflicts.canonical import Canonical, NotReproducible
from safe_lightning.conflicts.kernel.binding import UNLIMITED, Kind, Known, Status
from safe_lightning.conflicts.kernel.protocol import Learner
from safe_lightning.conflicts.prepared_files import NotKnown, PreparedFile, place_of
from safe_lightning.conflicts.scan_model import SpillFailed
from safe_lightning.conflicts.scan_plan import ScanPlan, bound_columns
from safe_lightning.conflicts.segments import Segment
from safe_lightning.conflicts.slow_path import FieldReader, HandedRow, KeyMaker, handed_rows, value_findings
from safe_lightning.source.findings import InputError, Level
from safe_lightning.source.mapping import field_count_finding
from safe_lightning.source.rows import Field


class WordMaker:
    """Adds words to one worker's scan. All of it raises SpillFailed and MemoryError."""

    def __init__(self, plan: ScanPlan, handle: int) -> None:
        self._plan = plan
        self._kernel = plan.kernel
        self._handle = handle
        self._maker = KeyMaker(plan.scan, plan.columns, plan.kernel_columns.weighings)
        self._learner = plan.kernel.reader if isinstance(plan.kernel.reader, Learner) else None

    def hash(self, key: bytes) -> int:
        """Hash canonical bytes as the kernel does."""
        return self._kernel.hash(self._handle, key)

    def constant_key(self, file: PreparedFile, column: int) -> bytes | None:
        """Return what every row has for a column without a field. Raises NotKnown and NotReproducible."""
        assert file.dialect is not None
        return self._maker.of_fields(file, [None] * file.dialect.fields, column).key

    def take_handed(self, file: PreparedFile, fields: FieldReader, segment: Segment, size_bytes: int) -> None:
        """Make the words of the rows that the kernel handed out. Raises InputError at the first that is none."""
        if not size_bytes:
            return
        address = self._plan.reader.hard_rows(self._handle)
        rows = sorted(handed_rows(address, size_bytes, bound_columns(self._plan, file)), key=attrgetter("row"))
        read = self._fields_of(fields, [row for row in rows if row.kind is Kind.ROW])
        for row in rows:
            try:
                self._take(file, fields, segment, row, read)
            except InputError as error:
                line, offset = fields.place_in_row(error)
                segment.error_line, segment.error_row = row.line + line, row.row
                segment.cut_at = row.offset
                raise InputError(error.code, error.reason, file.source.name, 1, row.offset + offset) from error

    def _take(
        self,
        file: PreparedFile,
        fields: FieldReader,
        segment: Segment,
        row: HandedRow,
        read: Mapping[int, list[Field]],
    ) -> None:
        if row.kind is Kind.VALUE:
            self._add_values(file, fields, segment, row)
            return
        found = read[row.row] if row.row in read else self._fields_alone(fields, row)
        segment.whole_rows += 1
        self.count_fields(file, segment, len(found), (row.offset, row.line))
        self.add_fields(file, segment, row.row, (row.offset, row.line), found, row.columns)

    @staticmethod
    def _fields_of(fields: FieldReader, rows: Sequence[HandedRow]) -> dict[int, list[Field]]:
        """Read rows together; none where one of them is wrong."""
        try:
            found = fields.rows([row.text for row in rows])
            return {row.row: read for row, read in zip(rows, found, strict=True)}
        except InputError:
            return {}

    @staticmethod
    def _fields_alone(fields: FieldReader, row: HandedRow) -> list[Field]:
        (found,) = fields.rows([row.text])
        return found

    def count_fields(
        self, file: PreparedFile, segment: Segment, count: int, place: tuple[int, int], times: int = 1
    ) -> None:
        """Count rows whose number of fields is not the expected one."""
        scan = self._plan.scan
        assert file.mapping is not None
        finding = field_count_finding(file.mapping, count, len(scan.definition.columns), scan.mode.backend)
        if finding is not None:
            segment.count(finding.code, finding.message, finding.level, place, times)

    def _add_values(self, file: PreparedFile, fields: FieldReader, segment: Segment, row: HandedRow) -> None:
        assert file.dialect is not None
        dialect = file.dialect

        def canonical(column: int) -> Canonical:
            if place_of(self._plan.scan, file, self._plan.columns[column]) is None:
                return self._maker.of_fields(file, [None] * dialect.fields, column)
            start, size = row.bounds[2 * column : 2 * column + 2]
            try:
                value = fields.value(row.text[start : start + size])
            except ValueError as error:
                raise InputError("charset", str(error), file.source.name) from error
            return self._learnt(column, value, self._maker.cast(file, column, value))

        self._add(segment, row.row, (row.offset, row.line), row.columns, canonical)

    def add_fields(
        self,
        file: PreparedFile,
        segment: Segment,
        row: int,
        place: tuple[int, int],
        found: Sequence[Field],
        columns: int = UNLIMITED,
    ) -> None:
        """Add the words of a row that is read: of all keys, or those that have one of the columns (a bit each)."""

        def canonical(column: int) -> Canonical:
            field = self._maker.field(file, found, column)
            return self._learnt(column, field, self._maker.cast(file, column, field))

        self._add(segment, row, place, columns, canonical)

    def _learnt(self, column: int, field: Field, canonical: Canonical) -> Canonical:
        """Let the kernel know what a field means, if nothing has to be said about each row that has it."""
        is_silent = canonical.key is not None and not canonical.altered and not canonical.refused
        if self._learner is None or not is_silent:
            return canonical
        assert canonical.key is not None
        if isinstance(field, bytes):
            self._learner.learn(self._handle, column, Known.TEXT, field, self.hash(canonical.key))
        elif isinstance(field, int):
            self._learner.learn(self._handle, column, Known.INTEGER, b"%d" % field, self.hash(canonical.key))
        return canonical

    def _add(
        self, segment: Segment, row: int, place: tuple[int, int], columns: int, canonical: Callable[[int], Canonical]
    ) -> None:
        known: dict[int, bytes | None] = {}
        for number, key in enumerate(self._plan.keys):
            if not columns & key.column_bits:
                continue
            for column in key.columns:
                if column not in known:
                    known[column] = self._key_of(segment, place, column, canonical)
            parts = [part for part in map(known.__getitem__, key.columns) if part is not None]
            if len(parts) == len(key.columns):
                self._add_word(number, parts, row)

    def _key_of(
        self, segment: Segment, place: tuple[int, int], column: int, canonical: Callable[[int], Canonical]
    ) -> bytes | None:
        try:
            value = canonical(column)
        except (NotKnown, NotReproducible) as reason:
            segment.unknown_columns.setdefault(column, str(reason))
            return None
        if value.refused or value.altered:
            for code, message, is_error in value_findings(value, self._maker.column_name(column)):
                segment.count(code, message, Level.ERROR if is_error else Level.WARN, place)
        return value.key

    def _add_word(self, key: int, parts: list[bytes], row: int) -> None:
        status = self._kernel.add(self._handle, key, [self.hash(part) for part in parts], row)
        if status is not Status.DONE:
            check_status(status, self._kernel.where(self._handle).spill_errno)


def check_status(status: Status, spill_errno: int) -> None:
    """Raise what a status says about the machine."""
    if status is Status.SPILL:
        raise SpillFailed(f"the words of the keys could not be written to disk ({os.strerror(spill_errno)})")
    if status is Status.MEMORY:
        raise MemoryError("the kernel ran out of memory")
    if status is Status.ROWS:
        raise SpillFailed("more rows than one worker can number: use more threads")
