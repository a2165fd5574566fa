"""``safe-lightning config``: what its verbs print and end with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from safe_lightning.commands.config import app
from safe_lightning.policy.load import load_policy
from safe_lightning.policy.model import Policy

ROOT = Path(__file__).resolve().parents[2]


def config(*arguments: str, environ: dict[str, str] | None = None) -> Any:
    clean = {"SAFE_LIGHTNING_CONFIG": None, **(environ or {})}
    return CliRunner().invoke(app, list(arguments), env=clean)


RICH = """schema = 1
state_dir = "state"
allow = ["drop tables that this import filled"]
[checkpoint.on]
stale = "remove"
[[remedy]]
cause = "key-conflicts"
tables = ["app.*", "!app.tmp_*"]
action = "destroy"
[[override]]
tables = ["app.*"]
checkpoint = { failed = "destroy" }
[[hooks]]
run = ["./page.sh", "a \\"b\\" \\\\ c", "--url=https://u:hunter2@x/"]
stage = "post-import"
when = ["hung"]
"""


def test_a_valid_file_is_called_so(policy_file: Path) -> None:
    policy_file.write_text(RICH)
    ended = config("validate", str(policy_file))
    assert (ended.exit_code, ended.stdout) == (0, f"{policy_file}: valid\n")


def test_a_wrong_file_ends_with_78_and_all_its_errors(policy_file: Path) -> None:
    policy_file.write_text("schema = 1\nx = 1\ny = 2\n")
    ended = config("validate", str(policy_file))
    assert (ended.exit_code, ended.stdout) == (78, "")
    first, *errors = ended.stderr.splitlines()
    assert first == "safe-lightning: the policy has 2 errors"
    assert [error.split(": found")[0] for error in errors] == [f"{policy_file}:2: x", f"{policy_file}:3: y"]


def test_without_a_file_the_one_that_is_found_is_checked(policy_file: Path) -> None:
    policy_file.write_text("schema = 1\n")
    ended = config("validate", environ={"SAFE_LIGHTNING_CONFIG": str(policy_file)})
    assert ended.stdout == f"{policy_file}: valid\n"


def test_variables_are_checked_with_the_file(policy_file: Path) -> None:
    policy_file.write_text("schema = 1\n")
    ended = config("validate", str(policy_file), environ={"SAFE_LIGHTNING__DRYRUN": "true"})
    assert ended.exit_code == 78
    assert 'nearest is "SAFE_LIGHTNING__DRY_RUN"' in ended.stderr


def test_errors_come_as_json(policy_file: Path) -> None:
    policy_file.write_text("schema = 1\n\nx = 1\n")
    ended = config("validate", "--json", str(policy_file))
    told = json.loads(ended.stdout)
    (error,) = told.pop("errors")
    assert ended.exit_code == 78
    assert told == {"schema": 1, "file": str(policy_file), "valid": False}
    assert (error["place"], error["line"], error["key"]) == (str(policy_file), 3, "x")
    assert error["message"].startswith("found an unknown key; allowed: ")


def test_a_valid_file_comes_as_json(policy_file: Path) -> None:
    policy_file.write_text("schema = 1\n")
    ended = config("validate", "--json", str(policy_file))
    assert json.loads(ended.stdout) == {"schema": 1, "file": str(policy_file), "valid": True, "errors": []}
    assert ended.exit_code == 0


def test_show_prints_a_policy_that_loads_as_the_one_in_force(policy_file: Path, tmp_path: Path) -> None:
    policy_file.write_text(RICH.replace(":hunter2", ""))
    ended = config("show", environ={"SAFE_LIGHTNING_CONFIG": str(policy_file), "SAFE_LIGHTNING__LOCK__WAIT": "5s"})
    again = tmp_path / "again.toml"
    again.write_text(ended.stdout)
    shown = load_policy(again, {}).policy
    assert shown == load_policy(policy_file, {"SAFE_LIGHTNING__LOCK__WAIT": "5s"}).policy
    assert shown != Policy()


def test_show_names_the_origin_of_each_value(policy_file: Path) -> None:
    policy_file.write_text(RICH)
    ended = config("show", environ={"SAFE_LIGHTNING_CONFIG": str(policy_file), "SAFE_LIGHTNING__LOCK__WAIT": "5s"})
    lines = [re.sub(r" {2,}", "  ", line) for line in ended.stdout.splitlines()]
    assert lines[0] == f"# {policy_file}"
    assert f'checkpoint.on.stale = "remove"  # {policy_file}:5' in lines
    assert 'checkpoint.on.failed = "refuse"  # default' in lines
    assert 'lock.wait = "5s"  # environment SAFE_LIGHTNING__LOCK__WAIT' in lines
    assert f'action = "destroy"  # {policy_file}:9' in lines
    assert f'state_dir = "{policy_file.parent}/state"  # {policy_file}:2' in lines


def test_show_keeps_secrets_to_itself(policy_file: Path) -> None:
    policy_file.write_text(RICH)
    for form in ([], ["--json"]):
        ended = config("show", *form, environ={"SAFE_LIGHTNING_CONFIG": str(policy_file)})
        assert ended.exit_code == 0
        assert "hunter2" not in ended.stdout
        assert "page.sh" in ended.stdout


def test_show_without_a_file_prints_the_defaults() -> None:
    ended = config("show", "--json")
    told = json.loads(ended.stdout)
    assert (told["schema"], told["file"]) == (1, None)
    entries = {entry["key"]: entry for entry in told["values"]}
    assert entries["watch.stall_after"] == {"key": "watch.stall_after", "value": "2h", "origin": "default"}
    assert entries["remedy"]["value"] == []
    assert "conflicts" in {entry["value"] for key, entry in entries.items() if key.endswith("].use")}


def test_show_finds_the_policy_beside_the_config_of_an_import(tmp_path: Path) -> None:
    (tmp_path / "task.toml").write_text("[lightning]\n")
    (tmp_path / "safe-lightning.toml").write_text("schema = 1\ndry_run = true\n")
    ended = config("show", "--", "--config", str(tmp_path / "task.toml"))
    assert re.search(rf"^dry_run = true +# {tmp_path}/safe-lightning.toml:2$", ended.stdout, flags=re.MULTILINE)


def test_show_of_a_wrong_policy_ends_with_78(policy_file: Path) -> None:
    policy_file.write_text("schema = 7")
    ended = config("show", environ={"SAFE_LIGHTNING_CONFIG": str(policy_file)})
    assert (ended.exit_code, ended.stdout) == (78, "")


def test_schema_prints_a_valid_json_schema_that_explains_every_key() -> None:
    told = json.loads(config("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(told)
    assert told["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    stale = told["properties"]["checkpoint"]["properties"]["on"]["properties"]["stale"]
    assert (stale["default"], "not those of the checkpoint" in stale["description"]) == ("refuse", True)


def test_generate_prints_the_example_byte_for_byte() -> None:
    command = [sys.executable, "-m", "safe_lightning", "config", "generate"]
    ended = subprocess.run(command, capture_output=True, check=True, cwd=ROOT, env={"LC_ALL": "C", "PATH": ""})
    assert ended.stdout == (ROOT / "config.example.toml").read_bytes()


@pytest.mark.parametrize("verb", ["validate", "show", "generate", "schema"])
def test_help_explains_a_verb(verb: str) -> None:
    ended = config(verb, "--help")
    assert ended.exit_code == 0
    assert "policy" in ended.stdout
