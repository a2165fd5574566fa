"""What the policy answers to one cause or one verdict of one table, and where that answer comes from."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from safe_lightning.core.checkpoint import CheckpointVerdict
from safe_lightning.core.tables import TableName
from safe_lightning.policy.model import CheckpointPolicy, Policy, RemedyRule

_ANY = "any"


def remedy_for(policy: Policy, table: TableName, cause: str) -> tuple[RemedyRule, str]:
    """Return the first [[remedy]] entry for this cause and table, and the reason in words.

    Without one the answer is to report only.
    """
    for number, rule in enumerate(policy.remedy, 1):
        if rule.cause in (_ANY, cause) and _matches(rule.tables, table):
            return rule, f"per policy ([[remedy]] number {number})"
    return RemedyRule(), "per default (no [[remedy]] entry is for it)"


def checkpoint_answer(policy: Policy, table: TableName | None, verdict: CheckpointVerdict) -> tuple[str, str]:
    """Return the answer to a verdict on a table, or on the store as a whole (None), and the reason in words.

    The last [[override]] that matches the table and names the verdict wins over [checkpoint]; the store as a whole
    has no overrides. No checkpoint at all is nothing to answer: the import goes on.
    """
    if verdict is CheckpointVerdict.NONE:
        return "resume", "per default (there is no checkpoint)"
    for number, rule in reversed(list(enumerate(policy.override, 1))) if table else ():
        if verdict.value in rule.checkpoint and table and _matches(rule.tables, table):
            return rule.checkpoint[verdict.value], f"per policy ([[override]] number {number})"
    key, word = f"checkpoint.{verdict}", str(getattr(policy.checkpoint, verdict.value))
    is_set = key in policy.given or word != getattr(CheckpointPolicy(), verdict.value)
    return word, f"per {'policy' if is_set else 'default'} ({key})"


def _matches(patterns: tuple[str, ...], table: TableName) -> bool:
    return _filter(patterns)(table)


@lru_cache(maxsize=256)
def _filter(patterns: tuple[str, ...]) -> Callable[[TableName], bool]:
    from safe_lightning.core.tablefilter import parse_filter

    return parse_filter(patterns).matches
