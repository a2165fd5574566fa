"""How the policy file is found, and what a right one gives."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import pytest

from safe_lightning.policy.load import LoadedPolicy, PolicyError, find_policy, load_policy
from safe_lightning.policy.model import DROP_PHRASE, Policy

Load = Callable[..., LoadedPolicy]


@pytest.fixture
def etc(tmp_path: Path) -> Path:
    return tmp_path / "etc" / "config.toml"


@pytest.fixture
def task(tmp_path: Path) -> Path:
    (tmp_path / "job").mkdir()
    return tmp_path / "job" / "task.toml"


def test_the_variable_names_the_file_before_all_others(etc: Path, task: Path) -> None:
    (task.parent / "safe-lightning.toml").touch()
    assert find_policy({"SAFE_LIGHTNING_CONFIG": "/x/p.toml"}, task, etc) == Path("/x/p.toml")


def test_then_the_file_beside_lightnings_config_is_taken(etc: Path, task: Path) -> None:
    beside = task.parent / "safe-lightning.toml"
    beside.touch()
    assert find_policy({"SAFE_LIGHTNING_CONFIG": ""}, task, etc) == beside


def test_then_the_file_of_the_system_is_taken(etc: Path, task: Path) -> None:
    etc.parent.mkdir()
    etc.touch()
    assert find_policy({}, task, etc) == etc


def test_a_file_where_a_folder_should_be_holds_no_policy(etc: Path, task: Path) -> None:
    etc.parent.touch()
    assert find_policy({}, task, etc) is None


def test_without_any_file_the_defaults_are_in_force() -> None:
    loaded = load_policy(None, {})
    assert loaded.policy == Policy()
    assert loaded.path is None
    assert set(loaded.origins.values()) == {"default"}


def test_a_link_to_nowhere_is_a_policy_that_cannot_be_read_and_not_no_policy(etc: Path, task: Path) -> None:
    beside = task.parent / "safe-lightning.toml"
    beside.symlink_to("gone.toml")
    found = find_policy({}, task, etc)
    assert found == beside
    with pytest.raises(PolicyError, match="cannot be read: No such file or directory"):
        load_policy(found, {})


def test_a_file_that_the_variable_names_must_exist(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nothing\.toml: cannot be read: No such file or directory"):
        load_policy(find_policy({"SAFE_LIGHTNING_CONFIG": str(tmp_path / "nothing.toml")}, None), {})


def test_without_a_policy_file_no_toml_parser_is_loaded() -> None:
    code = "import sys; from safe_lightning.policy.load import load_policy; load_policy(None, {'HOME': '/h'}); "
    code += "print([name for name in ('tomlkit', 'tomllib', 'difflib', 'importlib.metadata') if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "[]\n"


def test_with_a_policy_file_tomlkit_is_not_loaded(policy_file: Path, load: Load) -> None:
    load("dry_run = true\n")
    code = "import sys; from pathlib import Path; from safe_lightning.policy.load import load_policy; "
    code += f"load_policy(Path({str(policy_file)!r}), {{}}); print('tomlkit' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert told.stdout == "False\n"


@pytest.mark.parametrize(
    ("text", "section", "name", "value"),
    [
        ("dry_run = true", None, "dry_run", True),
        (f'allow = ["{DROP_PHRASE}"]', None, "allow", (DROP_PHRASE,)),
        ('child.grace = "90s"', "child", "grace", 90.0),
        ('child = { grace = "1h30m" }', "child", "grace", 5400.0),
        ('[watch]\nstall_after = "0s"', "watch", "stall_after", 0.0),
        ('[watch]\nmemory_available_least = "2.5%"', "watch", "memory_available_least", 2.5),
        ("[record]\nkeep_runs = 0", "record", "keep_runs", 0),
        ('[record]\nkeep_for = "3650d"', "record", "keep_for", 3650 * 86400.0),
        ('[checkpoint]\nsize_most = "512MiB"', "checkpoint", "size_most", 512 << 20),
        ("[checkpoint.on]\n\"stale\" = 'ignore'", "checkpoint.on", "stale", "ignore"),
    ],
)
def test_a_key_is_taken(load: Load, text: str, section: str | None, name: str, value: object) -> None:
    policy = load(text).policy
    assert attrgetter(f"{section}.{name}" if section else name)(policy) == value


def test_no_hooks_and_the_default_hooks_are_two_things(load: Load) -> None:
    assert load("hooks = []").policy.hooks == ()
    assert [hook.use for hook in load("").policy.hooks] == ["checkpoint", "conflicts", "checksum"]


def test_a_byte_order_mark_and_windows_line_ends_are_no_obstacle(policy_file: Path) -> None:
    policy_file.write_bytes(b"\xef\xbb\xbfschema = 1\r\n\r\ndry_run = true\r\n")
    loaded = load_policy(policy_file, {})
    assert loaded.policy.dry_run
    assert loaded.origins["dry_run"] == f"{policy_file}:3"


def test_origins_tell_for_every_key_where_it_was_set(load: Load, policy_file: Path) -> None:
    text = '[checkpoint.on]\nstale = "remove"\n[[hooks]]\nrun = [\n"/bin/true"]\n'
    origins = load(text, {"SAFE_LIGHTNING__CHILD__GRACE": "1s"}).origins
    assert origins["checkpoint.on.stale"] == f"{policy_file}:3"
    assert origins["hooks"] == f"{policy_file}:4"
    assert origins["hooks[1].run"] == f"{policy_file}:5"
    assert origins["child.grace"] == "environment SAFE_LIGHTNING__CHILD__GRACE"
    assert origins["hooks[1].timeout"] == origins["checkpoint.on.failed"] == origins["remedy"] == "default"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ('state_dir = "state"', "{folder}/state"),
        ('state_dir = "../state"', "{folder}/../state"),
        ('state_dir = "/var/x"', "/var/x"),
        ('state_dir = "~/x"', "/home/u/x"),
        ('state_dir = ""', ""),
        ('binary = "./bin/tidb-lightning"', "{folder}/bin/tidb-lightning"),
        ('binary = "tidb-lightning-8.5"', "tidb-lightning-8.5"),
        ('control_tool.path = "bin/ctl"', "{folder}/bin/ctl"),
        ('control_tool.path = "ctl"', "ctl"),
        ('hooks = [{ run = ["./page.sh", "./argument"] }]', "{folder}/page.sh"),
        ('hooks = [{ run = ["curl", "a/b"] }]', "curl"),
    ],
)
def test_relative_paths_start_at_the_folder_of_the_policy_file(
    load: Load, tmp_path: Path, written: str, meant: str
) -> None:
    policy = load(written, {"HOME": "/home/u"}).policy
    paths = [policy.state_dir, policy.binary, policy.control_tool.path, *(policy.hooks[0].run[:1])]
    assert meant.format(folder=tmp_path) in paths


def test_arguments_of_a_hook_stay_as_they_are(load: Load) -> None:
    assert load('hooks = [{ run = ["./page.sh", "./argument", "~/x"] }]').policy.hooks[0].run[1:] == (
        "./argument",
        "~/x",
    )


def test_a_relative_policy_file_gives_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "p.toml").write_text('schema = 1\nstate_dir = "state"\n')
    monkeypatch.chdir(tmp_path)
    assert load_policy(Path("p.toml"), {}).policy.state_dir == str(tmp_path / "state")
