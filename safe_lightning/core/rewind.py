"""Which engines to set back in a checkpoint, and what forbids it (measured: recordings 40 and 40b).

An engine that counts as imported though it was never ingested is passed over by every resume: its rows are missing
for good. Set back to loaded it is read again, and only its files are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from safe_lightning.core.checkpoint import IMPORTED, LOADED, MAX_INVALID, Checkpoint, TableRecord
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.source_state import SourceState, TableSource, changes_since_checkpoint
from safe_lightning.core.stop import EngineNotIngested
from safe_lightning.core.tables import TableName

_INDEX_ENGINE = -1
#: File times and the checkpoint's own are whole seconds.
_MARGIN_SECONDS = 2.0


@dataclass(frozen=True)
class Evidence:
    """Why an engine is taken for one that was never ingested."""

    table: TableName
    engine: int
    said: str


@dataclass(frozen=True)
class TableRewind:
    """The engines of one table to be set back, the evidence, and what forbids it; it is allowed where nothing does."""

    table: TableName
    engines: tuple[int, ...]
    evidence: tuple[str, ...]
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True)
class Setting:
    """What is known of the surroundings; ``source`` and ``others_alive`` are None where they could not be looked at."""

    is_physical: bool
    is_parallel_import: bool
    source: SourceState | None
    others_alive: bool | None


def evidence_of(engines: Iterable[EngineNotIngested], where: str) -> tuple[Evidence, ...]:
    """Turn what a log says into evidence."""
    return tuple(
        Evidence(found.table, found.engine, f"{where}: {found.imported} of {found.kvs} pairs were imported")
        for found in engines
    )


def plan_rewind(checkpoint: Checkpoint, found: Iterable[Evidence], setting: Setting) -> tuple[TableRewind, ...]:
    """Plan table by table. Engines that do not count as imported any more are left out: a resume reads them anyway.

    Where the index engine lacks pairs, or was closed already, all engines of the table are set back: it holds pairs of
    every file, and Lightning would not open it again for some of them.
    """
    by_table: dict[TableName, dict[int, str]] = {}
    for item in found:
        by_table.setdefault(item.table, {}).setdefault(item.engine, item.said)
    records = {record.table: record for record in checkpoint.tables}
    plans = (_plan(table, engines, records.get(table), setting) for table, engines in sorted(by_table.items()))
    return tuple(plan for plan in plans if plan is not None)


def _plan(
    table: TableName, evidence: Mapping[int, str], record: TableRecord | None, setting: Setting
) -> TableRewind | None:
    if record is None:
        return None
    empty = sorted(number for number in evidence if record.engines.get(number, 0) >= IMPORTED)
    if not empty:
        return None
    touches_index = _INDEX_ENGINE in empty or record.engines.get(_INDEX_ENGINE, LOADED) != LOADED
    engines = sorted(record.engines) if touches_index else empty
    said = tuple(f"engine {number}: {evidence[number]}" for number in empty)
    return TableRewind(table, tuple(engines), said, tuple(_refusals(record, setting)))


def _refusals(record: TableRecord, setting: Setting) -> Iterable[str]:
    if not setting.is_physical:
        yield "only the physical backend has engines that can be set back"
    if setting.is_parallel_import:
        yield "in a parallel import the first row ids of its files are not known"
    if setting.others_alive is not False:
        yield f"another Lightning {'is' if setting.others_alive else 'may be'} at work on the same checkpoint or target"
    if setting.source is None:
        yield "the source cannot be looked at, so it is not known whether its files are still the same"
        return
    now = setting.source.tables.get(record.table)
    if not record.files:
        yield "the checkpoint does not tell which files it was read from"
    yield from changes_since_checkpoint(record, now)
    yield from _younger(record, now)


def _younger(record: TableRecord, now: TableSource | None) -> Iterable[str]:
    if now is None or record.created_at is None:
        return
    for file in now.files:
        if file.modified_nanoseconds / 1e9 > record.created_at + _MARGIN_SECONDS:
            yield f"{file.name} was changed after the import had listed it"


def is_rewound(record: TableRecord | None, engines: Iterable[int]) -> bool:
    """Whether a checkpoint read afterwards says that the engines are loaded again, and their table with them."""
    if record is None or not MAX_INVALID < record.status <= LOADED:
        return False
    return all(record.engines.get(number) == LOADED for number in engines)
