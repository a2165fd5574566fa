"""What a run's hooks said before its end that bears on a mismatch: keys of the source, the checkpoint's verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from safe_lightning.core.examination import Examination, count_conflicts
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Finding, Verdict

_CONFLICTS = "key-conflicts"
_VERDICTS = {"fresh", "resumable", "finished", "failed", "stale", "foreign"}


def told_before(verdicts: Sequence[Verdict], table: TableName) -> Examination:
    """Take what verdicts of this run say of one table; the last one that speaks of something counts."""
    seen = Examination()
    for verdict in verdicts:
        if "tables" in verdict.data and "mode" in verdict.data:
            seen = seen.joined(_scan(verdict, table))
        elif verdict.code.startswith("checkpoint-"):
            seen = seen.joined(_checkpoint(verdict, table))
    return seen


def _checkpoint(verdict: Verdict, table: TableName) -> Examination:
    words = [one.code for one in verdict.findings if one.table == table and one.code in _VERDICTS]
    return Examination(checkpoint_verdict=words[0]) if words else Examination()


def _scan(verdict: Verdict, table: TableName) -> Examination:
    """Take a scan's answer; a sample, a table that was not read to its end and a list that was cut prove nothing."""
    tables = verdict.data["tables"]
    told = tables.get(str(table)) if isinstance(tables, Mapping) else None
    if verdict.data["mode"] != "exact" or not isinstance(told, Mapping):
        return Examination()
    rows = told.get("rows")
    seen = Examination(rows_in_source=rows if isinstance(rows, int) else None)
    if told.get("status") == "clean":
        return seen.joined(Examination(conflicts_found=0, conflicts_folded=0))
    found = [one for one in verdict.findings if one.code == _CONFLICTS and one.table == table]
    if told.get("status") != "conflicts" or not found or any(one.code == "more-findings" for one in verdict.findings):
        return seen if told.get("status") == "conflicts" else Examination()
    written, read = count_conflicts([_key(one) for one in found])
    return seen.joined(Examination(conflicts_found=written, conflicts_folded=read))


def _key(finding: Finding) -> tuple[int, Mapping[str, int]]:
    number, why = finding.data.get("duplicate_keys"), finding.data.get("why")
    counts = why.items() if isinstance(why, Mapping) else ()
    return (number if isinstance(number, int) else 0), {str(word): n for word, n in counts if isinstance(n, int)}
