"""The progress bar on a real terminal (a pseudo-terminal): below the events, out of the way, gone at the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from safe_lightning import logs
from safe_lightning.core.logline import parse_line
from safe_lightning.core.progress import Progress, ProgressMeter
from safe_lightning.policy.model import LogPolicy
from safe_lightning.report import progress_bar as module
from safe_lightning.report.progress_bar import ProgressBar, View, draw, open_progress_bar

WAIT_SECONDS = 20.0
HALF = Progress(
    percent=45.3, tables_done=3, tables_total=10, rate_bytes_per_second=12.25 * (1 << 20), remaining_seconds=750.0
)


def shown(view: View, columns: int = 79) -> str:
    return draw(view, columns, has_colors=False).decode().rstrip("\r")


@pytest.mark.parametrize(
    ("columns", "facts"),
    [
        (79, ["writing", "━", "45%", "12:30 left", "12.2 MiB/s", "tables 3/10", "1:40"]),
        (60, ["writing", "45%", "12:30 left", "12.2 MiB/s", "tables 3/10", "1:40"]),
        (40, ["writing", "45%", "12:30 left", "12.2 MiB/s"]),
        (25, ["writing", "━", "45%"]),
    ],
)
def test_the_most_telling_numbers_are_shown_for_the_room_there_is(columns: int, facts: list[str]) -> None:
    line = shown(View("writing", HALF, 100.0), columns)
    assert len(line) <= columns
    assert [part[:1] if part.startswith("━") else part for part in re.split(" {2,}", line)] == facts


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (View("creating tables", None, 5.0), "creating tables  0:05"),
        (View("writing", Progress(), 5.0), "writing  0:05"),
        (View("checksum", Progress(tables_done=1, tables_total=2), 3725.0), "checksum  tables 1/2  1:02:05"),
        (View("writing", Progress(remaining_seconds=100.0), 5.0, age_seconds=40.0), "writing  1:00 left  0:05"),
        (View("writing", Progress(remaining_seconds=100.0), 5.0, age_seconds=400.0), "writing  0:00 left  0:05"),
    ],
)
def test_what_is_not_known_is_not_shown(view: View, line: str) -> None:
    assert shown(view) == line


def test_a_total_that_is_exceeded_fills_the_bar_and_no_more() -> None:
    assert len(shown(View("writing", Progress(percent=104.0), 1.0))) <= 79


class Terminal:
    """A pseudo-terminal, what came out at it, and a screen of one line to see what is left of it."""

    def __init__(self, columns: int = 80) -> None:
        self.master_fd, self.slave_fd = pty.openpty()
        self.resize(columns)
        self.output = b""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """End the reader before its descriptor's number can belong to the next terminal."""
        os.close(self.slave_fd)
        self._reader.join(WAIT_SECONDS)
        assert not self._reader.is_alive()
        os.close(self.master_fd)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.slave_fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self.master_fd, 1 << 16)
            except OSError:
                return
            with self._changed:
                self.output += data
                self._changed.notify_all()

    def wait_for(self, text: str) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: text.encode() in self.output, WAIT_SECONDS), self.output

    @property
    def lines(self) -> list[str]:
        """What stands on the screen: a line is cleared by CR, ESC [J, and overwritten behind a CR."""
        text = self.output.decode().replace("\r\n", "\n")
        return [re.split("\r\x1b\\[J", line)[-1].rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    logs.configure(LogPolicy(format="json"), stderr_fd=os.open(os.devnull, os.O_WRONLY))
    made.close()


@pytest.fixture
def meter() -> ProgressMeter:
    made = ProgressMeter()
    for line in (
        "[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] [\"restore file start\"] [table=`a`.`b`]",
        '[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] [progress] [total=27.6%] [tables="1/4 (25.0%)"]',
    ):  # fmt: skip
        record = parse_line(line)
        assert record is not None
        made.note(record)
    return made


def opened(terminal: Terminal, meter: ProgressMeter, policy: LogPolicy | None = None) -> ProgressBar | None:
    logs.configure(policy or LogPolicy(), stderr_fd=terminal.slave_fd)
    return open_progress_bar(policy or LogPolicy(), meter)


@pytest.fixture
def bar(terminal: Terminal, meter: ProgressMeter, monkeypatch: pytest.MonkeyPatch) -> Iterator[ProgressBar]:
    monkeypatch.setattr(module, "_TICK_SECONDS", 0.02)
    monkeypatch.setenv("TERM", "xterm")
    made = opened(terminal, meter)
    assert made is not None
    yield made
    made.close()


def test_it_shows_what_lightning_says(terminal: Terminal, bar: ProgressBar) -> None:
    terminal.wait_for("tables 1/4")
    terminal.wait_for("28%")


def test_events_stand_above_it(terminal: Terminal, bar: ProgressBar) -> None:
    terminal.wait_for("tables 1/4")
    logs.get_logger().info("first")
    logs.get_logger().info("second")
    terminal.wait_for("second")
    bar.close()
    wait_until(lambda: [line[-6:].strip() for line in plain_lines(terminal)] == ["first", "second", ""])


def plain_lines(terminal: Terminal) -> list[str]:
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in terminal.lines]


def test_it_is_gone_at_the_end(terminal: Terminal, bar: ProgressBar) -> None:
    terminal.wait_for("tables 1/4")
    bar.close()
    logs.get_logger().info("later")
    logs.flush()
    terminal.wait_for("later")
    assert "tables 1/4" not in "".join(terminal.lines)
    assert terminal.output.count(b"later") == 1


def test_it_makes_way_for_the_child_and_comes_back(terminal: Terminal, bar: ProgressBar) -> None:
    terminal.wait_for("tables 1/4")
    bar.make_way(b"tidb lightning exit\n")
    os.write(terminal.slave_fd, b"tidb lightning exit\n")
    terminal.wait_for("tidb lightning exit")
    seen = len(terminal.output)
    terminal.wait_for("exit\r\n")
    wait_until(lambda: b"tables 1/4" in terminal.output[seen:])
    bar.close()
    wait_until(lambda: plain_lines(terminal) == ["tidb lightning exit", ""])


def test_it_stays_away_from_a_line_that_the_child_has_not_ended(terminal: Terminal, bar: ProgressBar) -> None:
    terminal.wait_for("tables 1/4")
    bar.make_way(b"an open ")
    os.write(terminal.slave_fd, b"an open ")
    terminal.wait_for("an open ")
    time.sleep(0.1)
    bar.make_way(b"line\n")
    os.write(terminal.slave_fd, b"line\n")
    terminal.wait_for("an open line")
    bar.close()
    wait_until(lambda: plain_lines(terminal) == ["an open line", ""])


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not is_so() and time.monotonic() < deadline:
        time.sleep(0.005)
    assert is_so()


def test_it_follows_the_width_of_the_window(terminal: Terminal, bar: ProgressBar) -> None:
    terminal.wait_for("tables 1/4")
    terminal.resize(30)
    wait_until(lambda: 0 < len(plain_lines(terminal)[-1]) < 30)
    terminal.resize(10)
    wait_until(lambda: plain_lines(terminal)[-1] == "")


def test_a_terminal_that_takes_nothing_holds_nobody_up(terminal: Terminal, meter: ProgressMeter) -> None:
    bar = opened(terminal, meter)
    assert bar is not None
    termios.tcflow(terminal.slave_fd, termios.TCOOFF)
    started = time.monotonic()
    for number in range(1000):
        logs.get_logger().info("event", number=number)
    assert time.monotonic() - started < 5
    termios.tcflow(terminal.slave_fd, termios.TCOON)
    bar.close()


@pytest.mark.parametrize(
    ("policy", "term"),
    [(LogPolicy(progress="off"), "xterm"), (LogPolicy(format="json"), "xterm"), (LogPolicy(), "dumb")],
)
def test_where_there_is_none(
    terminal: Terminal, meter: ProgressMeter, monkeypatch: pytest.MonkeyPatch, policy: LogPolicy, term: str
) -> None:
    monkeypatch.setenv("TERM", term)
    assert opened(terminal, meter, policy) is None


def test_there_is_none_without_a_terminal(meter: ProgressMeter) -> None:
    read_fd, write_fd = os.pipe()
    policy = LogPolicy(format="console")
    logs.configure(policy, stderr_fd=write_fd)
    assert open_progress_bar(policy, meter) is None
    os.close(read_fd)


def test_rich_is_not_imported_before_a_bar_is_drawn() -> None:
    code = "import sys, safe_lightning.report.progress_bar, safe_lightning.logs as logs; logs.get_logger().info('e'); "
    code += "print('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
