"""A progress bar below the events on a terminal, from what Lightning itself says about its progress."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from typing import TYPE_CHECKING

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.progress import Progress, ProgressMeter
from safe_lightning.logs import current_output
from safe_lightning.policy.model import LogPolicy
from safe_lightning.report.outlet import Outlet

if TYPE_CHECKING:
    from rich.console import RenderableType

_TICK_SECONDS = 0.5
_CLOSE_SECONDS = 1.0
_COLUMNS_LEAST = 20
_BAR_LEAST = 6
_BAR_MOST = 40
_GAP = 2
#: To the line's beginning, and away with everything behind it: also with what a narrower window wrapped.
_CLEAR = b"\r\x1b[J"


def open_progress_bar(policy: LogPolicy, meter: ProgressMeter) -> ProgressBar | None:
    """Begin to show the progress that ``meter`` knows; None where no terminal is there to show it."""
    output = current_output()
    if policy.progress == "off" or not output.is_console or os.environ.get("TERM") == "dumb":
        return None
    if not os.isatty(output.outlet.fd):
        return None
    bar = ProgressBar(output.outlet, meter, has_colors=output.has_colors)
    bar.start()
    return bar


class ProgressBar(threading.Thread):
    """One line at the bottom, redrawn twice a second and below whatever is written meanwhile.

    The terminal is written to by the outlet's thread alone, so that one that is held (Ctrl-S) holds up nobody
    else. The cursor rests at the beginning of the line: where the window gets narrower and the line wraps, all of
    it is behind the cursor and goes with it.
    """

    def __init__(self, outlet: Outlet, meter: ProgressMeter, *, has_colors: bool) -> None:
        super().__init__(name="progress bar", daemon=True)
        self._outlet = outlet
        self._meter = meter
        self._has_colors = has_colors
        self._began_at = time.monotonic()
        self._heard: Progress | None = None
        self._heard_at = self._began_at
        self._line = b""
        self._is_drawn = False
        self._is_line_open = False
        self._closing = threading.Event()
        self._lock = threading.Lock()

    def run(self) -> None:
        """Redraw until closed."""
        self._outlet.divert(self._put_above)
        while not self._closing.wait(_TICK_SECONDS):
            self._line = self._render()
            self._outlet.nudge()

    def make_way(self, data: bytes) -> None:
        """Take the bar away before somebody else writes ``data`` to the same terminal; it comes back by itself."""
        with self._lock:
            self._clear()
            self._is_line_open = not data.endswith(b"\n")

    def close(self) -> None:
        """Take the bar away for good; a terminal that nobody can write to is left as it is."""
        self._closing.set()
        self.join(_CLOSE_SECONDS)
        self._line = b""
        self._outlet.flush()
        if self._lock.acquire(timeout=_CLOSE_SECONDS):
            self._outlet.divert(None)
            self._clear()
            self._lock.release()

    def _clear(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            with contextlib.suppress(OSError):  # the terminal is gone, and the bar with it
                self._outlet.put(_CLEAR)

    def _put_above(self, data: bytes) -> None:
        with self._lock:
            if self._is_line_open:
                # In the middle of a line of the child's: there is no place for a bar before it ends.
                self._outlet.put(b"\n" + data if data else b"")
                self._is_line_open = not data
                return
            # What was handed to the outlet before the end may come to be written after it: then without a bar.
            line = b"" if self._closing.is_set() else self._line
            self._outlet.put((_CLEAR if self._is_drawn else b"") + data + line)
            self._is_drawn = bool(line)

    def _render(self) -> bytes:
        try:
            columns = os.get_terminal_size(self._outlet.fd).columns
        except OSError:
            return b""
        if columns < _COLUMNS_LEAST or not self._meter.phase:
            return b""
        now = time.monotonic()
        if self._meter.latest is not self._heard:
            self._heard, self._heard_at = self._meter.latest, now
        view = View(self._meter.phase, self._heard, now - self._began_at, now - self._heard_at)
        return draw(view, columns - 1, has_colors=self._has_colors)


@dataclass(frozen=True)
class View:
    """What the bar shows. ``age_seconds``: Lightning tells its progress every five minutes, the clock runs on."""

    phase: str
    progress: Progress | None
    elapsed_seconds: float
    age_seconds: float = 0.0


def draw(view: View, columns: int, *, has_colors: bool) -> bytes:
    """Draw the bar for a line of so many columns, the cursor back at its beginning."""
    from rich.console import Console

    console = Console(
        width=columns,
        force_terminal=True,
        color_system="standard" if has_colors else None,
        no_color=not has_colors,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as captured:
        console.print(_grid(view, columns), end="", no_wrap=True)
    return captured.get().split("\n")[0].encode("utf-8", "replace") + b"\r"


def _grid(view: View, columns: int) -> RenderableType:
    from rich.progress_bar import ProgressBar as Bar
    from rich.table import Table

    facts = _facts(view)
    left = columns - len(view.phase) - _GAP
    while facts and sum(len(fact) + _GAP for fact in facts) > left:
        facts.pop()
    left -= sum(len(fact) + _GAP for fact in facts)
    percent = view.progress.percent if view.progress else None
    cells: list[RenderableType] = [view.phase]
    if percent is not None and left >= _BAR_LEAST + _GAP:
        cells.append(Bar(100, min(percent, 100.0), width=min(left - _GAP, _BAR_MOST)))
    grid = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=False)
    grid.add_row(*cells, *facts)
    return grid


def _facts(view: View) -> list[str]:
    """Say the numbers that there are, the most telling first."""
    facts = []
    if progress := view.progress:
        if progress.percent is not None:
            facts.append(f"{progress.percent:.0f}%")
        if progress.remaining_seconds is not None:
            facts.append(f"{clock_text(max(progress.remaining_seconds - view.age_seconds, 0.0))} left")
        if progress.rate_bytes_per_second is not None:
            facts.append(f"{progress.rate_bytes_per_second / (1 << 20):.1f} MiB/s")
        if progress.tables_total:
            facts.append(f"tables {progress.tables_done}/{progress.tables_total}")
    return [*facts, clock_text(view.elapsed_seconds)]


def clock_text(seconds: float) -> str:
    """Write a duration as a clock would.

    >>> clock_text(5), clock_text(3725), clock_text(200000)
    ('0:05', '1:02:05', '55:33:20')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
