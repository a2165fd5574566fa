"""A binary that cannot be started is named, with the shell's code for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from safe_lightning.supervise.child import ChildNotStarted, Watchers, supervise
from safe_lightning.supervise.signals import StopControl

Make = Callable[[Path], None]


def write(text: str, mode: int) -> Make:
    def make(path: Path) -> None:
        path.write_text(text)
        path.chmod(mode)

    return make


@pytest.mark.parametrize(
    ("make", "exit_code", "words"),
    [
        (lambda path: None, 127, "binary was not found"),
        (write("#!/no/such/interpreter\n", 0o755), 127, "the interpreter that .*binary names was not found"),
        (write("#!/bin/sh\n", 0o644), 126, "binary cannot be executed: Permission denied"),
        (Path.mkdir, 126, "binary cannot be executed: Permission denied"),
        (write("\x7fnot a program", 0o755), 126, "binary cannot be executed: Exec format error"),
    ],
    ids=["missing", "missing interpreter", "not executable", "directory", "no program"],
)
def test_why_it_was_not_started(tmp_path: Path, make: Make, exit_code: int, words: str) -> None:
    make(tmp_path / "binary")
    with pytest.raises(ChildNotStarted, match=words) as caught:
        start(tmp_path / "binary", tmp_path)
    assert caught.value.exit_code == exit_code


def test_a_folder_that_is_gone_is_not_taken_for_a_missing_binary(tmp_path: Path) -> None:
    with pytest.raises(ChildNotStarted, match=r"in .*/gone: No such file or directory") as caught:
        start(Path("/bin/true"), tmp_path / "gone")
    assert caught.value.exit_code == 126


def start(binary: Path, cwd: Path) -> None:
    supervise(
        [str(binary)],
        env=os.environ,
        cwd=cwd,
        grace_seconds=1,
        die_with_parent=True,
        control=StopControl(),
        watchers=Watchers(),
    )
