"""Finding equal hashes: a table of last owners by some bits, another by other bits, a sort of the few that are left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from safe_lightning.conflicts.kernel.binding import GROUP_SAMPLE, Found
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags, Index, Numbers, RowNumbers, u64
from safe_lightning.conflicts.kernel.vectorised.word_store import WordStore

WORDS_TOGETHER = 1 << 15  # their table of owners stays in the cache
TABLE_BITS = (10, 18)
EIO = 5


class VectorisedFinder:
    """One thread's search over finished scans."""

    def __init__(self, stores: Sequence[WordStore], dropped: Sequence[tuple[int, int, int]], room: int) -> None:
        self._stores = stores
        self._dropped = dropped
        self._room = room
        self._owners = np.zeros(1 << TABLE_BITS[1], np.uint32)

    def close(self) -> None:
        """Nothing is to be given back."""

    def find(self, first: int, stop: int) -> tuple[int, list[list[tuple[int, int]]], Found]:
        """Search some slots."""
        found, groups = Found(), list[list[tuple[int, int]]]()
        try:
            for hashes, scans, rows in self._batches(first, stop):
                found.words += len(hashes)
                self._search(hashes, scans, rows, groups, found)
        except OSError as error:
            return error.errno or EIO, [], found
        return 0, groups, found

    def _batches(self, first: int, stop: int) -> Iterator[tuple[Numbers, RowNumbers, RowNumbers]]:
        """Yield the words of each slot, or of a few small ones of a key together: hash, scan, row."""
        partitions = self._stores[0].partitions
        while first < stop:
            key, partition = divmod(first, partitions)
            last = min(stop - key * partitions, partitions)
            until = partition + 1
            while until < last and self._count(key, partition, until + 1) <= WORDS_TOGETHER:
                until += 1
            yield self._words(key, partition, until)
            first += until - partition

    def _count(self, key: int, first: int, stop: int) -> int:
        return sum(store.count(key, first, stop) for store in self._stores)

    def _words(self, key: int, first: int, stop: int) -> tuple[Numbers, RowNumbers, RowNumbers]:
        hashes, scans, rows = [np.empty(0, np.uint64)], [np.empty(0, np.uint32)], [np.empty(0, np.uint32)]
        for number, store in enumerate(self._stores):
            for own_hashes, own_rows in store.words(key, first, stop):
                hashes.append(own_hashes)
                rows.append(own_rows)
                scans.append(np.full(len(own_rows), number, np.uint32))
        return np.concatenate(hashes), np.concatenate(scans), np.concatenate(rows)

    def _search(
        self, hashes: Numbers, scans: RowNumbers, rows: RowNumbers, groups: list[list[tuple[int, int]]], found: Found
    ) -> None:
        chosen = np.arange(len(hashes))
        for shift in (8, 32):  # the highest bits are the partition's
            if len(chosen) > 1:
                chosen = chosen[self._collide(hashes[chosen] >> u64(shift))]
        chosen = chosen[self._are_kept(scans[chosen], rows[chosen])]
        if len(chosen) < 2:
            return
        order = chosen[np.lexsort((rows[chosen], scans[chosen], hashes[chosen]))]
        sorted_hashes = hashes[order]
        starts = np.flatnonzero(np.append(True, sorted_hashes[1:] != sorted_hashes[:-1]))
        sizes = np.diff(np.append(starts, len(order)))
        is_group = sizes > 1
        found.groups += int(is_group.sum())
        found.rows += int(sizes[is_group].sum())
        for start, size in zip(starts[is_group].tolist(), sizes[is_group].tolist(), strict=True):
            room = self._room - found.returned
            taken = size if size <= room else min(room, GROUP_SAMPLE)
            if taken < 2:
                continue
            found.returned += taken
            members = order[start : start + taken]
            groups.append(list(zip(scans[members].tolist(), rows[members].tolist(), strict=True)))

    def _collide(self, bits: Numbers) -> Index:
        """Tell which words share a place of a table with another one: all equal ones do."""
        size = 1 << max(TABLE_BITS[0], min(TABLE_BITS[1], (8 * len(bits)).bit_length()))
        place = (bits & u64(size - 1)).astype(np.intp)
        number = np.arange(len(bits), dtype=np.uint32)
        self._owners[place] = number
        owner = self._owners[place]
        is_other: Flags = owner != number
        is_other[owner[is_other]] = True
        return np.flatnonzero(is_other)

    def _are_kept(self, scans: RowNumbers, rows: RowNumbers) -> Flags:
        """Tell which rows were not given up."""
        kept = np.ones(len(rows), bool)
        for scan, first, stop in self._dropped:
            kept &= ~((scans == scan) & (rows >= first) & (rows < stop))
        return kept
