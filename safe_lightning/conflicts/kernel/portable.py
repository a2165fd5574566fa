"""What the kernel does, without it: words in arrays, for rows that Python reads. Slower, with the same answers."""

from __future__ import annotations

import os
from array import array
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import field
from hashlib import blake2b

from safe_lightning.conflicts.kernel.binding import GRANULE, GROUP_SAMPLE, Found, Place, Plan, Status, Where
from safe_lightning.conflicts.kernel.protocol import Finder
from safe_lightning.conflicts.kernel.spill_file import write_all
from safe_lightning.core.lean_dataclass import dataclass

WORD_BYTES = 8


@dataclass
class _Words:
    """One scan: a pair of arrays per slot, hashes and rows, written to the spill file when there are too many."""

    plan: Plan
    spill_file: int
    seed: bytes
    hashes: list[array[int]]
    rows: list[array[int]]
    next_row: int = 0
    count: int = 0
    places: list[Place] = field(default_factory=list)
    spills: list[tuple[int, list[int]]] = field(default_factory=list)
    spilled_bytes: int = 0
    errno: int = 0


class PortableKernel:
    """Keeps and searches words; it cannot read files."""

    name = "plain Python"

    def __init__(self) -> None:
        self._scans: dict[int, _Words] = {}
        self._last = 0

    @property
    def reader(self) -> None:
        """No rows are read here."""
        return None

    def new(self, plan: Plan, spill_file: int) -> int:
        """Make a scan."""
        slots = plan.keys << plan.partition_bits
        self._last += 1
        seed = int(plan.seed).to_bytes(8, "little")
        hashes, rows = ([array("Q") for _ in range(slots)] for _ in range(2))
        self._scans[self._last] = _Words(plan, spill_file, seed, hashes, rows)
        return self._last

    def free(self, handle: int) -> None:
        """Free a scan."""
        del self._scans[handle]

    def begin(self, handle: int, _stream: int, _start: int, _limit: int, _file_size: int) -> int:
        """Begin a segment."""
        scan = self._scans[handle]
        scan.next_row = -(-scan.next_row // GRANULE) * GRANULE
        return scan.next_row

    def number_row(self, handle: int, offset: int, line: int) -> int:
        """Give a number to a row, and note where every 64th begins."""
        scan = self._scans[handle]
        if scan.next_row % GRANULE == 0:
            scan.places.append(Place(offset, line))
        scan.next_row += 1
        return scan.next_row - 1

    def where(self, handle: int) -> Where:
        """Tell where a scan stands."""
        scan = self._scans[handle]
        return Where(
            next_row=scan.next_row, places=len(scan.places), spilled_bytes=scan.spilled_bytes, spill_errno=scan.errno
        )

    def places(self, handle: int) -> Sequence[Place]:
        """Return where every 64th row begins."""
        return self._scans[handle].places

    def hash(self, handle: int, key: bytes) -> int:
        """Hash canonical bytes."""
        return int.from_bytes(blake2b(key, digest_size=8, key=self._scans[handle].seed).digest(), "little")

    def add(self, handle: int, key: int, parts: Sequence[int], row: int) -> Status:
        """Add a key's word."""
        scan = self._scans[handle]
        value = parts[0] if len(parts) == 1 else hash(tuple(parts)) & ((1 << 64) - 1)
        if (value >> 40 & 4095) >= scan.plan.sample_of_4096:
            return Status.DONE
        slot = (key << scan.plan.partition_bits) + (value >> (64 - scan.plan.partition_bits))
        scan.hashes[slot].append(value)
        scan.rows[slot].append(row)
        scan.count += 1
        if scan.count * 2 * WORD_BYTES > scan.plan.pool_bytes and scan.plan.pool_bytes:
            return self._spill(scan)
        return Status.DONE

    def _spill(self, scan: _Words) -> Status:
        sizes = [len(hashes) for hashes in scan.hashes]
        start = scan.spilled_bytes
        try:
            for words in (words for pair in zip(scan.hashes, scan.rows, strict=True) for words in pair):
                write_all(scan.spill_file, words.tobytes(), scan.spilled_bytes)
                scan.spilled_bytes += WORD_BYTES * len(words)
        except OSError as error:
            scan.errno = error.errno or 28
            return Status.SPILL
        scan.spills.append((start, sizes))
        scan.hashes = [array("Q") for _ in sizes]
        scan.rows = [array("Q") for _ in sizes]
        scan.count = 0
        return Status.DONE

    def finish(self, handle: int) -> None:
        """Nothing is to be completed."""

    def finder(self, handles: Sequence[int], dropped: Sequence[tuple[int, int, int]], room: int) -> Finder:
        """Make a search over finished scans."""
        return _PortableFinder([self._scans[handle] for handle in handles], dropped, room)


class _PortableFinder:
    def __init__(self, scans: Sequence[_Words], dropped: Sequence[tuple[int, int, int]], room: int) -> None:
        self._scans = scans
        self._dropped = dropped
        self._room = room

    def close(self) -> None:
        """Nothing is to be given back."""

    def find(self, first: int, stop: int) -> tuple[int, list[list[tuple[int, int]]], Found]:
        """Search some slots."""
        found, groups = Found(), list[list[tuple[int, int]]]()
        try:
            for slot in range(first, stop):
                self._search(slot, groups, found)
        except OSError as error:
            return error.errno or 5, [], found
        return 0, groups, found

    def _search(self, slot: int, groups: list[list[tuple[int, int]]], found: Found) -> None:
        words = [(number, *pair) for number, scan in enumerate(self._scans) for pair in _slot_words(scan, slot)]
        seen: set[int] = set()
        twice: set[int] = set()
        for _, hashes, _ in words:
            found.words += len(hashes)
            for value in hashes:
                (twice if value in seen else seen).add(value)
        by_hash: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, hashes, rows in words:
            for value, row in zip(hashes, rows, strict=True):
                if value in twice and not self._is_dropped(number, row):
                    by_hash[value].append((number, row))
        for rows_of in by_hash.values():
            if len(rows_of) < 2:
                continue
            found.groups += 1
            found.rows += len(rows_of)
            taken = rows_of
            if len(rows_of) > (room := self._room - found.returned):
                taken = rows_of[: min(room, GROUP_SAMPLE)]
            if len(taken) > 1:
                found.returned += len(taken)
                groups.append(taken)

    def _is_dropped(self, number: int, row: int) -> bool:
        return any(scan == number and first <= row < stop for scan, first, stop in self._dropped)


def _slot_words(scan: _Words, slot: int) -> list[tuple[array[int], array[int]]]:
    pairs = [(scan.hashes[slot], scan.rows[slot])]
    for start, sizes in scan.spills:
        at = start + 2 * WORD_BYTES * sum(sizes[:slot])
        content = os.pread(scan.spill_file, 2 * WORD_BYTES * sizes[slot], at)
        middle = len(content) // 2
        pairs.append((array("Q", content[:middle]), array("Q", content[middle:])))
    return pairs
