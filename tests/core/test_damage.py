"""Exit 0 and good words, yet the log shows a loss: told as what it is, never as success."""

from __future__ import annotations

from typing import Any

import pytest

from safe_lightning.core.classification import End, Evidence, judge
from safe_lightning.core.evidence import Ingest, StreamEvidence, TableTrace, TaskEvidence
from safe_lightning.core.tables import Comparison, TableName, Totals

TABLE = TableName("app", "t")
SUMS, OTHER_SUMS = Totals(1, 30, 100), Totals(2, 31, 110)


def outcome(trace: dict[str, Any], ingested: tuple[int, int] = (30, 30), said_conflicts: int = 0, **task: Any) -> str:
    """Judge a run that said all the right words, as the log of a physical import shows it."""
    traced = TableTrace(TABLE, **{"chunks": 1, "chunk_kvs": 30, "restored": True, **trace})
    evidence = TaskEvidence(
        version="v8.5.4",
        saw_config=True,
        started=True,
        completed=True,
        finished=True,
        tables={TABLE: traced},
        ingests={"uuid": Ingest(TABLE, "0", *ingested)},
        **task,
    )
    streams = StreamEvidence(said_success=True, conflicts=said_conflicts)
    return judge(End(exit_code=0), Evidence(task=evidence, streams=streams, has_log=True)).outcome.value


PASSED: dict[str, Any] = {"passed": SUMS}
OFF: dict[str, Any] = {"skipped": "off"}


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (outcome(PASSED), "succeeded"),
        (outcome(OFF), "succeeded"),
        # keys dropped as duplicates
        (outcome(OFF, skipped_key_count=1), "damaged"),
        (outcome(PASSED, skipped_key_count=1), "succeeded"),
        (outcome({"skipped": "duplicates"}, skipped_key_count=1, conflicts_resolved=True), "succeeded-with-conflicts"),
        # an engine that was saved as imported although its ingest was cut off
        (outcome(OFF, (30, 0)), "damaged"),
        (outcome(OFF, (30, 29)), "damaged"),
        (outcome(OFF, (0, 0)), "succeeded"),
        (outcome(PASSED, (30, 0)), "succeeded"),
        (outcome(PASSED, (60, 30)), "succeeded"),  # written anew after a rewind
        (outcome({**OFF, "reused": True}, (60, 30)), "succeeded"),
        (outcome({**OFF, "reused": True}, (60, 0)), "damaged"),
        (outcome(OFF, (30, 28), conflicts=2), "succeeded-with-conflicts"),
        (outcome(OFF, (30, 28), said_conflicts=2), "succeeded-with-conflicts"),
        # engines of an earlier attempt that nothing verified
        (outcome({**OFF, "reused": True, "engines_reused": 2}), "unknown"),
        (outcome({**PASSED, "reused": True, "engines_reused": 2}), "succeeded"),
        # tolerated by checksum = "optional"
        (outcome({"mismatch": Comparison(SUMS, OTHER_SUMS)}), "checksum-mismatch"),
        (outcome({}, checksum_not_computed="Error 9005: Region is unavailable"), "checksum-incomplete"),
        # left to another instance, or nothing done at all
        (outcome({"skipped": "other-instance"}), "succeeded"),
        (outcome({"chunks": 0, "chunk_kvs": 0}, (0, 0)), "nothing-imported"),
    ],
)
def test_a_good_end_is_believed_only_as_far_as_the_log_supports_it(told: str, expected: str) -> None:
    assert told == expected
