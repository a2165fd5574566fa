"""What a look at target, source and record adds to what the log tells of a mismatched table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, fields, replace
from typing import Any

from safe_lightning.core.causes.model import MismatchFacts
from safe_lightning.core.clues import EngineClue
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import Totals

#: Of these an empty list is nothing that was seen; every other one is an answer.
_LISTED = {"index_names", "lost_engines"}
#: Why two rows share a key, by a scan: as they stand in the files, or only once they are read as the column has it.
_AS_WRITTEN = {"identical-rows", "same-key"}
_AS_READ = {"after-cast", "under-collation", "truncated", "defaulted"}


@dataclass(frozen=True)
class Examination:
    """Facts of one table that no log tells; None is 'not known', and ``not_known`` says of what and why.

    ``table_id`` and ``index_names`` tell whose the ids in logged keys are. ``checksum_now`` is ADMIN CHECKSUM TABLE
    after the import; ``is_consistent`` whether ADMIN CHECK TABLE found rows and index entries in agreement.
    """

    table_id: int | None = None
    index_names: Mapping[int, str] = field(default_factory=dict)
    keys_per_row: int | None = None
    keys_per_row_most: int | None = None
    folds_keys: bool | None = None
    rows_in_source: int | None = None
    rows_in_target: int | None = None
    entries_in_target: dict[str, int] | None = None
    conflicts_found: int | None = None
    conflicts_folded: int | None = None
    checkpoint_verdict: str | None = None
    was_interrupted: bool | None = None
    source_changed: bool | None = None
    stale_conflict_records: int | None = None
    lightning_schemas: tuple[str, ...] | None = None
    instances: tuple[Totals, ...] | None = None
    lost_engines: tuple[EngineClue, ...] = ()
    checksum_now: Totals | None = None
    is_consistent: bool | None = None
    not_known: tuple[str, ...] = ()

    def joined(self, other: Examination) -> Examination:
        """Add what another look found; what that one could not see stays as it was."""
        return replace(self, **_known(other), not_known=tuple(dict.fromkeys((*self.not_known, *other.not_known))))


def _known(examination: Examination) -> dict[str, Any]:
    names = [one.name for one in fields(examination) if one.name != "not_known"]
    values: dict[str, Any] = {name: getattr(examination, name) for name in names}
    return {name: value for name, value in values.items() if value is not None and (value or name not in _LISTED)}


def with_examination(facts: MismatchFacts, seen: Examination) -> MismatchFacts:
    """Add to the facts of the log what was seen beside it; what was not seen stays as the log has it.

    A number of keys per row that the log tells is that of this import; the schema's takes its place only where
    an index may hold more or fewer entries than rows.
    """
    known = _known(seen)
    for name in ("table_id", "index_names"):
        known.pop(name, None)
    if facts.keys_per_row is not None and seen.keys_per_row_most is None:
        known.pop("keys_per_row", None)
    if seen.lost_engines:
        known["lost_engines"] = facts.lost_engines or _still_lost(seen.lost_engines, facts.engines)
    return replace(facts, **known)


def _still_lost(lost: tuple[EngineClue, ...], ingested: tuple[EngineClue, ...]) -> tuple[EngineClue, ...]:
    """Leave out the engines that this run has ingested itself, as after a rewind."""
    arrived = {engine.engine for engine in ingested if engine.imported}
    return tuple(engine for engine in lost if engine.engine not in arrived)


def count_conflicts(keys: Iterable[tuple[int, Mapping[str, int]]]) -> tuple[int | None, int | None]:
    """Split a scan's duplicate keys in those that are equal as written and those that are only equal as read.

    Each item is a key's number of duplicates, and why the rows of those that are listed are equal: how many for each
    reason. Where not all are listed only those that are can be told apart: the other number is then not known rather
    than 0.

    >>> count_conflicts([(2, {"same-key": 1, "under-collation": 1})])
    (1, 1)
    >>> count_conflicts([(9, {"same-key": 1})])
    (9, None)
    """
    written = read = listed = total = 0
    for number, whys in keys:
        total, listed = total + number, listed + sum(whys.values())
        written += sum(count for why, count in whys.items() if why in _AS_WRITTEN)
        read += sum(count for why, count in whys.items() if why in _AS_READ)
    if not total:
        return 0, 0
    if listed >= total and written + read == listed:
        return written, read
    if written and not read:
        return total, None
    return (None, total) if read and not written else (written or None, read or None)
