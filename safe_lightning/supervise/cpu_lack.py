"""How much of the CPU time that the child wants it does not get, as the kernel counts it (Linux).

An import that uses every CPU is a healthy one, so how much it uses tells nothing. What slows it down is waiting for a
CPU: the scheduler counts for each thread how long it ran and how long it was ready to run and did not
(``/proc/PID/task/TID/schedstat``), a container's quota included. What a hypervisor takes away counts as running there,
and as stolen in ``/proc/stat``.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass

#: A warning needs a whole minute at the default interval: a busy moment is none.
LOOKS = 6
_WANTED_CPUS_LEAST = 0.5
_THROTTLED_SHARE_LEAST = 0.1
_NANO = 1e-9
_MICRO = 1e-6


@dataclass(frozen=True)
class CpuCounters:
    """What the kernel has counted until one moment.

    ``threads``: seconds that each thread of the child ran and waited. ``throttled_seconds``: how long its control
    group was held back. ``stolen``: ticks of this machine that the hypervisor took, and all ticks that were not idle.
    """

    at: float
    threads: Mapping[int, tuple[float, float]]
    throttled_seconds: float = 0.0
    stolen: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class CpuLack:
    """The share of the wanted CPU time that was not given, and who has it."""

    percent: float
    why: str

    @property
    def sentence(self) -> str:
        """Say it for people."""
        return f"the child waits for a CPU for {self.percent:.0f} % of the time it wants one: {self.why}"


class CpuWatch:
    """Looks at one child again and again; tells its lack over the last looks."""

    def __init__(self, pid: int, proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> None:
        self._pid = pid
        self._proc = proc
        self._groups = groups
        self._seen: deque[CpuCounters] = deque(maxlen=LOOKS + 1)

    def look(self) -> CpuLack | None:
        """Look once more; None until there were enough looks, where the child wants little, or nothing is counted."""
        threads = dict(_threads(self._proc, self._pid))
        if not threads:
            self._seen.clear()
            return None
        throttled = _throttled_seconds(self._proc, self._groups, self._pid)
        self._seen.append(CpuCounters(time.monotonic(), threads, throttled, _stolen(self._proc)))
        return lack(self._seen[0], self._seen[-1]) if len(self._seen) > LOOKS else None


def lack(earlier: CpuCounters, later: CpuCounters) -> CpuLack | None:
    """Say what was lacking between two moments; None where the child wanted less than half a CPU.

    >>> lack(CpuCounters(0, {7: (1, 1)}), CpuCounters(60, {7: (16, 46)}))
    CpuLack(percent=75.0, why='its CPUs have more work than they can do')
    """
    ran, waited = (
        sum(
            max(0.0, now[part] - earlier.threads.get(thread, (0.0, 0.0))[part]) for thread, now in later.threads.items()
        )
        for part in (0, 1)
    )
    wanted = ran + waited
    if not wanted or wanted < _WANTED_CPUS_LEAST * (later.at - earlier.at):
        return None
    busy = later.stolen[1] - earlier.stolen[1]
    stolen = ran * (later.stolen[0] - earlier.stolen[0]) / busy if busy > 0 else 0.0
    if later.throttled_seconds - earlier.throttled_seconds > _THROTTLED_SHARE_LEAST * (later.at - earlier.at):
        why = "the CPU quota of its control group is used up"
    elif stolen > waited:
        why = "the hypervisor gives the CPUs to other machines"
    else:
        why = "its CPUs have more work than they can do"
    return CpuLack(100.0 * (waited + stolen) / wanted, why)


def _threads(proc: Path, pid: int) -> Iterator[tuple[int, tuple[float, float]]]:
    """Read what each thread of a process and of its descendants has counted; one that ends meanwhile is left out."""
    try:
        tasks = list((proc / str(pid) / "task").iterdir())
    except OSError:
        return
    for task in tasks:
        try:
            ran, waited = (task / "schedstat").read_text().split()[:2]
            yield int(task.name), (int(ran) * _NANO, int(waited) * _NANO)
            children = (task / "children").read_text().split()
        except (OSError, ValueError):
            continue
        for child in children:
            yield from _threads(proc, int(child))


def _throttled_seconds(proc: Path, groups: Path, pid: int) -> float:
    """Read how long the control group, or one that it is a part of, was held back by its quota; 0 if that is untold."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return 0.0
    found = [0.0]
    for line in lines:
        _, kinds, place = line.split(":", 2)
        if not kinds or "cpu" in kinds.split(","):
            root = groups / kinds if kinds else groups
            folder = root / place.strip("/")
            inner = [root, *(part for part in (folder, *folder.parents) if root in part.parents)]
            found += [_throttled_in(part / "cpu.stat") for part in inner]
    return max(found)


def _throttled_in(path: Path) -> float:
    try:
        counted = dict(line.split() for line in path.read_text().splitlines())
        return int(counted.get("throttled_usec", 0)) * _MICRO + int(counted.get("throttled_time", 0)) * _NANO
    except (OSError, ValueError):
        return 0.0


def _stolen(proc: Path) -> tuple[float, float]:
    try:
        with (proc / "stat").open() as file:
            user, nice, system, _idle, _waiting, interrupts, soft, stolen = map(int, file.readline().split()[1:9])
    except (OSError, ValueError):
        return 0.0, 0.0
    return float(stolen), float(user + nice + system + interrupts + soft + stolen)
