"""Acts that are allowed: copied, intended, done, and believed only after reading again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rehearsal.conftest import TABLE

from safe_lightning.acts import control_tool_acts
from safe_lightning.api import Action, TableName
from safe_lightning.policy.model import ControlToolPolicy
from safe_lightning.rehearsal.sandbox import count_rows, recreate_tables
from safe_lightning.rehearsal.scenario import Ending

from .conftest import CAREFREE, OTHER, TWO_TABLES, Scene, empty_before

OpenScene = Callable[..., Scene]


@pytest.mark.parametrize(
    ("action", "code", "entries", "rows"),
    [
        (Action.REMOVE, "removed", {}, 40),
        (Action.IGNORE, "ignored", {str(TABLE): 30}, 40),
        (Action.DESTROY, "destroyed", {}, None),
    ],
)
def test_what_an_act_does(failed: Scene, action: Action, code: str, entries: dict[str, int], rows: int | None) -> None:
    before, _ = failed.state
    result = failed.act(action)
    assert (result.status, result.code, result.exit_code) == ("done", code, 0)
    assert (failed.entries, failed.shop.rows) == (entries, rows)
    assert failed.journal == ["backed up", f"to {action} {TABLE}, 0 calls so far", "done, 1 calls so far"]
    (backup,) = (failed.folder / "backups").iterdir()
    assert backup.read_bytes() == before


def test_a_table_beside_it_is_left_alone(open_scene: OpenScene) -> None:
    scene = open_scene(files=TWO_TABLES)
    before, rows = scene.entries, count_rows(scene.shop.sandbox, OTHER)
    assert scene.act(Action.DESTROY).code == "destroyed"
    assert scene.entries == {str(OTHER): before[str(OTHER)]}
    assert (count_rows(scene.shop.sandbox, OTHER), scene.shop.rows) == (rows, None)


def test_a_second_destroy_finds_no_entry(failed: Scene) -> None:
    result = failed.perform((Action.DESTROY, TABLE), (Action.DESTROY, TABLE))
    assert [step.code for step in result.steps] == ["destroyed", "no-entry"]
    assert len(failed.calls) == 1


def test_a_table_that_is_not_the_one_imported_into_is_kept(failed: Scene) -> None:
    recreate_tables(failed.shop.sandbox)
    result = failed.act(Action.DESTROY)
    assert (result.status, result.code) == ("refused", "other-table")
    assert (failed.shop.rows, failed.calls) == (0, [])


def test_a_table_that_somebody_dropped_already_counts_as_destroyed(failed: Scene) -> None:
    from safe_lightning.lightning.task import Server
    from safe_lightning.rehearsal.cluster import Cluster

    with Cluster(Server(port=failed.shop.sandbox.ports.mysql), failed.shop.sandbox.scenario) as cluster:
        cluster.drop(TABLE)
    result = failed.act(Action.DESTROY)
    assert (result.status, result.code, result.exit_code) == ("done", "destroyed", 1)
    assert "exit code 1: drop table failed: Error 1051" in result.message


def test_the_tables_of_the_logical_backend_are_known_by_their_age(open_scene: OpenScene) -> None:
    scene = open_scene(ending=Ending.DATA_ERROR, backend="tidb")
    assert scene.entries[str(TABLE)] <= 25
    assert scene.act(Action.DESTROY).code == "destroyed"
    assert scene.shop.rows is None


WEIRD = TableName("app", "we`ird; x'y")
WEIRD_FILES = {
    "app-schema-create.sql": "CREATE DATABASE app;",
    f"app.{WEIRD.table}-schema.sql": "CREATE TABLE `we``ird; x'y` (id bigint PRIMARY KEY, n int);",
    f"app.{WEIRD.table}.csv": "id,n\n" + "".join(f"{i},1\n" for i in range(1, 20)),
}


def test_a_hostile_name_reaches_the_tool_as_one_table(open_scene: OpenScene) -> None:
    scene = open_scene(files=WEIRD_FILES)
    assert set(scene.entries) == {str(WEIRD)}
    services = replace(scene.surroundings().services, recall=lambda: empty_before(WEIRD))  # type: ignore[type-var]
    assert scene.act(Action.DESTROY, WEIRD, services=services).code == "destroyed"
    assert scene.calls[0].endswith(repr(f"--checkpoint-error-destroy={WEIRD}") + "]")


#: Control tools that do something else than they should: what they do, and what is found out.
LIES = {
    "does nothing, exit 0": ("pass", "no-effect", "is still recorded as failed at"),
    "says that it failed": ("sys.exit('no luck')", "no-effect", "ended with exit code 1: no luck"),
    "forgets the table": (
        "os.execv(REAL, [REAL, *[a.replace('error-destroy', 'remove') for a in sys.argv[1:]]])",
        "table-remains",
        "drop it by hand",
    ),
    "takes all": ("os.execv(REAL, [REAL, *sys.argv[1:-1], '--checkpoint-remove=all'])", "others-changed", "changed"),
    "breaks the checkpoint": (
        "open(CHECKPOINT, 'wb').write(b'\\xff\\xff')",
        "could-not-verify",
        "the checkpoint cannot be read any more",
    ),
    "crashes": (
        "sys.stderr.write('panic: nil pointer\\n\\ngoroutine 1 [running]:\\n'); sys.exit(2)",
        "no-effect",
        "crashed, as it does when PD stops answering",
    ),
    "is killed": ("os.kill(os.getpid(), 9)", "no-effect", "was killed by signal 9"),
}


@pytest.mark.parametrize(("body", "code", "words"), LIES.values(), ids=LIES)
def test_a_tool_is_not_believed(open_scene: OpenScene, body: str, code: str, words: str) -> None:
    scene = open_scene(files=TWO_TABLES)
    tool = scene.tool(f"CHECKPOINT = {str(scene.shop.checkpoint_file)!r}\n{body}")
    result = scene.perform((Action.DESTROY, TABLE), (Action.REMOVE, OTHER), control_tool=tool)
    assert [step.status for step in result.steps] == ["failed", "not-reached"]
    assert result.steps[0].code == code
    assert words in result.steps[0].message
    assert len(scene.calls) == 1


def test_a_tool_that_drops_the_table_but_leaves_the_entry_has_failed(failed: Scene) -> None:
    kept = failed.folder / "kept"
    kept.write_bytes(failed.shop.checkpoint_file.read_bytes())
    body = "subprocess.run([REAL, *sys.argv[1:]])\n"
    body += f"open({str(failed.shop.checkpoint_file)!r}, 'wb').write(open({str(kept)!r}, 'rb').read())"
    result = failed.act(Action.DESTROY, control_tool=failed.tool(body))
    assert (result.status, result.code) == ("failed", "no-effect")


def test_work_that_is_done_counts_whatever_the_exit_code(failed: Scene) -> None:
    tool = failed.tool("subprocess.run([REAL, *sys.argv[1:]]); sys.exit('analyze failed')")
    result = failed.act(Action.DESTROY, control_tool=tool)
    assert (result.status, result.exit_code) == ("done", 1)
    assert "ended with exit code 1: analyze failed" in result.message


def test_a_tool_that_hangs_is_ended_in_time(failed: Scene) -> None:
    policy = replace(CAREFREE, control_tool=ControlToolPolicy(timeout=0.5, probe_timeout=5))
    result = failed.act(Action.DESTROY, policy=policy, control_tool=failed.tool("signal.pause()"))
    assert (result.status, result.code) == ("failed", "no-effect")
    assert "did not end within 0.5 s and was killed" in result.message


def test_a_tool_that_cannot_be_started_is_a_failed_step(failed: Scene, tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    result = failed.act(Action.REMOVE, control_tool=tmp_path / "plain")
    assert (result.status, result.code) == ("failed", "not-started")


def test_a_stop_lets_the_act_that_has_begun_end(failed: Scene) -> None:
    stop = threading.Event()
    result = failed.perform(
        (Action.IGNORE, TABLE), (Action.REMOVE, TABLE), stop=stop, record_intent=lambda step: stop.set()
    )
    assert [step.code for step in result.steps] == ["ignored", "interrupted"]


def test_a_stop_does_not_wait_for_ever(failed: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_tool_acts, "_STOP_GRACE_SECONDS", 0.3)
    stop = threading.Event()
    result = failed.act(
        Action.DESTROY, stop=stop, record_intent=lambda step: stop.set(), control_tool=failed.tool("signal.pause()")
    )
    assert (result.status, result.code) == ("failed", "no-effect")
    assert "the run was stopped" in result.message


def test_what_the_tool_says_is_kept_without_secrets(failed: Scene) -> None:
    tool = failed.tool("sys.exit('dial root:hunter2@tcp(10.0.0.1:4000)/ failed')")
    result = failed.act(Action.REMOVE, control_tool=tool)
    assert "dial" in result.output
    assert "hunter2" not in result.output + result.message
