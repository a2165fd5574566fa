"""The words of one scan: 64 bits of hash and the row, in runs that are sorted by partition, on disk beyond a limit."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from safe_lightning.conflicts.kernel.spill_file import read_exactly, write_all
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags, Index, Numbers, RowNumbers, u64
from safe_lightning.core.lean_dataclass import dataclass

RUN_WORDS = 1 << 17
HASH_BYTES, ROW_BYTES = 8, 4
NO_SPACE = 28


@dataclass(frozen=True)
class Run:
    """Words of one key in memory or at an offset; those of partition p are [starts[p], starts[p + 1])."""

    key: int
    starts: Index
    hashes: Numbers | None
    rows: RowNumbers | None
    offset: int = 0


class WordStore:
    """Takes words key by key. ``errno`` is set once they could not be written."""

    def __init__(self, keys: int, partition_bits: int, memory_bytes: int, sample_of_4096: int, spill_file: int) -> None:
        self.partitions = 1 << partition_bits
        self.spilled_bytes = 0
        self.errno = 0
        self._shift = u64(64 - partition_bits)
        self._memory_bytes = memory_bytes
        self._sample = sample_of_4096
        self._file = spill_file
        self._runs: list[list[Run]] = [[] for _ in range(keys)]
        self._waiting: list[list[tuple[Numbers, RowNumbers]]] = [[] for _ in range(keys)]
        self._single = [(array("Q"), array("Q")) for _ in range(keys)]
        self._waiting_words = [0] * keys
        self._held_words = 0

    def add(self, key: int, hashes: Numbers, rows: RowNumbers) -> None:
        """Add words; a sample leaves out those of other keys than it takes."""
        if self._sample < 4096:
            chosen: Flags = (hashes >> u64(40) & u64(4095)) < self._sample
            hashes, rows = hashes[chosen], rows[chosen]
        self._waiting[key].append((hashes, rows))
        self._count(key, len(hashes))

    def add_one(self, key: int, value: int, row: int) -> None:
        """Add one word."""
        if self._sample < 4096 and value >> 40 & 4095 >= self._sample:
            return
        hashes, rows = self._single[key]
        hashes.append(value)
        rows.append(row)
        self._count(key, 1)

    def _count(self, key: int, words: int) -> None:
        self._waiting_words[key] += words
        self._held_words += words
        if self._waiting_words[key] >= RUN_WORDS:
            self._sort(key)
        if self._held_words * (HASH_BYTES + ROW_BYTES) > self._memory_bytes:
            self._spill()

    def finish(self) -> None:
        """Sort what still waits."""
        for key in range(len(self._waiting)):
            self._sort(key)

    def _sort(self, key: int) -> None:
        single = self._single[key]
        pairs = [*self._waiting[key], (np.array(single[0], np.uint64), np.array(single[1], np.uint32))]
        self._waiting[key], self._single[key], self._waiting_words[key] = [], (array("Q"), array("Q")), 0
        hashes, rows = (np.concatenate(part) for part in zip(*pairs, strict=True))
        if not len(hashes):
            return
        partition = (hashes >> self._shift).astype(np.uint16)
        order = np.argsort(partition, kind="stable")
        starts = np.zeros(self.partitions + 1, np.intp)
        np.cumsum(np.bincount(partition, minlength=self.partitions), out=starts[1:])
        self._runs[key].append(Run(key, starts, hashes.take(order), rows.take(order)))

    def _spill(self) -> None:
        self.finish()
        try:
            for runs in self._runs:
                runs[:] = [self._written(run) for run in runs]
        except OSError as error:
            self.errno = error.errno or NO_SPACE
        self._held_words = 0

    def _written(self, run: Run) -> Run:
        if run.hashes is None or run.rows is None:
            return run
        offset = self.spilled_bytes
        for words in (run.hashes, run.rows):
            write_all(self._file, words.tobytes(), self.spilled_bytes)
            self.spilled_bytes += words.nbytes
        return Run(run.key, run.starts, None, None, offset)

    def count(self, key: int, first: int, stop: int) -> int:
        """Count the words of some partitions of a key."""
        return sum(int(run.starts[stop] - run.starts[first]) for run in self._runs[key])

    def words(self, key: int, first: int, stop: int) -> Iterator[tuple[Numbers, RowNumbers]]:
        """Yield the words of some partitions of a key. Raises OSError."""
        for run in self._runs[key]:
            start, end = int(run.starts[first]), int(run.starts[stop])
            if run.hashes is not None and run.rows is not None:
                yield run.hashes[start:end], run.rows[start:end]
            elif end > start:
                yield self._read(run, start, end)

    def _read(self, run: Run, start: int, end: int) -> tuple[Numbers, RowNumbers]:
        rows_at = run.offset + HASH_BYTES * int(run.starts[-1])
        hashes = read_exactly(self._file, HASH_BYTES * (end - start), run.offset + HASH_BYTES * start)
        rows = read_exactly(self._file, ROW_BYTES * (end - start), rows_at + ROW_BYTES * start)
        return np.frombuffer(hashes, np.uint64), np.frombuffer(rows, np.uint32)
