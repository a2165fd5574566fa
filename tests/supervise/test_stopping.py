"""Stopping the child: one signal, a grace period, then the whole tree; and what happens when we die ourselves."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Start, await_end

Script = Callable[..., Path]

#: Says each signal that comes, and ends after the first one where it is told to.
LISTENER = """
def got(number, frame):
    os.write(1, b'got %d\\n' % number)
    if {ends_after_first}:
        os._exit(0)
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, got)
os.write(1, b'ready\\n')
while True:
    signal.pause()
"""
GENTLE = LISTENER.format(ends_after_first=True)
STUBBORN = LISTENER.format(ends_after_first=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_the_first_signal_reaches_the_child(start: Start, script: Script, number: signal.Signals) -> None:
    wrapper = start(script(GENTLE))
    assert wrapper.stdout.next() == b"ready"
    wrapper.signal(number)
    assert wrapper.stdout.rest() == [b"got %d" % number]
    end = wrapper.end()
    assert (end["exit_code"], end["signal"], end["signal_sent"]) == (0, None, number)
    assert (end["stop_reason"], end["killed_by_us"]) == (f"signal {number.name}", False)


def test_the_second_signal_is_noted_and_the_third_kills(start: Start, script: Script) -> None:
    wrapper = start(script(STUBBORN))
    assert wrapper.stdout.next() == b"ready"
    wrapper.signal(signal.SIGTERM)
    assert wrapper.stdout.next() == b"got 15"
    wrapper.signal(signal.SIGINT)
    assert wrapper.await_event("signal-not-forwarded")["count"] == 1
    wrapper.signal(signal.SIGINT)
    assert wrapper.stdout.rest() == []
    end = wrapper.end()
    assert (end["exit_code"], end["signal"], end["killed_by_us"]) == (None, signal.SIGKILL, True)
    assert [e["reason"] for e in wrapper.events if e["event"] == "child-killed"] == ["a third signal came"]


FAMILY = """
def report_and_wait():
    os.write(1, b'%d\\n' % os.getpid())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        signal.pause()
if os.fork() == 0:
    report_and_wait()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        report_and_wait()
    os._exit(0)
os.wait()
report_and_wait()
"""


def test_after_the_grace_period_the_whole_tree_is_killed_even_a_daemon(start: Start, script: Script) -> None:
    wrapper = start(script(FAMILY), grace_seconds=0.2)
    family = [int(wrapper.stdout.next() or 0) for _ in range(3)]
    wrapper.signal(signal.SIGTERM)
    end = wrapper.end()
    for pid in family:
        await_end(pid, seconds=0)
    killed = next(event for event in wrapper.events if event["event"] == "child-killed")
    assert (killed["reason"], killed["processes"]) == ("the grace period is over", 3)
    assert (end["signal"], end["killed_by_us"]) == (signal.SIGKILL, True)


def test_a_script_around_the_binary_does_not_cut_the_grace_short(start: Start, script: Script) -> None:
    script("signal.signal(15, lambda *a: (time.sleep(0.5), print('saved'), sys.exit(0)))\nprint('ready', flush=True)\n"
           "while True: signal.pause()", "real")  # fmt: skip
    wrapper = start(script("#!/bin/sh\n./real\nexit 0\n"))  # the shell dies of the signal at once
    assert wrapper.stdout.next() == b"ready"
    wrapper.signal(signal.SIGTERM)
    assert wrapper.stdout.rest() == [b"saved"]
    end = wrapper.end()
    assert (end["signal"], end["killed_by_us"]) == (signal.SIGTERM, False)


def test_a_hang_up_that_was_ignored_at_our_start_stays_ignored(start: Start, script: Script) -> None:
    wrapper = start(script(GENTLE), ignored=(signal.SIGHUP,))
    assert wrapper.stdout.next() == b"ready"
    wrapper.signal(signal.SIGHUP)
    wrapper.signal(signal.SIGTERM)
    assert wrapper.stdout.rest() == [b"got 15"]
    assert wrapper.end()["stop_reason"] == "signal SIGTERM"


def test_a_signal_before_there_is_a_child_prevents_it(start: Start, script: Script, tmp_path: Path) -> None:
    end = start(script("open('ran', 'w')"), signal_before=True).end()
    assert (end["is_never_started"], end["pid"], end["stop_reason"]) == (True, None, "signal SIGTERM")
    assert not (tmp_path / "ran").exists()


def test_a_signal_that_comes_at_once_waits_until_the_child_can_take_it(start: Start, script: Script) -> None:
    wrapper = start(script(GENTLE), signal_when_started=True)
    assert wrapper.await_event("stop-forwarded")["after"] >= 0.15


def test_the_child_has_a_session_of_its_own(start: Start, script: Script) -> None:
    wrapper = start(script("print(os.getsid(0) == os.getpid())"))
    assert wrapper.stdout.rest() == [b"True"]


def test_when_we_are_killed_the_child_dies_with_us(start: Start, script: Script) -> None:
    wrapper = start(script(STUBBORN))
    child = wrapper.await_event("started")["pid"]
    assert wrapper.stdout.next() == b"ready"
    wrapper.signal(signal.SIGKILL)
    await_end(child)


def test_where_the_policy_says_so_the_child_survives_us(start: Start, script: Script, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    wrapper = start(script("open('go').read(); open('survived', 'w').close()"), die_with_parent=False)
    child = wrapper.await_event("started")["pid"]
    wrapper.signal(signal.SIGKILL)
    wrapper.process.wait()
    (tmp_path / "go").write_text("")
    await_end(child)
    assert (tmp_path / "survived").exists()


@pytest.mark.parametrize(
    ("body", "exit_code", "number"),
    [
        ("sys.exit(3)", 3, None),
        ("sys.exit(0)", 0, None),
        ("os.kill(os.getpid(), signal.SIGKILL)", None, signal.SIGKILL),
        ("os.kill(os.getpid(), signal.SIGSEGV)", None, signal.SIGSEGV),
    ],
)
@pytest.mark.parametrize("ignored", [(), (signal.SIGCHLD,)], ids=["", "under a parent that ignores SIGCHLD"])
def test_the_end_is_told_as_it_was(
    start: Start, script: Script, body: str, exit_code: int | None, number: int | None, ignored: tuple[int, ...]
) -> None:
    end = start(script(body), ignored=ignored).end()
    assert (end["exit_code"], end["signal"]) == (exit_code, number)
    assert (end["killed_by_us"], end["signal_sent"], end["stop_reason"]) == (False, None, "")


def test_what_the_child_used_is_told(start: Start, script: Script) -> None:
    end = start(script("x = bytearray(80 << 20)\nwhile time.process_time() < 0.2: pass")).end()
    assert end["cpu_seconds"] >= 0.2
    assert end["max_rss_bytes"] >= 80 << 20
    assert end["duration_seconds"] >= 0.2
