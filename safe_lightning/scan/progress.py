"""How far a scan is: a line that renews itself on a terminal, a line a minute otherwise."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import TextIO

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.report.labels import WIDTH, printable
from safe_lightning.scan.model import Progress

_TERMINAL_SECONDS = 0.2
_LINE_SECONDS = 60.0


@dataclass
class ProgressLine:
    """Writes how far the scan is, not more often than somebody can read."""

    to: TextIO
    is_terminal: bool
    started: float = field(default_factory=time.monotonic)
    told: float = field(default_factory=time.monotonic)
    has_line: bool = False

    def __call__(self, table: TableName, bytes_read: int, bytes_to_read: int) -> None:
        """Hear of progress, and tell it if it is time."""
        now = time.monotonic()
        if now - self.told < (_TERMINAL_SECONDS if self.is_terminal else _LINE_SECONDS):
            return
        self.told = now
        text = progress_text(table, bytes_read, bytes_to_read, now - self.started)
        if self.is_terminal:
            self.to.write(f"\r\x1b[K{text[: WIDTH - 1]}")
            self.has_line = True
        else:
            self.to.write(f"safe-lightning: scan: {text}\n")
        self.to.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self.has_line:
            self.to.write("\r\x1b[K")
            self.to.flush()


def progress_text(table: TableName, bytes_read: int, bytes_to_read: int, seconds: float) -> str:
    """Write share, amount, rate, remaining time and table; no rate before anything of the source was read."""
    rate = bytes_read / max(seconds, 0.001)
    left = max(0, bytes_to_read - bytes_read) / max(rate, 1.0)
    share = 100 * bytes_read // max(1, bytes_to_read)
    remaining = f"{int(left // 60)}:{int(left % 60):02d}"
    amount = f"{bytes_read / 1e6:,.0f} of {bytes_to_read / 1e6:,.0f} MB"
    if not bytes_read:
        return f"{share:3d} %  {amount}  {printable(str(table))}"
    return f"{share:3d} %  {amount}  {rate / 1e6:,.1f} MB/s  {remaining} left  {printable(str(table))}"


@contextmanager
def shown_progress(is_wanted: bool, to: TextIO | None = None) -> Iterator[Progress | None]:
    """Show progress on stderr while the body runs."""
    to = to or sys.stderr
    if not is_wanted:
        yield None
        return
    line = ProgressLine(to, to.isatty())
    try:
        yield line
    finally:
        line.clear()
