"""A step is done when the checkpoint and the target say so, whatever the control tool said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from safe_lightning.core.checkpoint import Checkpoint, TableRecord
from safe_lightning.core.step_proof import prove
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Step, TableFacts

TABLE, OTHER = TableName("app", "t"), TableName("app", "u")
FAILED, LOADED = TableRecord(TABLE, 18, engines={-1: 90, 0: 12}), TableRecord(TABLE, 30, engines={-1: 90, 0: 30})
NEIGHBOUR = TableRecord(OTHER, 60)
STANDS, GONE = TableFacts(TABLE, True), TableFacts(TABLE, False)
ASIDE = TableName("app", "t__sl_1")
RENAMED, NOT_RENAMED = TableFacts(ASIDE, True), TableFacts(ASIDE, False)


def store(*records: TableRecord) -> Checkpoint:
    return Checkpoint("file", "cp.pb", True, None, records)


@pytest.mark.parametrize(
    ("action", "after", "target", "is_reached", "code"),
    [
        (Action.REMOVE, [NEIGHBOUR], None, True, "removed"),
        (Action.REMOVE, [NEIGHBOUR, FAILED], None, False, "no-effect"),
        (Action.REMOVE, [], None, False, "others-changed"),
        (Action.REMOVE, [replace(NEIGHBOUR, status=90)], None, False, "others-changed"),
        (Action.IGNORE, [LOADED, NEIGHBOUR], None, True, "ignored"),
        (Action.IGNORE, [replace(LOADED, status=60), NEIGHBOUR], None, True, "ignored"),
        (Action.IGNORE, [FAILED, NEIGHBOUR], None, False, "no-effect"),
        (Action.IGNORE, [replace(FAILED, status=30), NEIGHBOUR], None, False, "no-effect"),
        (Action.IGNORE, [NEIGHBOUR], None, False, "entry-gone"),
        (Action.DESTROY, [NEIGHBOUR], GONE, True, "destroyed"),
        (Action.DESTROY, [NEIGHBOUR], STANDS, False, "table-remains"),
        (Action.DESTROY, [NEIGHBOUR], None, False, "could-not-verify"),
        (Action.DESTROY, [NEIGHBOUR, FAILED], GONE, False, "no-effect"),
        (Action.DESTROY, [NEIGHBOUR, FAILED], STANDS, False, "no-effect"),
        (Action.DESTROY, [NEIGHBOUR, LOADED], GONE, False, "no-effect"),
        (Action.DESTROY, [], GONE, False, "others-changed"),
        (Action.QUARANTINE, [NEIGHBOUR], RENAMED, True, "quarantined"),
        (Action.QUARANTINE, [NEIGHBOUR, FAILED], RENAMED, False, "entry-remains"),
        (Action.QUARANTINE, [NEIGHBOUR], NOT_RENAMED, False, "not-renamed"),
        (Action.QUARANTINE, [NEIGHBOUR], None, False, "could-not-verify"),
        (Action.QUARANTINE, [], RENAMED, False, "others-changed"),
    ],
)
def test_what_a_step_has_done(
    action: Action, after: list[TableRecord], target: TableFacts | None, is_reached: bool, code: str
) -> None:
    proof = prove(Step(action, TABLE, ""), store(FAILED, NEIGHBOUR), store(*after), target)
    assert (proof.is_reached, proof.code) == (is_reached, code)
    assert proof.message
