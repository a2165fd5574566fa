"""The calls of the compiled kernel in Python's terms. `portable.PortableKernel` has the same ones without it."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from safe_lightning.conflicts.kernel.binding import (
    Candidate,
    Dialect,
    Dropped,
    Found,
    Known,
    Place,
    Plan,
    Status,
    Where,
    load_kernel,
)

PADDING = bytes(32)  # the kernel reads that far behind what it hashes


class CompiledKernel:
    """One build of the kernel. Handles are addresses; each belongs to one thread at a time."""

    cuts_sql = True

    def __init__(self, build: str | None = None) -> None:
        self._calls: Any = load_kernel(build)
        self.name = f"compiled kernel ({Path(self._calls._name).name.partition('.')[0].strip('_')})"

    @property
    def reader(self) -> CompiledKernel:
        """The part that reads rows itself."""
        return self

    def new(self, plan: Plan, spill_file: int) -> int:
        """Make a scan. Raises MemoryError."""
        handle = self._calls.kernel_new(ctypes.byref(plan), spill_file)
        if not handle:
            raise MemoryError("the memory for the key words cannot be had")
        return int(handle)

    def free(self, handle: int) -> None:
        """Free a scan."""
        self._calls.kernel_free(handle)

    def set_dialect(self, handle: int, dialect: Dialect) -> None:
        """Take a file's dialect. Raises MemoryError."""
        if not self._calls.kernel_dialect(handle, ctypes.byref(dialect)):
            raise MemoryError("the memory for the fields of a row cannot be had")

    def begin(self, handle: int, stream: int, start: int, limit: int, file_size: int) -> int:
        """Begin at a row's start; ``stream`` is -1 where bytes are pushed. Returns the first row's number."""
        return int(self._calls.kernel_begin(handle, stream, start, limit, file_size))

    def step(self, handle: int, bytes_most: int) -> Status:
        """Read on from the file."""
        return Status(self._calls.kernel_step(handle, bytes_most))

    def push(self, handle: int, content: bytes, is_final: bool) -> tuple[Status, int]:
        """Take bytes that were read elsewhere; returns how many were taken, too."""
        taken = ctypes.c_uint64()
        status = Status(self._calls.kernel_push(handle, content, len(content), is_final, ctypes.byref(taken)))
        return status, taken.value

    def number_row(self, handle: int, offset: int, line: int) -> int:
        """Give a number to a row that is read elsewhere."""
        return int(self._calls.kernel_foreign_row(handle, offset, line))

    def where(self, handle: int) -> Where:
        """Tell where a scan stands."""
        where = Where()
        self._calls.kernel_where(handle, ctypes.byref(where))
        return where

    def hard_rows(self, handle: int) -> int:
        """Return the address of the rows handed out by the last step or push."""
        return int(self._calls.kernel_hard(handle))

    def places(self, handle: int) -> Sequence[Place]:
        """Return where every 64th row begins, for as long as the scan lives."""
        count = self.where(handle).places
        places: Sequence[Place] = (Place * count).from_address(self._calls.kernel_places(handle)) if count else ()
        return places

    def want(self, handle: int, rows: Sequence[int]) -> object:
        """Hand out only the rows with these numbers from now on; keep what is returned until they are."""
        numbers = (ctypes.c_uint32 * len(rows))(*rows)
        self._calls.kernel_want(handle, numbers, len(rows))
        return numbers

    def fetch(self, handle: int, stream: int, requests: Sequence[tuple[int, int, int]]) -> bool:
        """Hand out a row per request (from, to, number among the rows between); False if one is not there."""
        flat = (ctypes.c_uint64 * (3 * len(requests)))(*chain.from_iterable(requests))
        return bool(self._calls.kernel_fetch(handle, stream, flat, len(requests)) == len(requests))

    def hash(self, handle: int, key: bytes) -> int:
        """Hash canonical bytes."""
        return int(self._calls.kernel_hash(handle, key + PADDING, len(key)))

    def add(self, handle: int, key: int, parts: Sequence[int], row: int) -> Status:
        """Add a key's word, of the hashes of its parts."""
        hashes = (ctypes.c_uint64 * len(parts))(*parts)
        return Status(self._calls.kernel_add(handle, key, hashes, len(parts), row))

    def learn(self, handle: int, column: int, kind: Known, text: bytes, meaning: int) -> bool:
        """Take in the hash of a text of a column that is not plain to the kernel; False if there is no room."""
        return bool(self._calls.kernel_learn(handle, column, kind, text + PADDING, len(text), meaning))

    def finish(self, handle: int) -> None:
        """Complete the words: no row comes any more."""
        self._calls.kernel_finish(handle)

    def guess(self, handle: int, stream: int, start: int, file_size: int) -> int | None:
        """Guess where a row begins behind a cut."""
        return int(self._calls.kernel_guess(handle, stream, start, file_size)) or None

    def finder(self, handles: Sequence[int], dropped: Sequence[tuple[int, int, int]], room: int) -> CompiledFinder:
        """Make one thread's search over finished scans. Close it."""
        return CompiledFinder(self._calls, handles, dropped, room)


class CompiledFinder:
    """One thread's search; its memory lives as long as it."""

    def __init__(
        self, calls: ctypes.CDLL, handles: Sequence[int], dropped: Sequence[tuple[int, int, int]], room: int
    ) -> None:
        self._calls = calls
        self._finder = calls.kernel_finder()
        self._room = room
        self._out = (Candidate * room)()
        self._handles = (ctypes.c_void_p * len(handles))(*handles)
        self._dropped_count = len(dropped)
        self._dropped = (Dropped * max(len(dropped), 1))(*(Dropped(*rows) for rows in dropped))

    def close(self) -> None:
        """Give the memory back."""
        self._calls.kernel_free_finder(self._finder)

    def find(self, first: int, stop: int) -> tuple[int, list[list[tuple[int, int]]], Found]:
        """Search some slots: errno, groups of equal hashes as far as there is room, counts of all."""
        counts = Found()
        error = self._calls.kernel_find(
            self._finder,
            ctypes.byref(self._handles),
            len(self._handles),
            first,
            stop,
            ctypes.byref(self._dropped),
            self._dropped_count,
            ctypes.byref(self._out),
            self._room,
            ctypes.byref(counts),
        )
        return error, self._groups(counts.returned), counts

    def _groups(self, count: int) -> list[list[tuple[int, int]]]:
        groups: list[list[tuple[int, int]]] = []
        before: tuple[int, int] | None = None
        for candidate in self._out[:count]:
            if before != (here := (candidate.slot, candidate.hash)):
                groups.append([])
                before = here
            groups[-1].append((candidate.scan, candidate.row))
        return groups
