"""Writing to somebody who may be slow, gone or asleep, without waiting for him longer than two seconds."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Iterator

import pytest

from safe_lightning.report import outlet as outlet_module
from safe_lightning.report.outlet import Outlet

LINES = b"x" * 999 + b"\n"
MIB_OF_LINES = LINES * 1000


class Pipe:
    """A pipe, and what was said about the outlet that writes to it."""

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe()
        self.troubles: list[tuple[str, object]] = []
        self.outlet = Outlet(self.write_fd, lambda event, **fields: self.troubles.append((event, fields.get("reason"))))

    def read_all(self) -> bytes:
        """Read until nothing comes any more."""
        data = b""
        while is_readable(self.read_fd, 0.02) or not self.outlet.flush():
            if is_readable(self.read_fd, 0):
                data += os.read(self.read_fd, 1 << 20)
        return data


def is_readable(fd: int, timeout_seconds: float) -> bool:
    return bool(select.select([fd], [], [], timeout_seconds)[0])


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipe]:
    monkeypatch.setattr(outlet_module, "_STUCK_SECONDS", 0.2)
    made = Pipe()
    yield made
    os.close(made.read_fd)
    made.outlet.flush()


def test_what_is_written_arrives_in_order(pipe: Pipe) -> None:
    for number in range(100):
        pipe.outlet.write(b"%d\n" % number)
    assert pipe.outlet.flush()
    assert os.read(pipe.read_fd, 1 << 20).split() == [b"%d" % number for number in range(100)]


def test_who_writes_is_not_held_up_by_a_reader_that_sleeps(pipe: Pipe) -> None:
    started = time.monotonic()
    for _ in range(100):
        pipe.outlet.write(LINES)
    assert time.monotonic() - started < 5
    assert not pipe.outlet.flush()


def test_what_may_be_dropped_is_dropped_and_counted_where_nobody_reads(pipe: Pipe) -> None:
    for _ in range(30):
        pipe.outlet.write(MIB_OF_LINES, may_drop=True)
    assert pipe.outlet.dropped_lines >= 20_000


def test_what_may_not_be_dropped_waits_meanwhile(pipe: Pipe) -> None:
    for _ in range(12):
        pipe.outlet.write(MIB_OF_LINES, may_drop=True)
    pipe.outlet.write(b"the end\n")
    assert pipe.outlet.dropped_lines
    assert pipe.read_all().endswith(b"the end\n")


def test_a_reader_that_wakes_up_is_served_again(pipe: Pipe) -> None:
    for _ in range(12):
        pipe.outlet.write(MIB_OF_LINES, may_drop=True)
    pipe.read_all()
    dropped = pipe.outlet.dropped_lines
    pipe.outlet.write(b"again\n", may_drop=True)
    assert pipe.read_all() == b"again\n"
    assert pipe.outlet.dropped_lines == dropped


def test_a_reader_that_is_slow_costs_the_writer_one_wait_not_one_each_time(pipe: Pipe) -> None:
    stop = threading.Event()

    def read_slowly() -> None:
        while not stop.wait(0.01):
            if is_readable(pipe.read_fd, 0):
                os.read(pipe.read_fd, 4096)

    reader = threading.Thread(target=read_slowly)
    reader.start()
    started = time.monotonic()
    for _ in range(60):
        pipe.outlet.write(MIB_OF_LINES, may_drop=True)
    stop.set()
    reader.join()
    assert time.monotonic() - started < 60 * 0.2 / 2


def test_a_reader_that_is_gone_is_told_once_and_raised_never() -> None:
    pipe = Pipe()
    os.close(pipe.read_fd)
    for _ in range(5):
        pipe.outlet.write(LINES)
        pipe.outlet.flush()
    assert pipe.troubles == [("events-not-shown", "Broken pipe")]


def test_a_full_disk_is_told_once_and_raised_never() -> None:
    troubles: list[str] = []
    full = Outlet(os.open("/dev/full", os.O_WRONLY), lambda event, **fields: troubles.append(event))
    for _ in range(5):
        full.write(LINES)
        full.flush()
    assert troubles == ["events-not-shown"]


def test_a_descriptor_that_was_made_non_blocking_loses_nothing(pipe: Pipe) -> None:
    os.set_blocking(pipe.write_fd, False)
    pipe.outlet.write(MIB_OF_LINES)
    assert len(pipe.read_all()) == len(MIB_OF_LINES)


def test_somebody_else_can_do_the_writing_and_is_called_without_data_when_nudged(pipe: Pipe) -> None:
    given: list[bytes] = []
    pipe.outlet.divert(given.append)
    pipe.outlet.write(b"a\n")
    pipe.outlet.flush()
    pipe.outlet.nudge()
    deadline = time.monotonic() + 10
    while given != [b"a\n", b""] and time.monotonic() < deadline:
        time.sleep(0.001)
    assert given == [b"a\n", b""]
    pipe.outlet.divert(None)
    pipe.outlet.write(b"b\n")
    assert pipe.read_all() == b"b\n"
