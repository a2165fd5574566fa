"""Lightning's progress lines, written at the rate that cron.log-progress asks for."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.rehearsal.zap import ZapLog, duration

_PART = re.compile(r"([0-9.]+)(ms|s|m|h)")
_SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DEFAULT_SECONDS = 300.0


@dataclass
class Progress:
    """Counts what is done and says so from time to time."""

    log: ZapLog
    interval_seconds: float
    tables: int = 0
    chunks: int = 0
    tables_done: int = 0
    chunks_done: int = 0
    bytes_done: int = 0
    rows_done: int = 0
    bytes_total: int = 0
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def chunk_done(self, size_bytes: int, rows: int) -> None:
        """Count a chunk; write a line if it is time."""
        self.chunks_done += 1
        self.bytes_done += size_bytes
        self.rows_done += rows
        if time.monotonic() - self.last >= self.interval_seconds:
            self._write()

    def _write(self) -> None:
        self.last = time.monotonic()
        took, share = self.last - self.started, self.chunks_done / max(1, self.chunks)
        rows = round(self.rows_done / max(share, 1e-9))
        left = duration(round(took / share - took)) if share else "unknown"
        self.log.info(
            "import.go:1130",
            "progress",
            ("total", f"{share:.1%}"),
            ("tables", _of(self.tables_done, self.tables)),
            ("chunks", _of(self.chunks_done, self.chunks)),
            ("engines", _of(2 * self.tables_done, 2 * self.tables)),
            ("restore-bytes", f"{_size(self.bytes_done)}/{_size(self.bytes_total)}"),
            ("restore-rows", f"{self.rows_done}/{rows}(estimated)"),
            None,
            ("encode speed(MiB/s)", self.bytes_done / took / (1 << 20)),
            ("state", "writing"),
            ("remaining", left),
        )


def _of(done: int, total: int) -> str:
    return f"{done}/{total} ({done / max(1, total):.1%})"


def _size(count_bytes: int) -> str:
    if count_bytes < 1 << 10:
        return f"{count_bytes}B"
    if count_bytes < 1 << 20:
        return f"{count_bytes / (1 << 10):.4g}KiB"
    return f"{count_bytes / (1 << 20):.4g}MiB"


def interval_seconds(values: Mapping[str, object]) -> float:
    """Return cron.log-progress of a task in seconds.

    >>> interval_seconds({"cron.log-progress": "1m30s"}), interval_seconds({})
    (90.0, 300.0)
    """
    parts = _PART.findall(str(values.get("cron.log-progress", "")))
    return sum(float(number) * _SECONDS[unit] for number, unit in parts) if parts else _DEFAULT_SECONDS
