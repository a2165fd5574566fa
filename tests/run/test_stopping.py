"""SIGTERM and kill -9 at every point of the story: nothing is lost, and the next run can tell."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Place

WAITING_CHILD = """
with open("lightning.log", "a") as log:
    log.write(LOG.splitlines(keepends=True)[0])
def stop(number, frame):
    with open("lightning.log", "a") as log:
        log.write('[2026/01/01 00:00:02.000 +00:00] [INFO] [m.go:1] ["got signal to exit"] [signal=terminated]\\n')
        log.write('[2026/01/01 00:00:02.000 +00:00] [INFO] [m.go:1] ["task canceled"] [error="context canceled"]\\n')
    print("tidb lightning canceled", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
with open("ready", "w") as ready:
    ready.write(str(os.getpid()))
while True:
    signal.pause()
"""


def hook(place: Place, name: str, body: str) -> Path:
    return place.child(body, name)


def finish(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr


def test_during_the_import_the_child_is_told_once_and_saves_its_checkpoint(
    place: Place, fifo: Callable[[], bytes]
) -> None:
    place.policy("hooks = []\n")
    place.child(WAITING_CHILD)
    process = place.start("--config", "task.toml")
    fifo()
    process.send_signal(signal.SIGTERM)
    code, stdout, stderr = finish(process)
    assert (code, stdout) == (81, b"tidb lightning canceled\n"), stderr.decode()
    assert [entry["outcome"] for entry in place.history()] == ["canceled"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_during_a_pre_import_hook_nothing_is_started(
    place: Place, fifo: Callable[[], bytes], number: signal.Signals
) -> None:
    waiting = hook(place, "hook", "open('ready', 'w').close()\nsignal.pause()\n")
    place.policy(f'[[hooks]]\nrun = ["{waiting}"]\nstage = "pre-import"\n')
    place.child("open('started', 'w')\n")
    process = place.start("--config", "task.toml")
    fifo()
    process.send_signal(number)
    code, stdout, _ = finish(process)
    assert (code, stdout) == (81, b"")
    assert not (place.folder / "started").exists()
    assert [entry["outcome"] for entry in place.history()] == ["canceled"]


def test_during_a_post_import_hook_the_outcome_stands(place: Place, fifo: Callable[[], bytes]) -> None:
    waiting = hook(place, "hook", "open('ready', 'w').close()\nsignal.pause()\n")
    place.policy(f'[[hooks]]\nrun = ["{waiting}"]\nstage = "post-import"\n')
    process = place.start("--config", "task.toml")
    fifo()
    process.send_signal(signal.SIGTERM)
    code, _, stderr = finish(process)
    assert code == 0, stderr.decode()
    (entry,) = place.history()
    assert (entry["outcome"], entry["hooks"][0]["code"]) == ("succeeded", "interrupted")


def test_while_waiting_for_a_lock_it_ends_with_75(place: Place, fifo: Callable[[], bytes]) -> None:
    place.policy('hooks = []\n[lock]\nwait = "60s"\n')
    place.child(WAITING_CHILD)
    first = place.start("--config", "task.toml")
    fifo()
    second = place.start("--config", "task.toml")
    wait_for_event(place, "lock-wait")
    second.send_signal(signal.SIGTERM)
    assert finish(second)[0] == 75
    first.send_signal(signal.SIGTERM)
    assert finish(first)[0] == 81


def wait_for_event(place: Place, name: str) -> None:
    import time

    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        folders = (place.state / "runs").glob("2*")
        if any(event["event"] == name for folder in folders for event in place.events(folder)):
            return
        time.sleep(0.05)
    pytest.fail(f"no event {name}")


def test_of_two_starts_at_once_the_second_ends_with_75_and_names_the_first(
    place: Place, fifo: Callable[[], bytes]
) -> None:
    place.policy("hooks = []\n")
    place.child(WAITING_CHILD)
    first = place.start("--config", "task.toml")
    fifo()
    second = place.run("--config", "task.toml")
    assert (second.returncode, second.stdout) == (75, b"")
    assert f"process {first.pid}".encode() in second.stderr
    first.send_signal(signal.SIGTERM)
    finish(first)


def test_the_next_run_tells_what_a_killed_one_was_doing(place: Place, fifo: Callable[[], bytes]) -> None:
    place.policy("hooks = []\n")
    place.child(WAITING_CHILD)
    first = place.start("--config", "task.toml")
    child = int(fifo())
    first.kill()
    finish(first)
    with pytest.raises(ProcessLookupError):
        wait_until_gone(child)
    place.child()
    second = place.run("--config", "task.toml")
    assert second.returncode == 0
    assert b"died" in second.stderr
    told = place.history()
    assert told[0]["outcome"] == "succeeded"
    assert told[1]["outcome"] in ("killed", "unknown")
    third = place.run("--config", "task.toml")
    assert b"died" not in third.stderr


def wait_until_gone(pid: int) -> None:
    import time

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        os.kill(pid, 0)
        if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            raise ProcessLookupError
        time.sleep(0.02)


def test_a_reader_that_goes_away_does_not_hurt_the_import(place: Place) -> None:
    place.policy("hooks = []\n")
    place.child("for n in range(20000):\n    print('line', n)\nimport_all()\nopen('done', 'w')\n")
    wrapper = place.start("--config", "task.toml")
    assert wrapper.stdout
    wrapper.stdout.readline()
    wrapper.stdout.close()
    assert wrapper.stderr
    wrapper.stderr.read()
    assert wrapper.wait(60) == 0
    assert (place.folder / "done").exists()


def test_post_import_hooks_hear_of_an_import_that_was_blocked(place: Place) -> None:
    no = hook(place, "no", "print('not today', file=sys.stderr)\nsys.exit(1)\n")
    page = hook(place, "page", "open('paged', 'w').write(os.environ['SAFE_LIGHTNING_OUTCOME'])\n")
    place.policy(f'[[hooks]]\nrun = ["{no}"]\n[[hooks]]\nrun = ["{page}"]\nstage = "post-import"\nwhen = ["blocked"]\n')
    ended = place.run("--config", "task.toml")
    assert (ended.returncode, ended.stdout) == (88, b""), ended.stderr.decode()
    assert (place.folder / "paged").read_text() == "blocked"


def test_a_quiet_stop_pages_nobody(place: Place) -> None:
    later = hook(place, "later", "sys.exit(75)\n")
    page = hook(place, "page", "open('paged', 'w')\n")
    place.policy(f'[[hooks]]\nrun = ["{later}"]\n[[hooks]]\nrun = ["{page}"]\nstage = "post-import"\n')
    assert place.run("--config", "task.toml").returncode == 75
    assert not (place.folder / "paged").exists()
