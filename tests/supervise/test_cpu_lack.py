"""What a child lacks of the CPU: measured on real busy children, and told with its reason."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.supervise import cpu_lack
from safe_lightning.supervise.cpu_lack import LOOKS, CpuCounters, CpuLack, CpuWatch, lack
from safe_lightning.supervise.watchdog import Limits, Watchdog

OTHERS = "its CPUs have more work than they can do"
QUOTA = "the CPU quota of its control group is used up"
HYPERVISOR = "the hypervisor gives the CPUs to other machines"
BEFORE = CpuCounters(0, {1: (10, 10), 2: (5, 5)}, 3, (100, 1000))


@pytest.mark.parametrize(
    ("later", "told"),
    [
        (CpuCounters(60, {1: (70, 10), 2: (65, 5)}), CpuLack(0, OTHERS)),
        (CpuCounters(60, {1: (25, 55), 2: (5, 5)}), CpuLack(75, OTHERS)),
        (CpuCounters(60, {1: (10, 10), 3: (15, 45)}), CpuLack(75, OTHERS)),
        (CpuCounters(60, {1: (25, 55), 2: (5, 5)}, 10), CpuLack(75, QUOTA)),
        (CpuCounters(60, {1: (70, 10), 2: (5, 5)}, 3, (700, 2000)), CpuLack(60, HYPERVISOR)),
        (CpuCounters(60, {1: (14, 34), 2: (5, 5)}), None),
        (CpuCounters(60, {1: (10, 10), 2: (5, 5)}), None),
        (CpuCounters(60, {9: (1, 1)}), None),
    ],
    ids=[
        "all-it-wants", "a-quarter", "by-a-new-thread", "by-a-quota", "by-a-hypervisor", "wants-little",
        "wants-nothing", "the-number-of-another-process",
    ],
)  # fmt: skip
def test_what_was_lacking_between_two_moments(later: CpuCounters, told: CpuLack | None) -> None:
    assert lack(BEFORE, later) == told


Spin = Callable[[str], int]
counted = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not count it")


@pytest.fixture
def spin() -> Iterator[Spin]:
    """Start a Python process on one CPU of ours; it says when it has begun."""
    started: list[subprocess.Popen[bytes]] = []
    cpu = min(os.sched_getaffinity(0))

    def start(code: str) -> int:
        pinned = f"import os; os.sched_setaffinity(0, {{{cpu}}}); print(flush=True)\n{code}"
        process = subprocess.Popen([sys.executable, "-c", pinned], stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout
        process.stdout.readline()
        return process.pid

    yield start
    for process in started:
        process.kill()
        process.communicate()


BUSY = "while True: pass"


def paused(seconds: float) -> None:
    with suppress(queue.Empty):
        queue.Queue[None]().get(timeout=seconds)


def looks_until(watch: CpuWatch) -> CpuLack:
    """Look ten times a second until there is an answer."""
    for _ in range(200):
        if (told := watch.look()) is not None:
            return told
        paused(0.1)
    raise AssertionError("no answer")


@counted
def test_a_busy_child_among_busy_others_lacks_most_of_what_it_wants(spin: Spin) -> None:
    child, *_ = [spin(BUSY) for _ in range(5)]
    assert looks_until(CpuWatch(child)).percent > 50


@counted
def test_threads_of_a_descendant_count(spin: Spin) -> None:
    below = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', 'import os; os.setpriority(0, 0, 5)\\n{BUSY}'])"
    )
    child = spin(below)
    for _ in range(3):
        spin(BUSY)
    try:
        assert looks_until(CpuWatch(child)).percent > 50
    finally:
        for line in Path(f"/proc/{child}/task/{child}/children").read_text().split():
            os.kill(int(line), 9)


def test_a_child_that_wants_no_cpu_lacks_none(spin: Spin) -> None:
    child = spin("os.read(os.pipe()[0], 1)")
    state = Path(f"/proc/{child}/stat")
    while state.read_text().rpartition(")")[2].split()[0] != "S":
        paused(0.05)
    watch = CpuWatch(child)
    for _ in range(LOOKS + 3):
        assert watch.look() is None
        paused(0.05)


def test_a_child_that_is_gone_lacks_none() -> None:
    watch = CpuWatch(2**22 - 1)
    assert [watch.look() for _ in range(LOOKS + 3)] == [None] * (LOOKS + 3)


@counted
def test_the_watchdog_says_it_once_with_its_reason(spin: Spin) -> None:
    said: queue.Queue[Any] = queue.Queue()
    child, *_ = [spin(BUSY) for _ in range(5)]
    dog = Watchdog(
        pid=child,
        interval_seconds=0.1,
        limits=Limits(0, 0, 100, 0, cpu_lack_most=20),
        disk_paths=[],
        on_event=lambda name, **fields: said.put(
            (name, fields["subject"], fields["percent"] > 20, fields["message"].partition(": ")[2])
        ),
        on_stall=lambda seconds: None,
    )
    dog.start()
    try:
        name, subject, is_much, why = said.get(timeout=30)
        assert (name, subject, is_much, why in {OTHERS, QUOTA, HYPERVISOR}) == ("cpu-short", "CPU", True, True)
        with pytest.raises(queue.Empty):
            said.get(timeout=0.5)
    finally:
        dog.end()
        dog.join(10)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("member", "file", "text"),
    [
        ("0::/kube/pod\n", "kube/pod/cpu.stat", "usage_usec 9\nnr_throttled 4\nthrottled_usec 2500000\n"),
        ("0::/kube/pod\n", "kube/cpu.stat", "throttled_usec 2500000\n"),
        ("0::/\n", "cpu.stat", "throttled_usec 2500000\n"),
        (
            "4:memory:/x\n2:cpu,cpuacct:/kube\n",
            "cpu,cpuacct/kube/cpu.stat",
            "nr_periods 2\nthrottled_time 2500000000\n",
        ),
        ("0::/kube:a/pod\n", "kube:a/pod/cpu.stat", "throttled_usec 2500000\n"),
    ],
    ids=["version-2", "a-quota-further-up", "own-namespace", "version-1", "a-colon-in-its-name"],
)
def test_the_time_of_a_used_up_quota_is_read_from_the_control_group(
    tmp_path: Path, member: str, file: str, text: str
) -> None:
    write(tmp_path / "proc" / "7" / "cgroup", member)
    write(tmp_path / "groups" / file, text)
    assert cpu_lack._throttled_seconds(tmp_path / "proc", tmp_path / "groups", 7) == pytest.approx(2.5)


@pytest.mark.parametrize("text", ["", "throttled_usec\n", "throttled_usec x\n", "\0"])
def test_a_control_group_that_tells_nothing_adds_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path / "proc" / "7" / "cgroup", "0::/\n")
    write(tmp_path / "groups" / "cpu.stat", text)
    assert cpu_lack._throttled_seconds(tmp_path / "proc", tmp_path / "groups", 7) == 0
