"""Rows that the source holds against rows that the target gained: what is missing, what is there twice."""

from __future__ import annotations

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verification import Basis, Proof, TableProof, could_not


@dataclass(frozen=True)
class RowFacts:
    """What is known of one table's rows; None is 'not known'.

    ``rows_in_source``: as read before the import. ``had_rows_before``: whether the table held rows before the first
    attempt. ``may_collapse``: whether rows with the same key may have become one without an error.
    """

    rows_in_source: int | None
    rows_in_target: int | None
    had_rows_before: bool | None
    may_collapse: bool


def prove_rows(table: TableName, facts: RowFacts) -> TableProof:
    """Hold the numbers of rows against each other.

    A surplus is only told where the table is known to have been empty, a lack only where no two rows can have
    become one: everything else has an innocent explanation and is "could not look".
    """
    source, target = facts.rows_in_source, facts.rows_in_target
    if source is None or target is None:
        side = "the source holds" if source is None else "the target holds"
        return could_not(table, f"it is not known how many rows {side}")
    counts = f"{source:,} rows in the source, {target:,} in the target"
    difference = target - source
    doubt = _doubt(facts, difference)
    if doubt:
        return TableProof(table, Proof.COULD_NOT_LOOK, f"{counts}: {doubt}", None, None, source, target)
    if difference:
        what = "more than the source holds" if difference > 0 else "missing"
        message = f"{counts}: {abs(difference):,} {what}"
        return TableProof(table, Proof.MISMATCH, message, Basis.ROWS, None, source, target)
    return TableProof(table, Proof.PROVEN, f"{counts}; contents were not compared", Basis.ROWS, None, source, target)


def _doubt(facts: RowFacts, difference: int) -> str:
    if facts.had_rows_before:
        return "the table held rows before the import, so the numbers tell nothing"
    if facts.had_rows_before is None and difference >= 0:
        return "it is not known whether the table was empty before the import"
    if difference < 0 and facts.may_collapse:
        return f"{-difference:,} fewer, which rows that share a key may explain"
    return ""
