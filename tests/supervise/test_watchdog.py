"""The watchdog: what runs out is said once, and a stall is measured by progress alone."""

from __future__ import annotations

import os
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.supervise.watchdog import Alarm, Limits, Sample, Watchdog, assess, is_stalled

LIMITS = Limits(memory_available_least=5, disk_free_least=5, open_files_most=90, stall_after_seconds=60)


@pytest.mark.parametrize(
    ("sample", "alarms"),
    [
        (Sample(), []),
        (Sample(memory_available_percent=5, open_files_percent=90, disk_free_percent={"/d": 5}), []),
        (Sample(memory_available_percent=4.9), [Alarm("memory-low", "memory", 4.9)]),
        (Sample(open_files_percent=90.1), [Alarm("open-files-high", "open files", 90.1)]),
        (Sample(disk_free_percent={"/a": 50, "/b": 1}), [Alarm("disk-low", "/b", 1)]),
        (
            Sample(memory_available_percent=0, open_files_percent=100, disk_free_percent={"/a": 0}),
            [Alarm("memory-low", "memory", 0), Alarm("open-files-high", "open files", 100), Alarm("disk-low", "/a", 0)],
        ),
    ],
)
def test_which_limits_a_sample_crosses(sample: Sample, alarms: list[Alarm]) -> None:
    assert list(assess(sample, LIMITS)) == alarms


@pytest.mark.parametrize(
    ("quiet_seconds", "after_seconds", "stalled"), [(59.9, 60, False), (60, 60, True), (10_000, 0, False)]
)
def test_when_a_quiet_import_is_stalled(quiet_seconds: float, after_seconds: float, stalled: bool) -> None:
    assert is_stalled(Sample(quiet_seconds=quiet_seconds), Limits(0, 0, 100, after_seconds)) is stalled


@contextmanager
def watching(said: queue.Queue[Any], limits: Limits, *places: Path, pid: int = 0) -> Iterator[Watchdog]:
    dog = Watchdog(
        pid=pid or os.getpid(),
        interval_seconds=0.01,
        limits=limits,
        disk_paths=places,
        on_event=lambda name, **fields: said.put((name, fields["subject"])),
        on_stall=lambda seconds: said.put(("stall", seconds)),
    )
    dog.start()
    try:
        yield dog
    finally:
        dog.end()
        dog.join(10)
    assert not dog.is_alive()


def test_an_alarm_is_said_once_and_a_stall_once_until_there_is_progress() -> None:
    said: queue.Queue[Any] = queue.Queue()
    with watching(said, Limits(101, 0, 100, 0.05)) as dog:
        assert said.get(timeout=10) == ("memory-low", "memory")
        assert said.get(timeout=10)[0] == "stall"
        with pytest.raises(queue.Empty):
            said.get(timeout=0.2)
        dog.note_progress()
        name, quiet_seconds = said.get(timeout=10)
        assert (name, quiet_seconds >= 0.05) == ("stall", True)


def test_steady_progress_is_no_stall() -> None:
    said: queue.Queue[Any] = queue.Queue()
    with watching(said, Limits(0, 0, 100, 0.5)) as dog:
        for _ in range(12):
            dog.note_progress()
            with pytest.raises(queue.Empty):
                said.get(timeout=0.06)


def test_a_place_that_is_not_there_yet_is_measured_where_it_will_be(tmp_path: Path) -> None:
    said: queue.Queue[Any] = queue.Queue()
    with watching(said, Limits(0, 101, 100, 0), tmp_path / "sorted" / "kv", Path("relative/place")):
        assert {said.get(timeout=10), said.get(timeout=10)} == {
            ("disk-low", str(tmp_path / "sorted" / "kv")),
            ("disk-low", "relative/place"),
        }


def test_a_child_that_is_gone_or_a_place_that_cannot_be_seen_raises_no_alarm(tmp_path: Path) -> None:
    said: queue.Queue[Any] = queue.Queue()
    (tmp_path / "file").write_text("")
    with watching(said, Limits(101, 101, 0, 0), Path("x" * 5000), pid=2**22 - 1):
        assert said.get(timeout=10) == ("memory-low", "memory")
        with pytest.raises(queue.Empty):
            said.get(timeout=0.1)


def test_open_files_are_counted_against_the_limit_of_the_child() -> None:
    said: queue.Queue[Any] = queue.Queue()
    with watching(said, Limits(0, 0, 0, 0)):
        assert said.get(timeout=10) == ("open-files-high", "open files")
