"""Trying to break each law: whatever is bad or unknown, nothing is changed and the reason is said."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from rehearsal.conftest import TABLE

from safe_lightning.api import Action, CouldNotLook, Policy, TableBaseline, TableName
from safe_lightning.policy.model import DROP_PHRASE, ControlToolPolicy
from safe_lightning.services import EngineServices

from .conftest import CAREFREE, Scene

ACTS = [Action.IGNORE, Action.REMOVE, Action.DESTROY]
Facts = Callable[[Scene], dict[str, Any]]


def baseline(existed: bool, was_empty: bool | None, table: TableName = TABLE) -> Facts:
    found = {table: TableBaseline(table, existed, was_empty, 1.0, "r1")}
    return lambda scene: {"services": EngineServices(scene.task, CAREFREE, lambda: found)}


def fail(error: Exception) -> Callable[..., Any]:
    def raised() -> None:
        raise error

    return raised


def target(**more: Any) -> Facts:
    """Have the services look at a target that is not the task's."""

    def facts(scene: Scene) -> dict[str, Any]:
        elsewhere = replace(scene.task, target=replace(scene.task.target, **more))
        known = scene.surroundings().services.baselines()
        return {"services": EngineServices(elsewhere, CAREFREE, lambda: known)}

    return facts


def task(**more: Any) -> Facts:
    return lambda scene: {"task": replace(scene.task, **more)}


def server(**more: Any) -> Facts:
    return lambda scene: {"task": replace(scene.task, target=replace(scene.task.target, **more))}


def given(**more: Any) -> Facts:
    return lambda scene: more


DESTROY_ONLY = {
    "rows before": (baseline(True, False), "rows-before", "had rows before the first attempt (run r1)"),
    "emptiness not proven": (baseline(True, None), "rows-before", "was not proven empty"),
    "nothing recorded": (
        lambda scene: {"services": EngineServices(scene.task, CAREFREE)},
        "no-baseline",
        "it is not recorded",
    ),
    "another table recorded": (baseline(True, True, TableName("app", "Items")), "no-baseline", "it is not recorded"),
    "record unreadable": (
        lambda scene: {"services": EngineServices(scene.task, CAREFREE, fail(CouldNotLook("disk on fire")))},
        "no-baseline",
        "disk on fire",
    ),
    "policy silent": (given(policy=Policy()), "not-agreed", "does not accept in words"),
    "policy almost": (given(policy=Policy(allow=(DROP_PHRASE.upper(),))), "not-agreed", "does not accept in words"),
    "parallel import": (task(parallel_import=True), "shared-table", "a parallel import fills"),
    "another cluster": (server(host="localhost"), "other-cluster", "for another cluster"),
    "target down": (target(port=1), "target-not-seen", "cannot be reached"),
}
EVERY_ACT = {
    "no such entry": (given(), TableName("app", "nosuch"), "no-entry", "no entry named exactly"),
    "another case": (given(), TableName("APP", "items"), "no-entry", "no entry named exactly"),
    "a pattern": (given(), TableName("app", "*"), "no-entry", "no entry named exactly"),
    "all": (given(), TableName("all", "all"), "no-entry", "no entry named exactly"),
    "unquoted": (given(), TableName("", "app.items"), "inexact-name", "one exact table"),
    "another alive": (given(others_alive=lambda: True), TABLE, "not-alone", "another Lightning is alive"),
    "could not look": (given(others_alive=lambda: None), TABLE, "not-alone", "could not be looked into"),
    "backup impossible": (given(back_up=fail(OSError(28, "No space left"))), TABLE, "no-backup", "No space left"),
    "backup unreadable": (given(back_up=fail(CouldNotLook("it changed"))), TABLE, "no-backup", "it changed"),
    "record broken": (given(is_record_trustworthy=lambda: False), TABLE, "no-record", "would leave no trace"),
    "no control tool": (given(control_tool=None), TABLE, "no-control-tool", "no tidb-lightning-ctl"),
    "PD gone": (server(pd_addr="127.0.0.1:1"), TABLE, "no-pd", "PD does not answer; without it"),
    "PD unknown": (server(pd_addr="", status_port=1), TABLE, "no-pd", "TiDB cannot be asked for it"),
}


@pytest.mark.parametrize(("facts", "code", "words"), DESTROY_ONLY.values(), ids=DESTROY_ONLY)
@pytest.mark.parametrize("dry_run", [False, True], ids=["", "in a dry run"])
def test_a_table_is_not_dropped(untouched: Scene, facts: Facts, code: str, words: str, dry_run: bool) -> None:
    result = untouched.act(Action.DESTROY, dry_run=dry_run, **facts(untouched))
    assert (result.status, result.code) == ("refused", code)
    assert words in result.message
    assert result.message.startswith("safety law 1: ")


@pytest.mark.parametrize("action", ACTS)
@pytest.mark.parametrize(("facts", "table", "code", "words"), EVERY_ACT.values(), ids=EVERY_ACT)
def test_nothing_is_done(
    untouched: Scene, action: Action, facts: Facts, table: TableName, code: str, words: str
) -> None:
    result = untouched.act(action, table, **facts(untouched))
    assert (result.status, result.code) == ("refused", code)
    assert words in result.message


def test_a_record_that_breaks_with_the_intent_stops_the_act(untouched: Scene) -> None:
    written: list[str] = []
    result = untouched.act(
        Action.DESTROY, record_intent=lambda step: written.append("intent"), is_record_trustworthy=lambda: not written
    )
    assert (result.status, result.code, written) == ("refused", "no-record", ["intent"])


def test_without_a_backup_not_even_the_intent_is_written(untouched: Scene) -> None:
    untouched.act(Action.REMOVE, back_up=fail(OSError("no")))
    assert untouched.journal == ["refused, 0 calls so far"]


@pytest.mark.parametrize("content", [b"\xff\xff not protobuf", b"\x0a\xff"], ids=["garbage", "cut"])
def test_a_checkpoint_that_cannot_be_read_never_meets_the_tool(untouched: Scene, content: bytes) -> None:
    # The tool would overwrite it with two bytes and exit 0.
    path = untouched.shop.checkpoint_file
    kept = path.read_bytes()
    path.write_bytes(content)
    try:
        result = untouched.act(Action.REMOVE)
        assert (result.status, result.code) == ("refused", "could-not-look")
        assert path.read_bytes() == content
    finally:
        path.write_bytes(kept)


def test_a_checkpoint_that_is_gone_is_not_created(untouched: Scene) -> None:
    path = untouched.shop.checkpoint_file
    kept = path.rename(path.with_suffix(".kept"))
    try:
        assert untouched.act(Action.DESTROY).code == "no-entry"
        assert not path.exists()
    finally:
        kept.rename(path)


def test_a_stop_comes_before_the_next_step(untouched: Scene, stopped: threading.Event) -> None:
    result = untouched.perform((Action.REMOVE, TABLE), (Action.REMOVE, TABLE), stop=stopped)
    assert [(step.status, step.code) for step in result.steps] == [
        ("refused", "interrupted"),
        ("not-reached", "not-reached"),
    ]
    assert not result.is_complete


@pytest.mark.parametrize("action", ACTS)
def test_a_dry_run_says_what_would_be_done_and_does_nothing(untouched: Scene, action: Action) -> None:
    result = untouched.act(action, dry_run=True)
    assert (result.status, result.code) == ("planned", "planned")
    assert untouched.journal == []


def test_a_dry_run_examines_every_step(untouched: Scene) -> None:
    steps = untouched.perform(
        (Action.REMOVE, TableName("no", "such")), (Action.REMOVE, TABLE), (Action.REPORT, TABLE), dry_run=True
    ).steps
    assert [step.status for step in steps] == ["refused", "planned", "reported"]


def test_an_earlier_refusal_ends_the_plan(untouched: Scene) -> None:
    result = untouched.perform((Action.REPORT, TABLE), (Action.REMOVE, TableName("no", "such")), (Action.REMOVE, TABLE))
    assert [step.status for step in result.steps] == ["reported", "refused", "not-reached"]
    assert not result.is_complete


def test_the_look_at_pd_is_bounded(untouched: Scene) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as deaf:  # it takes the connection and never answers
        policy = replace(CAREFREE, control_tool=ControlToolPolicy(timeout=60, probe_timeout=0.2))
        facts = server(pd_addr=f"127.0.0.1:{deaf.getsockname()[1]}")(untouched)
        assert untouched.act(Action.REMOVE, policy=policy, **facts).code == "no-pd"
