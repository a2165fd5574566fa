"""Acting without the control tool: no PD, no tool, and yet under every law, and re-doable after a kill at any point."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rehearsal.conftest import TABLE

from safe_lightning.api import Action, TableBaseline
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import ControlToolPolicy
from safe_lightning.rehearsal.scenario import Ending

from .conftest import CAREFREE, Scene

DIRECT = replace(CAREFREE, control_tool=ControlToolPolicy(clean_with="direct"))


def without_pd(task: Task) -> Task:
    return replace(task, target=replace(task.target, pd_addr="127.0.0.1:1", status_port=1))


def act(scene: Scene, action: Action, **more: Any) -> Any:
    return scene.act(action, policy=DIRECT, control_tool=None, task=without_pd(scene.task), **more)


@pytest.mark.parametrize("backend", ["local", "tidb"])
def test_a_destroy_leaves_neither_entry_nor_table(open_scene: Callable[..., Scene], backend: str) -> None:
    scene = open_scene(ending=Ending.DUPLICATE_KEYS if backend == "local" else Ending.DATA_ERROR, backend=backend)
    result = act(scene, Action.DESTROY)
    assert (result.status, result.code, scene.shop.rows, scene.entries) == ("done", "destroyed", None, {}), result
    assert scene.calls == []
    assert scene.journal[0] == "backed up"


@pytest.mark.parametrize(("action", "entries"), [(Action.REMOVE, []), (Action.IGNORE, [30])])
def test_other_acts_leave_the_table(failed: Scene, action: Action, entries: list[int]) -> None:
    rows = failed.shop.rows
    result = act(failed, action)
    assert (result.status, failed.shop.rows, list(failed.entries.values())) == ("done", rows, entries)


def test_the_laws_stand_before_it_all_the_same(failed: Scene) -> None:
    rows_before = {TABLE: TableBaseline(TABLE, True, False, 1.0, "r1")}
    services = replace(failed.surroundings().services, recall=lambda: rows_before)  # type: ignore[type-var]
    before = failed.state
    assert act(failed, Action.DESTROY, services=services).code == "rows-before"
    assert act(failed, Action.REMOVE, others_alive=lambda: True).code == "not-alone"
    assert act(failed, Action.REMOVE, others_alive=lambda: None).code == "not-alone"
    assert failed.state == before


KILLED = """
import os, signal, sys
from pathlib import Path
from safe_lightning.acts import direct_acts
from safe_lightning.core.verdict import Action, Step
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import resolve_task
from safe_lightning.policy.model import Policy
steps, name = ("drop_table", "change_entry", "engine_folders"), sys.argv[1]
real = getattr(direct_acts, name)
def die(*given):
    if sys.argv[2] == "after":
        real(*given)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(direct_acts, name, die)
task = resolve_task(sys.argv[3:], Path.cwd(), {})
from safe_lightning.services import EngineServices
entry = EngineServices(task, Policy()).read_checkpoint().tables[0]
direct_acts.act_directly(Step(Action.DESTROY, TableName("app", "items"), "why"), task, Policy(), entry)
"""


@pytest.mark.parametrize("name", ["drop_table", "change_entry", "engine_folders"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_point_it_is_never_a_table_without_an_entry(failed: Scene, name: str, when: str) -> None:
    argv = [sys.executable, "-c", KILLED, name, when, *failed.shop.sandbox.argv]
    ended = subprocess.run(argv, cwd=failed.shop.sandbox.folder, env=os.environ, capture_output=True, check=False)
    assert ended.returncode == -9, ended.stderr.decode()
    assert failed.shop.rows is None or failed.entries
    again = act(failed, Action.DESTROY)
    assert again.code in ("destroyed", "no-entry")
    assert (failed.shop.rows, failed.entries) == (None, {})
