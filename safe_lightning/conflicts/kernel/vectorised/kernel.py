"""The kernel on NumPy, in the terms of `protocol.Kernel`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import numpy as np

from safe_lightning.conflicts.kernel.binding import Dialect, Known, Place, Plan, Status, Where
from safe_lightning.conflicts.kernel.protocol import Finder
from safe_lightning.conflicts.kernel.vectorised.find import VectorisedFinder
from safe_lightning.conflicts.kernel.vectorised.hashing import hash_one, join_one
from safe_lightning.conflicts.kernel.vectorised.scan import Scan


class VectorisedKernel:
    """Reads, hashes and searches whole arrays. Its hashes are not those of the compiled kernel."""

    cuts_sql = False
    name = f"NumPy {np.__version__}"

    def __init__(self) -> None:
        self._scans: dict[int, Scan] = {}
        self._handles = count(1)  # several threads ask for them

    @property
    def reader(self) -> VectorisedKernel:
        """The part that reads rows itself."""
        return self

    def new(self, plan: Plan, spill_file: int) -> int:
        """Make a scan."""
        handle = next(self._handles)
        self._scans[handle] = Scan(plan, spill_file)
        return handle

    def free(self, handle: int) -> None:
        """Free a scan."""
        del self._scans[handle]

    def set_dialect(self, handle: int, dialect: Dialect) -> None:
        """Take a file's dialect."""
        self._scans[handle].set_dialect(dialect)

    def begin(self, handle: int, stream: int, start: int, limit: int, file_size: int) -> int:
        """Begin at a row's start; return the first row's number."""
        return self._scans[handle].begin(stream, start, limit, file_size)

    def step(self, handle: int, bytes_most: int) -> Status:
        """Read on from the file."""
        return self._scans[handle].step(bytes_most)

    def push(self, handle: int, content: bytes, is_final: bool) -> tuple[Status, int]:
        """Take bytes that were read elsewhere; return how many were taken, too."""
        return self._scans[handle].push(content, is_final)

    def number_row(self, handle: int, offset: int, line: int) -> int:
        """Give a number to a row that is read elsewhere."""
        return self._scans[handle].number_row(offset, line)

    def where(self, handle: int) -> Where:
        """Tell where a scan stands."""
        return self._scans[handle].where()

    def places(self, handle: int) -> Sequence[Place]:
        """Return where every 64th row begins."""
        return self._scans[handle].places

    def hard_rows(self, handle: int) -> int:
        """Return the address of the rows handed out."""
        return self._scans[handle].handed.address()

    def want(self, handle: int, rows: Sequence[int]) -> object:
        """Hand out only the rows with these numbers from now on."""
        self._scans[handle].want(rows)
        return rows

    def fetch(self, handle: int, stream: int, requests: Sequence[tuple[int, int, int]]) -> bool:
        """Hand out a row per request."""
        return self._scans[handle].fetch(stream, requests)

    def guess(self, handle: int, stream: int, start: int, file_size: int) -> int | None:
        """Guess where a row begins behind a cut."""
        return self._scans[handle].guess(stream, start, file_size)

    def hash(self, handle: int, key: bytes) -> int:
        """Hash canonical bytes."""
        return hash_one(key, self._scans[handle].seed)

    def add(self, handle: int, key: int, parts: Sequence[int], row: int) -> Status:
        """Add a key's word, of the hashes of its parts."""
        scan = self._scans[handle]
        scan.store.add_one(key, join_one(parts), row)
        return scan.problem()

    def learn(self, handle: int, column: int, kind: Known, text: bytes, meaning: int) -> bool:
        """Take in the hash that a text of a column has; False if there is no room."""
        return self._scans[handle].meanings[column].learn(kind, text, meaning)

    def finish(self, handle: int) -> None:
        """Sort what is left: no row comes any more."""
        self._scans[handle].store.finish()

    def finder(self, handles: Sequence[int], dropped: Sequence[tuple[int, int, int]], room: int) -> Finder:
        """Make one thread's search over finished scans."""
        return VectorisedFinder([self._scans[handle].store for handle in handles], dropped, room)
