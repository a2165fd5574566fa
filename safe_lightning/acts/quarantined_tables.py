"""What was set aside, looked at, given its name back, or dropped for good; a plan first, and every act recorded.

Giving a name back drops nothing: an empty table that has taken the name meanwhile is set aside itself, in the same
statement, and whatever came into it until then brings both back to where they were.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.quarantine import Quarantined, objections_to_purge, objections_to_restore, quarantine_name
from safe_lightning.core.step_proof import entry_of
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableFacts
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy
from safe_lightning.record.act_journal import act_journal
from safe_lightning.record.durable import Journal
from safe_lightning.record.plain import plain
from safe_lightning.record.quarantined import forget, recall, remember
from safe_lightning.services import EngineServices

#: A table is counted up to so many rows for a list; beyond them it only says that there are more.
ROWS_COUNTED_MOST = 100_000

Say = Callable[[str], None]


class NotDone(Exception):
    """An act was not done, or not proven to be; the sentence says what stands now."""


@dataclass(frozen=True)
class Standing:
    """A remembered table as it stands now; ``rows`` is None where they were not counted."""

    known: Quarantined
    facts: TableFacts
    rows: int | None = None


@dataclass(frozen=True)
class Planned:
    """A table, what would be done to it, and what forbids that."""

    standing: Standing
    objections: tuple[str, ...]


@dataclass(frozen=True)
class Keeper:
    """Everything that the acts need: the task's target, the policy, and where it is remembered."""

    task: Task
    policy: Policy
    state: Path

    @property
    def services(self) -> EngineServices:
        """What of the import can be looked at."""
        return EngineServices(self.task, self.policy, state=self.state)

    @property
    def target_name(self) -> str:
        """The target as quarantined tables remember it."""
        return f"{self.task.target.host}:{self.task.target.port}"

    def tables(self, rows_most: int = ROWS_COUNTED_MOST) -> tuple[Standing, ...]:
        """Look at every table that was set aside in the target, oldest first. Raises CouldNotLook."""
        known = recall(self.state, self.target_name)
        return tuple(self.stand(found, rows_most) for found in known)

    def stand(self, known: Quarantined, rows_most: int) -> Standing:
        """Look at one remembered table. Raises CouldNotLook."""
        facts = self.look(known.name)
        return Standing(known, facts, self._count(facts, rows_most) if facts.exists else None)

    def look(self, table: TableName) -> TableFacts:
        """Look at one table of the target. Raises CouldNotLook."""
        with self.services.target() as target:
            return target.table(table)

    def _count(self, facts: TableFacts, rows_most: int) -> int | None:
        try:
            with self.services.target() as target:
                weigh = getattr(target, "weigh", None)
                weighed: TableFacts | None = weigh(facts, rows_most) if weigh is not None else None
        except CouldNotLook:
            return None
        return weighed.row_count if weighed is not None else None


def plan_restore(keeper: Keeper, name: TableName) -> Planned:
    """Plan to give a table its name back. Raises CouldNotLook, and NotDone for a name that nothing is known of."""
    found = next((one for one in keeper.tables() if name in (one.known.name, one.known.original)), None)
    if found is None:
        raise NotDone(f"{name} is not remembered as set aside in {keeper.target_name}")
    same = [one for one in recall(keeper.state, keeper.target_name) if one.original == name]
    if len(same) > 1:
        raise NotDone(f"{name} was set aside {len(same)} times: name the one, such as {same[-1].name}")
    original = keeper.look(found.known.original)
    is_under_way = _has_entry(keeper, found.known)
    objections = objections_to_restore(found.known, found.facts, original, keeper.services.others_alive(), is_under_way)
    return Planned(found, objections)


def _has_entry(keeper: Keeper, known: Quarantined) -> bool:
    """Whether the checkpoint holds an entry of the table that is not the very one it had when it was set aside."""
    is_kept = keeper.task.checkpoint.enabled
    entry = entry_of(keeper.services.read_checkpoint(), known.original) if is_kept else None
    if entry is None:
        return False
    is_its_own = not known.is_settled and entry.created_at is not None and entry.created_at <= known.at
    return not is_its_own


def restore(keeper: Keeper, planned: Planned, say: Say) -> None:
    """Give a table its name back, as planned and still allowed. Raises NotDone."""
    known = planned.standing.known
    with act_journal(keeper.state / "quarantine", NotDone) as (_, journal):
        try:
            if objections := plan_restore(keeper, known.name).objections:
                raise NotDone("; ".join(objections))
            journal.append({"intent": "restore", "of": plain(known)})
            spare = _rename_back(keeper, known)
            restored = keeper.look(known.original)
            is_done = restored.exists and not keeper.look(known.name).exists
            journal.append({"result": "restored" if is_done else "not proven", "of": str(known.name)})
            if not is_done:
                raise NotDone(f"{known.name} does not read as renamed back; see {keeper.state / 'quarantine'}")
            _forget(keeper, known)
        except (CouldNotLook, OSError) as error:
            raise NotDone(f"{known.name}: {error}") from error
    say(f"{known.original} is back, under its own name")
    if spare is not None:
        say(f"the empty table that stood there is {spare.name} now")


def _rename_back(keeper: Keeper, known: Quarantined) -> Quarantined | None:
    """Rename, and set an empty table in the way aside with the same statement; return what was set aside."""
    from safe_lightning.lightning.renaming import rename_tables

    seconds, target = keeper.policy.control_tool.timeout, keeper.task.target
    there = keeper.look(known.original)
    if not there.exists:
        rename_tables(target, [(known.name, known.original)], seconds)
        return None
    run = secrets.token_hex(4)
    name = quarantine_name(known.original, run)
    # Settled from the start: no entry of a checkpoint belongs to it, and where it never comes to be it is just gone.
    spare = Quarantined(
        name, known.original, run, time.time(), keeper.target_name, known.checkpoint, there.table_id, there.created_at,
        is_settled=True,
    )  # fmt: skip
    remember(keeper.state, spare)
    try:
        rename_tables(target, [(known.original, name), (known.name, known.original)], seconds)
    except CouldNotLook:
        if not keeper.look(name).exists:
            forget(keeper.state, spare)
        raise
    moved = keeper.look(name)
    if moved.is_empty is not True:
        rename_tables(target, [(known.original, known.name), (name, known.original)], seconds)
        forget(keeper.state, spare)
        remember(keeper.state, replace(known, created_at=keeper.look(known.name).created_at))
        raise NotDone(f"{known.original} was written to meanwhile: both tables have the names that they had")
    seen = replace(spare, table_id=moved.table_id, created_at=moved.created_at)
    remember(keeper.state, seen)
    return seen


def _forget(keeper: Keeper, known: Quarantined) -> None:
    """Forget the quarantine, and what was seen under the name before: other rows stand there now.

    One that was not finished is the import's own still, and what was seen before it still holds.
    """
    from safe_lightning.record import baselines

    location = known.checkpoint or keeper.task.checkpoint.location
    for place in set() if not known.is_settled else {location, keeper.task.checkpoint.location}:
        baselines.forget(keeper.state, baselines.baseline_key(place, keeper.target_name), [known.original])
    forget(keeper.state, known)


def plan_purge(keeper: Keeper, older_than_seconds: float, now: float) -> tuple[Planned, ...]:
    """Plan to drop what was set aside longer ago than that. Raises CouldNotLook."""
    old = [known for known in recall(keeper.state, keeper.target_name) if known.at <= now - older_than_seconds]
    in_general = tuple(_of_policy(keeper.policy, len(old)))
    planned = [_plan_drop(keeper, known) for known in old]
    return tuple(replace(one, objections=one.objections + in_general) for one in planned)


def _plan_drop(keeper: Keeper, known: Quarantined) -> Planned:
    rows_most = keeper.policy.checkpoint.max_rows_dropped
    found = keeper.stand(known, rows_most or ROWS_COUNTED_MOST)
    alive = keeper.services.others_alive()
    return Planned(found, objections_to_purge(known, found.facts, alive, found.rows, rows_most))


def _of_policy(policy: Policy, count: int) -> Iterator[str]:
    if not policy.may_drop:
        yield "the policy does not accept in words that tables are dropped (key `allow`)"
    if policy.dry_run:
        yield "dry_run is set: plans are shown, nothing is changed"
    if policy.checkpoint.max_tables and count > policy.checkpoint.max_tables:
        yield f"{count} tables would be dropped (checkpoint.max_tables)"


def purge(keeper: Keeper, planned: Sequence[Planned], say: Say) -> None:
    """Drop tables for good, one at a time, as planned, and stop at the first that is not done. Raises NotDone.

    One that somebody else has dropped or renamed is forgotten.
    """
    with act_journal(keeper.state / "quarantine", NotDone) as (_, journal):
        for one in planned:
            try:
                say(_drop(keeper, one.standing.known, journal))
            except (CouldNotLook, OSError) as error:
                raise NotDone(f"{one.standing.known.name}: {error}") from error


def _drop(keeper: Keeper, known: Quarantined, journal: Journal) -> str:
    from safe_lightning.acts.direct_acts import drop_table

    now = _plan_drop(keeper, known)
    if not now.standing.facts.exists:
        forget(keeper.state, known)
        return f"{known.name} is gone already"
    if now.objections:
        raise NotDone(f"{known.name}: {'; '.join(now.objections)}")
    journal.append({"intent": "purge", "of": plain(known)})
    drop_table(keeper.task.target, known.name, keeper.policy.control_tool.timeout)
    is_gone = not keeper.look(known.name).exists
    journal.append({"result": "purged" if is_gone else "not proven", "of": str(known.name)})
    if not is_gone:
        raise NotDone(f"{known.name} still stands")
    forget(keeper.state, known)
    return f"{known.name} is dropped"
