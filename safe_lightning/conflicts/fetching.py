"""Reading rows once more that were numbered in a scan: out of the middle of a file, or by reading it through again."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from typing import NamedTuple

from safe_lightning.conflicts.canonical import Canonical, NotReproducible
from safe_lightning.conflicts.kernel.binding import GRANULE, UNLIMITED, Dialect, Place, Plan, Status
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
from safe_lightning.conflicts.scan_model import RowPlace, ScanStopped
from safe_lightning.conflicts.scan_plan import ScanPlan, bound_columns
from safe_lightning.conflicts.segments import PlacedSegment
from safe_lightning.conflicts.slow_path import FieldReader, HandedRow, KeyMaker, handed_rows
from safe_lightning.conflicts.threads import run_threads
from safe_lightning.source.findings import InputError
from safe_lightning.source.rows import Field

ROWS_TOGETHER = 4096


class RowKey(NamedTuple):
    """A row by the worker that read it and the worker's number for it."""

    worker: int
    row: int


_Wanted = tuple[PlacedSegment, list[RowKey]]


class FetchedRow:
    """A row that was read again. What its key columns hold is worked out when asked for, and kept."""

    __slots__ = ("_fields", "_handed", "_known", "_reader", "digest", "file", "place")

    def __init__(
        self,
        file: PreparedFile,
        place: RowPlace,
        reader: FieldReader,
        handed: HandedRow | None,
        fields: Sequence[Field] | None,
    ) -> None:
        self.file = file
        self.place = place
        self.digest = blake2b(repr(fields).encode() if handed is None else handed.text, digest_size=16).digest()
        self._reader = reader
        self._handed = handed
        self._fields = fields
        self._known: dict[int, tuple[Field, Canonical | None]] = {}

    @property
    def order(self) -> tuple[int, int]:
        """Where it comes among all rows of the table."""
        return self.file.number, self.place.row

    def column(self, plan: ScanPlan, maker: KeyMaker, column: int) -> tuple[Field, Canonical | None]:
        """Return the field of a key column and its canonical form, None where that cannot be told.

        Raises InputError for a row that cannot be read any more.
        """
        if column not in self._known:
            self._known[column] = self._read(plan, maker, column)
        return self._known[column]

    def _read(self, plan: ScanPlan, maker: KeyMaker, column: int) -> tuple[Field, Canonical | None]:
        handed = self._handed
        try:
            if (
                handed is not None
                and handed.bounds
                and place_of(plan.scan, self.file, plan.columns[column]) is not None
            ):
                start, size = handed.bounds[2 * column : 2 * column + 2]
                field: Field = self._reader.value(handed.text[start : start + size])
            else:
                field = maker.field(self.file, self._all_fields(), column)
            return field, maker.cast(self.file, column, field)
        except (NotKnown, NotReproducible):
            return None, None

    def _all_fields(self) -> Sequence[Field]:
        if self._fields is None:
            assert self._handed is not None
            (self._fields,) = self._reader.rows([self._handed.text])
        return self._fields


class Fetcher:
    """Reads rows again that workers have numbered. It can be asked once the workers are done."""

    def __init__(
        self, plan: ScanPlan, files: Sequence[PreparedFile], placed: Iterable[PlacedSegment], handles: Sequence[int]
    ) -> None:
        self._plan = plan
        self._files = files
        self._segments: dict[int, list[PlacedSegment]] = defaultdict(list)
        for item in placed:
            if item.segment.rows:
                self._segments[item.segment.worker].append(item)
        for items in self._segments.values():
            items.sort(key=lambda item: item.segment.first_row)
        self._starts = {worker: [item.segment.first_row for item in items] for worker, items in self._segments.items()}
        self._places = [plan.kernel.places(handle) for handle in handles]

    def fetch(self, keys: Iterable[RowKey], stop: threading.Event) -> dict[RowKey, FetchedRow]:
        """Read the rows again, each file in its order and several at once.

        Raises InputError if a file is not what it was, ScanStopped once ``stop`` is set.
        """
        jobs = iter(sorted(self._by_file(keys).items()))
        fetched: dict[RowKey, FetchedRow] = {}
        lock = threading.Lock()

        def work() -> None:
            with _Rereader(self._plan, self._places, stop) as reader:
                while True:
                    with lock:
                        number, wanted = next(jobs, (-1, []))
                    if number < 0:
                        return
                    found = reader.read(self._files[number], wanted)
                    with lock:
                        fetched.update(found)

        run_threads([work] * max(self._plan.options.threads, 1))
        return fetched

    def _by_file(self, keys: Iterable[RowKey]) -> dict[int, list[_Wanted]]:
        by_segment: dict[tuple[int, int], list[RowKey]] = defaultdict(list)
        for key in sorted(set(keys)):
            by_segment[key.worker, bisect_right(self._starts[key.worker], key.row) - 1].append(key)
        by_file: dict[int, list[_Wanted]] = defaultdict(list)
        for (worker, place), rows in by_segment.items():
            item = self._segments[worker][place]
            by_file[item.segment.file].append((item, rows))
        return by_file


class _Rereader:
    """One thread's reading: the kernel with nothing to do but to hand out rows."""

    def __init__(self, plan: ScanPlan, places: list[Sequence[Place]], stop: threading.Event) -> None:
        self._plan = plan
        self._kernel = plan.kernel
        self._places = places
        self._stop = stop
        struct = Plan.from_buffer_copy(plan.struct)
        struct.keys, struct.partition_bits, struct.pool_bytes, struct.huge_pages = 0, 1, 0, 0
        self._capture = self._kernel.new(struct, -1)

    def __enter__(self) -> _Rereader:
        return self

    def __exit__(self, *_: object) -> None:
        self._kernel.free(self._capture)

    def read(self, file: PreparedFile, wanted: Iterable[_Wanted]) -> dict[RowKey, FetchedRow]:
        """Read the rows wanted of a file. Raises InputError and ScanStopped."""
        fetched: dict[RowKey, FetchedRow] = {}
        for item, rows in wanted:
            for key, row in self._of_segment(file, item, rows):
                fetched[key] = row
                if self._stop.is_set():
                    raise ScanStopped
        check_unchanged(file)
        return fetched

    def _of_segment(
        self, file: PreparedFile, item: PlacedSegment, keys: list[RowKey]
    ) -> Iterator[tuple[RowKey, FetchedRow]]:
        reader = FieldReader(self._plan.scan, file)
        found: Iterator[tuple[RowKey, int, int, HandedRow | Sequence[Field]]]
        if item.segment.is_reference:
            found = self._from_reference(file, item, keys)
        elif file.is_seekable:
            found = self._from_places(file, item, keys)
        else:
            found = self._from_stream(file, item, keys)
        for key, offset, line, row in found:
            number = item.row_before + key.row - item.segment.first_row + 1
            place = RowPlace(file.source.name, item.line + line, offset, number)
            if isinstance(row, HandedRow):
                yield key, FetchedRow(file, place, reader, row, None)
            else:
                yield key, FetchedRow(file, place, reader, None, row)

    def _from_places(
        self, file: PreparedFile, item: PlacedSegment, keys: list[RowKey]
    ) -> Iterator[tuple[RowKey, int, int, HandedRow]]:
        """Read the 64 rows around each wanted one, from the offset that the scan noted."""
        self._set_dialect(file)
        places = self._places[keys[0].worker]
        with open_file(file) as stream:
            for start in range(0, len(keys), ROWS_TOGETHER):
                together = keys[start : start + ROWS_TOGETHER]
                requests = [self._request(item, places, key.row) for key in together]
                if not self._plan.reader.fetch(self._capture, stream.fileno(), requests):
                    raise _changed(file)
                for key, row in zip(together, self._handed(file), strict=True):
                    yield key, row.offset, places[key.row // GRANULE].line + row.line, row

    @staticmethod
    def _request(item: PlacedSegment, places: Sequence[Place], row: int) -> tuple[int, int, int]:
        granule = row // GRANULE
        is_last = (granule + 1) * GRANULE >= item.segment.stop_row
        stop = item.segment.stop if is_last else places[granule + 1].offset
        return places[granule].offset, stop, row % GRANULE

    def _handed(self, file: PreparedFile) -> Iterator[HandedRow]:
        size = self._kernel.where(self._capture).hard_bytes
        if not size:
            return iter(())
        return handed_rows(self._plan.reader.hard_rows(self._capture), size, bound_columns(self._plan, file))

    def _from_stream(
        self, file: PreparedFile, item: PlacedSegment, keys: list[RowKey]
    ) -> Iterator[tuple[RowKey, int, int, HandedRow]]:
        """Read a file once more that cannot be read from the middle."""
        self._set_dialect(file)
        reader, handle = self._plan.reader, self._capture
        kept = reader.want(handle, [key.row - item.segment.first_row for key in keys])
        self._kernel.begin(handle, -1, item.segment.start, UNLIMITED, UNLIMITED)
        left = iter(keys)
        count = 0
        blocks = read_ahead(unpacked_blocks(file))
        for block, is_final in with_end(skip_bytes(blocks, item.segment.start)):
            if self._stop.is_set():
                raise ScanStopped
            rest, status = block, Status.MORE
            while status is Status.MORE and (rest or is_final):
                status, taken = reader.push(handle, rest, is_final)
                rest = rest[taken:]
                for row in self._handed(file):
                    yield next(left), row.offset, row.line, row
                    count += 1
            if count == len(keys):
                break
            if status is not Status.MORE:
                raise _changed(file)
        del kept

    def _set_dialect(self, file: PreparedFile) -> None:
        assert file.dialect is not None
        dialect = Dialect.from_buffer_copy(file.dialect)
        for number, column in enumerate(self._plan.columns):
            place = place_of(self._plan.scan, file, column)
            dialect.field[number] = -1 if place is None else place
        self._plan.reader.set_dialect(self._capture, dialect)

    def _from_reference(
        self, file: PreparedFile, item: PlacedSegment, keys: list[RowKey]
    ) -> Iterator[tuple[RowKey, int, int, Sequence[Field]]]:
        """Read rows again that only the reference reader can read: from the noted offsets, or all where none helps."""
        if not file.is_seekable:
            yield from self._read_on(file, keys, item.segment.first_row, item.segment.start, 0)
            return
        places = self._places[keys[0].worker]
        granules: dict[int, list[RowKey]] = defaultdict(list)
        for key in keys:
            granules[key.row // GRANULE].append(key)
        for granule, inside in granules.items():
            start = places[granule]
            yield from self._read_on(file, inside, granule * GRANULE, start.offset, start.line)

    def _read_on(
        self, file: PreparedFile, keys: list[RowKey], first: int, start: int, lines: int
    ) -> Iterator[tuple[RowKey, int, int, Sequence[Field]]]:
        rows, at = self._plan.rows_from(file, start), first
        for key in keys:
            row = next(islice(rows, key.row - at, None), None)
            if row is None:
                raise _changed(file)
            at = key.row + 1
            yield key, start + row.offset, lines + row.line - 1, row.fields


def _changed(file: PreparedFile) -> InputError:
    return InputError("changed-file", "the file is not what it was when it was scanned", file.source.name)
