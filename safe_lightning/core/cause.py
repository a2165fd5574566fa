"""What a checksum mismatch can mean: facts about one table in, ranked causes with their arithmetic out.

A mismatch says that the pairs readable in the cluster are not "each pair encoded from the source exactly
once". An encoding or character-set problem alone cannot do that, as both sides describe the same encoded bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from safe_lightning.core.causes.catalogue import BY_NAME, CATALOGUE
from safe_lightning.core.causes.counts import told_agreement
from safe_lightning.core.causes.incomplete import kind_of
from safe_lightning.core.causes.model import Cause, Gap, MismatchFacts
from safe_lightning.core.causes.names import CHECKSUM_INCOMPLETE, UNEXPLAINED, VERSION_BUG
from safe_lightning.core.causes.other_judges import version_bug
from safe_lightning.core.clues import Clues, TableClues
from safe_lightning.core.examination import Examination, with_examination
from safe_lightning.core.key_codec import BadKey, Kind
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.row_key import decode_key, describe_key
from safe_lightning.core.tables import Comparison, TableName
from safe_lightning.core.verdict import ImportReport

__all__ = [
    "CHECKSUM_INCOMPLETE",
    "TIE_MARGIN",
    "UNEXPLAINED",
    "Cause",
    "Examination",
    "MismatchFacts",
    "causes_by_table",
    "find_causes",
    "incomplete_cause",
    "is_mismatch",
    "joined_causes",
    "mismatch_facts",
    "mismatches",
    "next_step",
    "tied",
]

#: How a report words a table whose checksum was compared and differs.
MISMATCH_STATUS = "checksum-mismatch"
#: Causes whose confidences differ by no more than this are told as a tie.
TIE_MARGIN = 0.1
#: From here on a cause's own next step is told.
_SURE_ENOUGH = 0.7


def find_causes(facts: MismatchFacts) -> tuple[Cause, ...]:
    """Rank what can have caused a mismatch, the likeliest first; never empty."""
    gap = _gap(facts.comparison)
    if gap is None:
        return (_cause(UNEXPLAINED, 1.0, ("the totals of both sides are not known",)),)
    if facts.checksum_now is not None and facts.checksum_now == facts.comparison.local:
        return _all_there(facts, gap)
    found = []
    for entry in CATALOGUE:
        if entry.judge and (seen := entry.judge(facts, gap)):
            found.append(_cause(entry.name, seen.confidence, (str(gap), *seen.lines)))
    best = max((cause.confidence for cause in found), default=0.0)
    if best < 0.5:
        found.append(_cause(UNEXPLAINED, round(1.0 - best, 2), (str(gap), *_seen_without_cause(facts, gap))))
    return tuple(sorted(found, key=lambda cause: -cause.confidence))


def _seen_without_cause(facts: MismatchFacts, gap: Gap) -> Iterator[str]:
    """Say what was looked at in vain, so that nobody has to look there again."""
    if facts.conflicts_found == 0 and facts.conflicts_folded == 0:
        yield "no key occurs twice in the source"
    if gap.missing > 0 and (told := told_agreement(facts)):
        yield told


def _all_there(facts: MismatchFacts, gap: Gap) -> tuple[Cause, ...]:
    """Tell of a table that holds just what was encoded: no cause that lies in its data is one any more."""
    line = (
        "ADMIN CHECKSUM TABLE now gives exactly the source's sums: pairs, bytes and checksum. The table holds what was "
        "encoded; the comparison looked at something else, or too early"
    )
    seen = version_bug(facts, gap)
    if seen is None:
        return (_cause(UNEXPLAINED, 1.0, (str(gap), line, "no defect of this release is known that explains it")),)
    return (_cause(VERSION_BUG, 0.95, (str(gap), line, *seen.lines)),)


def _cause(name: str, confidence: float, evidence: tuple[str, ...]) -> Cause:
    return Cause(name, confidence, evidence, BY_NAME[name].settle)


def tied(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Return the causes that cannot be told apart by their confidence: the first, and all within the margin."""
    return tuple(c for c in causes if causes[0].confidence - c.confidence <= TIE_MARGIN + 1e-9)


def next_step(causes: Sequence[Cause]) -> str:
    """Say what to do about the one cause that is likely enough to act on; "" where none is, or where several are."""
    is_sure = bool(causes) and causes[0].confidence >= _SURE_ENOUGH and len(tied(causes)) == 1
    entry = BY_NAME.get(causes[0].name) if is_sure else None
    return f"{entry.next_step[:1].upper()}{entry.next_step[1:]}." if entry else ""


def _gap(comparison: Comparison) -> Gap | None:
    if comparison.remote is None or comparison.local is None:
        return None
    return Gap(comparison.remote, comparison.local)


def causes_by_table(
    report: ImportReport, facts_of: Callable[[TableName | None, Comparison], MismatchFacts]
) -> dict[TableName | None, tuple[Cause, ...]]:
    """Judge every mismatched table of a report; ``facts_of`` adds what the report does not know."""
    return {table: find_causes(facts_of(table, totals)) for table, totals in mismatches(report).items()}


def mismatches(report: ImportReport) -> dict[TableName | None, Comparison]:
    """Return the totals of every mismatched table of a report; those that nobody named share the key None.

    A later unnamed pair of totals never replaces a table's own.
    """
    found: dict[TableName | None, Comparison] = {}
    for result in report.tables:
        if is_mismatch(result.status):
            found.setdefault(result.table, result.checksum or Comparison(None, None))
    return found


def joined_causes(by_table: Mapping[TableName | None, Sequence[Cause]]) -> list[Cause]:
    """Rank the causes over all mismatched tables, each named once.

    Where several tables mismatch, each line of evidence begins with its table.
    """
    found: dict[str, list[Cause]] = {}
    for table, causes in by_table.items():
        for cause in causes:
            lead = f"{table or 'a table that nobody named'}: " if len(by_table) > 1 else ""
            lines = tuple(lead + line for line in cause.evidence)
            found.setdefault(cause.name, []).append(replace(cause, evidence=lines))
    return sorted((_joined(causes) for causes in found.values()), key=lambda cause: -cause.confidence)


def _joined(causes: Sequence[Cause]) -> Cause:
    evidence = tuple(line for cause in causes for line in cause.evidence)
    return replace(max(causes, key=lambda cause: cause.confidence), evidence=evidence)


def is_mismatch(status: str) -> bool:
    """Whether a table's status in a report says that its checksum was compared and differs."""
    return status == MISMATCH_STATUS


def incomplete_cause(report: ImportReport) -> Cause | None:
    """Say what kept a checksum from being completed; None for every other end."""
    if report.outcome is not Outcome.CHECKSUM_INCOMPLETE:
        return None
    why = f"not a mismatch, nothing is proven wrong: {kind_of(report.root_error or report.reason)}"
    return _cause(CHECKSUM_INCOMPLETE, 1.0, (why,))


def mismatch_facts(
    report: ImportReport,
    table: TableName | None,
    comparison: Comparison,
    had_rows_before: bool | None,
    admits_old_rows: bool | None = None,
    seen: Examination | None = None,
) -> MismatchFacts:
    """Gather the facts of one table, from a report and from what was seen beside the log.

    ``had_rows_before``: what stood in the target before (None: not recorded).
    """
    seen = seen or Examination()
    clues = _with_table_id(report.clues or Clues(), table, seen)
    own = clues.tables.get(table, TableClues()) if table else TableClues()
    keys = _keys_of(clues, table)
    indexes = {(table, number): name for number, name in seen.index_names.items()} if table else {}
    rows, per_row = _rows(own)
    facts = MismatchFacts(
        comparison=comparison,
        table=table,
        own=own.own,
        base=own.base,
        keys_per_row=per_row,
        rows_in_source=rows,
        had_rows_before=_rows_before(had_rows_before, own),
        admits_old_rows=_admits(clues) if admits_old_rows is None else admits_old_rows,
        is_parallel=_flag(clues, "tikv-importer.parallel-import"),
        was_resumed=True if table is not None and table in report.resumed_tables else own.was_resumed,
        duplicate_keys_skipped=report.duplicate_keys_skipped,
        tables_sharing_skips=sum(is_mismatch(result.status) for result in report.tables),
        keys_shown=tuple(describe_key(key, clues.table_ids, indexes) for key in keys),
        has_text_keys=_hold_text(keys),
        conflict_strategy=_strategy(clues),
        lightning_schemas=clues.lightning_schemas,
        engines=own.engines,
        lost_engines=own.lost_engines,
        files=own.files,
        version=report.version,
    )
    return with_examination(facts, seen)


def _with_table_id(clues: Clues, table: TableName | None, seen: Examination) -> Clues:
    if table is None or seen.table_id is None:
        return clues
    return replace(clues, table_ids={**clues.table_ids, seen.table_id: table})


def _keys_of(clues: Clues, table: TableName | None) -> tuple[str, ...]:
    """Return the logged keys that may be this table's: those of tables known to be others are left out."""
    if table is None:
        return clues.skipped_keys
    others = {number for number, name in clues.table_ids.items() if name != table}
    return tuple(key for key in clues.skipped_keys if _table_id(key) not in others)


def _table_id(key: str) -> int | None:
    try:
        return decode_key(key).table_id
    except BadKey:
        return None


def _hold_text(keys: Sequence[str]) -> bool | None:
    kinds = set[Kind]()
    for key in keys:
        try:
            kinds |= {value.kind for value in decode_key(key).values}
        except BadKey:
            continue
    return (Kind.BYTES in kinds) if kinds else None


def _rows(clues: TableClues) -> tuple[int | None, int | None]:
    """Count the source's rows and the pairs of each: data engines hold one pair a row, engine -1 all index entries."""
    if clues.was_resumed or not clues.engines:
        return None, None
    rows = sum(engine.kvs for engine in clues.engines if engine.engine != "-1")
    entries = sum(engine.kvs for engine in clues.engines if engine.engine == "-1")
    is_whole = clues.own is None or clues.own.kvs == rows + entries
    if not rows or not is_whole:
        return None, None
    return rows, 1 + entries // rows if entries % rows == 0 else None


def _rows_before(recorded: bool | None, clues: TableClues) -> bool | None:
    if recorded is not None:
        return recorded
    if clues.base is not None:
        return bool(clues.base.kvs)
    return False if clues.was_empty else None


def _flag(clues: Clues, key: str) -> bool | None:
    value = clues.config.get(key)
    return value if isinstance(value, bool) else None


def _admits(clues: Clues) -> bool:
    return bool(_flag(clues, "tikv-importer.incremental-import") or _flag(clues, "tikv-importer.parallel-import"))


def _strategy(clues: Clues) -> str | None:
    for key in ("conflict.strategy", "tikv-importer.duplicate-resolution"):
        if value := clues.config.get(key):
            return str(value)
    return None
