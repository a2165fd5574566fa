"""Watching a running import: memory, CPU, files, disks, and whether it still makes progress."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.lean_import import psutil
from safe_lightning.supervise.cpu_lack import CpuLack, CpuWatch


@dataclass(frozen=True)
class Limits:
    """Where a warning begins, in percent, and how long without progress is a stall (0: never)."""

    memory_available_least: float
    disk_free_least: float
    open_files_most: float
    stall_after_seconds: float
    cpu_lack_most: float = 100.0


@dataclass(frozen=True)
class Sample:
    """One look at the host and the child; what could not be learned is None."""

    memory_available_percent: float | None = None
    open_files_percent: float | None = None
    disk_free_percent: Mapping[str, float] = field(default_factory=dict)
    quiet_seconds: float = 0.0
    cpu_lack: CpuLack | None = None


@dataclass(frozen=True)
class Alarm:
    """One thing that runs out: a stable name and the figures."""

    name: str
    subject: str
    percent: float
    message: str = ""


def assess(sample: Sample, limits: Limits) -> tuple[Alarm, ...]:
    """Say which limits a sample crosses.

    >>> assess(Sample(memory_available_percent=3.0), Limits(5, 5, 90, 0))
    (Alarm(name='memory-low', subject='memory', percent=3.0, message=''),)
    """
    alarms = []
    memory, files = sample.memory_available_percent, sample.open_files_percent
    if memory is not None and memory < limits.memory_available_least:
        alarms.append(Alarm("memory-low", "memory", memory))
    if files is not None and files > limits.open_files_most:
        alarms.append(Alarm("open-files-high", "open files", files))
    if sample.cpu_lack is not None and sample.cpu_lack.percent > limits.cpu_lack_most:
        alarms.append(Alarm("cpu-short", "CPU", sample.cpu_lack.percent, sample.cpu_lack.sentence))
    for path, free in sample.disk_free_percent.items():
        if free < limits.disk_free_least:
            alarms.append(Alarm("disk-low", path, free))
    return tuple(alarms)


def is_stalled(sample: Sample, limits: Limits) -> bool:
    """Tell a stall: no progress for longer than allowed, however lively the log is."""
    return 0 < limits.stall_after_seconds <= sample.quiet_seconds


class Watchdog(threading.Thread):
    """Looks every ``interval_seconds``; says each alarm once until it has passed."""

    def __init__(
        self,
        *,
        pid: int,
        interval_seconds: float,
        limits: Limits,
        disk_paths: Iterable[Path],
        on_event: Callable[..., None],
        on_stall: Callable[[float], None],
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._pid = pid
        self._cpu = CpuWatch(pid)
        self._interval_seconds = interval_seconds
        self._limits = limits
        self._disk_paths = tuple(disk_paths)
        self._on_event = on_event
        self._on_stall = on_stall
        self._ended = threading.Event()
        # Monotonic, so that a clock that jumps is no stall.
        self._progress_at = time.monotonic()
        self._raised: set[tuple[str, str]] = set()
        self._has_stalled = False

    def note_progress(self) -> None:
        """Take note that the import moved: a counter changed, a file or an engine was completed."""
        self._progress_at = time.monotonic()
        self._has_stalled = False

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()

    def run(self) -> None:
        """Watch until the end."""
        while not self._ended.wait(self._interval_seconds):
            self._look(self._sample())

    def _look(self, sample: Sample) -> None:
        alarms = assess(sample, self._limits)
        now = {(alarm.name, alarm.subject) for alarm in alarms}
        for alarm in alarms:
            if (alarm.name, alarm.subject) not in self._raised:
                told = {"message": alarm.message} if alarm.message else {}
                self._on_event(alarm.name, subject=alarm.subject, percent=round(alarm.percent, 1), **told)
        self._raised = now
        if is_stalled(sample, self._limits) and not self._has_stalled:
            self._has_stalled = True
            self._on_stall(sample.quiet_seconds)

    def _sample(self) -> Sample:
        memory = psutil.virtual_memory()
        return Sample(
            memory_available_percent=100.0 * memory.available / memory.total,
            open_files_percent=_open_files_percent(self._pid),
            disk_free_percent=dict(_disk_free_percent(self._disk_paths)),
            quiet_seconds=time.monotonic() - self._progress_at,
            cpu_lack=self._cpu.look(),
        )


def _open_files_percent(pid: int) -> float | None:
    with contextlib.suppress(psutil.Error, AttributeError, OSError):
        process = psutil.Process(pid)
        soft, _ = process.rlimit(psutil.RLIMIT_NOFILE)
        return 100.0 * process.num_fds() / soft if soft > 0 else None
    return None


def _disk_free_percent(paths: Iterable[Path]) -> Iterable[tuple[str, float]]:
    for path in paths:
        with contextlib.suppress(OSError):
            place = next(p for p in (path.absolute(), *path.absolute().parents) if p.exists())
            yield str(path), 100.0 - psutil.disk_usage(str(place)).percent
