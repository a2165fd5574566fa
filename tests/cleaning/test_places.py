"""Each place by itself: rows that a direct act deletes, locks that are seen, files and logs, and foreign words."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.acts.direct_acts import forget_metadata
from safe_lightning.core.verdict import Action, Step
from safe_lightning.lightning.ctl import read_modes
from safe_lightning.lightning.leavings_disk import lock_holder, look_at_engines
from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.policy.model import CheckpointPolicy, Policy
from safe_lightning.record.cleaning_plan import read_plan
from safe_lightning.record.strict_json import UnreadableRecord

from .conftest import Leavings, Sandboxed, acts_of
from .filling import FAILED, OTHER_TASK, TASK

QUICK = Policy(checkpoint=CheckpointPolicy(timeout=5))


def task_of(made: Leavings) -> Task:
    return resolve_task(made.argv, made.folder, {})


@pytest.mark.parametrize(("action", "left"), [(Action.REMOVE, 2), (Action.DESTROY, 2), (Action.IGNORE, 3)])
def test_a_direct_act_deletes_what_the_metadata_hold_of_its_table(
    leavings: Leavings, action: Action, left: int
) -> None:
    assert forget_metadata(Step(action, FAILED, ""), task_of(leavings), QUICK, TASK) == ""
    assert leavings.count("lightning_metadata.table_meta") == left
    assert leavings.count("lightning_metadata.table_meta", f"task_id = {OTHER_TASK}") == 1


def test_where_another_instance_may_be_at_work_they_stay_and_that_is_said(leavings: Leavings) -> None:
    leavings.server.run("UPDATE lightning_metadata.task_meta_v2 SET status = 'schedule_set'")
    said = forget_metadata(Step(Action.REMOVE, FAILED, ""), task_of(leavings), QUICK, TASK)
    assert f"task {OTHER_TASK}" in said
    assert leavings.count("lightning_metadata.table_meta") == 3


def test_where_the_target_cannot_be_asked_that_is_said(leavings: Leavings) -> None:
    task = task_of(leavings)
    gone = replace(task, target=replace(task.target, port=1))
    assert "stay: " in forget_metadata(Step(Action.REMOVE, FAILED, ""), gone, QUICK, TASK)


def test_a_name_that_was_cut_is_known_by_its_beginning(leavings: Leavings) -> None:
    long = "t" * 60
    leavings.server.run(
        f"UPDATE lightning_metadata.table_meta SET table_name = LEFT('`app`.`{long}`', 64) WHERE status = 'restore'"
    )
    for kind in ("csv", "schema"):
        name = f"app.{long}.csv" if kind == "csv" else f"app.{long}-schema.sql"
        (leavings.folder / "export" / name).write_text("id\n" if kind == "csv" else f"CREATE TABLE {long} (id int);")
    items = [item for item in leavings.plan()["items"] if item["kind"] == "metadata" and "ttt" in item["name"]]
    assert {item["table"] for item in items} == {f"`app`.`{long}`"}


HOLDER = """
import fcntl, sys
with open(sys.argv[1], "wb") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_the_lock_of_an_engine_is_seen_and_not_taken(tmp_path: Path) -> None:
    lock = tmp_path / "LOCK"
    assert lock_holder(lock) == 0
    lock.touch()
    assert lock_holder(lock) == 0
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert lock_holder(lock) == process.pid
        process.communicate()
    assert lock_holder(lock) == 0


def test_a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one(leavings: Leavings) -> None:
    leavings.sorted.rename(leavings.folder / "elsewhere")
    leavings.sorted.write_text("no folder")
    [item] = [item for item in leavings.plan()["items"] if item["kind"] == "engines"]
    assert (item["found"], item["action"]) == (None, "keep")


def test_a_link_among_the_engines_is_no_engine(leavings: Leavings) -> None:
    before = look_at_engines(task_of(leavings), {FAILED: (0,)})
    (leavings.sorted / "11111111-1111-5111-8111-111111111111").symlink_to(leavings.folder)
    assert look_at_engines(task_of(leavings), {FAILED: (0,)}) == before


def test_files_that_were_being_written_go_and_others_beside_them_stay(sandboxed: Sandboxed) -> None:
    place = sandboxed.scene.shop.checkpoint_file
    theirs, ours = ".tmp.0b5c2d1e-1f2a-4b3c-8d4e-5f6a7b8c9d0e", ".safe-lightning.0a1b2c3d"
    names = (theirs, ours, ".tmp.d/x", ".bak", ".safe-lightning.x")
    for name in names:
        file = place.parent / f"{place.name}{name}"
        file.parent.mkdir(exist_ok=True)
        file.write_text("half")
    acts = acts_of(sandboxed.plan())
    assert [key for key in acts if key.startswith("temporary-file")] == [
        f"temporary-file:{place}{name}" for name in (ours, theirs)
    ]
    assert sandboxed.apply().returncode == 0
    assert sorted(path.name for path in place.parent.glob(f"{place.name}*")) == sorted(
        f"{place.name}{name}" for name in (".tmp.d", ".bak", ".safe-lightning.x")
    )


def test_a_log_of_a_recorded_run_goes_only_where_that_is_asked_for(
    sandboxed: Sandboxed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    own, foreign = (tmp_path / f"lightning.log.2026-11-25T12.00.0{number}Z" for number in (1, 2))
    own.write_text("mine")
    foreign.write_text("not mine")
    run = sandboxed.scene.shop.sandbox.folder / "state" / "runs" / "20261125T120000.000Z-r1"
    run.mkdir(parents=True)
    (run / "argv.json").write_text(json.dumps({"checkpoint_location": sandboxed.scene.task.checkpoint.location}))
    (run / "log.json").write_text(json.dumps({"path": str(own), "start_offset": 0, "end_offset": None, "file": ""}))
    logs = {item["name"]: item["action"] for item in sandboxed.plan()["items"] if item["kind"] == "log"}
    assert logs == {str(own): "keep", f"{tmp_path}, others": "keep"}
    sandboxed.clean("--logs", "--out", str(tmp_path / "plan.json"))
    assert sandboxed.apply().returncode == 0
    assert (own.exists(), foreign.exists()) == (False, True)


def test_where_the_control_tool_cannot_work_the_same_is_done_without_it(sandboxed: Sandboxed) -> None:
    task = sandboxed.scene.shop.sandbox.folder / "task.toml"
    port = sandboxed.scene.shop.sandbox.ports.pd
    task.write_text(task.read_text().replace(f"127.0.0.1:{port}", "127.0.0.1:1"))
    assert sandboxed.plan()["acts"] == 2
    page = sandboxed.clean().stdout.decode()
    assert "Treated     the entries without the control tool: PD does not answer" in page
    assert sandboxed.apply().returncode == 0
    assert (sandboxed.scene.calls, sandboxed.scene.shop.rows) == ([], None)


@given(st.text())
def test_no_word_of_the_tool_makes_reading_the_modes_fail(said: str) -> None:
    assert all(mode == mode.lower() or mode.startswith("error: ") for mode in read_modes(said).values())


@given(st.binary() | st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(
    st.sampled_from(["schema", "plan", "items", "import", "gives_up"]), inner) | st.lists(inner)).map(
        lambda value: json.dumps(value).encode()))  # fmt: skip
def test_whatever_is_handed_over_as_a_plan_is_refused_and_never_raises_anything_else(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "plan.json"
    path.write_bytes(content)
    with pytest.raises(UnreadableRecord):
        read_plan(path)
