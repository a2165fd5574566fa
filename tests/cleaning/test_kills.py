"""kill -9 between any two steps: the next start says what the dead one had done, goes on, and ends the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rehearsal.conftest import TABLE

from .conftest import Leavings, Sandboxed
from .filling import FAILED

#: Runs the verb and dies at the n-th line of its journal, before it is written or after.
KILLED = """
import os, signal, sys
from safe_lightning.cli import main
from safe_lightning.record.durable import Journal
left, when, write = int(sys.argv[1]), sys.argv[2], Journal.append
def append(self, entry):
    global left
    left -= 1
    if not left and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, entry)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
Journal.append = append
sys.exit(main(["safe-lightning", *sys.argv[3:]]))
"""


def apply_and_die(made: Leavings, line: int, when: str) -> int:
    script = ("-c", KILLED, str(line), when)
    return made.process("clean", "--apply", str(made.plan_file), script=script).returncode


def test_killed_at_every_step_in_turn_it_ends_as_if_it_had_not_been(leavings: Leavings) -> None:
    acts = leavings.acts("--give-up")
    for place, key in enumerate(acts):
        # Meant and not done; done and not written down; then told by the next one as done before.
        assert apply_and_die(leavings, 1, "after") == -9
        [note] = [note for note in leavings.plan_notes() if "ended before it was through" in note]
        assert f"{key} was begun; whether it was done is not recorded" in note
        assert bool(place) == (f"; {place} act(s) were done" in note)
        assert apply_and_die(leavings, 2, "before") == -9
        assert apply_and_die(leavings, 1, "after") == -9
    ended = leavings.apply()
    assert (ended.returncode, b"Nothing is left" in ended.stdout) == (0, True), ended.stderr.decode()
    after = leavings.facts()
    assert (after["entries"], after["app.failed"], after["app.done"]) == (None, None, 2)
    assert (after["conflict_error_v4"], after["folders"]) == (1, ["00000000-0000-0000-0000-000000000007"])
    assert not any("ended before" in note for note in leavings.plan_notes())


def test_a_new_plan_takes_up_what_a_dead_one_left(leavings: Leavings) -> None:
    leavings.plan()
    assert apply_and_die(leavings, 4, "after") == -9
    document = leavings.plan()
    assert any("2 act(s) were done" in note for note in document["notes"])
    assert [item["kind"] for item in document["items"] if item["action"] not in ("keep", "none")] == [
        "engines",
        "entry",
    ]
    assert leavings.apply().returncode == 0
    assert leavings.facts()["app.failed"] is None
    assert not any("ended before" in note for note in leavings.plan_notes())


def test_what_cannot_be_looked_at_is_not_taken_for_done(leavings: Leavings) -> None:
    leavings.plan()
    assert apply_and_die(leavings, 1, "after") == -9
    leavings.server.run("RENAME TABLE lightning_metadata.table_meta TO lightning_metadata.aside")
    leavings.server.run("CREATE TABLE lightning_metadata.table_meta (task_id bigint)")  # asking for more is refused
    before = leavings.facts()
    ended = leavings.apply()
    assert (ended.returncode, leavings.facts()) == (88, before)


def test_what_has_come_back_since_is_not_taken_for_a_rest(leavings: Leavings) -> None:
    leavings.plan()
    assert apply_and_die(leavings, 5, "after") == -9
    place = "lightning_task_info.type_error_v2 (task_id, table_name)"
    leavings.server.run(f"INSERT INTO {place} SELECT task_id, '{FAILED}' FROM cp.task_v2")
    ended = leavings.apply()
    assert ended.returncode == 88
    assert b": it is back" in ended.stderr


#: What the control tool does before it kills whoever called it.
DEEDS = {
    "nothing": "pass",
    "the entry alone": "subprocess.run([REAL, *[a.replace('error-destroy', 'remove') for a in sys.argv[1:]]])",
    "everything": "subprocess.run([REAL, *sys.argv[1:]])",
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("is_new_plan", [False, True], ids=["the same plan", "a new plan"])
def test_killed_while_the_control_tool_is_at_work(sandboxed: Sandboxed, deed: str, is_new_plan: bool) -> None:
    assert sandboxed.plan()["acts"] == 2
    assert sandboxed.apply(sandboxed.killer(deed)).returncode == -9
    if is_new_plan:
        told = sandboxed.plan()
        assert f"entry:{TABLE} was begun" in " ".join(told["notes"])
    ended = sandboxed.apply()
    assert ended.returncode == 0, ended.stderr.decode()
    assert (sandboxed.scene.shop.rows, sandboxed.scene.shop.checkpoint_file.exists()) == (None, False)
    assert sandboxed.plan()["notes"] == []


def test_a_table_that_came_after_a_half_done_drop_is_not_the_one_to_be_dropped(sandboxed: Sandboxed) -> None:
    sandboxed.plan()
    assert sandboxed.apply(sandboxed.killer(DEEDS["the entry alone"])).returncode == -9
    from safe_lightning.rehearsal.sandbox import recreate_tables

    recreate_tables(sandboxed.scene.shop.sandbox)
    assert sandboxed.apply().returncode == 88
    [entry] = [item for item in sandboxed.plan()["items"] if item["kind"] == "entry"]
    assert (entry["action"], sandboxed.scene.shop.rows) == ("keep", 0)
    assert "is not the table that was imported into" in entry["reason"]


@pytest.fixture
def import_mode(sandboxed: Sandboxed) -> Callable[[], str]:
    """Leave the stand-in's one store in import mode, and tell its mode later."""
    path = sandboxed.scene.shop.sandbox.folder / "tikv-mode"
    path.write_text("Import")
    return path.read_text


def test_tikv_is_switched_back_by_the_control_tool(sandboxed: Sandboxed, import_mode: Callable[[], str]) -> None:
    [mode] = [item for item in sandboxed.plan()["items"] if item["kind"] == "import-mode"]
    assert (mode["action"], mode["facts"]) == ("switch", {"stores": ["127.0.0.1:20160"]})
    assert sandboxed.apply().returncode == 0
    assert import_mode() == "Normal"


def test_a_tool_that_does_not_switch_is_not_believed(sandboxed: Sandboxed, import_mode: Callable[[], str]) -> None:
    sandboxed.plan()
    body = "sys.exit() if '--switch-mode=normal' in sys.argv else os.execv(REAL, [REAL, *sys.argv[1:]])"
    before = sandboxed.scene.state
    ended = sandboxed.apply(sandboxed.scene.tool(body))
    assert (ended.returncode, import_mode(), sandboxed.scene.state) == (88, "Import", before)
    assert b"is still in import mode" in ended.stdout
