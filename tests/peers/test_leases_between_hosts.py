"""Two wrappers on two hosts: one lease, who waits, who takes over, and who must not destroy anything any more."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hanging_server import Door
from mariadb import MariaDB
from test_lease_store import CLAIM, SOUTH, make_over, store_of
from two_hosts import Host, fail_with_a_mismatch, host


def end(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors.decode()


@pytest.fixture
def north(tmp_path: Path, target: MariaDB) -> Host:
    return host(tmp_path / "north", "north", target)


@pytest.fixture
def south(tmp_path: Path, target: MariaDB) -> Host:
    return host(tmp_path / "south", "south", target)


def test_the_second_of_two_hosts_ends_with_75_and_is_told_of_the_first(north: Host, south: Host) -> None:
    first = north.importing()
    code, said = end(south.start("--config", "task.toml"))
    north.let_child_go()
    assert end(first)[0] == 0
    assert code == 75
    assert f"`shop`.`orders` is in use by run {north.history()[0]['run']} (process {first.pid} of north)" in said
    assert south.history()[0]["child_exit_code"] is None


def test_a_run_is_not_in_its_own_way(tmp_path: Path, target: MariaDB) -> None:
    made = host(tmp_path / "north", "north", target, more='[[hooks]]\nuse = "checkpoint"\nstage = "pre-import"\n')
    process = made.importing()
    made.let_child_go()
    assert end(process)[0] == 0
    (hook,) = made.history()[0]["hooks"]
    assert (hook["status"], hook["code"]) == ("pass", "checkpoint-none")


def test_once_the_first_has_ended_the_second_may_begin(north: Host, south: Host) -> None:
    first = north.importing()
    north.let_child_go()
    assert end(first)[0] == 0
    second = south.importing()
    south.let_child_go()
    assert end(second)[0] == 0


def test_the_second_waits_as_long_as_its_policy_says(tmp_path: Path, target: MariaDB, north: Host) -> None:
    south = host(tmp_path / "south", "south", target, 'wait = "60s"\n')
    first = north.importing()
    second = south.start("--config", "task.toml")
    threading.Timer(0.5, north.let_child_go).start()
    south.wait_for_child()
    south.let_child_go()
    assert [end(first)[0], end(second)[0]] == [0, 0]


def test_the_lease_of_a_run_that_died_is_taken_over_once_it_is_over(target: MariaDB, north: Host, south: Host) -> None:
    first = north.importing()
    first.kill()
    first.communicate()
    assert end(south.start("--config", "task.toml"))[0] == 75
    make_over(target, 7)
    second = south.importing()
    south.let_child_go()
    assert end(second)[0] == 0
    (note,) = [note for note in south.notes() if "lease" in note]
    assert "took over the lease of run" in note
    assert re.search(r"of north\), which was over for [78] s", note)


def test_instances_of_a_parallel_import_run_side_by_side(tmp_path: Path, target: MariaDB) -> None:
    hosts = [host(tmp_path / name, name, target, parallel=True) for name in ("north", "south")]
    running = [each.importing() for each in hosts]
    for each in hosts:
        each.let_child_go()
    assert [end(process)[0] for process in running] == [0, 0]


def test_by_default_nothing_is_written_to_the_target(tmp_path: Path, target: MariaDB) -> None:
    made = host(tmp_path / "north", "north", target)
    made.policy("hooks = []\n")
    before = target.run("SHOW SCHEMAS")
    process = made.importing()
    assert target.run("SHOW SCHEMAS") == before
    made.let_child_go()
    assert end(process)[0] == 0


SHORT = 'lease_expiry = "3s"\n'
REMOVE = """
[control_tool]
clean_with = "direct"
[[remedy]]
cause = "any"
action = "remove"
least_confidence = 0.0
[[hooks]]
use = "checksum"
stage = "post-import"
"""


def remedies(made: Host) -> list[str]:
    return [remedy["result"] for remedy in made.history()[0]["remedies"]]


def failing(tmp_path: Path, target: MariaDB, port: int = 0) -> Host:
    made = host(tmp_path / "north", "north", target, SHORT, REMOVE, port)
    fail_with_a_mismatch(made)
    return made


def await_note(made: Host, words: str) -> None:
    """Wait until the run has said something."""
    deadline = time.monotonic() + 30
    while not any(words in note for note in made.notes()):
        assert time.monotonic() < deadline, made.notes()
        time.sleep(0.05)  # a file that grows announces nothing that could be waited for


def test_with_its_lease_a_run_does_what_its_policy_says(tmp_path: Path, target: MariaDB) -> None:
    made = failing(tmp_path, target)
    process = made.importing()
    made.let_child_go()
    end(process)
    (remedy,) = remedies(made)
    assert remedy.startswith("done: ")


def test_a_run_that_lost_its_lease_destroys_nothing_any_more_and_says_so(tmp_path: Path, target: MariaDB) -> None:
    made = failing(tmp_path, target)
    process = made.importing()
    process.send_signal(signal.SIGSTOP)  # a machine that was suspended for longer than its lease lives
    make_over(target)
    store_of(target).take(CLAIM, SOUTH)
    process.send_signal(signal.SIGCONT)
    await_note(made, "another run took over the lease")
    made.let_child_go()
    end(process)
    (remedy,) = remedies(made)
    assert remedy == "refused: safety law 4: another Lightning is alive on the same checkpoint or target"


def test_the_import_of_a_run_that_lost_its_lease_is_stopped_if_the_policy_says_so(
    tmp_path: Path, target: MariaDB
) -> None:
    made = host(tmp_path / "north", "north", target, SHORT + 'on_lease_lost = "stop"\n')
    process = made.importing()
    make_over(target)
    store_of(target).take(CLAIM, SOUTH)
    code, said = end(process)
    assert code != 0
    assert "another run took over the lease" in said
    assert made.history()[0]["child_signal"] == signal.SIGTERM


@pytest.fixture
def door(target: MariaDB) -> Iterator[Door]:
    opened = Door(target.port)
    yield opened
    opened.close()


def test_a_server_that_hangs_does_not_hang_the_import(tmp_path: Path, target: MariaDB, door: Door) -> None:
    made = host(tmp_path / "north", "north", target, SHORT, port=door.port)
    door.shut()
    process = made.importing()
    made.let_child_go()
    assert end(process)[0] == 0
    assert any("no lease could be taken" in note and "did not answer within 1 s" in note for note in made.notes())


@pytest.mark.parametrize(
    ("comes_back", "is_done"), [(False, False), (True, True)], ids=["for good", "until before the end"]
)
def test_while_the_server_hangs_nothing_is_destroyed(
    tmp_path: Path, target: MariaDB, door: Door, comes_back: bool, is_done: bool
) -> None:
    made = failing(tmp_path, target, door.port)
    process = made.importing()
    door.shut()
    await_note(made, "the lease could not be renewed")
    if comes_back:
        door.open()
        await_note(made, "the lease is held again")
    made.let_child_go()
    end(process)
    (remedy,) = remedies(made)
    assert remedy.startswith("done: " if is_done else "refused: safety law 4: another Lightning may be alive, which")


def test_of_two_that_start_at_once_one_imports_and_the_other_ends_with_75(north: Host, south: Host) -> None:
    hosts = [north, south]
    processes = [each.start("--config", "task.toml") for each in hosts]
    winners: queue.Queue[int] = queue.Queue()

    def wait_for(number: int) -> None:
        hosts[number].wait_for_child()
        winners.put(number)

    for number in (0, 1):
        threading.Thread(target=wait_for, args=(number,), daemon=True).start()
    winner = winners.get(timeout=60)
    code, said = end(processes[1 - winner])
    assert (code, "is in use by run" in said) == (75, True)
    hosts[winner].let_child_go()
    assert end(processes[winner])[0] == 0
