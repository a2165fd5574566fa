"""A table set aside in a sandbox through the control tool: named, remembered, and believed only after reading again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from rehearsal.conftest import TABLE

from safe_lightning.acts.remedy_engine import StepResult, perform
from safe_lightning.api import Action, Plan, Step, TableName
from safe_lightning.core.quarantine import quarantine_name
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import Server
from safe_lightning.record.quarantined import recall
from safe_lightning.rehearsal.cluster import Cluster
from safe_lightning.rehearsal.sandbox import count_rows

from .conftest import Scene

ASIDE = quarantine_name(TABLE, "r1")


def quarantine(scene: Scene, into: TableName | None = ASIDE, **more: Any) -> StepResult:
    around = scene.surroundings(state=scene.folder / "state", run="r1", **more)
    (scene.folder / "state").mkdir(exist_ok=True)
    (result,) = perform(Plan((Step(Action.QUARANTINE, TABLE, "per policy", into),), "because"), around).steps
    return result


def rows(scene: Scene, table: TableName = ASIDE) -> int | None:
    return count_rows(scene.shop.sandbox, table)


def sql(scene: Scene, statement: str) -> None:
    with Cluster(Server(port=scene.shop.sandbox.ports.mysql), scene.shop.sandbox.scenario) as cluster:
        cluster.run(statement)


def remembered(scene: Scene) -> list[tuple[TableName, bool]]:
    target = f"127.0.0.1:{scene.shop.sandbox.ports.mysql}"
    return [(found.name, found.is_settled) for found in recall(scene.folder / "state", target)]


def engine_folders(scene: Scene) -> list[Path]:
    folder = Path(scene.task.sorted_kv_dir)
    return list(folder.iterdir()) if folder.is_dir() else []


def test_the_table_keeps_its_rows_under_its_new_name(failed: Scene) -> None:
    before = failed.shop.rows
    result = quarantine(failed)
    assert (result.status, result.code, result.exit_code) == ("done", "quarantined", 0)
    assert (rows(failed), failed.entries, remembered(failed)) == (before, {}, [(ASIDE, True)])
    assert rows(failed, TABLE) == 0  # it stood there empty before: an empty one of its kind does again
    assert engine_folders(failed) == []


def test_a_name_that_is_taken_is_never_overwritten(failed: Scene) -> None:
    sql(failed, f"CREATE TABLE {ASIDE} (i int)")
    before = failed.state
    result = quarantine(failed)
    assert (result.status, result.code) == ("refused", "objection")
    assert f"{ASIDE} exists already, and is never overwritten" in result.message
    assert (failed.state, rows(failed), remembered(failed), failed.calls) == (before, 0, [], [])


def test_without_a_name_or_a_place_to_remember_it_nothing_is_done(failed: Scene) -> None:
    before = failed.state
    assert quarantine(failed, into=None).code == "not-examined"
    assert failed.act(Action.QUARANTINE).code == "not-examined"
    assert (failed.state, failed.calls) == (before, [])


@pytest.mark.parametrize("body", ["pass", "sys.exit('no luck')"], ids=["does nothing", "says that it failed"])
def test_a_tool_that_leaves_the_entry_is_found_out(failed: Scene, body: str) -> None:
    before = failed.shop.rows
    result = quarantine(failed, control_tool=failed.tool(body))
    assert (result.status, result.code) == ("failed", "entry-remains")
    assert f"{TABLE} is now {ASIDE}, and its entry still stands in the checkpoint" in result.message
    assert (rows(failed), remembered(failed)) == (before, [(ASIDE, False)])


def test_a_further_plan_finishes_what_a_tool_has_left(failed: Scene) -> None:
    before = failed.shop.rows
    quarantine(failed, control_tool=failed.tool("pass"))
    result = quarantine(failed, into=quarantine_name(TABLE, "r2"), control_tool=failed.tool())
    assert (result.status, result.code) == ("done", "quarantined")
    assert (rows(failed), failed.entries, remembered(failed)) == (before, {}, [(ASIDE, True)])


def test_it_is_not_finished_over_rows_that_came_since(failed: Scene) -> None:
    quarantine(failed, control_tool=failed.tool("pass"))
    sql(failed, f"INSERT INTO {TABLE} (id, code, n) VALUES (4711, 'x', 1)")
    result = quarantine(failed, control_tool=failed.tool())
    assert (result.status, result.code) == ("refused", "other-table")
    assert list(failed.entries) == [str(TABLE)]


def test_a_table_that_is_gone_leaves_only_its_entry_to_take_out(failed: Scene) -> None:
    sql(failed, f"DROP TABLE {TABLE}")
    result = quarantine(failed)
    assert (result.status, result.code) == ("done", "removed")
    assert (failed.entries, rows(failed), remembered(failed)) == ({}, None, [])


def test_a_target_that_does_not_answer_forbids_it(failed: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from safe_lightning.lightning import renaming

    def silent(*given: object) -> tuple[str, ...]:
        raise CouldNotLook("the server did not answer within 1 s")

    monkeypatch.setattr(renaming, "ties_of", silent)
    before = failed.state
    result = quarantine(failed)
    assert (result.status, result.code) == ("refused", "not-examined")
    assert "did not answer within 1 s" in result.message
    assert failed.state == before
