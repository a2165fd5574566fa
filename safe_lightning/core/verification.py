"""Whether a table holds what was imported into it: totals that Lightning summed up against what the cluster says now.

A number that is not known is never taken for one that agrees: such a table is "could not look", and says why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum

from safe_lightning.core.cause import MISMATCH_STATUS
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import ImportReport, TableResult

#: How a report words a table that Lightning imported whole and left without an answer of the remote checksum.
_PENDING = "imported, not verified"
_VERIFIED = "checksum-passed"
#: Of what Lightning compared itself nothing is open; the last two were never due in this run.
_SETTLED = {_VERIFIED, "checksum-off", "conflicts-resolved", "left-to-other-instance"}
_NOT_THE_WHOLE = {"conflicts-resolved", "left-to-other-instance"}


class Proof(StrEnum):
    """What is proven of a table."""

    PROVEN = "proven"
    MISMATCH = "mismatch"
    COULD_NOT_LOOK = "could-not-look"


class Basis(StrEnum):
    """What a proof rests on: totals of key-value pairs and their checksum, or numbers of rows alone."""

    CHECKSUM = "checksum"
    ROWS = "rows"


@dataclass(frozen=True)
class Expected:
    """What a table must hold; ``origin`` says in words who summed it up."""

    totals: Totals
    origin: str


@dataclass(frozen=True)
class TableProof:
    """What is proven of one table, with the arithmetic; ``rows`` are the source's and the target's."""

    table: TableName
    proof: Proof
    message: str
    basis: Basis | None = None
    checksum: Comparison | None = None
    rows_in_source: int | None = None
    rows_in_target: int | None = None


def could_not(table: TableName, why: str) -> TableProof:
    """Say of a table that nothing is proven, and why."""
    return TableProof(table, Proof.COULD_NOT_LOOK, why)


def verify_totals(table: TableName, expected: Expected, measured: Totals) -> TableProof:
    """Hold what the cluster says now against what was encoded; only equal in all three numbers is proven."""
    local, origin = expected.totals, expected.origin
    both = Comparison(measured, local)
    if not (_is_whole(local) and _is_whole(measured)):
        if _counts_of(measured, local) == _counts_of(local, measured):
            why = f"{_counts(measured, local, origin)}, but not all totals of both sides are known"
            return replace(could_not(table, why), checksum=both)
    elif measured == local:
        proven = f"{_number(local.kvs, 'pair')}, {local.bytes:,} bytes and checksum as in {origin}"
        return TableProof(table, Proof.PROVEN, proven, Basis.CHECKSUM, both)
    return TableProof(table, Proof.MISMATCH, _difference(measured, local, origin), Basis.CHECKSUM, both)


def _is_whole(totals: Totals) -> bool:
    return totals.checksum is not None and totals.has_bytes


def _counts_of(totals: Totals, other: Totals) -> tuple[int, int]:
    return totals.kvs, totals.bytes if totals.has_bytes and other.has_bytes else 0


def _counts(measured: Totals, local: Totals, origin: str) -> str:
    gaps = [_gap(measured.kvs - local.kvs, "pair")]
    gaps += [_gap(measured.bytes - local.bytes, "byte")] * (local.has_bytes and measured.has_bytes)
    return f"{_number(measured.kvs, 'pair')} in the target, {local.kvs:,} in {origin} ({', '.join(gaps)})"


def _difference(measured: Totals, local: Totals, origin: str) -> str:
    counts = _counts(measured, local, origin)
    is_content = _counts_of(measured, local) == _counts_of(local, measured)
    return f"{counts}: the numbers agree, the checksum does not, so contents differ" if is_content else counts


def _gap(difference: int, what: str) -> str:
    if not difference:
        return f"no {what} more or less"
    return f"{_number(abs(difference), what)} {'more' if difference > 0 else 'missing'}"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def pending_totals(report: ImportReport) -> dict[TableName, Expected]:
    """Return what Lightning summed up for the tables whose remote checksum it could not complete."""
    return {
        result.table: Expected(result.checksum.local, "Lightning's own sum")
        for result in report.tables
        if result.table and result.status == _PENDING and result.checksum and result.checksum.local
    }


def logged_totals(tables: Sequence[TableResult]) -> dict[TableName, Totals]:
    """Return what Lightning summed up for each table of a report, whatever came of the comparison.

    Left out are the tables whose sum is not what the target must hold: rows of other instances are in it too, or
    conflicting rows were taken out of it.
    """
    return {
        result.table: result.checksum.local
        for result in tables
        if result.table and result.status not in _NOT_THE_WHOLE and result.checksum and result.checksum.local
    }


def finish_report(report: ImportReport, proofs: Sequence[TableProof]) -> ImportReport:
    """Judge a run anew whose checksum Lightning did not complete, now that it was completed for it.

    Succeeded only where every table of the report is either settled by Lightning itself or proven now; one proven
    mismatch makes it a mismatch. Anything else leaves the outcome as it was, with the reasons added.
    """
    by_table = {proof.table: proof for proof in proofs}
    tables = tuple(_updated(result, by_table) for result in report.tables)
    known = replace(report, tables=tables, evidence=(*report.evidence, *(_sentence(proof) for proof in proofs)))
    wrong = [proof.table for proof in proofs if proof.proof is Proof.MISMATCH]
    if wrong:
        reason = f"the checksum, completed after the import, does not match: {', '.join(map(str, wrong))}"
        return replace(known, outcome=Outcome.CHECKSUM_MISMATCH, reason=reason, checksum_incomplete=False)
    if not by_table or any(result.status not in _SETTLED for result in tables):
        return known
    reason = (
        f"the import is complete: the checksum of {_number(len(proofs), 'table')} was completed after it and passed"
    )
    return replace(known, outcome=Outcome.SUCCEEDED, reason=reason, root_error=None, checksum_incomplete=False)


def _updated(result: TableResult, proofs: dict[TableName, TableProof]) -> TableResult:
    proof = proofs.get(result.table) if result.table else None
    if proof is None or proof.proof is Proof.COULD_NOT_LOOK:
        return result
    status = _VERIFIED if proof.proof is Proof.PROVEN else MISMATCH_STATUS
    return replace(result, status=status, checksum=proof.checksum, error=None)


def _sentence(proof: TableProof) -> str:
    return f"{proof.table}: {proof.proof}: {proof.message}"


def verify_exit_code(proofs: Sequence[TableProof]) -> ExitCode:
    """Choose the exit code of a verification: one mismatch outweighs all, and nothing looked at is not a success."""
    seen = {proof.proof for proof in proofs}
    if Proof.MISMATCH in seen:
        return ExitCode.CHECKSUM_MISMATCH
    if Proof.PROVEN not in seen:
        return ExitCode.COULD_NOT_LOOK
    return ExitCode.CHECKSUM_INCOMPLETE if Proof.COULD_NOT_LOOK in seen else ExitCode.OK
