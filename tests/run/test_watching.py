"""A run says when its child does not get the CPU that it needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Place

counted = pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="this kernel does not count it")

#: Four processes on one CPU until the run has said so, or half a minute is over.
CROWDED = """
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
crowd = [os.fork() for _ in range(2)]
begun = time.monotonic()
def is_told():
    (run,) = os.listdir("state/runs")
    return b"cpu-short" in open(f"state/runs/{run}/events.jsonl", "rb").read()
while time.monotonic() - begun < 30 and not is_told():
    for _ in range(100000): pass
if all(crowd):
    import_all()
"""


@counted
def test_a_child_that_waits_for_a_cpu_is_told_once(place: Place) -> None:
    place.policy('[watch]\ninterval = "100ms"\ncpu_lack_most = "20%"\n')
    place.child(CROWDED)
    ended = place.run("--config", "task.toml")
    assert ended.returncode == 0, ended.stderr.decode()
    (told,) = [event for event in place.events() if event["event"] == "cpu-short"]
    assert (told["level"], told["subject"], told["percent"] > 20, "waits for a CPU" in told["message"]) == (
        "warning", "CPU", True, True,
    )  # fmt: skip
    assert [told] == [line for line in map(json.loads, ended.stderr.splitlines()) if line["event"] == "cpu-short"]


def test_a_child_that_gets_what_it_wants_is_not_told_of(place: Place) -> None:
    place.policy('[watch]\ninterval = "100ms"\n')
    place.child("time.sleep(1.5)\nimport_all()\n")
    assert place.run("--config", "task.toml").returncode == 0
    assert [event for event in place.events() if event["event"] == "cpu-short"] == []
