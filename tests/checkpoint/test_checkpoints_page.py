"""docs/checkpoints.md says what the code does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from recordings import roots

from safe_lightning.commands.checkpoint import to_text
from safe_lightning.core.checkpoint import STATUS_NAMES, CheckpointVerdict, status_name
from safe_lightning.core.checkpoint_verdict import judge_checkpoint
from safe_lightning.lightning.checkpoint_file import read_summary
from safe_lightning.policy.model import CheckpointAnswers

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "checkpoints.md").read_text()
CELLS = re.compile(r"^\| `?([\w-]+)`? \| (.*) \|$", re.MULTILINE)
ROWS = {found[1]: [cell.strip() for cell in found[2].split("|")] for found in CELLS.finditer(TEXT)}


def test_every_status_is_listed_with_its_word() -> None:
    listed = {int(number): cells[0] for number, cells in ROWS.items() if number.isdigit()}
    assert listed == dict(STATUS_NAMES)


@pytest.mark.parametrize(("stored", "words"), re.findall(r'(\d+) is "(failed at \w+)"', TEXT))
def test_a_failure_is_told_as_the_page_says(stored: str, words: str) -> None:
    assert status_name(int(stored)) == words


@pytest.mark.parametrize("verdict", [v for v in CheckpointVerdict if v is not CheckpointVerdict.NONE])
def test_every_verdict_is_listed_with_its_default_answer(verdict: CheckpointVerdict) -> None:
    assert ROWS[verdict.value][-1] == getattr(CheckpointAnswers(), verdict.value)


def test_every_answer_is_listed() -> None:
    assert {"resume", "refuse", "remove", "destroy", "ignore"} <= ROWS.keys()


def test_the_screen_is_the_one_that_is_shown() -> None:
    path = next(
        p for root in roots() for p in root.glob("v8.5.4-tidb-backend/ctl-destroy-table-file/before/checkpoint.pb")
    )
    found = replace(read_summary(path, 1 << 20), location="/srv/import/cp/checkpoint.pb", modified_at=1795451957.0)
    shown = "\n".join(to_text(found, judge_checkpoint(found, None, 0.0)))
    block = TEXT.split("```console\n", 1)[1].split("```", 1)[0].split("\n", 1)[1]
    assert block.rstrip("\n") == shown.rstrip("\n")
