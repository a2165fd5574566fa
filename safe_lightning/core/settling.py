"""What to look at next when it is not settled why a checksum differs: the cheapest check that can tell apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from safe_lightning.core.cause import find_causes, tied
from safe_lightning.core.causes.model import Cause, MismatchFacts
from safe_lightning.core.causes.names import (
    COLLATION_CONFLICTS,
    CONCURRENT_WRITES,
    ENGINE_NEVER_INGESTED,
    IMPORTED_TWICE,
    KEY_CONFLICTS,
    LEFTOVER_CHECKPOINT,
    NOTHING_ARRIVED,
    ROWS_BEFORE,
    SAME_COUNT_OTHER_BYTES,
    STALE_CONFLICT_RECORDS,
    UNEXPLAINED,
    VERSION_BUG,
)
from safe_lightning.core.examination import Examination, with_examination
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook

#: A cause that is this sure, and alone so, needs no further look.
_SETTLED = 0.9
#: Less likely causes are not looked into.
_LIKELY = 0.25


class Check(StrEnum):
    """A look that takes long, the cheapest first. All of them only read."""

    COUNT_ENTRIES = "count-entries"
    CHECKSUM_AGAIN = "checksum-again"
    CHECK_TABLE = "check-table"
    SCAN_KEYS = "scan-keys"


#: What a check does, in words for people.
CHECK_WORDS: Mapping[Check, str] = {
    Check.COUNT_ENTRIES: "rows and index entries counted",
    Check.CHECKSUM_AGAIN: "ADMIN CHECKSUM TABLE again",
    Check.CHECK_TABLE: "ADMIN CHECK TABLE",
    Check.SCAN_KEYS: "the keys of its source scanned",
}
_BEARS_ON: Mapping[Check, frozenset[str]] = {
    Check.COUNT_ENTRIES: frozenset({KEY_CONFLICTS, ENGINE_NEVER_INGESTED, LEFTOVER_CHECKPOINT}),
    Check.CHECKSUM_AGAIN: frozenset(
        {
            CONCURRENT_WRITES,
            VERSION_BUG,
            SAME_COUNT_OTHER_BYTES,
            NOTHING_ARRIVED,
            ROWS_BEFORE,
            IMPORTED_TWICE,
            UNEXPLAINED,
        }
    ),
    Check.CHECK_TABLE: frozenset({KEY_CONFLICTS, ENGINE_NEVER_INGESTED, LEFTOVER_CHECKPOINT, UNEXPLAINED}),
    Check.SCAN_KEYS: frozenset({KEY_CONFLICTS, COLLATION_CONFLICTS, STALE_CONFLICT_RECORDS, UNEXPLAINED}),
}


def next_check(causes: Sequence[Cause], facts: MismatchFacts, made: Collection[Check]) -> Check | None:
    """Choose the cheapest check not made yet that bears on a likely cause and whose answer is not known; or None.

    None as well where one cause alone is sure, or the table is proven to hold what it should: a look that changes
    nothing is not worth the cluster's time.
    """
    is_known = causes[0].name != UNEXPLAINED and causes[0].confidence >= _SETTLED and len(tied(causes)) == 1
    if is_known or (facts.checksum_now is not None and facts.checksum_now == facts.comparison.local):
        return None
    likely = {cause.name for cause in causes if cause.confidence >= _LIKELY}
    wanted = (check for check in Check if check not in made and not _is_known(check, facts))
    return next((check for check in wanted if _BEARS_ON[check] & likely), None)


def _is_known(check: Check, facts: MismatchFacts) -> bool:
    if check is Check.COUNT_ENTRIES:
        return facts.rows_in_target is not None and facts.entries_in_target is not None
    if check is Check.CHECKSUM_AGAIN:
        return facts.checksum_now is not None
    if check is Check.CHECK_TABLE:
        return facts.is_consistent is not None
    return facts.conflicts_found is not None and facts.conflicts_folded is not None


@dataclass(frozen=True)
class SettlingStep:
    """A check that was made: what came of it in words, and how long it took. ``has_failed``: it could not look."""

    check: Check
    result: str
    seconds: float
    has_failed: bool = False

    def __str__(self) -> str:
        return f"{CHECK_WORDS[self.check]}: {self.result}"


class Examiner(Protocol):
    """Looks at mismatched tables for as long as the policy's time for it lasts."""

    def examine(self, table: TableName) -> Examination:
        """Take every look that is cheap. What cannot be looked at is said in the answer, never raised."""
        ...

    def check(self, table: TableName, check: Check) -> Examination:
        """Make one check that may take long. Raises CouldNotLook."""
        ...


@dataclass(frozen=True)
class Settlement:
    """The facts after all checks, the causes by them, and the checks in their order."""

    facts: MismatchFacts
    causes: tuple[Cause, ...]
    steps: tuple[SettlingStep, ...] = ()


def settle(facts: MismatchFacts, checks: Examiner | None, most: int, clock: Callable[[], float]) -> Settlement:
    """Make one check after another, at most so many, and judge again after each, until no further one can tell more.

    A check that fails is noted and not made again; it leaves the facts as they were.
    """
    causes, steps = find_causes(facts), list[SettlingStep]()
    while checks is not None and facts.table is not None and len(steps) < most:
        check = next_check(causes, facts, {step.check for step in steps})
        if check is None:
            break
        began = clock()
        try:
            seen = checks.check(facts.table, check)
        except CouldNotLook as error:
            steps.append(SettlingStep(check, str(error), clock() - began, has_failed=True))
            continue
        facts = with_examination(facts, seen)
        causes = find_causes(facts)
        steps.append(SettlingStep(check, told(check, seen, facts), clock() - began))
    return Settlement(facts, causes, tuple(steps))


def told(check: Check, seen: Examination, facts: MismatchFacts) -> str:
    """Say in words what a check found."""
    if check is Check.COUNT_ENTRIES:
        entries = ", ".join(f"{count:,} entries of `{name}`" for name, count in (seen.entries_in_target or {}).items())
        rows = f"{seen.rows_in_target:,} rows" if seen.rows_in_target is not None else "rows not counted"
        return f"{rows}, {entries}" if entries else rows
    if check is Check.CHECKSUM_AGAIN:
        return _told_checksum(seen, facts)
    if check is Check.CHECK_TABLE:
        return "rows and index entries agree" if seen.is_consistent else "rows and index entries disagree"
    found, folded = _number(seen.conflicts_found), _number(seen.conflicts_folded)
    return f"{found} keys more than once as they are written, {folded} only as they are read"


def _number(count: int | None) -> str:
    return "an unknown number of" if count is None else f"{count:,}"


def _told_checksum(seen: Examination, facts: MismatchFacts) -> str:
    now, both = seen.checksum_now, facts.comparison
    if now is None:
        return "no answer"
    sums = f"{now.kvs:,} pairs, {now.bytes:,} bytes"
    if now == both.local:
        return f"{sums}: exactly what the source encoded"
    return f"{sums}: {'as before' if now == both.remote else 'other sums than before'}"
