"""From evidence and judgement to the report that hooks, record and people get."""

from __future__ import annotations

import re

from safe_lightning.core.classification import End, Evidence, Judgement, root_error
from safe_lightning.core.evidence import TableTrace
from safe_lightning.core.log_clues import gather_clues
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.stop import engines_not_ingested
from safe_lightning.core.tables import Comparison, TableName
from safe_lightning.core.verdict import ImportReport, TableResult

_FAILED_BEFORE = re.compile(r"(`(?:[^`]|``)+`\.`(?:[^`]|``)+`) failed in step\((\w+)\)")
_NOT_EMPTY = re.compile(r"table\(s\) \[(.*?)\] are not empty")
_QUOTED = re.compile(r"`(?:[^`]|``)+`\.`(?:[^`]|``)+`")
_REMOVE_HINT = re.compile(r"--checkpoint-remove='(`(?:[^`]|``)+`\.`(?:[^`]|``)+`)'")


def build_report(end: End, seen: Evidence, judgement: Judgement) -> ImportReport:
    """Gather what is known of a run's end: outcome, tables, root error and the facts behind them."""
    error = root_error(seen) if judgement.outcome not in _WITHOUT_ERROR else None
    traces = seen.task.tables.values()
    return ImportReport(
        outcome=judgement.outcome,
        reason=judgement.reason,
        child_exit_code=end.exit_code,
        child_signal=end.signal,
        version=seen.task.version or seen.streams.release or None,
        tables=table_results(seen, error),
        root_error=error,
        evidence=judgement.notes,
        resumed_tables=tuple(t.table for t in traces if t.reused),
        duplicate_keys_skipped=seen.task.skipped_key_count,
        checksum_incomplete=judgement.outcome is Outcome.CHECKSUM_INCOMPLETE,
        clues=gather_clues(seen.task) if seen.has_log else None,
        engines_not_ingested=engines_not_ingested(seen.task),
    )


_WITHOUT_ERROR = {
    Outcome.SUCCEEDED,
    Outcome.SUCCEEDED_WITH_CONFLICTS,
    Outcome.NOTHING_IMPORTED,
    Outcome.VERSION_INFO,
}


def table_results(seen: Evidence, error: str | None) -> tuple[TableResult, ...]:
    """Say for each table what became of it; totals that nobody named come last, without a table."""
    results = [_of_trace(trace) for trace in seen.task.tables.values()]
    known = {result.table for result in results}
    results += [
        TableResult(table, "checksum-mismatch", comparison)
        for table, comparison in seen.streams.named_mismatches.items()
        if table not in known
    ]
    results += [result for result in _refused_tables(error or "") if result.table not in known]
    compared = [result.checksum for result in results if result.checksum]
    unnamed = [c for t, c in seen.task.mismatches if t is None]
    unnamed += [c for c in seen.streams.unnamed_mismatches if c not in unnamed]
    results += [TableResult(None, "checksum-mismatch", c) for c in unnamed if c not in compared]
    return tuple(results)


def _of_trace(trace: TableTrace) -> TableResult:
    checksum = trace.mismatch
    if checksum is None and trace.passed:
        checksum = Comparison(remote=trace.passed, local=trace.passed)
    elif checksum is None and trace.local:
        checksum = Comparison(remote=None, local=trace.local)
    return TableResult(trace.table, _status(trace), checksum, trace.error or None)


_SKIPPED = {"off": "checksum-off", "duplicates": "conflicts-resolved", "other-instance": "left-to-other-instance"}


def _status(trace: TableTrace) -> str:
    if trace.mismatch:
        return "checksum-mismatch"
    if trace.failed_step:
        return f"failed at {trace.failed_step}"
    if trace.error:
        return "failed"
    if trace.passed:
        return "checksum-passed"
    if trace.skipped:
        return _SKIPPED[trace.skipped]
    if trace.remote_pending and trace.restored:
        return "imported, not verified"
    if trace.reused and not trace.chunks:
        return "taken from the checkpoint"
    return "imported" if trace.restored else "unfinished"


def _refused_tables(error: str) -> list[TableResult]:
    """List what a refusal names, each table once: one error may tell the same of it several times."""
    refused = [(name, f"failed at {step} earlier") for name, step in _FAILED_BEFORE.findall(error)]
    for names in _NOT_EMPTY.findall(error):
        refused += [(name, "not empty") for name in _QUOTED.findall(names)]
    refused += [(name, "illegal checkpoint") for name in _REMOVE_HINT.findall(error)]
    first = dict(reversed(refused))
    return [TableResult(TableName.parse(name), first[name]) for name in dict.fromkeys(name for name, _ in refused)]
