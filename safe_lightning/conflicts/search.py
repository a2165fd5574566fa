"""Finding: rows whose hashes are equal, partition by partition."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import field

from safe_lightning.conflicts.kernel.binding import Found
from safe_lightning.conflicts.kernel.protocol import Kernel
from safe_lightning.conflicts.scan_model import ScanStopped, SpillFailed
from safe_lightning.conflicts.threads import run_threads
from safe_lightning.core.lean_dataclass import dataclass

BATCHES_PER_KEY = 32
CANDIDATES_LEAST = 20_000
CANDIDATES_MOST = 500_000
SPILL_THREADS = 3  # per thread, where words are read back from disk: reading and searching overlap


@dataclass
class KeyCandidates:
    """Groups of rows with equal hashes, as (worker, row). ``is_complete`` unless they were too many to hold."""

    words: int = 0
    group_count: int = 0
    row_count: int = 0
    groups: list[list[tuple[int, int]]] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether every row of every group is here."""
        return sum(map(len, self.groups)) == self.row_count


@dataclass(frozen=True)
class Search:
    """What a search looks at: the finished scans of all workers, and rows that do not count."""

    kernel: Kernel
    handles: Sequence[int]
    keys: int
    partitions: int
    dropped: Sequence[tuple[int, int, int]]
    candidates_most: int


def candidates_most(rows: int) -> int:
    """Return how many colliding rows of a key are verified: beyond one in a hundred a sample has to do."""
    return max(CANDIDATES_LEAST, min(CANDIDATES_MOST, rows // 100))


def find_candidates(search: Search, threads: int, stop: threading.Event) -> list[KeyCandidates]:
    """Find the candidates of each key. Raises SpillFailed where the words cannot be read back."""
    found = [KeyCandidates() for _ in range(search.keys)]
    step = max(1, search.partitions // BATCHES_PER_KEY)
    batches = iter(range(0, search.keys * search.partitions, step))
    lock = threading.Lock()

    def work() -> None:
        room = max(1024, search.candidates_most * step // search.partitions * 2)
        with closing(search.kernel.finder(search.handles, search.dropped, room)) as finder:
            while not stop.is_set():
                with lock:
                    first = next(batches, None)
                if first is None:
                    return
                error, groups, counts = finder.find(first, first + step)
                if error:
                    raise SpillFailed(f"the words of the keys could not be searched ({os.strerror(error)})")
                with lock:
                    _merge(found[first // search.partitions], groups, counts)

    run_threads([work] * threads)
    if stop.is_set():
        raise ScanStopped
    return found


def _merge(candidates: KeyCandidates, groups: list[list[tuple[int, int]]], counts: Found) -> None:
    candidates.words += counts.words
    candidates.group_count += counts.groups
    candidates.row_count += counts.rows
    candidates.groups.extend(groups)
