"""What the policy answers for one table, and which of its entries says so."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from safe_lightning.core.checkpoint import CheckpointVerdict
from safe_lightning.core.tables import TableName
from safe_lightning.policy.answers import checkpoint_answer, remedy_for
from safe_lightning.policy.load import LoadedPolicy
from safe_lightning.policy.model import CheckpointAnswers, CheckpointPolicy, Policy, RemedyRule

Load = Callable[..., LoadedPolicy]

REMEDIES = """
[[remedy]]
cause = "key-conflicts"
tables = ["app.*", "!app.tmp_*"]
action = "ignore"
[[remedy]]
cause = "key-conflicts"
action = "remove"
[[remedy]]
tables = ["app.*"]
then = "retry"
"""


@pytest.mark.parametrize(
    ("table", "cause", "action", "number"),
    [
        ("app.orders", "key-conflicts", "ignore", 1),
        ("APP.Orders", "key-conflicts", "ignore", 1),
        ("app.tmp_1", "key-conflicts", "remove", 2),
        ("other.t", "key-conflicts", "remove", 2),
        ("app.orders", "rows-before", "report", 3),
        ("app.orders", "checksum-incomplete", "report", 3),
    ],
)
def test_the_first_remedy_that_fits_is_applied(load: Load, table: str, cause: str, action: str, number: int) -> None:
    rule, reason = remedy_for(load(REMEDIES).policy, TableName(*table.split(".")), cause)
    assert rule.action == action
    assert reason == f"per policy ([[remedy]] number {number})"


def test_without_a_remedy_the_default_is_to_report(load: Load) -> None:
    rule, reason = remedy_for(load(REMEDIES).policy, TableName("other", "t"), "unexplained")
    assert rule == RemedyRule(action="report", then="stop")
    assert reason.startswith("per default (")


OVERRIDES = """
[checkpoint.on]
stale = "remove"
failed = "refuse"
[[override]]
tables = ["app.*"]
checkpoint = { stale = "ignore", failed = "remove" }
[[override]]
tables = ["app.big_*"]
checkpoint.stale = "refuse"
"""


@pytest.mark.parametrize(
    ("table", "verdict", "word", "reason"),
    [
        ("other.t", "stale", "remove", "per policy (checkpoint.on.stale)"),
        ("other.t", "failed", "refuse", "per policy (checkpoint.on.failed)"),
        ("other.t", "finished", "refuse", "per default (checkpoint.on.finished)"),
        ("other.t", "resumable", "resume", "per default (checkpoint.on.resumable)"),
        ("app.t", "stale", "ignore", "per policy ([[override]] number 1)"),
        ("app.big_1", "stale", "refuse", "per policy ([[override]] number 2)"),
        ("app.big_1", "failed", "remove", "per policy ([[override]] number 1)"),
        ("app.big_1", "finished", "refuse", "per default (checkpoint.on.finished)"),
        (None, "stale", "remove", "per policy (checkpoint.on.stale)"),
        (None, "unreadable", "refuse", "per default (checkpoint.on.unreadable)"),
        ("other.t", "foreign", "refuse", "per default (checkpoint.on.foreign)"),
        (None, "live", "refuse", "per default (checkpoint.on.live)"),
        (None, "none", "resume", "per default (there is no checkpoint)"),
    ],
)
def test_the_last_override_that_fits_wins(load: Load, table: str | None, verdict: str, word: str, reason: str) -> None:
    name = TableName(*table.split(".")) if table else None
    assert checkpoint_answer(load(OVERRIDES).policy, name, CheckpointVerdict(verdict)) == (word, reason)


def test_a_key_set_by_a_variable_is_policy_too(load: Load) -> None:
    policy = load("", {"SAFE_LIGHTNING__CHECKPOINT__ON__STALE": "refuse"}).policy
    assert checkpoint_answer(policy, None, CheckpointVerdict.STALE) == ("refuse", "per policy (checkpoint.on.stale)")


def test_a_policy_that_was_not_loaded_from_a_file_tells_policy_from_default_by_value() -> None:
    policy = Policy(checkpoint=CheckpointPolicy(on=CheckpointAnswers(stale="ignore")))
    assert checkpoint_answer(policy, None, CheckpointVerdict.STALE)[1] == "per policy (checkpoint.on.stale)"
    assert checkpoint_answer(policy, None, CheckpointVerdict.FAILED)[1] == "per default (checkpoint.on.failed)"


@pytest.mark.parametrize("verdict", CheckpointVerdict)
def test_by_default_nothing_is_ever_changed(verdict: CheckpointVerdict) -> None:
    assert checkpoint_answer(Policy(), TableName("a", "b"), verdict)[0] in {"resume", "refuse"}
    assert not Policy().may_drop


def test_a_resume_that_is_not_safe_has_an_answer_of_its_own(load: Load) -> None:
    policy = load('[[override]]\ntables = ["app.*"]\ncheckpoint.unsafe = "resume"').policy
    ask = [checkpoint_answer(policy, TableName(*name), CheckpointVerdict.RESUMABLE, is_unsafe=True) for name in
           (("app", "t"), ("other", "t"))]  # fmt: skip
    assert ask == [("resume", "per policy ([[override]] number 1)"), ("refuse", "per default (checkpoint.on.unsafe)")]
