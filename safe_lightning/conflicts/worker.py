"""One thread's part of a scan: ranges of files through the kernel, the rest through the reference reader."""

from __future__ import annotations

import threading
from collections.abc import Callable

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.kernel.binding import UNLIMITED, Dialect, Status, Where
from safe_lightning.conflicts.prepared_files import (
    NotKnown,
    PreparedFile,
    check_unchanged,
    open_file,
    place_of,
    skip_bytes,
    unpacked_blocks,
    with_end,
)
from safe_lightning.conflicts.read_ahead import read_ahead
from safe_lightning.conflicts.scan_model import ScanStopped
from safe_lightning.conflicts.scan_plan import ScanPlan
from safe_lightning.conflicts.segments import RangeJob, ReadRange, Segment
from safe_lightning.conflicts.slow_path import FieldReader
from safe_lightning.conflicts.words import WordMaker, check_status
from safe_lightning.source.findings import InputError

STEP_BYTES = 8 << 20
REFERENCE_ROWS = 256
"""So many rows the reference reader takes where the kernel stopped, before the kernel goes on."""
Progress = Callable[[int], None]


class FileProgress:
    """Tells of each byte of a range once, however often it is read."""

    def __init__(self, progress: Progress, limit: int = UNLIMITED) -> None:
        self._progress = progress
        self._limit = limit
        self._at = 0
        self._told: int | None = None

    def begin(self, start: int = 0) -> None:
        """Begin to read at a byte, the first time that of the range."""
        self._at = start
        self._told = start if self._told is None else self._told

    def __call__(self, count: int) -> None:
        """Hear of so many more bytes."""
        self.stand_at(self._at + count)

    def stand_at(self, offset: int) -> None:
        """Hear that all bytes up to here are done."""
        self._at = offset
        done = min(offset, self._limit)
        if self._told is not None and done > self._told:
            self._progress(done - self._told)
            self._told = done


class Worker:
    """Reads ranges one after the other into words of its own. Close it when the table is done."""

    def __init__(self, number: int, plan: ScanPlan, spill_file: int, stop: threading.Event, progress: Progress) -> None:
        self.number = number
        self._plan = plan
        self._kernel = plan.kernel
        self._stop = stop
        self._progress = progress
        self.handle = self._kernel.new(plan.struct, spill_file)
        self._words = WordMaker(plan, self.handle)
        self._heard = FileProgress(progress)
        self._unknown: dict[int, str] = {}

    def close(self) -> None:
        """Give the memory back."""
        self._kernel.free(self.handle)

    def where(self) -> Where:
        """Return where the kernel stands."""
        return self._kernel.where(self.handle)

    def read(self, file: PreparedFile, job: RangeJob) -> ReadRange:
        """Read one range, or a whole file that cannot be cut. Errors in the file end up in the last segment."""
        segments: list[Segment] = []
        fields = FieldReader(self._plan.scan, file)
        self._heard = FileProgress(self._progress, job.limit)
        start, is_stream = job.start, not file.is_seekable
        has_dialect = file.dialect is not None and self._kernel.reader is not None
        if has_dialect:
            self._set_dialect(file)
        while True:
            if has_dialect:
                read = self._read_stream if is_stream else self._read_file
                segments.append(self._guarded(read, file, fields, start, job.limit))
                if not segments[-1].is_stopped or segments[-1].error:
                    break
                start = segments[-1].stop
            rows_most = None if is_stream or not has_dialect else REFERENCE_ROWS
            segments.append(self._reference(file, start, job.limit, rows_most))
            start = segments[-1].stop
            if segments[-1].is_at_end or segments[-1].error:
                break
        return ReadRange(job, segments)

    def guess(self, file: PreparedFile, start: int) -> int | None:
        """Guess where a row begins behind a cut."""
        self._set_dialect(file)
        with open_file(file) as stream:
            return self._plan.reader.guess(self.handle, stream.fileno(), start, file.identity.size_bytes)

    def _set_dialect(self, file: PreparedFile) -> None:
        """Tell the kernel the file's dialect; columns without a field get the hash of what stands in for it."""
        assert file.dialect is not None
        self._unknown = {}
        dialect = Dialect.from_buffer_copy(file.dialect)
        for place, column in enumerate(self._plan.columns):
            field = place_of(self._plan.scan, file, column)
            dialect.field[place] = -1 if field is None else field
            if field is not None:
                continue
            key = self._constant_key(file, place)
            dialect.constant[place] = 0 if key is None else self._words.hash(key)
            dialect.constant_nulls |= (key is None) << place
        self._plan.reader.set_dialect(self.handle, dialect)

    def _constant_key(self, file: PreparedFile, column: int) -> bytes | None:
        try:
            return self._words.constant_key(file, column)
        except (NotKnown, NotReproducible) as reason:
            self._unknown[column] = str(reason)
            return None

    def _begin(self, file: PreparedFile, stream: int, start: int, limit: int) -> Segment:
        size = file.identity.size_bytes
        first = self._kernel.begin(self.handle, stream, start, limit, size)
        return Segment(file.number, self.number, start, start, first, first)

    def _guarded(
        self,
        read: Callable[[PreparedFile, FieldReader, Segment, int], None],
        file: PreparedFile,
        fields: FieldReader,
        start: int,
        limit: int,
    ) -> Segment:
        segment = self._begin(file, -1, start, limit)
        try:
            read(file, fields, segment, limit)
            check_unchanged(file)
        except InputError as error:
            if segment.error is None:
                segment.error = error
        segment.unknown_columns |= self._unknown
        where = self.where()
        segment.stop, segment.stop_row, segment.lines = where.offset, where.next_row, where.lines
        if segment.error is not None and segment.error_row is not None:
            segment.stop, segment.stop_row = segment.cut_at, segment.error_row
            segment.cut_rows = where.next_row - segment.error_row
        self._count_regular(file, segment)
        return segment

    def _count_regular(self, file: PreparedFile, segment: Segment) -> None:
        """Count the rows that are as wrong as the first one: the kernel takes them for regular."""
        assert file.dialect is not None
        if segment.rows > segment.whole_rows:
            place = (segment.start, 0)
            self._words.count_fields(file, segment, file.dialect.fields, place, segment.rows - segment.whole_rows)

    def _read_file(self, file: PreparedFile, fields: FieldReader, segment: Segment, limit: int) -> None:
        with open_file(file) as stream:
            size = file.identity.size_bytes
            self._kernel.begin(self.handle, stream.fileno(), segment.start, limit, size)
            self._heard.begin(segment.start)
            while True:
                status = self._plan.reader.step(self.handle, STEP_BYTES)
                where = self.where()
                self._words.take_handed(file, fields, segment, where.hard_bytes)
                self._heard.stand_at(where.offset)
                if self._is_over(status, segment, file):
                    return

    def _is_over(self, status: Status, segment: Segment, file: PreparedFile) -> bool:
        if self._stop.is_set():
            raise ScanStopped
        if status is Status.READ:
            raise InputError("unreadable-file", "the file is shorter than it was, or cannot be read", file.source.name)
        check_status(status, self.where().spill_errno)
        segment.is_stopped = status is Status.STOPPED
        return status is not Status.MORE or segment.error is not None

    def _read_stream(self, file: PreparedFile, fields: FieldReader, segment: Segment, _limit: int) -> None:
        self._heard.begin()
        for piece, is_final in with_end(skip_bytes(read_ahead(unpacked_blocks(file, self._heard)), segment.start)):
            rest = piece
            while True:
                status, taken = self._plan.reader.push(self.handle, rest, is_final)
                rest = rest[taken:]
                self._words.take_handed(file, fields, segment, self.where().hard_bytes)
                if self._is_over(status, segment, file):
                    return
                if not rest:
                    break

    def _reference(self, file: PreparedFile, start: int, limit: int, rows_most: int | None) -> Segment:
        """Read rows with the reference reader: all, or as many as asked for."""
        segment = self._begin(file, -1, start, limit)
        segment.is_reference = True
        try:
            self._read_reference(file, segment, limit, rows_most)
            check_unchanged(file)
        except InputError as error:
            offset = None if error.offset is None else start + error.offset
            segment.error = InputError(
                error.code,
                error.reason,
                error.file,
                error.line,
                offset,
                file_offset=error.file_offset,
                is_silent=error.is_silent,
            )
            segment.error_line = 0 if error.line is None else error.line - 1
        segment.stop_row = self.where().next_row
        return segment

    def _read_reference(self, file: PreparedFile, segment: Segment, limit: int, rows_most: int | None) -> None:
        self._heard.begin(segment.start if file.is_seekable else 0)
        for count, row in enumerate(self._plan.rows_from(file, segment.start, self._heard)):
            offset, line = segment.start + row.offset, row.line - 1
            if offset >= limit or count == rows_most:
                segment.stop, segment.lines, segment.is_at_end = offset, line, offset >= limit
                return
            if not count % 4096 and self._stop.is_set():
                raise ScanStopped
            number = self._kernel.number_row(self.handle, offset, line)
            self._words.count_fields(file, segment, len(row.fields), (offset, line))
            self._words.add_fields(file, segment, number, (offset, line), row.fields)
        segment.stop, segment.is_at_end = max(file.identity.size_bytes, segment.start), True
