"""Post-import hook ``rows``: the rows that the source held against those that the target gained, table by table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from safe_lightning.api import (
    Context,
    CouldNotLook,
    Finding,
    Outcome,
    Proof,
    RowFacts,
    Status,
    TableBaseline,
    TableName,
    TableProof,
    Verdict,
    could_not,
    prove_rows,
)

_IMPORTED = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_CONFLICTS}
#: A scan has read every row of a table only where it can say so of its keys.
_READ_WHOLE = {"clean", "conflicts"}
_CUT_OFF = "truncated-compression"


def look(context: Context) -> Verdict:
    """Count the rows of each table and hold them against what the hook `conflicts` read of the source.

    Blocks where rows are proven to be missing or there twice, whatever the import said of itself; warns where a table
    could not be counted. Imports that did not end well are left to their own outcome.
    Raises CouldNotLook where the source was not read before the import.
    """
    if context.report is None or context.report.outcome not in _IMPORTED:
        return Verdict(Status.PASS, "not-counted", "the import did not end well, so no rows were counted")
    held, cut_off = _source(context)
    baselines, note = _baselines(context)
    proofs = [_prove(context, table, rows, baselines.get(table)) for table, rows in held.items()]
    return _verdict(proofs, cut_off, note)


def _source(context: Context) -> tuple[dict[TableName, int | None], list[Finding]]:
    """Recall what was read of the source before the import: rows of each table, and files that end too early."""
    scans = [verdict for verdict in context.verdicts if "tables" in verdict.data and "mode" in verdict.data]
    if not scans or not scans[-1].data["tables"]:
        raise CouldNotLook("the rows of the source are not known: the hook `conflicts` did not read it in this run")
    told: Mapping[str, Mapping[str, object]] = scans[-1].data["tables"]
    cut_off = [finding for finding in scans[-1].findings if finding.code == _CUT_OFF]
    return {TableName.parse(name): _rows(table) for name, table in told.items()}, cut_off


def _rows(table: Mapping[str, object]) -> int | None:
    rows = table.get("rows")
    return rows if isinstance(rows, int) and table.get("status") in _READ_WHOLE else None


def _baselines(context: Context) -> tuple[Mapping[TableName, TableBaseline], str]:
    try:
        return context.services.baselines(), ""
    except CouldNotLook as error:
        return {}, f"; what stood in the tables before is not known: {error}"


def _prove(context: Context, table: TableName, rows: int | None, before: TableBaseline | None) -> TableProof:
    if rows is None:
        return could_not(table, "its rows in the source were not all read before the import")
    try:
        counted = context.services.count_rows(table)
    except CouldNotLook as error:
        return could_not(table, str(error))
    # Other instances of a parallel import may have filled the same table.
    had_rows = None if context.task.parallel_import else _had_rows(before)
    return prove_rows(table, RowFacts(rows, counted, had_rows, _may_collapse(context)))


def _had_rows(before: TableBaseline | None) -> bool | None:
    if before is None or (before.existed and before.was_empty is None):
        return None
    return before.existed and not before.was_empty


def _may_collapse(context: Context) -> bool:
    """Whether rows that share a key may have become one as the task asks, or by a default that no one can see."""
    report, task = context.report, context.task
    is_resolved = report is not None and report.outcome is Outcome.SUCCEEDED_WITH_CONFLICTS
    is_asked_for = task.conflict_strategy not in ("", "error")
    return is_resolved or is_asked_for or (task.backend == "tidb" and _has_twins(context))


def _has_twins(context: Context) -> bool:
    return any(finding.code == "key-conflicts" for verdict in context.verdicts for finding in verdict.findings)


def _verdict(proofs: Sequence[TableProof], cut_off: Sequence[Finding], note: str) -> Verdict:
    wrong = [proof for proof in proofs if proof.proof is Proof.MISMATCH]
    unknown = [proof for proof in proofs if proof.proof is Proof.COULD_NOT_LOOK]
    findings = tuple(_finding(proof) for proof in (*wrong, *unknown)) + tuple(cut_off)
    data = {"tables": {str(proof.table): _data(proof) for proof in proofs}}
    if wrong or cut_off:
        code = "rows-doubled" if wrong and all(_surplus(proof) > 0 for proof in wrong) else "rows-missing"
        return Verdict(Status.BLOCK, code, _said(wrong, cut_off), findings, data=data, is_damage=True)
    if unknown:
        message = f"could not look at {len(unknown)} of {len(proofs)} tables: {unknown[0].table}: {unknown[0].message}"
        return Verdict(Status.WARN, "rows-not-counted", f"{message}{note}", findings, data=data)
    rows = sum(proof.rows_in_target or 0 for proof in proofs)
    return Verdict(
        Status.PASS,
        "rows-complete",
        f"{rows:,} rows in the {len(proofs)} table(s) of the import, as many as in the source",
        data=data,
    )


def _said(wrong: Sequence[TableProof], cut_off: Sequence[Finding]) -> str:
    told = [f"{proof.table}: {proof.message}" for proof in wrong]
    told += [f"{finding.table or 'a table'}: {finding.message}; what follows it was never read" for finding in cut_off]
    more = f"; and {len(told) - 1} more" if len(told) > 1 else ""
    return f"{told[0]}{more}"


def _surplus(proof: TableProof) -> int:
    return (proof.rows_in_target or 0) - (proof.rows_in_source or 0)


def _finding(proof: TableProof) -> Finding:
    code = "rows-not-counted"
    if proof.proof is Proof.MISMATCH:
        code = "rows-doubled" if _surplus(proof) > 0 else "rows-missing"
    return Finding(code, f"{proof.table}: {proof.message}", proof.table, _data(proof))


def _data(proof: TableProof) -> dict[str, object]:
    return {
        "proof": str(proof.proof),
        "rows_in_source": proof.rows_in_source,
        "rows_in_target": proof.rows_in_target,
    }
