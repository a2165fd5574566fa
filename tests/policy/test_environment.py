"""Keys set by environment variables, as containers do."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any

import pytest

from safe_lightning.policy.environment import variables
from safe_lightning.policy.load import LoadedPolicy, PolicyError, load_policy
from safe_lightning.policy.model import DROP_PHRASE


@pytest.mark.parametrize(
    ("name", "text", "section", "key", "value"),
    [
        ("DRY_RUN", "true", None, "dry_run", True),
        ("STATE_DIR", "state dir", None, "state_dir", "state dir"),
        ("STATE_DIR", "~/state", None, "state_dir", "/home/u/state"),
        ("BINARY", "", None, "binary", ""),
        ("ALLOW", f'["{DROP_PHRASE}"]', None, "allow", (DROP_PHRASE,)),
        ("ALLOW", "[]", None, "allow", ()),
        ("RECORD__KEEP_RUNS", "7", "record", "keep_runs", 7),
        ("WATCH__STALL_AFTER", "1h30m", "watch", "stall_after", 5400.0),
        ("CHECKPOINT__ON__STALE", "remove", "checkpoint.on", "stale", "remove"),
        ("CONTROL_TOOL__PATH", "/x/ctl", "control_tool", "path", "/x/ctl"),
    ],
)
def test_a_variable_sets_a_key(name: str, text: str, section: str | None, key: str, value: object) -> None:
    policy = load_policy(None, {f"SAFE_LIGHTNING__{name}": text, "HOME": "/home/u"}).policy
    assert attrgetter(f"{section}.{key}" if section else key)(policy) == value


def test_a_variable_wins_over_the_file(load: Callable[..., LoadedPolicy]) -> None:
    loaded = load('[lock]\nwait = "1s"', {"SAFE_LIGHTNING__LOCK__WAIT": "2s"})
    assert loaded.policy.lock.wait == 2.0
    assert loaded.origins["lock.wait"] == "environment SAFE_LIGHTNING__LOCK__WAIT"


def test_a_relative_path_in_a_variable_does_not_start_at_the_policy_file(load: Callable[..., LoadedPolicy]) -> None:
    assert load("", {"SAFE_LIGHTNING__BINARY": "./x"}).policy.binary == "./x"


def test_no_two_keys_share_a_variable_and_every_single_key_has_one() -> None:
    from safe_lightning.policy.keys import single_names

    assert {".".join(map(str, path)) for path, _ in variables().values()} == {*single_names()} - {"schema"}


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("STATEDIR", "x", "found an unknown variable; allowed: SAFE_LIGHTNING__ and a key"),
        ("STATEDIR", "x", 'nearest is "SAFE_LIGHTNING__STATE_DIR"'),
        ("STALE", "x", "found an unknown variable"),
        ("SCHEMA", "1", "found an unknown variable"),
        ("HOOKS", "[]", "(not remedy, override, hooks, schema)"),
        ("", "x", "found an unknown variable"),
        ("dry_run", "true", 'nearest is "SAFE_LIGHTNING__DRY_RUN"'),
        ("DRY_RUN", "True", 'dry_run: found "True"; allowed: true or false'),
        ("DRY_RUN", "", 'dry_run: found ""; allowed: true or false'),
        ("RECORD__KEEP_RUNS", "1_000", 'record.keep_runs: found "1_000"; allowed: a whole number'),
        ("RECORD__KEEP_RUNS", "-1", "record.keep_runs: found -1; allowed: a whole number"),
        ("CHECKPOINT__ON__STALE", "destory", 'nearest is "destroy"'),
        ("CHECKPOINT__ON__STALE", "destroy", "it drops tables: allowed only together with allow"),
        ("ALLOW", DROP_PHRASE, f'allow: found "{DROP_PHRASE}"; allowed: a list of'),
        ("ALLOW", '["x"]\nschema = 2', 'allow: found "[\\"x\\"]\\nschema = 2"; allowed: a list of'),
        ("ALLOW", '["x"]', 'allow[1]: found "x"; allowed: '),
    ],
)
def test_an_error_names_the_variable(name: str, text: str, words: str) -> None:
    with pytest.raises(PolicyError) as raised:
        load_policy(None, {f"SAFE_LIGHTNING__{name}": text})
    (error,) = str(raised.value).splitlines()
    assert error.startswith(f"environment SAFE_LIGHTNING__{name}: ")
    assert words in error


def test_other_variables_of_ours_are_none_of_the_policys() -> None:
    environ = {"SAFE_LIGHTNING_BINARY": "x", "SAFE_LIGHTNING_RUN_ID": "y", "safe_lightning__x": "z"}
    assert load_policy(None, environ) == load_policy(None, {})


def test_a_section_that_the_file_holds_wrongly_is_reported_and_not_overlaid(errors: Any) -> None:
    (error,) = errors("lock = 3", {"SAFE_LIGHTNING__LOCK__WAIT": "2s"})
    assert "lock: found 3; allowed: a table" in error
