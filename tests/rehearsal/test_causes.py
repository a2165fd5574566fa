"""Every cause of a mismatch, played through the real front door: ranked first, its neighbours excluded."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.core.causes.catalogue import CATALOGUE
from safe_lightning.rehearsal.causes import CASES, cause_table
from safe_lightning.supervise.command import CommandEnd, run_command

KEYS, FOLDED, LEFTOVER, ENGINE = "key-conflicts", "collation-conflicts", "leftover-checkpoint", "engine-never-ingested"
BEFORE, TWICE, NOWHERE, RECORDS = "rows-before", "imported-twice", "nothing-arrived", "stale-conflict-records"
OWN, BYTES, BUG, WRITERS = (
    "lightning-schema-in-dump", "same-count-other-bytes", "version-bug", "concurrent-writes",
)  # fmt: skip


def rehearse(folder: Path, cause: str, **environ: str) -> CommandEnd:
    argv = [sys.executable, "-m", "safe_lightning", "rehearse", "--cause", cause, "--keep", str(folder / "kept")]
    return run_command(argv, timeout_seconds=120, env={**os.environ, **environ}, cwd=folder)


def run_folder(folder: Path) -> Path:
    (found,) = (folder / "kept" / "state" / "runs").iterdir()
    return found


def told(folder: Path) -> list[dict[str, Any]]:
    lines = (run_folder(folder) / "verdicts.jsonl").read_text().splitlines()
    (verdict,) = [entry["verdict"] for entry in map(json.loads, lines) if entry["hook"] == "checksum"]
    (finding,) = verdict["findings"]
    causes: list[dict[str, Any]] = finding["data"]["causes"]
    return causes


def test_every_cause_of_the_catalogue_can_be_played() -> None:
    assert sorted(CASES) == sorted(entry.name for entry in CATALOGUE if entry.judge)


def test_the_documentation_holds_every_cause_that_can_be_played() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "rehearsal.md").read_text()
    assert text.partition("<!-- causes -->\n")[2].partition("\n<!-- /causes -->")[0] == cause_table()


def test_without_flags_or_a_cause_there_is_nothing_to_rehearse(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "safe_lightning", "rehearse"]
    end = run_command(argv, timeout_seconds=60, env=dict(os.environ), cwd=tmp_path)
    assert (end.exit_code, b"its flags after --, or --cause" in end.stderr) == (64, True)


@pytest.mark.parametrize(
    ("cause", "excluded"),
    [
        (KEYS, {LEFTOVER, ENGINE, BEFORE, RECORDS, NOWHERE}),
        (FOLDED, {KEYS, LEFTOVER, ENGINE, BEFORE, RECORDS}),
        (LEFTOVER, {KEYS, FOLDED, BEFORE, RECORDS, NOWHERE}),
        (ENGINE, {KEYS, FOLDED, BEFORE, RECORDS, NOWHERE}),
        (BEFORE, {KEYS, FOLDED, LEFTOVER, ENGINE, RECORDS}),
        (TWICE, {BEFORE, KEYS, NOWHERE}),
        (NOWHERE, {LEFTOVER, KEYS, ENGINE}),
        (RECORDS, {KEYS, FOLDED, LEFTOVER, ENGINE, BEFORE}),
        (OWN, {BEFORE, TWICE, KEYS}),
        (BYTES, {KEYS, FOLDED, LEFTOVER, BEFORE}),
        (BUG, {KEYS, FOLDED, LEFTOVER, ENGINE, BEFORE}),
        (WRITERS, {BEFORE, TWICE, KEYS, LEFTOVER}),
    ],
)
def test_a_rehearsed_cause_is_ranked_first_and_its_neighbours_are_excluded(
    tmp_path: Path, cause: str, excluded: set[str]
) -> None:
    end = rehearse(tmp_path, cause)
    assert end.exit_code == 1, end.stderr.decode()
    causes = told(tmp_path)
    first, *others = [(one["cause"], one["confidence"]) for one in causes]
    assert first[0] == cause, causes
    assert not excluded & {name for name, _ in others}, causes
    assert all(first[1] - confidence > 0.1 for _, confidence in others), causes
