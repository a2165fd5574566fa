"""The real binary is found behind ourselves, and never ourselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from safe_lightning.lightning.binary import RUN_VARIABLE, BinaryError, find_binary, find_control_tool

CONSOLE_SCRIPT = """#!{python}
import sys
from safe_lightning.__main__ import main
if __name__ == '__main__':
    sys.exit(main())
"""
Make = Callable[[Path, Path], None]
REAL = "#!/bin/sh\necho real\n"


@pytest.fixture
def box(tmp_path: Path) -> Path:
    for name in ("ours", "early", "late"):
        (tmp_path / name).mkdir()
    write(tmp_path / "ours" / "safe-lightning", CONSOLE_SCRIPT.format(python=sys.executable))
    return tmp_path


def write(path: Path, text: str, mode: int = 0o755) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def find(box: Path, setting: str = "", environ: Mapping[str, str] | None = None) -> Path:
    path = f"{box / 'early'}:{box / 'nosuch'}:{box / 'late'}"
    return find_binary(setting, {"PATH": path, **(environ or {})}, box / "ours" / "safe-lightning", box)


def refusal(box: Path, setting: str = "", environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    with pytest.raises(BinaryError) as caught:
        find(box, setting, environ)
    return caught.value.exit_code, str(caught.value)


def make_link(ours: Path, path: Path) -> None:
    path.symlink_to(ours)


def make_link_to_link(ours: Path, path: Path) -> None:
    (path.parent / "between").symlink_to(ours)
    path.symlink_to("between")


def make_hard_link(ours: Path, path: Path) -> None:
    os.link(ours, path)


def make_copy(ours: Path, path: Path) -> None:
    write(path, ours.read_text())


def make_module_call(ours: Path, path: Path) -> None:
    write(path, f'#!/bin/sh\nexec {sys.executable} -m safe_lightning "$@"\n')


def make_shell_call(ours: Path, path: Path) -> None:
    write(path, '#!/bin/bash\nset -e\nexec /opt/bin/safe-lightning "$@"\n')


OURSELVES = [make_link, make_link_to_link, make_hard_link, make_copy, make_module_call, make_shell_call]


@pytest.mark.parametrize("make", OURSELVES)
def test_ourselves_on_path_are_passed_over(box: Path, make: Make) -> None:
    make(box / "ours" / "safe-lightning", box / "early" / "tidb-lightning")
    real = write(box / "late" / "tidb-lightning", REAL)
    assert find(box) == real


@pytest.mark.parametrize("make", OURSELVES)
def test_ourselves_by_name_are_refused(box: Path, make: Make) -> None:
    named = box / "early" / "tidb-lightning"
    make(box / "ours" / "safe-lightning", named)
    code, message = refusal(box, str(named))
    assert (code, f"the policy's `binary` names {named}, which is safe-lightning itself" in message) == (126, True)


def test_only_ourselves_on_path_is_not_found(box: Path) -> None:
    make_link(box / "ours" / "safe-lightning", box / "early" / "tidb-lightning")
    code, message = refusal(box)
    assert code == 127
    assert f"({box}/early/tidb-lightning is safe-lightning itself)" in message


def test_nothing_on_path(box: Path) -> None:
    code, message = refusal(box)
    assert (code, "no tidb-lightning was found on PATH: set `binary`" in message) == (127, True)


def test_the_first_on_path_that_can_be_started_is_taken(box: Path) -> None:
    write(box / "early" / "tidb-lightning", REAL, 0o644)
    real = write(box / "late" / "tidb-lightning", REAL)
    assert find(box) == real
    (box / "early" / "tidb-lightning").unlink()
    (box / "early" / "tidb-lightning").mkdir()
    assert find(box) == real


def test_a_stand_in_of_a_rehearsal_is_not_ourselves(box: Path) -> None:
    text = f'#!/bin/sh\nX=/tmp/safe-lightning exec {sys.executable} -P -m safe_lightning.rehearsal.importer "$@"\n'
    stand_in = write(box / "late" / "tidb-lightning", text)
    assert find(box) == stand_in


def test_a_compiled_binary_that_only_mentions_us_is_not_ourselves(box: Path) -> None:
    binary = box / "late" / "tidb-lightning"
    binary.write_bytes(b"\x7fELF\nimport safe_lightning \n")
    binary.chmod(0o755)
    assert find(box) == binary


def test_the_variable_is_stronger_than_the_policy_and_both_than_path(box: Path) -> None:
    first, second, third = (write(box / name, REAL) for name in ("a", "b", "late/tidb-lightning"))
    assert find(box, str(second), {"SAFE_LIGHTNING_BINARY": str(first)}) == first
    assert find(box, str(second), {"SAFE_LIGHTNING_BINARY": ""}) == second
    assert find(box) == third


def test_a_setting_is_relative_to_the_working_folder_or_a_name_on_path(box: Path) -> None:
    real = write(box / "late" / "lightning-8", REAL)
    assert find(box, "late/lightning-8") == real
    assert find(box, "lightning-8") == real


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("nosuch/x", 127, "does not exist"),
        ("nosuch", 127, "does not exist"),
        ("ours/safe-lightning/x", 127, "does not exist"),
        ("./late", 126, "is a directory"),
        ("./plain", 126, "is not executable"),
        ("./loop", 126, "cannot be looked at: Too many levels of symbolic links"),
        ("./pipe", 126, "is not a file"),
        ("./null\0byte", 126, "cannot be looked at"),
    ],
)
def test_a_setting_that_cannot_be_started_is_named(box: Path, name: str, code: int, said: str) -> None:
    write(box / "plain", REAL, 0o644)
    (box / "loop").symlink_to("loop")
    os.mkfifo(box / "pipe")
    got, message = refusal(box, "", {"SAFE_LIGHTNING_BINARY": name})
    assert (got, f"$SAFE_LIGHTNING_BINARY names {box / name}, which {said}" in message) == (code, True)


def test_our_own_child_is_refused_whatever_stands_between(box: Path) -> None:
    write(box / "late" / "tidb-lightning", REAL)
    code, message = refusal(box, "", {RUN_VARIABLE: f"abc:{os.getppid()}"})
    assert (code, f"(process {os.getppid()})" in message) == (126, True)


@pytest.mark.parametrize(
    "mark",
    ["abc", "abc:", "abc:x", ":1", f"abc:{os.getpid()}", "abc:4194304999999", "٣:٣"],
    ids=["no-pid", "empty-pid", "no-number", "no-run", "ourselves", "too-large", "other-digits"],
)
def test_a_mark_that_names_no_ancestor_means_nothing(box: Path, mark: str) -> None:
    real = write(box / "late" / "tidb-lightning", REAL)
    assert find(box, "", {RUN_VARIABLE: mark}) == real


def test_the_mark_stops_a_loop_through_a_shell_script(box: Path) -> None:
    """A script whose text tells nothing calls us again: the second of us must see it."""
    code = (
        "import os, subprocess, sys; from pathlib import Path;"
        "from safe_lightning.lightning.binary import find_binary;"
        "found = find_binary('', os.environ, Path('/nosuch'), Path('.'));"
        f"env = {{**os.environ, '{RUN_VARIABLE}': f'run:{{os.getpid()}}'}};"
        "sys.exit(subprocess.run([found], env=env).returncode)"
    )
    write(box / "late" / "tidb-lightning", f'#!/bin/sh\nexec {sys.executable} -c "$LOOP"\n')
    environ = {**os.environ, "PATH": f"{box / 'late'}:{os.environ['PATH']}", "LOOP": code}
    ended = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, timeout=60)
    assert b"leads back to safe-lightning" in ended.stderr


def test_the_control_tool_is_named_beside_the_binary_or_on_path(box: Path) -> None:
    environ = {"PATH": f"{box / 'early'}:{box / 'late'}"}
    binary = write(box / "ours" / "tidb-lightning", REAL)
    assert find_control_tool("", binary, environ, box) is None
    on_path = write(box / "late" / "tidb-lightning-ctl", REAL)
    assert find_control_tool("", binary, environ, box) == on_path
    beside = write(box / "ours" / "tidb-lightning-ctl", REAL)
    assert find_control_tool("", binary, environ, box) == beside
    assert find_control_tool("nosuch/ctl", binary, environ, box) == box / "nosuch" / "ctl"


def test_the_control_tool_is_found_beside_what_a_link_leads_to(box: Path) -> None:
    write(box / "ours" / "tidb-lightning", REAL)
    tool = write(box / "ours" / "tidb-lightning-ctl", REAL)
    (box / "early" / "tidb-lightning").symlink_to(box / "ours" / "tidb-lightning")
    assert find_control_tool("", box / "early" / "tidb-lightning", {"PATH": ""}, box) == tool
