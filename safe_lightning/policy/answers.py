"""What the policy answers to one cause or one verdict of one table, and where that answer comes from."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from safe_lightning.core.checkpoint import CheckpointVerdict
from safe_lightning.core.tables import TableName
from safe_lightning.policy.model import CheckpointAnswers, Policy, RemedyRule

_ANY = "any"
_UNSAFE = "unsafe"


def remedy_for(policy: Policy, table: TableName, cause: str) -> tuple[RemedyRule, str]:
    """Return the first [[remedy]] entry for this cause and table, and the reason in words.

    Without one the answer is to report only.
    """
    for number, rule in enumerate(policy.remedy, 1):
        if rule.cause in (_ANY, cause) and _matches(rule.tables, table):
            return rule, f"per policy ([[remedy]] number {number})"
    return RemedyRule(), "per default (no [[remedy]] entry is for it)"


def checkpoint_answer(
    policy: Policy, table: TableName | None, verdict: CheckpointVerdict, *, is_unsafe: bool = False
) -> tuple[str, str]:
    """Return the answer to a verdict on a table, or on the store as a whole (None), and the reason in words.

    The last [[override]] that matches the table and names the verdict wins over [checkpoint.on]; the store as a whole
    has no overrides. A resumable table whose resume is not safe is answered by ``unsafe``. No checkpoint at all is
    nothing to answer: the import goes on.
    """
    name = _UNSAFE if is_unsafe and verdict is CheckpointVerdict.RESUMABLE else verdict.value
    if verdict is CheckpointVerdict.NONE:
        return "resume", "per default (there is no checkpoint)"
    for number, rule in reversed(list(enumerate(policy.override, 1))) if table else ():
        if name in rule.checkpoint and table and _matches(rule.tables, table):
            return rule.checkpoint[name], f"per policy ([[override]] number {number})"
    key, word = f"checkpoint.on.{name}", str(getattr(policy.checkpoint.on, name))
    is_set = key in policy.given or word != getattr(CheckpointAnswers(), name)
    return word, f"per {'policy' if is_set else 'default'} ({key})"


def _matches(patterns: tuple[str, ...], table: TableName) -> bool:
    return _filter(patterns)(table)


@lru_cache(maxsize=256)
def _filter(patterns: tuple[str, ...]) -> Callable[[TableName], bool]:
    from safe_lightning.core.tablefilter import parse_filter

    return parse_filter(patterns).matches
