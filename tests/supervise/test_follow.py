"""Following a log that is rotated, cut, replaced, deleted or made late: every line of ours, once, in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safe_lightning.supervise import follow as follow_module
from safe_lightning.supervise.follow import LogFollower, LogMark, mark_end

WAIT_SECONDS = 20.0


class Heard:
    """A follower, and what it has delivered and said so far."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.events: list[str] = []
        self._changed = threading.Condition()
        self.follower = LogFollower(self._take, self._hear)

    def _take(self, lines: list[bytes]) -> None:
        with self._changed:
            self.lines += lines
            self._changed.notify_all()

    def _hear(self, event: str, **fields: object) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def wait(self, is_there: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(is_there, WAIT_SECONDS), (self.lines, self.events)

    def wait_for_line(self, line: bytes) -> None:
        self.wait(lambda: line in self.lines)

    def wait_for_event(self, event: str) -> None:
        self.wait(lambda: event in self.events)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "lightning.log"


@pytest.fixture
def heard() -> Iterator[Heard]:
    made = Heard()
    yield made
    made.follower.stop()


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def begin(heard: Heard, log: Path) -> None:
    heard.follower.set_path(mark_end(log))
    heard.follower.start()


def rotate(log: Path, stamp: str) -> Path:
    """Do as lumberjack does: rename, then make a new file."""
    backup = log.with_name(f"{log.stem}-{stamp}{log.suffix}")
    log.rename(backup)
    log.touch()
    return backup


def test_lines_come_while_they_are_written(heard: Heard, log: Path) -> None:
    begin(heard, log)
    append(log, b"a\nb\n")
    heard.wait_for_line(b"b")
    append(log, b"c\n")
    heard.wait_for_line(b"c")
    assert (heard.lines, heard.events) == ([b"a", b"b", b"c"], [])


def test_what_was_there_before_our_start_is_not_ours(heard: Heard, log: Path) -> None:
    append(log, b"an earlier run\n")
    begin(heard, log)
    append(log, b"ours\n")
    heard.follower.stop()
    assert heard.lines == [b"ours"]
    assert heard.follower.byte_count == 5


def test_everything_left_is_read_before_stop_returns(heard: Heard, log: Path) -> None:
    begin(heard, log)
    append(log, b"x" * 999 + b"\n")
    append(log, (b"y" * 999 + b"\n") * 5000)
    heard.follower.stop()
    assert len(heard.lines) == 5001


def test_a_follower_that_was_never_started_still_reads_everything(heard: Heard, log: Path) -> None:
    heard.follower.set_path(mark_end(log))
    append(log, b"a\n")
    heard.follower.stop()
    assert heard.lines == [b"a"]


@pytest.mark.parametrize(("data", "ended_in_line"), [(b"a\nb", True), (b"a\nb\n", False)])
def test_a_last_line_without_its_end_is_delivered_and_told(
    heard: Heard, log: Path, data: bytes, ended_in_line: bool
) -> None:
    begin(heard, log)
    append(log, data)
    heard.follower.stop()
    assert heard.lines == [b"a", b"b"]
    assert heard.follower.ended_in_line == ended_in_line


def test_a_line_written_in_pieces_is_one_line(heard: Heard, log: Path) -> None:
    begin(heard, log)
    append(log, b"first\nbeg")
    heard.wait_for_line(b"first")
    append(log, b"inning\n")
    heard.wait_for_line(b"beginning")


def test_a_log_that_is_made_late(heard: Heard, log: Path) -> None:
    folder = log.parent / "made" / "later"
    begin(heard, folder / "lightning.log")
    folder.mkdir(parents=True)
    append(folder / "lightning.log", b"a\n")
    heard.wait_for_line(b"a")


def test_a_path_that_is_known_late(heard: Heard, log: Path) -> None:
    heard.follower.start()
    append(log, b"written before the path was known\n")
    heard.follower.set_path(LogMark(log))
    heard.wait_for_line(b"written before the path was known")


def test_the_same_path_once_more_changes_nothing(heard: Heard, log: Path) -> None:
    begin(heard, log)
    append(log, b"a\n")
    heard.wait_for_line(b"a")
    heard.follower.set_path(LogMark(log))
    append(log, b"b\n")
    heard.follower.stop()
    assert heard.lines == [b"a", b"b"]


def test_without_any_path_nothing_is_heard(heard: Heard) -> None:
    heard.follower.start()
    heard.follower.stop()
    assert (heard.lines, heard.events) == ([], [])


def test_a_rotation_loses_no_line(heard: Heard, log: Path) -> None:
    begin(heard, log)
    append(log, b"old 1\n")
    heard.wait_for_line(b"old 1")
    backup = rotate(log, "2024-01-02T03-04-05.678")
    append(backup, b"old 2\n")
    append(log, b"new 1\n")
    heard.wait_for_line(b"new 1")
    assert (heard.lines, heard.events) == ([b"old 1", b"old 2", b"new 1"], ["log-rotated"])


def test_several_rotations_between_two_looks_lose_no_line(heard: Heard, log: Path) -> None:
    append(log, b"before\n")
    heard.follower.set_path(mark_end(log))
    for number in range(4):
        append(log, b"in file %d\n" % number)
        rotate(log, f"2024-01-02T03-04-0{number}.000")
    append(log, b"in the last\n")
    heard.follower.stop()
    assert heard.lines == [*(b"in file %d" % number for number in range(4)), b"in the last"]


def test_older_backups_of_earlier_runs_are_not_ours(heard: Heard, log: Path) -> None:
    append(log.with_name("lightning-2023-01-01T00-00-00.000.log"), b"an earlier run\n")
    append(log.with_name("lightning-of-another.log"), b"another program\n")
    begin(heard, log)
    append(log, b"a\n")
    heard.wait_for_line(b"a")
    rotate(log, "2024-01-02T03-04-05.678")
    append(log, b"b\n")
    heard.follower.stop()
    assert heard.lines == [b"a", b"b"]


def test_many_rotations_while_it_is_followed_lose_no_line(heard: Heard, log: Path) -> None:
    begin(heard, log)
    for number in range(300):
        append(log, b"line %d\n" % number)
        if number % 7 == 0:
            rotate(log, f"2024-01-02T03-04-05.{number:03}")
    heard.follower.stop()
    assert heard.lines == [b"line %d" % number for number in range(300)]


def test_a_log_that_is_cut_to_nothing_is_read_from_its_beginning(heard: Heard, log: Path) -> None:
    begin(heard, log)
    append(log, b"a long first line\n")
    heard.wait_for_line(b"a long first line")
    os.truncate(log, 0)
    append(log, b"b\n")
    heard.wait_for_line(b"b")
    assert heard.events == ["log-truncated"]


def test_a_log_that_was_cut_below_our_mark_is_read_from_its_beginning(heard: Heard, log: Path) -> None:
    append(log, b"an earlier run that said a lot\n")
    heard.follower.set_path(mark_end(log))
    os.truncate(log, 0)
    append(log, b"ours\n")
    heard.follower.stop()
    assert heard.lines == [b"ours"]


def test_a_deleted_log_is_read_on_and_its_successor_after_it(heard: Heard, log: Path) -> None:
    begin(heard, log)
    with log.open("ab", buffering=0) as held:
        held.write(b"a\n")
        heard.wait_for_line(b"a")
        log.unlink()
        heard.wait_for_event("log-gone")
        held.write(b"written to the deleted file\n")
        heard.wait_for_line(b"written to the deleted file")
    append(log, b"b\n")
    heard.wait_for_line(b"b")
    assert heard.events == ["log-gone", "log-replaced"]


def test_a_log_replaced_by_another_file_is_followed_there(heard: Heard, log: Path) -> None:
    begin(heard, log)
    append(log, b"a\n")
    heard.wait_for_line(b"a")
    append(log.with_name("other"), b"b\n")
    log.with_name("other").replace(log)
    heard.wait_for_line(b"b")
    assert heard.events == ["log-replaced"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "folder"])
def test_what_is_no_file_is_told_and_does_not_hold_us_up(heard: Heard, log: Path, make: Callable[[Path], None]) -> None:
    make(log)
    begin(heard, log)
    heard.wait_for_event("log-unreadable")
    heard.follower.stop()
    assert heard.events == ["log-unreadable"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_log_that_may_not_be_read_is_told(heard: Heard, log: Path) -> None:
    append(log, b"")
    log.chmod(0)
    begin(heard, log)
    heard.wait_for_event("log-unreadable")


def test_a_line_without_end_is_cut_and_told(heard: Heard, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard.follower._lines = follow_module.LineBuffer(1 << 20)
    begin(heard, log)
    append(log, b"x" * (3 << 20) + b"\nnext\n")
    heard.follower.stop()
    assert [len(line) < 2 << 20 for line in heard.lines] == [True, True]
    assert heard.lines[-1] == b"next"
    assert heard.events == ["log-line-cut"]


def test_what_the_listener_raises_is_raised_by_stop(log: Path) -> None:
    def fail(lines: list[bytes]) -> None:
        raise ValueError("cannot take it")

    follower = LogFollower(fail, lambda event, **fields: None)
    follower.set_path(mark_end(log))
    follower.start()
    append(log, b"a\n")
    with pytest.raises(ValueError, match="cannot take it"):
        follower.stop()


def test_an_end_that_is_not_reached_in_time_is_told(log: Path) -> None:
    heard = Heard()
    append(log, b"")
    heard.follower.set_path(mark_end(log))
    append(log, (b"x" * 999 + b"\n") * 2000)
    heard.follower.stop(drain_seconds=0.0)
    assert heard.events == ["log-not-drained"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(["write", "piece", "rotate"]), max_size=12))
def test_whatever_happens_before_a_look_every_line_comes_once(tmp_path: Path, steps: list[str]) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    log, written = folder / "lightning.log", b""
    log.touch()
    heard = Heard()
    heard.follower.set_path(mark_end(log))
    for number, step in enumerate(steps):
        if step == "rotate" and (not written or written.endswith(b"\n")):
            rotate(log, f"2024-01-02T03-04-05.{number:03}")
        else:
            data = b"%d%s" % (number, b"" if step == "piece" else b"\n")
            append(log, data)
            written += data
    heard.follower.stop()
    assert heard.lines == written.splitlines()
