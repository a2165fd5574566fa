"""What a checksum mismatch can mean: facts about one table in, ranked causes with their arithmetic out.

A mismatch says that the pairs readable in the cluster are not "each pair encoded from the source exactly
once". An encoding or character-set problem alone cannot do that, as both sides describe the same encoded bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import ImportReport

LEFTOVER_CHECKPOINT = "leftover-checkpoint"
KEY_CONFLICTS = "key-conflicts"
ROWS_BEFORE = "rows-before"
UNEXPLAINED = "unexplained"
#: Not a cause of a mismatch: the comparison itself did not take place (GC life time, EOF, time-out, privilege).
CHECKSUM_INCOMPLETE = "checksum-incomplete"

#: How a report words a table whose checksum was compared and differs.
MISMATCH_STATUS = "checksum-mismatch"
#: Causes whose confidences differ by no more than this are told as a tie.
TIE_MARGIN = 0.1


@dataclass(frozen=True)
class MismatchFacts:
    """What is known of one mismatched table; None is 'not known' and never 'no'.

    ``duplicate_keys_skipped`` counts the log's ``duplicated key found, skip write`` lines of the whole run;
    ``tables_sharing_skips`` says among how many mismatched tables they may be spread.
    """

    comparison: Comparison
    keys_per_row: int | None = None
    was_resumed: bool = False
    duplicate_keys_skipped: int = 0
    tables_sharing_skips: int = 1
    had_rows_before: bool | None = None
    admits_old_rows: bool = False
    version: str | None = None


@dataclass(frozen=True)
class Cause:
    """A possible cause: how sure we are (0 to 1), why, and what would settle it."""

    name: str
    confidence: float
    evidence: tuple[str, ...]
    settle: str


@dataclass(frozen=True)
class Gap:
    """Both sides of a comparison; ``missing`` pairs are in the source's sum but not in the cluster."""

    remote: Totals
    local: Totals

    @property
    def missing(self) -> int:
        """Pairs that the cluster lacks; negative where it has too many."""
        return self.local.kvs - self.remote.kvs

    def __str__(self) -> str:
        difference, size = self.remote.kvs - self.local.kvs, self.remote.bytes - self.local.bytes
        return (
            f"in the cluster {self.remote.kvs:,} key-value pairs ({self.remote.bytes:,} bytes), from the source "
            f"{self.local.kvs:,} ({self.local.bytes:,} bytes): {difference:+,} pairs, {size:+,} bytes"
        )


def find_causes(facts: MismatchFacts) -> tuple[Cause, ...]:
    """Rank what can have caused a mismatch, the likeliest first; never empty."""
    gap = _gap(facts.comparison)
    if gap is None:
        return (Cause(UNEXPLAINED, 1.0, ("the totals of both sides are not known",), _SETTLE_UNEXPLAINED),)
    found = [cause for judge in CAUSES if (cause := judge(facts, gap))]
    best = max((cause.confidence for cause in found), default=0.0)
    if best < 0.5:
        found.append(_unexplained(facts, gap, round(1.0 - best, 2)))
    return tuple(sorted(found, key=lambda cause: -cause.confidence))


def tied(causes: Sequence[Cause]) -> tuple[Cause, ...]:
    """Return the causes that cannot be told apart by their confidence: the first, and all within the margin."""
    return tuple(c for c in causes if causes[0].confidence - c.confidence <= TIE_MARGIN + 1e-9)


def _gap(comparison: Comparison) -> Gap | None:
    if comparison.remote is None or comparison.local is None:
        return None
    return Gap(comparison.remote, comparison.local)


def _key_conflicts(facts: MismatchFacts, gap: Gap) -> Cause | None:
    """Suspect rows that share a primary or unique key: each pair is counted when encoded, but stored once."""
    if gap.missing <= 0 or gap.remote.kvs == 0:
        return None
    for judge in (_skips, _exact_copies, _whole_multiple):
        if seen := judge(facts, gap):
            confidence, line = seen
            return Cause(KEY_CONFLICTS, confidence, (str(gap), line, _rows_lost(facts, gap)), _SETTLE_KEYS)
    confidence, line = _by_gap_alone(facts, gap)
    return Cause(KEY_CONFLICTS, confidence, (str(gap), line, _rows_lost(facts, gap)), _SETTLE_KEYS)


def _skips(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    skipped = facts.duplicate_keys_skipped
    if not skipped:
        return None
    line = f"the log has {skipped:,} times `duplicated key found, skip write`; {gap.missing:,} pairs are missing"
    if facts.tables_sharing_skips > 1:
        return 0.8, f"{line}; to which of the {facts.tables_sharing_skips} mismatched tables they belong is not said"
    return (0.95, f"{line}: exactly as many") if skipped == gap.missing else (0.8, line)


def _exact_copies(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    # The checksum is an XOR over all pairs: what occurs an even number of times cancels out.
    if gap.local.checksum is None:
        return None
    if gap.local.checksum == gap.remote.checksum:
        return 0.9, "both XOR checksums are equal: every surplus pair of the source is an exact copy of another one"
    if gap.local.checksum == 0 and _multiple(gap) == 2:
        return 0.9, "the source's XOR checksum is 0 and its totals are twice the cluster's: every row was read twice"
    return None


def _whole_multiple(facts: MismatchFacts, gap: Gap) -> tuple[float, str] | None:
    if (times := _multiple(gap)) < 2 or facts.was_resumed:
        return None
    return 0.7, f"the source's pairs and bytes are exactly {times} times the cluster's: each key was read {times} times"


def _multiple(gap: Gap) -> int:
    times, rest = divmod(gap.local.kvs, gap.remote.kvs)
    return times if not rest and gap.local.bytes == times * gap.remote.bytes else 0


def _by_gap_alone(facts: MismatchFacts, gap: Gap) -> tuple[float, str]:
    per_row = facts.keys_per_row
    if per_row and gap.missing % per_row:
        line = f"{gap.missing:,} missing pairs are no multiple of {per_row} pairs per row"
        return 0.6, f"{line}: single index entries are missing, as when unique keys collide"
    if facts.was_resumed:
        return 0.3, "the cluster has fewer pairs than the source, as when keys collide; the log names no such key"
    return 0.5, "the cluster has fewer pairs than the source, most often because rows share a primary or unique key"


def _rows_lost(facts: MismatchFacts, gap: Gap) -> str:
    if not facts.keys_per_row:
        return f"at most {gap.missing:,} rows are concerned (the number of keys per row is not known)"
    least = -(-gap.missing // facts.keys_per_row)
    return f"with {facts.keys_per_row} keys per row, between {least:,} and {gap.missing:,} rows are concerned"


def _leftover_checkpoint(facts: MismatchFacts, gap: Gap) -> Cause | None:
    """Suspect the checkpoint of an earlier run, which may claim work that the cluster does not hold (any more)."""
    if not facts.was_resumed:
        return None
    resumed = "the table was resumed from an earlier run's checkpoint, whose sums are part of the source's side"
    confidence, line = _judge_resume(facts, gap)
    return Cause(LEFTOVER_CHECKPOINT, confidence, (str(gap), resumed, line), _SETTLE_LEFTOVER)


def _judge_resume(facts: MismatchFacts, gap: Gap) -> tuple[float, str]:
    if gap.remote.kvs == 0:
        return 0.9, "the cluster holds nothing of it: the table is empty or was created anew since"
    if gap.missing > 0 and facts.duplicate_keys_skipped:
        return 0.2, "pairs are missing, but the log's skipped duplicate keys explain that as well"
    if gap.missing > 0:
        return 0.75, f"{gap.missing:,} pairs that the checkpoint took for imported are not there"
    if gap.missing < 0:
        return 0.4, "the cluster has more than the checkpoint knows of: rows may have been written twice"
    return 0.3, "the number of pairs agrees, their content does not"


def _rows_before(facts: MismatchFacts, gap: Gap) -> Cause | None:
    """Suspect rows that stood in the table before the import, or that somebody else wrote."""
    if facts.had_rows_before is False:
        return None
    confidence, line = _judge_old_rows(facts, gap)
    return Cause(ROWS_BEFORE, confidence, (str(gap), line), _SETTLE_ROWS) if confidence else None


def _judge_old_rows(facts: MismatchFacts, gap: Gap) -> tuple[float, str]:
    is_known = facts.had_rows_before is True
    if gap.missing < 0 and is_known:
        return 0.95, f"the table was not empty before; {-gap.missing:,} pairs are not from this import"
    if gap.missing < 0:
        return 0.5, f"{-gap.missing:,} pairs are not from this import; if the table was empty before is not known"
    if is_known and facts.duplicate_keys_skipped:
        return 0.3, "the table was not empty before, but the log's skipped duplicate keys explain the gap as well"
    if is_known:
        return 0.5, "the table was not empty before; old rows whose key a new row has count twice, yet are stored once"
    if facts.admits_old_rows:
        return 0.3, "the task imports into tables that may hold rows (incremental or parallel import)"
    return 0.0, ""


def _unexplained(facts: MismatchFacts, gap: Gap, confidence: float) -> Cause:
    lines = [str(gap), *(line for applies, line in _HINTS if applies(facts, gap))]
    return Cause(UNEXPLAINED, confidence, tuple(lines), _SETTLE_UNEXPLAINED)


Judge = Callable[[MismatchFacts, Gap], Cause | None]

#: Every cause is one function; a new one is one more line.
CAUSES: tuple[Judge, ...] = (_key_conflicts, _leftover_checkpoint, _rows_before)

_HINTS: tuple[tuple[Callable[[MismatchFacts, Gap], bool], str], ...] = (
    (
        lambda f, g: g.remote.kvs == 0,
        "nothing arrived: the table was dropped, created anew or truncated during the run, or this is not the cluster",
    ),
    (
        lambda f, g: g.missing < 0 and f.had_rows_before is False,
        "the table was empty before, so somebody else wrote to it during the import, or a second Lightning did",
    ),
    (
        lambda f, g: g.missing == 0,
        "as many pairs as expected, yet other ones: rows were changed meanwhile, or losses and additions cancel out",
    ),
    (
        lambda f, g: (f.version or "") in {"v5.1.0", "v5.1.1"},
        "releases 5.1.0 and 5.1.1 report false mismatches (pingcap/br#1403)",
    ),
    (
        lambda f, g: f.version == "v5.3.0" and g.remote.kvs >= 2 * g.local.kvs > 0,
        "release 5.3.0 compares one instance of a parallel import with the whole table (pingcap/tidb#29692)",
    ),
)

_SETTLE_KEYS = "count rows per primary and unique key in the source, or run ADMIN CHECK TABLE in the cluster"
_SETTLE_LEFTOVER = "compare the table's id and age with the checkpoint's, or count one source file's rows there"
_SETTLE_ROWS = "look in the cluster for rows whose keys are not in the source, and for other writers during the import"
_SETTLE_UNEXPLAINED = "run ADMIN CHECKSUM TABLE and ADMIN CHECK TABLE now and compare with the log's `local checksum`"


def causes_by_table(
    report: ImportReport, facts_of: Callable[[TableName | None, Comparison], MismatchFacts]
) -> dict[TableName | None, tuple[Cause, ...]]:
    """Judge every mismatched table of a report; those that nobody named share the key None.

    ``facts_of`` adds what the report does not know. A later unnamed pair of totals never replaces a table's own.
    """
    found: dict[TableName | None, tuple[Cause, ...]] = {}
    for result in report.tables:
        if is_mismatch(result.status) and result.table not in found:
            found[result.table] = find_causes(facts_of(result.table, result.checksum or Comparison(None, None)))
    return found


def is_mismatch(status: str) -> bool:
    """Whether a table's status in a report says that its checksum was compared and differs."""
    return status == MISMATCH_STATUS


def mismatch_facts(
    report: ImportReport,
    table: TableName | None,
    comparison: Comparison,
    had_rows_before: bool | None,
    admits_old_rows: bool = False,
) -> MismatchFacts:
    """Gather the facts of one table from a report and from what stood in the target before."""
    return MismatchFacts(
        comparison=comparison,
        was_resumed=table in report.resumed_tables,
        duplicate_keys_skipped=report.duplicate_keys_skipped,
        tables_sharing_skips=sum(is_mismatch(result.status) for result in report.tables),
        had_rows_before=had_rows_before,
        admits_old_rows=admits_old_rows,
        version=report.version,
    )
