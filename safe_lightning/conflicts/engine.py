"""The key scan of one table: every duplicate PRIMARY or UNIQUE key, found by hash and verified byte by byte.

Memory is bounded by the options; nothing is left on disk whatever happens, because spill files have no name.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path

from safe_lightning.conflicts.fetching import FetchedRow, Fetcher, RowKey
from safe_lightning.conflicts.kernel.binding import UNLIMITED
from safe_lightning.conflicts.prepared_files import PreparedFile, prepare_file
from safe_lightning.conflicts.results import Found, not_checked_table, table_result
from safe_lightning.conflicts.scan_model import KeyScan, ScanOptions, ScanStopped, SpillFailed, TableResult
from safe_lightning.conflicts.scan_plan import ScanPlan, make_plan
from safe_lightning.conflicts.search import SPILL_THREADS, Search, candidates_most, find_candidates
from safe_lightning.conflicts.segments import RangeJob, ReadRange, Segment, cut_ranges, first_unproven, place_segments
from safe_lightning.conflicts.threads import run_threads
from safe_lightning.conflicts.worker import Progress, Worker
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.findings import InputError

DEFAULT_OPTIONS = ScanOptions()
RANGES_PER_THREAD = 4
RANGE_BYTES_LEAST = 4 << 20


def scan_table(
    scan: KeyScan,
    options: ScanOptions = DEFAULT_OPTIONS,
    progress: Progress = lambda _bytes: None,
    stop: threading.Event | None = None,
    enough: threading.Event | None = None,
) -> TableResult:
    """Scan one table. ``progress`` is called from several threads, with the bytes done since the last call.

    Errors in the input are part of the result, and so are a full disk and a lack of memory: that table is then not
    checked. Raises ScanStopped once ``stop`` is set. Once ``enough`` is, no further range is begun, and the answer is
    that for what was read until then; the caller has to say so.
    """
    stop, enough = stop or threading.Event(), enough or threading.Event()
    plan = make_plan(scan, options)
    try:
        return _scan(plan, progress, stop, enough)
    except (SpillFailed, MemoryError) as error:
        return not_checked_table(plan, str(error) or "out of memory")


@dataclass
class _Reading:
    """All that is read of a table: its files, what was read of each, the ranges given up."""

    files: list[PreparedFile]
    ranges: dict[int, list[ReadRange]] = field(default_factory=dict)
    dropped: list[Segment] = field(default_factory=list)

    def drop(self, piece: ReadRange) -> None:
        """Give up all rows of a range that have numbers."""
        for segment in piece.segments:
            stop = segment.stop_row + segment.cut_rows
            if stop > segment.first_row:
                self.dropped.append(Segment(segment.file, segment.worker, 0, 0, segment.first_row, stop))

    def segments(self, file: int) -> list[Segment]:
        return [segment for piece in self.ranges.get(file, ()) for segment in piece.segments]


def _scan(plan: ScanPlan, progress: Progress, stop: threading.Event, enough: threading.Event) -> TableResult:
    files = [prepare_file(plan.scan, number, file) for number, file in enumerate(plan.scan.files)]
    reading = _Reading(files)
    with _workers(plan, stop, progress) as workers:
        _read_all(plan, reading, workers, stop, enough)
        _prove_all(reading, workers)
        for worker in workers:
            plan.kernel.finish(worker.handle)
        found = _find(plan, reading, workers, stop)
        return table_result(plan, files, found)


@contextmanager
def _workers(plan: ScanPlan, stop: threading.Event, progress: Progress) -> Iterator[list[Worker]]:
    """Start the workers, each with a spill file without a name."""
    folder = plan.options.spill_folder or Path(tempfile.gettempdir())
    workers: list[Worker] = []
    spill_files: list[int] = []
    try:
        for number in range(max(plan.options.threads, 1)):
            spill_files.append(open_spill_file(folder))
            workers.append(Worker(number, plan, spill_files[-1], stop, progress))
        yield workers
    finally:
        for worker in workers:
            worker.close()
        for file in spill_files:
            if file >= 0:
                os.close(file)


def open_spill_file(folder: Path) -> int:
    """Open a file without a name, past the page cache where the file system can; -1 where none can be had."""
    for flags in (getattr(os, "O_DIRECT", 0), 0):
        try:
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC | flags, 0o600)
        except OSError:
            continue
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.dup(file.fileno())
    except OSError:
        return -1


def _jobs(plan: ScanPlan, files: Sequence[PreparedFile]) -> Iterator[RangeJob]:
    """Cut the files where a row's start can be guessed, and proven later."""
    range_bytes = _range_bytes(plan, files)
    for file in files:
        if file.error or file.mapping is None:
            continue
        if file.dialect is not None and file.is_seekable and _is_cuttable(plan, file):
            yield from cut_ranges(file.number, file.start, file.identity.size_bytes, range_bytes)
        else:
            yield RangeJob(file.number, 0, file.start, UNLIMITED)


def _range_bytes(plan: ScanPlan, files: Sequence[PreparedFile]) -> int:
    """Choose the ranges so that each thread gets some, however few and small the files are."""
    total = sum(file.identity.size_bytes for file in files)
    share = total // (RANGES_PER_THREAD * max(plan.options.threads, 1))
    return min(plan.options.range_bytes, max(share, RANGE_BYTES_LEAST))


def _is_cuttable(plan: ScanPlan, file: PreparedFile) -> bool:
    reader = plan.kernel.reader
    return reader is not None and (file.source.type is FileType.CSV or reader.cuts_sql)


def _read_all(
    plan: ScanPlan, reading: _Reading, workers: Sequence[Worker], stop: threading.Event, enough: threading.Event
) -> None:
    jobs = _jobs(plan, reading.files)
    lock = threading.Lock()

    def work(worker: Worker) -> None:
        while True:
            with lock:
                job = next(jobs, None)
            if job is None or enough.is_set():
                return
            if stop.is_set():
                raise ScanStopped
            piece = _read_range(worker, reading.files[job.file], job)
            with lock:
                reading.ranges.setdefault(job.file, []).append(piece)

    def guarded(worker: Worker) -> Callable[[], None]:
        def run() -> None:
            try:
                work(worker)
            except BaseException:
                stop_others(jobs, lock)
                raise

        return run

    run_threads([guarded(worker) for worker in workers])
    for pieces in reading.ranges.values():
        pieces.sort(key=lambda piece: piece.job.number)


def stop_others(jobs: Iterator[RangeJob], lock: threading.Lock) -> None:
    """Leave no job for the other workers."""
    with lock:
        for _ in jobs:
            pass


def _read_range(worker: Worker, file: PreparedFile, job: RangeJob) -> ReadRange:
    start: int | None = job.start
    if job.number:
        start = worker.guess(file, job.start)
    if start is None or start >= job.limit:
        # No row seems to begin here; the proof says whether that is so.
        return ReadRange(job, [Segment(file.number, worker.number, job.limit, job.limit, 0, 0)])
    return worker.read(file, RangeJob(job.file, job.number, start, job.limit))


def _prove_all(reading: _Reading, workers: Sequence[Worker]) -> None:
    """Read what was begun at a wrong place once more, until every range follows on the one before."""
    for number, pieces in reading.ranges.items():
        while (place := first_unproven(pieces)) is not None:
            before, wrong = pieces[place - 1], pieces[place]
            if before.segments[-1].error:
                break
            reading.drop(wrong)
            job = wrong.job
            again = RangeJob(job.file, job.number, before.stop, job.limit)
            if again.start >= again.limit:
                worker = workers[0].number
                pieces[place] = ReadRange(job, [Segment(number, worker, before.stop, before.stop, 0, 0)])
                continue
            pieces[place] = ReadRange(job, workers[0].read(reading.files[number], again).segments)
        _cut_behind_error(reading, pieces)


def _cut_behind_error(reading: _Reading, pieces: list[ReadRange]) -> None:
    """Take out what stands behind the first error of a file: its place is not certain, and Lightning stops there."""
    for place, piece in enumerate(pieces):
        last = piece.segments[-1]
        if last.error is None:
            continue
        if last.cut_rows:
            first = last.stop_row
            reading.dropped.append(Segment(last.file, last.worker, 0, 0, first, first + last.cut_rows))
        for later in pieces[place + 1 :]:
            reading.drop(later)
        del pieces[place + 1 :]
        return


def _find(plan: ScanPlan, reading: _Reading, workers: Sequence[Worker], stop: threading.Event) -> Found:
    handles = [worker.handle for worker in workers]
    placed = [place_segments(reading.segments(file.number), file.first_line) for file in reading.files]
    rows = sum(item.segment.rows for items in placed for item in items)
    dropped = [(segment.worker, segment.first_row, segment.stop_row) for segment in reading.dropped]
    partitions = 1 << plan.struct.partition_bits
    search = Search(plan.kernel, handles, len(plan.keys), partitions, dropped, candidates_most(rows))
    spilled = sum(worker.where().spilled_bytes for worker in workers)
    threads = max(plan.options.threads, 1) * (SPILL_THREADS if spilled else 1)
    candidates = find_candidates(search, threads, stop)
    found = Found(placed, candidates, {}, spilled)
    wanted = [RowKey(*row) for key in candidates for group in key.groups for row in group]
    if wanted:
        found.rows = _fetch(plan, reading, found, handles, wanted, stop)
    return found


def _fetch(
    plan: ScanPlan,
    reading: _Reading,
    found: Found,
    handles: Sequence[int],
    wanted: Sequence[RowKey],
    stop: threading.Event,
) -> dict[RowKey, FetchedRow]:
    """Read the candidates again; a file that changed meanwhile makes all of them uncertain."""
    fetcher = Fetcher(plan, reading.files, [item for items in found.placed for item in items], handles)
    try:
        return fetcher.fetch(wanted, stop)
    except InputError as error:
        found.fetch_error = error
        return {}
