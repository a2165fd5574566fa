"""Finishing a checksum that Lightning did not complete: its own totals against ours, table by table, read-only."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from safe_lightning.api import CouldNotLook, ImportReport, Outcome, Policy, TableName
from safe_lightning.core.verification import (
    Expected,
    TableProof,
    could_not,
    finish_report,
    pending_totals,
    verify_totals,
)
from safe_lightning.lightning.task import Server
from safe_lightning.session import Session

if TYPE_CHECKING:
    from safe_lightning.lightning.checksum import Limits

#: Lightning would add the indexes only after the checksum, so the import is not over when that is.
_INDEXES_LATER = "tikv-importer.add-index-by-sql"


def checksum_limits(policy: Policy) -> Limits:
    """Return how far the policy lets a checksum of ours go."""
    # Imported late: a run that has nothing to finish must not pay for it.
    from safe_lightning.lightning.checksum import Limits

    return Limits(policy.verify.timeout, policy.verify.tries, policy.verify.concurrency)


def compare_tables(
    server: Server, expected: Mapping[TableName, Expected], limits: Limits, stop: threading.Event
) -> list[TableProof]:
    """Compare tables one after the other; one that cannot be looked at does not hide the others."""
    from safe_lightning.lightning.checksum import checksum_table

    proofs = []
    for table, wanted in expected.items():
        try:
            proofs.append(verify_totals(table, wanted, checksum_table(server, table, limits, stop)))
        except CouldNotLook as error:
            proofs.append(could_not(table, str(error)))
    return proofs


def finish_checksum(session: Session, report: ImportReport, stop: threading.Event) -> ImportReport:
    """Complete the checksum of a run where the policy says so; the report as it was for every other run.

    The hooks then hear of a proven success or a proven mismatch instead of a checksum that nobody completed.
    """
    if not session.policy.verify.investigate or report.outcome is not Outcome.CHECKSUM_INCOMPLETE:
        return report
    if session.task.values.get(_INDEXES_LATER) is True:
        note = f"not completed by us: with {_INDEXES_LATER} the import is not over before its indexes are added"
        return replace(report, evidence=(*report.evidence, note))
    expected = pending_totals(report)
    session.log.info("checksum-begun", tables=[str(table) for table in expected])
    proofs = _compare(session, expected, stop)
    for proof in proofs:
        session.log.info("checksum-proof", table=str(proof.table), proof=str(proof.proof), message=proof.message)
    finished = finish_report(report, proofs)
    if finished.outcome is Outcome.SUCCEEDED:
        return replace(finished, evidence=(*finished.evidence, *_left_over(session)))
    return finished


def _compare(session: Session, expected: Mapping[TableName, Expected], stop: threading.Event) -> list[TableProof]:
    from safe_lightning.acts.gc_holding import gc_held

    with gc_held(session):
        return compare_tables(session.task.target, expected, checksum_limits(session.policy), stop)


def _left_over(session: Session) -> list[str]:
    """Say what Lightning did not come to: it ended before its last steps."""
    left = ["Lightning did not analyze the tables: run ANALYZE TABLE"] * (session.task.analyze != "off")
    store = session.task.checkpoint
    kept = f"its checkpoint is still at {store.location}: the same command again completes and removes it"
    return [*left, *[kept] * store.enabled]
