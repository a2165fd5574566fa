"""Keys with the places of their rows, in memory up to a budget and beyond it in a file that nobody sees.

Keys are spread over partitions by their hash, so that all copies of one lie together and a partition at a time can be
looked through. What is stored is the whole canonical key: no hash is ever taken for a key.
"""

from __future__ import annotations

import heapq
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from safe_lightning.scan.model import Group, RowPlace

_PARTITIONS = 256
_HEAD = struct.Struct("<IIQQQ")  # key bytes, file, offset, line, row


class Duplicates(NamedTuple):
    """The keys that occur more than once, the rows that carry them, and the first groups."""

    keys: int
    rows: int
    groups: tuple[Group, ...]


class KeyStore:
    """All keys of one key definition. Every method may raise OSError where the disk is full.

    ``existing`` is the file, added last, whose rows stand in the target: their keys count where other rows have them.
    """

    def __init__(self, budget_bytes: int, spill_dir: Path | None = None, existing: int | None = None) -> None:
        self._budget_bytes = budget_bytes
        self._existing = existing
        self._spill_dir = spill_dir
        self._held: list[bytearray] = [bytearray() for _ in range(_PARTITIONS)]
        self._held_bytes = 0
        self._file: BinaryIO | None = None
        self._segments: list[list[tuple[int, int]]] = [[] for _ in range(_PARTITIONS)]

    def add(self, key: bytes, file: int, offset: int, line: int, row: int) -> None:
        """Take in the key of a row."""
        held = self._held[hash(key) % _PARTITIONS]
        held += _HEAD.pack(len(key), file, offset, line, row)
        held += key
        self._held_bytes += _HEAD.size + len(key)
        if self._held_bytes > self._budget_bytes:
            self._spill()

    def _spill(self) -> None:
        if self._file is None:
            # It has no name from the start: whatever kills us, the disk gets its space back.
            self._file = tempfile.TemporaryFile(prefix="safe-lightning-scan-", dir=self._spill_dir)  # noqa: SIM115
        self._file.seek(0, 2)
        for number, held in enumerate(self._held):
            if held:
                self._segments[number].append((self._file.tell(), len(held)))
                self._file.write(held)
                held.clear()
        self._held_bytes = 0

    def duplicates(self, examples_most: int, rows_most: int) -> Duplicates:
        """Find every key that occurs more than once; the groups are the first in the order of the rows."""
        keys = rows = 0
        first: list[tuple[tuple[int, int], Group]] = []
        for number in range(_PARTITIONS):
            counts = self._counts(number)
            keys += len(counts)
            rows += sum(counts.values())
            if counts:
                found = self._groups(number, counts, examples_most, rows_most)
                first = list(heapq.merge(first, found, key=lambda pair: pair[0]))[:examples_most]
        return Duplicates(keys, rows, tuple(group for _, group in first))

    def close(self) -> None:
        """Let go of memory and disk."""
        self._held = []
        if self._file is not None:
            self._file.close()

    def _counts(self, number: int) -> dict[bytes, int]:
        counts: dict[bytes, int] = {}
        for key, place in self._records(number):
            if place.file != self._existing or key in counts:
                counts[key] = counts.get(key, 0) + 1
        return {key: count for key, count in counts.items() if count > 1}

    def _groups(
        self, number: int, counts: dict[bytes, int], examples_most: int, rows_most: int
    ) -> list[tuple[tuple[int, int], Group]]:
        wanted: dict[bytes, list[RowPlace]] = {key: [] for key in list(counts)[:examples_most]}
        for key, place in self._records(number):
            places = wanted.get(key)
            if places is not None and len(places) < rows_most:
                places.append(place)
        groups = [Group(counts[key], tuple(places)) for key, places in wanted.items()]
        return sorted(
            (((group.places[0].file, group.places[0].offset), group) for group in groups), key=lambda pair: pair[0]
        )

    def _records(self, number: int) -> Iterator[tuple[bytes, RowPlace]]:
        for data in self._pieces(number):
            at, end = 0, len(data)
            while at < end:
                size, file, offset, line, row = _HEAD.unpack_from(data, at)
                at += _HEAD.size + size
                yield bytes(data[at - size : at]), RowPlace(file, offset, line, row)

    def _pieces(self, number: int) -> Iterator[bytes | bytearray]:
        for start, length in self._segments[number]:
            assert self._file is not None
            self._file.seek(start)
            yield self._file.read(length)
        yield self._held[number]
