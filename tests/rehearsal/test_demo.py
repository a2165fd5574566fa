"""The demo and a rehearsal through the real front door, without a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from safe_lightning.rehearsal.toml_text import write_toml
from safe_lightning.supervise.command import CommandEnd, run_command

from .conftest import CLEAN


def safe_lightning(folder: Path, *words: str) -> CommandEnd:
    argv = [sys.executable, "-m", "safe_lightning", *words]
    return run_command(argv, timeout_seconds=120, env={**os.environ, "COLUMNS": "80"}, cwd=folder)


def test_all_four_acts_end_as_announced_and_leave_the_pages_asked_for_and_nothing_else(tmp_path: Path) -> None:
    end = safe_lightning(tmp_path, "demo", "--keep", "pages")
    told = end.stdout.decode()
    assert end.exit_code == 0, told + end.stderr.decode()
    assert told.count("As announced.") == 4
    assert "SANDBOX" in told
    assert list(tmp_path.iterdir()) == [tmp_path / "pages"]
    (shown,) = [line.strip() for line in told.splitlines() if line.strip().startswith("file://")]
    assert "<h1>checksum-mismatch</h1>" in Path(shown.removeprefix("file://")).read_text()
    pages = [page.read_text() for page in sorted((tmp_path / "pages").iterdir())]
    assert [page.partition("<h1>")[2].partition("</h1>")[0] for page in pages] == [
        "succeeded", "checksum-mismatch", "succeeded", "blocked", "succeeded", "blocked",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ending", "exit_codes"),
    [
        ("clean", {0}),
        ("duplicate-keys", {1}),
        ("checksum-mismatch", {1}),
        ("kill", {137}),
        ("cancel", {81}),
        ("stale", {80, 88}),
        ("finished", {80, 88}),
        ("data-error", {1}),
        ("status-port-busy", {91}),
        ("nothing", {82}),
    ],
)
def test_a_rehearsal_ends_as_the_real_run_would(tmp_path: Path, ending: str, exit_codes: set[int]) -> None:
    for name, text in CLEAN.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "sorted-parent").mkdir()
    task = {
        "tikv-importer": {"backend": "local", "sorted-kv-dir": str(tmp_path / "sorted-parent" / "kv")},
        "mydumper": {"data-source-dir": str(tmp_path)},
    }
    (tmp_path / "task.toml").write_text(write_toml(task))
    end = safe_lightning(tmp_path, "rehearse", "--ending", ending, "--", "--config", "task.toml")
    said = end.stderr.decode("utf-8", "replace")
    assert end.exit_code in exit_codes, said
    assert "This is a REHEARSAL in a sandbox" in said
    assert "Nothing outside the sandbox was changed." in said
