"""Tables set aside instead of dropped: their names, what forbids setting one aside, taking it back or dropping it.

Nothing is lost by a rename, so no policy needs to accept it in words. It takes a table away from whoever
reads it all the same, so every other law of a drop holds for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableFacts

#: A server counts characters of a name, not bytes.
NAME_CHARACTERS_MOST = 64
_MARK = "__sl_"
_DIGEST_CHARACTERS = 8
_NUMBERS_MOST = 100
#: Creation times are whole seconds.
_MARGIN_SECONDS = 2.0
#: A rename that has not come by then comes no more: sessions and their waits for a lock are bounded.
_RENAME_SECONDS_MOST = 600.0


@dataclass(frozen=True)
class Quarantined:
    """One table that was set aside, as the state folder remembers it.

    ``is_settled``: the rename is proven and the checkpoint's entry is gone. ``table_id`` and ``created_at`` are the
    table's own, None where the server does not tell.
    """

    name: TableName
    original: TableName
    run: str
    at: float
    target: str
    checkpoint: str = ""
    table_id: int | None = None
    created_at: float | None = None
    is_settled: bool = False


def quarantine_name(table: TableName, run: str, number: int = 1) -> TableName:
    """Name a table that a run sets aside; one too long for a suffix is cut, and a digest keeps the names apart.

    >>> str(quarantine_name(TableName("app", "orders"), "4f1c2a9b"))
    '`app`.`orders__sl_4f1c2a9b`'
    >>> len(quarantine_name(TableName("app", "o" * 64), "4f1c2a9b", 2).table)
    64
    """
    suffix = f"{_MARK}{run}" + (f"_{number}" if number > 1 else "")
    room = NAME_CHARACTERS_MOST - len(suffix)
    if len(table.table) <= room:
        return TableName(table.schema, table.table + suffix)
    digest = hashlib.sha256(table.table.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGEST_CHARACTERS]
    return TableName(table.schema, f"{table.table[: room - _DIGEST_CHARACTERS - 1]}_{digest}{suffix}")


def is_ours(found: Quarantined) -> bool:
    """Whether a remembered name is one that we would have given: nothing else is ever renamed back or dropped."""
    numbers = range(1, _NUMBERS_MOST)
    return any(quarantine_name(found.original, found.run, number) == found.name for number in numbers)


def is_same_table(found: Quarantined, now: TableFacts) -> bool:
    """Whether the table under a remembered name is the one that was set aside; not known counts as no.

    TiDB's ids and times survive a rename. MySQL and MariaDB have no ids, and the latter's time is that of the rename:
    where the run died before it could look again, nothing younger than its rename is taken for the table.
    """
    if found.table_id and now.table_id:
        return found.table_id == now.table_id
    if now.created_at is None:
        return False
    if not found.is_settled:
        return now.created_at <= found.at + _RENAME_SECONDS_MOST
    if found.created_at is None:
        return False
    return abs(found.created_at - now.created_at) <= _MARGIN_SECONDS


def objections_to_quarantine(aside: TableFacts | None, ties: Collection[str]) -> tuple[str, ...]:
    """Say what forbids renaming a table to a name, besides the laws of a drop.

    ``aside``: the new name as it stands in the target. ``ties``: what would follow the table to its new name.
    """
    if aside is None:
        return ("the name it would be given could not be looked at",)
    taken = (f"{aside.table} exists already, and is never overwritten",) if aside.exists else ()
    tied = (f"{', '.join(sorted(ties))} would follow it to its new name",) if ties else ()
    return taken + tied


def objections_to_restore(
    found: Quarantined, aside: TableFacts, original: TableFacts, others_alive: bool | None, has_entry: bool
) -> tuple[str, ...]:
    """Say what forbids giving a table its name back."""
    return (*_identity(found, aside), *_live(others_alive), *_in_the_way(original, has_entry))


def objections_to_purge(
    found: Quarantined, aside: TableFacts, others_alive: bool | None, rows: int | None, rows_most: int
) -> tuple[str, ...]:
    """Say what forbids dropping a table for good. ``rows_most`` 0: no limit; ``rows`` None: they were not counted."""
    unsettled = () if found.is_settled else ("its quarantine was not finished",)
    many: tuple[str, ...] = ()
    if rows_most and (rows is None or rows > rows_most):
        said = "an unknown number of" if rows is None else f"{rows}"
        many = (f"{said} rows would be dropped (checkpoint.max_rows_dropped)",)
    return (*unsettled, *_identity(found, aside), *_live(others_alive), *many)


def _identity(found: Quarantined, aside: TableFacts) -> Iterable[str]:
    if not is_ours(found):
        yield "its name is none that safe-lightning gives"
    if not aside.exists:
        yield "it does not exist any more"
    elif not is_same_table(found, aside):
        yield "it cannot be told to be the table that was set aside"


def _live(others_alive: bool | None) -> Iterable[str]:
    if others_alive is not False:
        yield f"another Lightning {'is' if others_alive else 'may be'} at work on the same checkpoint or target"


def _in_the_way(original: TableFacts, has_entry: bool) -> Iterable[str]:
    if original.exists and original.is_empty is not True:
        held = "holds rows" if original.is_empty is False else "cannot be looked into"
        yield f"{original.table} exists and {held}"
    if has_entry:
        yield f"the checkpoint has an entry of {original.table}: an import of it is under way"
