"""What a table's definition says of the pairs of its rows: how many there are, and whether its keys fold."""

from __future__ import annotations

from safe_lightning.core.columns import CHARACTER_TYPES
from safe_lightning.source.schema_model import KeyDefinition, TableDefinition


def keys_per_row(definition: TableDefinition) -> tuple[int | None, int | None]:
    """Count the pairs of one row: its record, and an entry of every index but the one that is the record's own key.

    An index with a condition makes it a range; with a multi-valued index no number is right.
    """
    indexes = [key for key in definition.indexes if not key.is_clustered]
    if any(map(_has_values_by_the_list, indexes)):
        return None, None
    partial = sum(map(_has_condition, indexes))
    return 1 + len(indexes) - partial, 1 + len(indexes)


def _has_values_by_the_list(key: KeyDefinition) -> bool:
    """Tell whether an index is multi-valued: it casts a JSON list to an array."""
    return any(" array" in f" {(part.expression or '').lower()}" for part in key.parts)


def _has_condition(key: KeyDefinition) -> bool:
    return "condition" in (key.not_checked or "")


def countable_indexes(definition: TableDefinition) -> list[str]:
    """Name the indexes that hold one entry for each row, and that a statement may name."""
    whole = [key for key in definition.indexes if not (_has_values_by_the_list(key) or _has_condition(key))]
    return [key.name for key in whole if not key.is_clustered and key.is_visible]


def folds_keys(definition: TableDefinition, new_collation: bool | None) -> bool | None:
    """Tell whether a unique key compares text without regard to case or accents; None where only blanks may fold."""
    columns = [definition.column(part.column) for key in definition.unique_keys for part in key.parts if part.column]
    types = [column.type for column in columns if column is not None and column.type.name in CHARACTER_TYPES]
    if new_collation is False or not types:
        return False
    return True if any(one.collation.lower().endswith("_ci") for one in types) else None
