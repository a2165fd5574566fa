"""The front door: an import exactly as tidb-lightning would be called, and what is passed through untouched."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Place

NO_HOOKS = "hooks = []\n"


def test_a_proven_success_ends_with_0_and_is_recorded(place: Place) -> None:
    place.policy(NO_HOOKS)
    ended = place.run("--config", "task.toml")
    assert (ended.returncode, ended.stdout) == (0, b"tidb lightning exit successfully\n"), ended.stderr.decode()
    (entry,) = place.history()
    assert (entry["outcome"], entry["exit_code"], entry["child_exit_code"]) == ("succeeded", 0, 0)
    assert entry["tables"] == [
        {
            "table": "`a`.`b`",
            "status": "checksum-passed",
            "checksum": {
                "remote": {"checksum": 1, "kvs": 3, "bytes": 2},
                "local": {"checksum": 1, "kvs": 3, "bytes": 2},
            },
        }
    ]


def test_without_any_policy_it_looks_runs_and_explains(place: Place) -> None:
    ended = place.run("--config", "task.toml")
    assert ended.returncode == 0, ended.stderr.decode()
    (entry,) = place.history()
    assert [(hook["name"], hook["stage"], hook["status"]) for hook in entry["hooks"]] == [
        ("checkpoint", "pre-import", "pass"),
        ("conflicts", "pre-import", "pass"),
        ("checksum", "post-import", "pass"),
    ]


@pytest.mark.parametrize(
    "argv",
    [
        ["-config=task.toml", "-nosuch", "x"],
        ["--config", "task.toml", "-backend", "tidb", "-d", "/data", "-check-requirements=false"],
        ["-c", "task.toml", "--", "stray"],
        ["--config", "task.toml", "-f", "a.*", "-f", "!a.tmp_*", "-L", "debug"],
    ],
    ids=" ".join,
)
def test_the_child_gets_every_word_as_it_was_given(place: Place, argv: list[str]) -> None:
    place.policy(NO_HOOKS)
    place.child("print(repr(sys.argv[1:]))\nsys.exit(3)\n")
    ended = place.run(*argv)
    assert (ended.stdout.decode().strip(), ended.returncode) == (repr(argv), 3)


def test_environment_and_stdin_reach_the_child_and_our_own_variables_do_not(place: Place) -> None:
    place.policy(NO_HOOKS)
    place.child(
        "ours = ('SAFE_LIGHTNING_BINARY', 'SAFE_LIGHTNING_CONFIG', 'SAFE_LIGHTNING__')\n"
        "print(os.environ['MINE'], [name for name in os.environ if name.startswith(ours)])\n"
        "print(sys.stdin.read())\n"
    )
    ended = subprocess.run(
        place.command("--config", "task.toml"), cwd=place.folder, env=place.environment(MINE="my own"),
        input=b"from stdin", capture_output=True, check=False,
    )  # fmt: skip
    assert ended.stdout == b"my own []\nfrom stdin\n"


@pytest.mark.parametrize("flag", ["-V", "--help", "-h"])
def test_version_and_help_of_the_child_come_alone(place: Place, flag: str) -> None:
    place.child("print('Release Version: v8.5.4')\nprint('Usage of tidb-lightning:', file=sys.stderr)\n")
    ended = place.run(flag)
    assert (ended.returncode, ended.stdout, ended.stderr) == (
        0,
        b"Release Version: v8.5.4\n",
        b"Usage of tidb-lightning:\n",
    )


def test_under_the_name_of_the_binary_it_finds_the_real_one_behind_itself(place: Place) -> None:
    place.policy(NO_HOOKS)
    link = place.folder / "early" / "tidb-lightning"
    link.parent.mkdir()
    link.symlink_to(Path(sys.executable).with_name("safe-lightning"))
    path = f"{link.parent}:{place.folder / 'bin'}:/usr/bin:/bin"
    environ = place.environment(PATH=path, SAFE_LIGHTNING_BINARY="")
    ended = subprocess.run(
        ["tidb-lightning", "--config", "task.toml"], executable=str(link), cwd=place.folder, env=environ,
        capture_output=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stdout) == (0, b"tidb lightning exit successfully\n"), ended.stderr.decode()


def test_under_the_name_of_the_binary_our_verbs_are_lightnings_words(place: Place) -> None:
    place.policy(NO_HOOKS)
    place.child("print(sys.argv[1:])\nsys.exit(2)\n")
    link = place.folder / "early" / "tidb-lightning"
    link.parent.mkdir()
    link.symlink_to(Path(sys.executable).with_name("safe-lightning"))
    ended = subprocess.run(
        [str(link), "demo"], cwd=place.folder, env=place.environment(), capture_output=True, check=False
    )
    assert ended.stdout == b"['demo']\n"


@pytest.mark.parametrize(
    ("binary", "code", "said"),
    [
        ("nowhere/tidb-lightning", 127, "nowhere/tidb-lightning"),
        ("task.toml", 126, "task.toml"),
        ("data", 126, "data"),
    ],
    ids=["missing", "not-executable", "a-directory"],
)
def test_a_binary_that_cannot_be_started_is_one_clear_error(place: Place, binary: str, code: int, said: str) -> None:
    place.policy(NO_HOOKS)
    ended = place.run("--config", "task.toml", SAFE_LIGHTNING_BINARY=str(place.folder / binary))
    assert (ended.returncode, ended.stdout) == (code, b"")
    assert said in ended.stderr.decode()
    assert [entry["outcome"] for entry in place.history()] == ["environment-error"]


def test_it_never_calls_itself_in_a_loop(place: Place) -> None:
    place.policy(NO_HOOKS)
    ours = Path(sys.executable).with_name("safe-lightning")
    ended = place.run("--config", "task.toml", SAFE_LIGHTNING_BINARY=str(ours))
    assert (ended.returncode, ended.stdout) == (126, b"") or (ended.returncode, ended.stdout) == (127, b"")
    assert "safe-lightning" in ended.stderr.decode()


def test_a_bad_policy_ends_before_anything_starts(place: Place) -> None:
    place.policy("colour = 'red'\n[watch]\nstall_aftr = '1h'\n")
    place.child("open('started', 'w')\n")
    ended = place.run("--config", "task.toml")
    assert (ended.returncode, ended.stdout) == (78, b"")
    assert b"colour" in ended.stderr
    assert b"stall_aftr" in ended.stderr
    assert not (place.folder / "started").exists()


def test_a_task_that_lightning_rejects_is_said_and_its_own_complaint_is_seen(place: Place) -> None:
    place.policy(NO_HOOKS)
    (place.folder / "task.toml").write_text("[tikv-importer\n")
    place.child("print('tidb lightning encountered error:  cannot parse', file=sys.stderr)\nsys.exit(1)\n")
    ended = place.run("--config", "task.toml")
    assert ended.returncode == 1
    assert b"task-problem" in ended.stderr
    assert b"cannot parse" in ended.stderr


@pytest.mark.parametrize(("setting", "code"), [("child", 1), ("outcome", 89)])
def test_the_exit_code_follows_the_policy(place: Place, setting: str, code: int) -> None:
    place.policy(f'exit_codes = "{setting}"\n{NO_HOOKS}')
    place.child(
        "print('tidb lightning encountered error:  Error 1366: Incorrect int value', file=sys.stderr)\nsys.exit(1)\n"
    )
    assert place.run("--config", "task.toml").returncode == code


@pytest.mark.parametrize(("allow", "code"), [("false", 82), ("true", 0)])
def test_nothing_imported_is_a_failure_unless_it_is_allowed(place: Place, allow: str, code: int) -> None:
    place.policy(f"allow_nothing = {allow}\n{NO_HOOKS}")
    place.child("LOG = '\\n'.join(l for l in LOG.splitlines() if 'a`.`b' not in l) + '\\n'\nimport_all()\n")
    assert place.run("--config", "task.toml").returncode == code


def test_no_secret_reaches_stderr_or_the_record(place: Place) -> None:
    place.child(
        'LOG = LOG.replace(\'cfg="{}"\', \'cfg="{\\\\"password\\\\":\\\\"hunter2\\\\"}"\')\nimport_all()\n'
        "print('dsn root:hunter2@tcp(db:4000)/', file=sys.stderr)\n"
    )
    ended = place.run("--config", "task.toml", "--tidb-password=hunter2", "-d", "s3://b/x?secret-access-key=hunter2")
    recorded = [path for path in place.state.rglob("*") if path.is_file() and not path.is_symlink()]
    ours = [line for line in ended.stderr.splitlines() if line.startswith(b"{")]
    assert [path.name for path in recorded if b"hunter2" in path.read_bytes()] == []
    assert [line for line in ours if b"hunter2" in line] == []
