"""What rows and index entries of the target say of a gap, once both were counted."""

from __future__ import annotations

from safe_lightning.core.causes.model import MismatchFacts

_SHOWN_MOST = 3


def told_counts(facts: MismatchFacts) -> str:
    """Say how many rows the target holds, and how many entries each index; "" where either is not known."""
    if facts.rows_in_target is None or not facts.entries_in_target:
        return ""
    entries = [f"{count:,} entries of `{name}`" for name, count in list(facts.entries_in_target.items())[:_SHOWN_MOST]]
    more = len(facts.entries_in_target) - _SHOWN_MOST
    return f"the target holds {facts.rows_in_target:,} rows, {', '.join(entries)}{f' and {more} more' * (more > 0)}"


def agree(facts: MismatchFacts) -> bool | None:
    """Tell whether every index has as many entries as there are rows, or ADMIN CHECK TABLE found so; None: not known.

    Other numbers prove disagreement. Equal ones do not prove that entries and rows belong together, but ADMIN CHECK
    TABLE does.
    """
    rows, entries = facts.rows_in_target, facts.entries_in_target
    if rows is not None and entries and any(count != rows for count in entries.values()):
        return False
    if facts.is_consistent is not None:
        return facts.is_consistent
    return True if rows is not None and entries else None


def whole_engine_gone(facts: MismatchFacts) -> str:
    """Say that all rows, or all index entries, are missing while the others are there; "" where that is not so."""
    rows, entries = facts.rows_in_target, facts.entries_in_target
    if rows is None or not entries:
        return ""
    if rows == 0 and any(entries.values()):
        return f"{told_counts(facts)}: not one row arrived, but index entries did"
    if rows and not any(entries.values()):
        return f"{told_counts(facts)}: the rows arrived, but not one index entry did"
    return ""


def told_agreement(facts: MismatchFacts) -> str:
    """Say that rows and index entries agree, or that they do not, and by which look; "" where nobody looked."""
    state = agree(facts)
    if state is None:
        return ""
    counted = told_counts(facts)
    if counted and (state is False) is _differ(facts):
        return f"{counted}: {'whole rows are missing' if state else 'rows and index entries disagree'}"
    found = "rows and index entries agree: whole rows are missing" if state else "rows and index entries disagree"
    return f"ADMIN CHECK TABLE: {found}"


def _differ(facts: MismatchFacts) -> bool:
    rows = facts.rows_in_target
    return any(count != rows for count in (facts.entries_in_target or {}).values())
