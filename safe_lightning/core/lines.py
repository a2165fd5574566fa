"""Cutting a stream of bytes into lines, whatever the size of its pieces and of its lines."""

from __future__ import annotations

LINE_BYTES_MOST = 16 << 20


class LineBuffer:
    """Cuts a stream of bytes into complete lines; the part behind the last line break waits for its rest.

    Of a line longer than ``line_bytes_most`` the beginning is delivered and the rest is skipped: the rest would
    look like lines of its own, and it is row data.
    """

    def __init__(self, line_bytes_most: int = LINE_BYTES_MOST) -> None:
        self.cut_count = 0
        self._most = line_bytes_most
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._is_skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes; return the lines that they complete, without their line breaks."""
        lines = data.split(b"\n")
        last = lines.pop()
        if lines and (self._pieces or self._is_skipping):
            lines[0] = b"".join((*self._pieces, lines[0]))
            lines = lines[1:] if self._is_skipping else lines
            self._clear()
        return lines + self._hold(last)

    def close(self) -> list[bytes]:
        """Return the line that was never ended, if there is one."""
        rest = b"".join(self._pieces)
        self._clear()
        return [rest] if rest else []

    def _hold(self, piece: bytes) -> list[bytes]:
        if self._is_skipping or not piece:
            return []
        self._pieces.append(piece)
        self._held_bytes += len(piece)
        if self._held_bytes <= self._most:
            return []
        self.cut_count += 1
        beginning = self.close()
        self._is_skipping = True
        return beginning

    def _clear(self) -> None:
        self._pieces, self._held_bytes, self._is_skipping = [], 0, False
