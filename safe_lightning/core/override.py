"""Whether a logical import that was stopped may go on with another conflict strategy than its task names: "replace".

Rows in flight at the stop are sent again and then overwrite themselves. The strategy holds for every table of the task,
so for each one that is not through two things must be known: that a key of it tells its rows apart, and
that no rows stood in it before which the source's could overwrite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import field

from safe_lightning.core.checkpoint import ALL_WRITTEN, Checkpoint, TableRecord
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableBaseline, TableFacts

_LOGICAL = "tidb"
_STRATEGY_SINCE = (7, 3)


@dataclass(frozen=True)
class Resumption:
    """What is known of an import that is to go on.

    ``keyless`` says of a table why no key tells its rows apart; a table that is not named there has one.
    ``newcomers`` are tables of the source without an entry, None where the source does not tell; ``targets`` holds
    the facts of all of these tables.
    """

    backend: str
    is_parallel: bool
    keyless: Mapping[TableName, str]
    baselines: Mapping[TableName, TableBaseline]
    targets: Mapping[TableName, TableFacts] = field(default_factory=dict)
    newcomers: Collection[TableName] | None = None


def interrupted(checkpoint: Checkpoint) -> tuple[TableRecord, ...]:
    """Return the tables that are not through; failures count, as they are treated before the import goes on."""
    return tuple(r for r in checkpoint.tables if r.chunks_done < r.chunks_total and r.status < ALL_WRITTEN)


def objections_to_override(checkpoint: Checkpoint, known: Resumption) -> tuple[str, ...]:
    """Say what forbids the override; where there is nothing it loses no row."""
    if known.backend != _LOGICAL:
        return ("only the logical backend (tidb) sends rows that may overwrite themselves",)
    return (*_of_import(known), *(said for record in interrupted(checkpoint) for said in _of_table(record, known)))


def _of_import(known: Resumption) -> Iterator[str]:
    if known.is_parallel:
        yield "in a parallel import the rows of other instances could be overwritten"
    if known.newcomers is None:
        yield "the source does not tell which of its tables are still to come, and what stands in them"
    for table in sorted(known.newcomers or ()):
        facts = known.targets.get(table)
        if facts is None or (facts.exists and facts.is_empty is not True):
            yield f"{table} is imported anew and not known to be empty: rows of it could be overwritten"


def _of_table(record: TableRecord, known: Resumption) -> Iterator[str]:
    table, facts = record.table, known.targets.get(record.table)
    is_untouched = not record.kvs and facts is not None and (not facts.exists or facts.is_empty is True)
    if not is_untouched and table in known.keyless:
        yield f"{table}: {known.keyless[table]}"
    before = known.baselines.get(table)
    if before is None:
        yield f"{table}: it is not recorded what it held before the first attempt, which could be overwritten"
    elif before.existed and before.was_empty is not True:
        held = "held rows" if before.was_empty is False else "was not proven empty"
        yield f"{table} {held} before the first attempt: they could be overwritten"


def strategy_key(lightning_version: str) -> str:
    """Name the key of the task that holds the strategy, by the release that made the checkpoint.

    >>> strategy_key("v8.5.4"), strategy_key("7.1.0"), strategy_key("")
    ('conflict.strategy', 'tikv-importer.on-duplicate', 'conflict.strategy')
    """
    numbers = lightning_version.lstrip("v").split("-")[0].split(".")[:2]
    is_old = len(numbers) == 2 and all(n.isdigit() for n in numbers) and tuple(map(int, numbers)) < _STRATEGY_SINCE
    return "tikv-importer.on-duplicate" if is_old else "conflict.strategy"
