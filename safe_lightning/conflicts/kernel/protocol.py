"""What a scan needs of a kernel, compiled or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from safe_lightning.conflicts.kernel.binding import Dialect, Found, Known, Place, Plan, Status, Where


class Finder(Protocol):
    """One thread's search."""

    def find(self, first: int, stop: int) -> tuple[int, list[list[tuple[int, int]]], Found]:
        """Search some slots: errno, groups of equal hashes as far as there is room, counts of all."""
        ...

    def close(self) -> None:
        """Give the memory back."""
        ...


class RowReader(Protocol):
    """A kernel that reads rows itself, and hands out those that are not plain.

    ``cuts_sql`` tells whether `guess` and the limit of a range work for SQL as they do for CSV.
    """

    cuts_sql: bool

    def set_dialect(self, handle: int, dialect: Dialect) -> None:
        """Take a file's dialect."""
        ...

    def step(self, handle: int, bytes_most: int) -> Status:
        """Read on from the file."""
        ...

    def push(self, handle: int, content: bytes, is_final: bool) -> tuple[Status, int]:
        """Take bytes that were read elsewhere; return how many were taken, too."""
        ...

    def hard_rows(self, handle: int) -> int:
        """Return the address of the rows handed out."""
        ...

    def want(self, handle: int, rows: Sequence[int]) -> object:
        """Hand out only the rows with these numbers from now on."""
        ...

    def fetch(self, handle: int, stream: int, requests: Sequence[tuple[int, int, int]]) -> bool:
        """Hand out a row per request."""
        ...

    def guess(self, handle: int, stream: int, start: int, file_size: int) -> int | None:
        """Guess where a row begins behind a cut."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A reader that remembers what texts of a column mean, so that each is handed out once."""

    def learn(self, handle: int, column: int, kind: Known, text: bytes, meaning: int) -> bool:
        """Take in the hash of a text of a column; False if there is no room."""
        ...


class Kernel(Protocol):
    """Scans are handles; each belongs to one thread at a time. See `compiled.CompiledKernel` for each call.

    ``reader`` is None where it only takes the words of rows that are read elsewhere.
    """

    name: str

    @property
    def reader(self) -> RowReader | None:
        """The part that reads rows itself."""
        ...

    def new(self, plan: Plan, spill_file: int) -> int:
        """Make a scan of one thread. Raises MemoryError."""
        ...

    def free(self, handle: int) -> None:
        """Free a scan."""
        ...

    def begin(self, handle: int, stream: int, start: int, limit: int, file_size: int) -> int:
        """Begin at a row's start; return the first row's number."""
        ...

    def number_row(self, handle: int, offset: int, line: int) -> int:
        """Give a number to a row that is read elsewhere."""
        ...

    def where(self, handle: int) -> Where:
        """Tell where a scan stands."""
        ...

    def places(self, handle: int) -> Sequence[Place]:
        """Return where every 64th row begins."""
        ...

    def hash(self, handle: int, key: bytes) -> int:
        """Hash canonical bytes."""
        ...

    def add(self, handle: int, key: int, parts: Sequence[int], row: int) -> Status:
        """Add a key's word."""
        ...

    def finish(self, handle: int) -> None:
        """Complete the words."""
        ...

    def finder(self, handles: Sequence[int], dropped: Sequence[tuple[int, int, int]], room: int) -> Finder:
        """Make one thread's search."""
        ...
