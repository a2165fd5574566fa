"""A place in a stream of bytes: look ahead across block borders, within a bound, and count lines on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from safe_lightning.source.findings import InputError
from safe_lightning.source.rows import ROW_BYTES_MOST

BOM = b"\xef\xbb\xbf"
_KEPT_BYTES = 1 << 20  # consumed bytes are dropped in steps of this size, not at every token


class Cursor:
    """The unread bytes of a stream, loaded block by block.

    ``data`` holds the loaded bytes and ``at`` the next unread one. What lies between ``keep`` and the end is never
    dropped: a row can be looked at whole. A row longer than ``row_bytes_most`` raises InputError, so memory is
    bounded whatever the input. A byte order mark at the very start is skipped, as Lightning does from 7.1 on.
    """

    def __init__(self, blocks: Iterable[bytes], file: str = "", row_bytes_most: int = ROW_BYTES_MOST) -> None:
        self.file = file
        self.data = b""
        self.at = 0
        self.keep = 0
        self.is_complete = False
        self._blocks: Iterator[bytes] = iter(blocks)
        self._base = 0
        self._row_bytes_most = row_bytes_most
        self._line = 1
        self._line_at = 0
        self._is_begun = False

    @property
    def offset(self) -> int:
        """The next unread byte, counted from the start of the stream."""
        return self._base + self.at

    def begin(self) -> None:
        """Begin a row here: what comes before may be dropped, so places in ``data`` from before are void."""
        if not self._is_begun:
            self._is_begun = True
            self._skip_mark()
        if self.at >= _KEPT_BYTES:
            self._drop()
        self.keep = self.at

    def offset_of(self, place: int) -> int:
        """Turn a place in ``data`` into one of the stream."""
        return self._base + place

    def line_of(self, place: int) -> int:
        """Count the lines up to a place in ``data``."""
        if place >= self._line_at:
            self._line += self.data.count(b"\n", self._line_at, place)
            self._line_at = place
            return self._line
        return self._line - self.data.count(b"\n", place, self._line_at)

    def load(self) -> bool:
        """Load more bytes behind the present ones; False where the stream ends. Raises InputError.

        As much again as the row already has is loaded at once, so a long row is not copied over and over.
        """
        held = len(self.data) - self.keep
        if held > self._row_bytes_most:
            raise self.error("row-too-large", f"a row of more than {self._row_bytes_most} bytes", self.keep)
        pieces, size, wanted = [self.data], 0, min(held, self._row_bytes_most - held)
        while not self.is_complete and size <= wanted:
            block = next(self._blocks, None)
            self.is_complete = block is None
            pieces.append(block or b"")
            size += len(block or b"")
        self.data = b"".join(pieces)
        return size > 0

    def need(self, count: int) -> bool:
        """Load until ``count`` unread bytes are there; False where the stream ends before."""
        while len(self.data) - self.at < count:
            if not self.load():
                return False
        return True

    def starts_with(self, token: bytes) -> bool:
        """Tell whether the next unread bytes are these, loading what is needed."""
        return self.need(len(token)) and self.data.startswith(token, self.at)

    def run(self, stop: re.Pattern[bytes]) -> bytes | None:
        """Take the bytes before the next match of a one-byte pattern; None with nothing taken where there is none."""
        search_at = self.at
        while (found := stop.search(self.data, search_at)) is None:
            search_at = len(self.data)
            if not self.load():
                return None
        taken = self.data[self.at : found.start()]
        self.at = found.start()
        return taken

    def rest(self) -> bytes:
        """Take everything that is loaded."""
        taken = self.data[self.at :]
        self.at = len(self.data)
        return taken

    def error(self, code: str, reason: str, place: int | None = None) -> InputError:
        """Build the error for a place in ``data``, by default the next unread byte."""
        place = self.at if place is None else place
        return InputError(code, reason, self.file, self.line_of(place), self.offset_of(place))

    def _skip_mark(self) -> None:
        if self.need(len(BOM)) and self.data.startswith(BOM):
            self.at = len(BOM)

    def _drop(self) -> None:
        self.line_of(max(self.at, self._line_at))
        ahead = self._line_at - self.at
        self.data = self.data[self.at :]
        self._base += self.at
        self.at = 0
        self._line_at = ahead
