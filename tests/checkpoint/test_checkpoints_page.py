"""docs/checkpoints.md says what the code does."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from recordings import roots

from safe_lightning.commands.checkpoint import to_text
from safe_lightning.commands.instances import instances_text
from safe_lightning.core.checkpoint import STATUS_NAMES, CheckpointVerdict, status_name
from safe_lightning.core.checkpoint_verdict import judge_checkpoint
from safe_lightning.core.parallel import Instance, InstanceState, Metadata, TableShare
from safe_lightning.core.tables import TableName
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


def test_the_screen_of_a_parallel_import_is_the_one_that_is_shown() -> None:
    orders = TableName("shop", "orders")
    shares = {7: "restore", 8: "restore_finished", 9: "allocated", 10: "checksum_skipped"}
    states = {
        7: ("schedule_set", False),
        8: ("initialized", False),
        9: ("schedule_set", True),
        10: ("skip_switch", False),
    }
    instances = tuple(
        Instance(number, *states[number], (TableShare(orders, str(orders), status),))
        for number, status in shares.items()
    )
    shown = "\n".join(instances_text(Metadata("lightning_metadata", True, instances), 7))
    assert shown == TEXT.split("...\n", 1)[1].split("\n```", 1)[0]


def test_every_state_of_a_whole_import_is_listed() -> None:
    assert {*map(str, InstanceState), "none"} <= set(re.findall(r"^\| \*\*(\w+)\*\* \|", TEXT, re.MULTILINE))
