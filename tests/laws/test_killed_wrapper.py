"""kill -9 at every point of a story that treats and retries: the next start explains it and brings it to its end.

The story: the checksum does not match, the policy destroys and retries. The one who kills is what the wrapper itself
starts at that point: a hook, the importer, the control tool; each kills its parent once.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from law_world import OTHER, POLICIES, World

from safe_lightning.rehearsal.scenario import Ending

STAGES = ("pre-import", "post-import")
#: Where the wrapper is killed, and how the next start ends. After an import that was complete, Lightning finds the
#: table filled and says so: what nobody saw end well is not called a success.
POINTS = {
    "in the first hook": "succeeded",
    "before the importer begins": "succeeded",
    "after the importer has ended": "succeeded",
    "in the last hook": "succeeded",
    "before the control tool acts": "succeeded",
    "after the control tool has acted": "succeeded",
    "before the second attempt begins": "succeeded",
    "after the second attempt has ended": "precheck-failed",
}


@pytest.fixture
def world() -> Iterator[World]:
    made = World("local", "key")
    yield made
    made.close()


@pytest.mark.parametrize("point", POINTS)
def test_the_next_start_explains_the_dead_run_and_ends_well(world: World, point: str) -> None:
    world.insert_elsewhere()
    policy = arm(world, point)
    dead = world.import_guarded(policy, Ending.CHECKSUM_MISMATCH)
    assert dead.exit_code == -9, dead
    told = world.import_guarded(policy, Ending.CLEAN)
    assert "died while" in told.screen, told
    assert told.outcome == POINTS[point], told
    assert world.rows() == dict.fromkeys(world.source_rows, 1)
    assert world.rows(OTHER) == {1: 1}


def arm(world: World, point: str) -> dict[str, Any]:
    """Put the killer into its place and return the policy: destroy and retry, with a hook at either end."""
    place = world.sandbox.folder / "bin"
    hooks = {"in the first hook": place / "first-hook", "in the last hook": place / "last-hook"}
    for path in hooks.values():
        write_script(path, "#!/bin/sh\nexit 0\n")
    if point in hooks:
        write_script(hooks[point], killer(hooks[point], work="", is_before=True, nth=1))
    else:
        tool = place / ("tidb-lightning-ctl" if "control tool" in point else "tidb-lightning")
        real = shutil.move(tool, f"{tool}.real")
        nth = 2 if "second attempt" in point else 1
        write_script(tool, killer(tool, work=f'"{real}" "$@"', is_before="before" in point, nth=nth))
    first, last = ({"run": [str(path)], "stage": stage} for path, stage in zip(hooks.values(), STAGES, strict=True))
    built_in = [{"use": "checkpoint"}, {"use": "checksum", "stage": "post-import"}]
    return {**POLICIES["destroy"], "hooks": [first, *built_in, last]}


def write_script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def killer(path: Path, *, work: str, is_before: bool, nth: int) -> str:
    """Write a script that kills its parent at its nth call, before or after it does its work."""
    count = f'n=$(cat "{path}.calls" 2>/dev/null || echo 0); n=$((n + 1)); echo $n > "{path}.calls"'
    kill = f"[ $n -eq {nth} ] && kill -9 $PPID && exit 1"
    act = f"{work}\ncode=$?" if work else "code=0"
    return "\n".join(["#!/bin/sh", count, *((kill, act) if is_before else (act, kill)), "exit $code", ""])
