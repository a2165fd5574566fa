"""The GC life time is held only where the policy allows it, and given back whatever happens."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sandboxes import Place, sandbox

from safe_lightning.lightning.gc_life_time import HELD, change_life_time, read_life_time
from safe_lightning.rehearsal.scenario import Ending

HOLDING = {"verify": {"investigate": True, "hold_gc": True}}
OLD = "10m0s"
RAISE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from safe_lightning.lightning.gc_life_time import HELD, change_life_time
from safe_lightning.lightning.task import Server
from safe_lightning.record.gc_holds import note_hold
note_hold(Path(sys.argv[1]), "dead0001", sys.argv[3], "10m0s")
assert change_life_time(Server(port=int(sys.argv[2])), "10m0s", HELD, 20.0)
os.kill(os.getpid(), signal.SIGKILL)
"""


def life_time(place: Place) -> str:
    return read_life_time(place.server, 20.0)


def events(place: Place) -> list[dict[str, Any]]:
    folder = max((place.sandbox.folder / "state" / "runs").iterdir())
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def notes(place: Place) -> list[str]:
    return [event["message"] for event in events(place) if event["event"] == "note"]


def holds(place: Place) -> list[Path]:
    return list((place.sandbox.folder / "state" / "gc-holds").glob("*.json"))


def die_while_holding(place: Place, server: str | None = None) -> None:
    words = [str(place.sandbox.folder / "state"), str(place.server.port), server or f"127.0.0.1:{place.server.port}"]
    died = subprocess.run([sys.executable, "-c", RAISE_AND_DIE, *words], check=False, timeout=60)
    assert died.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("policy", "is_held"),
    [
        (HOLDING, True),
        ({**HOLDING, "dry_run": True}, False),
        ({"verify": {"investigate": True}}, False),
        ({"verify": {"hold_gc": True}}, False),
    ],
    ids=["allowed", "dry-run", "not-allowed", "nothing-to-complete"],
)
def test_it_is_held_while_a_checksum_is_completed_and_only_then(
    tmp_path: Path, policy: dict[str, Any], is_held: bool
) -> None:
    with sandbox(tmp_path, Ending.CHECKSUM_INCOMPLETE, policy) as place:
        place.run()
        names = [event["event"] for event in events(place) if event["event"].startswith(("gc-", "checksum-proof"))]
        assert life_time(place) == OLD
        assert holds(place) == []
    held = ["gc-life-time-raised", "gc-life-time-given-back", "checksum-proof"]
    assert [name for name in names if is_held or name.startswith("gc-")] == (held if is_held else [])


def test_one_that_is_long_enough_is_left_alone(tmp_path: Path) -> None:
    with sandbox(tmp_path, Ending.CHECKSUM_INCOMPLETE, HOLDING) as place:
        change_life_time(place.server, OLD, "240h0m0s", 20.0)
        place.run()
        assert life_time(place) == "240h0m0s"


def test_what_a_killed_run_raised_is_given_back_by_the_next_start(tmp_path: Path) -> None:
    with sandbox(tmp_path) as place:
        die_while_holding(place)
        assert life_time(place) == HELD
        assert place.run().returncode == 0
        assert (life_time(place), holds(place)) == (OLD, [])
        assert any("run dead0001 died while it held the GC life time; it was 10m0s before" in n for n in notes(place))


def test_one_that_somebody_else_has_changed_since_is_left_as_it_is(tmp_path: Path) -> None:
    with sandbox(tmp_path) as place:
        die_while_holding(place)
        change_life_time(place.server, HELD, "24h0m0s", 20.0)
        place.run()
        assert (life_time(place), holds(place)) == ("24h0m0s", [])


def test_that_of_another_target_is_told_and_kept(tmp_path: Path) -> None:
    with sandbox(tmp_path) as place:
        die_while_holding(place, "prod:4000")
        assert place.run().returncode == 0
        (note,) = [note for note in notes(place) if "prod:4000" in note]
        assert "UPDATE mysql.tidb SET VARIABLE_VALUE = '10m0s' WHERE VARIABLE_NAME = 'tikv_gc_life_time'" in note
        assert len(holds(place)) == 1
