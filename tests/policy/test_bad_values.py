"""Every kind of mistake: what the error says, on which line, and that the JSON Schema sees it too."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jsonschema
import pytest

from safe_lightning.policy.json_schema import policy_schema
from safe_lightning.policy.model import DROP_PHRASE
from safe_lightning.policy.writing import write_example

Errors = Callable[..., list[str]]


@dataclass(frozen=True)
class Bad:
    """A policy (line 1 is the schema), and the one error in it; ``is_beyond_schema`` where an editor cannot know."""

    text: str
    line: int
    key: str
    words: str
    is_beyond_schema: bool = False


BAD = [
    Bad("stat_dir = 'x'", 2, "stat_dir", "found an unknown key; allowed: schema, binary, state_dir,"),
    Bad("stat_dir = 'x'", 2, "stat_dir", 'nearest is "state_dir"'),
    Bad("Dry-Run = true", 2, "Dry-Run", 'nearest is "dry_run"'),
    Bad("grace = '5m'", 2, "grace", 'nearest is "child.grace"'),
    Bad("'a b' = 1", 2, '"a b"', "found an unknown key"),
    Bad("[tikv-importer]\nbackend = 'local'", 2, "tikv-importer", "found an unknown key"),
    Bad("[log]\nlevels = 'info'", 3, "log.levels", 'allowed: format, level, row_data, progress; nearest is "level"'),
    Bad("log = 'info'", 2, "log", 'found "info"; allowed: a table'),
    Bad("[[log]]\nlevel = 'info'", 2, "log", "found a list of 1; allowed: a table"),
    Bad("dry_run = 'true'", 2, "dry_run", 'found "true"; allowed: true or false'),
    Bad("dry_run = 1", 2, "dry_run", "found 1; allowed: true or false"),
    Bad("binary = 8.5", 2, "binary", "found 8.5; allowed: a path, or a name that is looked up on PATH"),
    Bad(r'binary = "a\u0000b"', 2, "binary", r'found "a\u0000b"; allowed: a path', is_beyond_schema=True),
    Bad("state_dir = 2024-01-01", 2, "state_dir", "found 2024-01-01; allowed: a path as text"),
    Bad("exit_codes = 'Child'", 2, "exit_codes", 'found "Child"; allowed: "child" or "outcome"; nearest is "child"'),
    Bad("allow = 'drop'", 2, "allow", 'found "drop"; allowed: a list of "drop tables that this import filled"'),
    Bad("allow = ['Drop tables that this import filled']", 2, "allow[1]", f'nearest is "{DROP_PHRASE}"'),
    Bad("[log]\nlevel = 'warning'", 3, "log.level", 'allowed: "debug", "info", "warn" or "error"; nearest is "warn"'),
    Bad("[log]\nlevel = ['info']", 3, "log.level", "found a list of 1; allowed: "),
    Bad("[child]\ngrace = 300", 3, "child.grace", 'found 300; allowed: a duration such as "90s" or "1h30m"'),
    Bad("[child]\ngrace = '300'", 3, "child.grace", 'found "300"; allowed: a duration'),
    Bad("[child]\ngrace = '-5m'", 3, "child.grace", 'found "-5m"; allowed: a duration'),
    Bad("[child]\ngrace = '5 m'", 3, "child.grace", 'found "5 m"; allowed: a duration'),
    Bad("[child]\ngrace = '٣s'", 3, "child.grace", "allowed: a duration"),
    Bad("[child]\ngrace = '366d'", 3, "child.grace", "from 0s to 365d", is_beyond_schema=True),
    Bad("[watch]\ninterval = '0s'", 3, "watch.interval", "from 100ms to 365d"),
    Bad("[watch]\nopen_files_most = 90", 3, "watch.open_files_most", 'found 90; allowed: a share such as "5%"'),
    Bad("[watch]\nopen_files_most = '101%'", 3, "watch.open_files_most", "from 0% to 100%"),
    Bad("[record]\nkeep_runs = -1", 3, "record.keep_runs", "found -1; allowed: a whole number from 0 to 1000000000"),
    Bad("[record]\nkeep_runs = true", 3, "record.keep_runs", "found true; allowed: a whole number"),
    Bad("[record]\nkeep_runs = 1.5", 3, "record.keep_runs", "found 1.5; allowed: a whole number"),
    Bad(
        f"[record]\nkeep_runs = 0x{'f' * 9000}",
        3,
        "record.keep_runs",
        "found a number beyond 64 bits",
        is_beyond_schema=True,
    ),
    Bad("[checkpoint]\nsize_most = '1GB'", 3, "checkpoint.size_most", 'allowed: a size such as "512MiB" or "1GiB"'),
    Bad("[checkpoint]\nsize_most = '0B'", 3, "checkpoint.size_most", "from 1B to 1024TiB"),
    Bad("[checkpoint.on]\nunreadable = 'remove'", 3, "checkpoint.on.unreadable", 'allowed: "refuse" or "ignore"'),
    Bad("remedy = 'report'", 2, "remedy", 'found "report"; allowed: a list of tables, [[remedy]]'),
    Bad("[remedy]\naction = 'report'", 2, "remedy", "found a table; allowed: a list of tables, [[remedy]]"),
    Bad("remedy = [1]", 2, "remedy[1]", "found 1; allowed: a table"),
    Bad("[[remedy]]\n[[remedy]]\ncause = 'key-conflict'", 4, "remedy[2].cause", 'nearest is "key-conflicts"'),
    Bad("[[remedy]]\nleast_confidence = 1.5", 3, "remedy[1].least_confidence", "a number from 0 to 1"),
    Bad("[[remedy]]\nleast_confidence = '50%'", 3, "remedy[1].least_confidence", "a number from 0 to 1"),
    Bad("[[remedy]]\nleast_confidence = true", 3, "remedy[1].least_confidence", "a number from 0 to 1"),
    Bad("[[remedy]]\nmax_attempts = 11", 3, "remedy[1].max_attempts", "allowed: a whole number from 0 to 10"),
    Bad("[[remedy]]\ntables = 'app.*'", 3, "remedy[1].tables", "allowed: a list of filter patterns"),
    Bad("[[remedy]]\ntables = []", 3, "remedy[1].tables", "found an empty list; allowed: a list of filter patterns"),
    Bad("[[remedy]]\ntables = ['']", 3, "remedy[1].tables[1]", 'found ""; allowed: filter patterns'),
    Bad("[[remedy]]\ntables = [\n'a.*',\n'b']", 5, "remedy[1].tables[2]", "wrong table pattern", is_beyond_schema=True),
    Bad("[[remedy]]\ntables = ['# a.*']", 3, "remedy[1].tables[1]", "filter patterns", is_beyond_schema=True),
    Bad("[[remedy]]\ntables = ['!a.*']", 3, "remedy[1].tables", "exclusions only", is_beyond_schema=True),
    Bad("[[override]]\ntables = ['a.*']", 2, "override[1]", "found no answer in it; allowed: at least one"),
    Bad("[[override]]\ncheckpoint = {}", 2, "override[1]", "found no answer in it; allowed: at least one"),
    Bad("[[override]]\ncheckpoint = 'x'", 3, "override[1].checkpoint", 'found "x"; allowed: a table'),
    Bad("[[override]]\n[override.checkpoint]\nstale = 'x'", 4, "override[1].checkpoint.stale", 'found "x"; allowed: '),
    Bad("[checkpoint]\non = 'refuse'", 3, "checkpoint.on", 'found "refuse"; allowed: a table'),
    Bad("[checkpoint]\nstale = 'refuse'", 3, "checkpoint.stale", 'nearest is "checkpoint.on.stale"'),
    Bad("[[override]]\ncheckpoint.live = 'ignore'", 3, "override[1].checkpoint.live", "an unknown key"),
    Bad("[[override]]\ncheckpoint.unreadable = 'ignore'", 3, "override[1].checkpoint.unreadable", "an unknown key"),
    Bad("[[hooks]]\nuse = 'a'\nrun = ['a']", 2, "hooks[1]", "found both of use and run; allowed: exactly one of them"),
    Bad("[[hooks]]\ntimeout = '1s'", 2, "hooks[1]", "found neither of use and run; allowed: exactly one of them"),
    Bad("[[hooks]]\nuse = ''", 2, "hooks[1]", "found neither of use and run"),
    Bad("[[hooks]]\nrun = []", 3, "hooks[1].run", "found an empty list; allowed: a list of texts: an executable"),
    Bad("[[hooks]]\nrun = ['']", 3, "hooks[1].run[1]", 'found ""; allowed: an executable', is_beyond_schema=True),
    Bad("[[hooks]]\nrun = 'page.sh'", 3, "hooks[1].run", 'found "page.sh"; allowed: a list of texts'),
    Bad("[[hooks]]\nrun = ['a', 1]", 3, "hooks[1].run[2]", "found 1; allowed: texts: an executable and its arguments"),
    Bad("[[hooks]]\nuse = 'a'\nstage = 'before'", 4, "hooks[1].stage", 'allowed: "pre-import" or "post-import"'),
    Bad("[[hooks]]\nuse = 'a'\nwhen = ['hung']", 4, "hooks[1].when", 'allowed: only with stage = "post-import"'),
    Bad(
        "[[hooks]]\nuse = 'a'\nstage = 'post-import'\nwhen = [\n'hung',\n'checksum-missmatch']",
        7,
        "hooks[1].when[2]",
        'nearest is "checksum-mismatch"',
    ),
    Bad(
        "[[hooks]]\nuse = 'a'\nname = \"a\\nb\"",
        4,
        "hooks[1].name",
        "allowed: a text on one line",
        is_beyond_schema=True,
    ),
    Bad(
        "[checkpoint.on]\nstale = 'destroy'", 3, "checkpoint.on.stale", f'only together with allow = ["{DROP_PHRASE}"]'
    ),
    Bad("[[remedy]]\naction = 'destroy'", 3, "remedy[1].action", f'only together with allow = ["{DROP_PHRASE}"]'),
    Bad("[[override]]\ncheckpoint.failed = 'destroy'", 3, "override[1].checkpoint.failed", "drops tables"),
]


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.text[:40])
def test_a_mistake_is_told_with_line_key_found_and_allowed(errors: Errors, policy_file: object, bad: Bad) -> None:
    (error,) = errors(bad.text)
    assert error.startswith(f"{policy_file}:{bad.line}: {bad.key}: found ")
    assert bad.words in error


def accepts(text: str) -> bool:
    validator: Any = jsonschema.Draft202012Validator(policy_schema())
    return bool(validator.is_valid(tomllib.loads(text)))


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(policy_schema())


@pytest.mark.parametrize("bad", [bad for bad in BAD if not bad.is_beyond_schema], ids=lambda bad: bad.text[:40])
def test_the_schema_rejects_it_too(bad: Bad) -> None:
    assert not accepts(f"schema = 1\n{bad.text}")


@pytest.mark.parametrize(
    "text",
    [
        write_example(),
        "schema = 1\nhooks = []",
        f"schema = 1\nallow = ['{DROP_PHRASE}']\n[checkpoint.on]\nstale = 'destroy'",
        "schema = 1\n[[hooks]]\nrun = ['a']\nuse = ''\nstage = 'post-import'\nwhen = ['hung']",
        "schema = 1\n[[hooks]]\nuse = 'b'\nwhen = []",
        "schema = 1\n[[override]]\ncheckpoint.stale = 'ignore'\n[[remedy]]\nthen = 'retry'",
        "schema = 1\n[child]\ngrace = '0s'\n[watch]\ninterval = '1h30m0.5s'\nopen_files_most = '99.5%'",
    ],
)
def test_the_schema_accepts_what_loads(load: Callable[..., object], text: str) -> None:
    load(text.replace("schema = 1\n", ""))
    assert accepts(text)


@pytest.mark.parametrize("text", ["", "dry_run = true", "schema = 2", "schema = '1'", "schema = true"])
def test_the_format_must_be_named(policy_file: Any, text: str) -> None:
    from safe_lightning.policy.load import PolicyError, load_policy

    policy_file.write_text(text)
    with pytest.raises(PolicyError, match=r":1: schema: found .*; allowed: (schema = )?1$"):
        load_policy(policy_file, {})
    assert not accepts(text)


def test_all_errors_come_at_once_in_the_order_of_the_file(errors: Errors, policy_file: object) -> None:
    text = "dry_run = 1\n[[hooks]]\nuse = 1\n[checkpoint.on]\nstale = 'x'\nunknown = 1\n"
    found = errors(text, {"SAFE_LIGHTNING__LOCK__WAIT": "x"})
    places = [line.partition(": ")[0].removeprefix(f"{policy_file}:") for line in found]
    assert places == ["2", "4", "6", "7", "environment SAFE_LIGHTNING__LOCK__WAIT"]


def test_a_destroy_is_no_error_beside_the_phrase(load: Callable[..., Any]) -> None:
    policy = load(f"allow = ['{DROP_PHRASE}']\n[[remedy]]\naction = 'destroy'").policy
    assert policy.may_drop


def test_an_error_shows_no_secret_and_no_control_character(errors: Errors) -> None:
    text = 'allow = ["mysql://root:hunter2@db/", "\\u001b[31m\\u202e"]\n"k\\u001b" = 1'
    found = "\n".join(errors(text))
    assert "hunter2" not in found
    assert all(letter.isprintable() or letter == "\n" for letter in found)


def test_very_many_errors_are_counted_and_not_all_shown(errors: Errors) -> None:
    found = errors("\n".join(f"unknown_{number} = 1" for number in range(5000)))
    assert len(found) == 201
    assert found[-1] == "and 4800 more errors"
