"""The other causes: nothing arrived, good rows deleted as conflicts, other content, a defect of a release."""

from __future__ import annotations

from safe_lightning.core.causes.key_judges import missing_pairs
from safe_lightning.core.causes.model import Gap, MismatchFacts, Score, score
from safe_lightning.core.causes.version_bugs import bugs_of

#: Strategies that delete rows after the import by what the conflict tables say.
_DELETING = {"replace", "remove", "ignore", "record"}


def nothing_arrived(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect that the cluster that was asked is not the one that was filled, or that the table was made anew."""
    if gap.remote.kvs or not gap.local.kvs:
        return None
    line = f"the cluster holds not one of {gap.local.kvs:,} pairs: the table was dropped, created anew or truncated"
    return score(0.6 if facts.was_resumed else 0.9, f"{line} during the run, or this is not the cluster")


def stale_conflict_records(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect conflict records of an earlier task, by which good rows of this one were deleted."""
    is_deleting = facts.conflict_strategy is None or facts.conflict_strategy in _DELETING
    if gap.missing <= 0 or facts.stale_conflict_records == 0 or not is_deleting:
        return None
    if facts.stale_conflict_records:
        records = f"lightning_task_info holds {facts.stale_conflict_records:,} records of earlier tasks for this table"
        return score(0.85, f"{records}, and {missing_pairs(gap)}")
    if facts.conflict_strategy in _DELETING:
        line = f"conflicts are resolved by deleting rows (strategy {facts.conflict_strategy})"
        return score(0.35, f"{line}; records of an earlier task would delete good ones")
    return None


def same_count_other_bytes(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect that as many pairs arrived as were encoded, but not the same ones."""
    if gap.missing or not gap.local.kvs:
        return None
    if not gap.has_bytes:
        return score(0.6, f"as many pairs on both sides ({gap.local.kvs:,}), yet they are said to differ")
    if gap.missing_bytes:
        line = f"as many pairs on both sides ({gap.local.kvs:,}), yet {-gap.missing_bytes:+,} bytes in the cluster"
        return score(0.7, f"{line}: values were written in another encoding or type, or a file changed meanwhile")
    line = f"as many pairs and bytes on both sides ({gap.local.kvs:,}, {gap.local.bytes:,} bytes), yet another checksum"
    return score(0.6, f"{line}: values of the same length differ")


def version_bug(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect a known defect of this release whose traces fit."""
    bugs = bugs_of(facts, gap)
    if not bugs:
        return None
    lines = [f"{bug.title} ({bug.issue}; {bug.affected}; {bug.cure})" for bug in bugs]
    return score(max(bug.confidence for bug in bugs), *lines)
