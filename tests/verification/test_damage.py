"""A post-import hook may prove a success to be damage, and nothing else."""

from __future__ import annotations

import pytest

from safe_lightning.api import ImportReport, Outcome, Stage, Status, Verdict
from safe_lightning.ending import with_damage
from safe_lightning.hooking import HookResult


@pytest.mark.parametrize("outcome", list(Outcome))
@pytest.mark.parametrize("is_damage", [True, False])
def test_only_a_success_becomes_damage_and_no_outcome_ever_becomes_better(outcome: Outcome, is_damage: bool) -> None:
    report = ImportReport(outcome, "why", 0, None, None, (), None, ())
    verdict = Verdict(Status.BLOCK, "rows-missing", "3 missing", is_damage=is_damage)
    told = with_damage(report, [HookResult("rows", Stage.POST_IMPORT, verdict, 0.1, stops=True)])
    is_turned = is_damage and outcome in (Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_CONFLICTS)
    expected = (Outcome.DAMAGED, "hook rows: 3 missing") if is_turned else (outcome, "why")
    assert (told.outcome, told.reason) == expected
