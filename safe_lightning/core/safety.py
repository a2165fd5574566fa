"""The laws that stand before every act on a checkpoint or a table, in one place.

The laws (DESIGN 6) and where they hold:

1. Never drop, or rename aside, a table that had rows before the first attempt, or whose
   emptiness was not proven; nor drop one that was given rows by others since.                     here
2. Never ``all``; an exact back-quoted name that exists in the checkpoint; re-read afterwards.     here, remedy_engine
3. Back up the checkpoint before any change to it.                                                 here
4. Never act while another Lightning may be alive on the same checkpoint or target.                here
5. Never exit 0 unless success is proven.                                                          core.exitcodes
6. Intents are written before acts, so that kill -9 loses no knowledge.                            here, remedy_engine
7. No secret leaves the process.                                                                   core.redact

What a clean-up takes away besides entries and tables has the same laws in `core.safety_leavings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from safe_lightning.core.checkpoint import MAX_INVALID, TableRecord, status_name
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import Comparison, TableName
from safe_lightning.core.verdict import Action, Step, TableBaseline, TableFacts

#: Creation times are whole seconds and clocks are compared to within one.
MARGIN_SECONDS = 2.0


@dataclass(frozen=True)
class SafetyFacts:
    """What is known at the moment before a step; None is 'could not be learned' and never 'no'.

    ``entry`` is the checkpoint's record under exactly the step's name (None: there is no such entry or the
    checkpoint could not be read). ``is_own_checkpoint`` says whether it was written for the cluster that the task
    names. ``needs_control_tool`` is False where we act ourselves. ``shares_target`` is a parallel import, whose tables
    hold others' rows as well. ``is_aside_already``: a quarantine that died has renamed the table before.
    ``is_given_up``: the user said in words that an import which could be resumed starts over, so that an unfinished
    entry counts as a failed one; the control tool knows no such thing.
    ``is_physical``: the backend puts a row under the same key each time, so rows beyond its own are somebody else's.
    ``rows_seen`` is how many rows the last checksum saw, where its numbers tell.
    ``objections`` are what an act's own rules say against it: `core.quarantine`, `core.rewind`, `core.override`.
    """

    may_drop: bool = False
    dry_run: bool = False
    baseline: TableBaseline | None = None
    target: TableFacts | None = None
    entry: TableRecord | None = None
    is_own_checkpoint: bool | None = None
    is_backed_up: bool = False
    others_alive: bool | None = None
    is_record_trustworthy: bool = False
    has_control_tool: bool = False
    pd_answers: bool | None = None
    needs_control_tool: bool = True
    shares_target: bool = False
    is_aside_already: bool = False
    is_given_up: bool = False
    is_physical: bool = False
    rows_seen: int | None = None
    objections: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Refusal:
    """Why a step must not be done; ``law`` is 0 where no law but plain possibility forbids it."""

    law: int
    code: str
    reason: str


def forbidden(step: Step, facts: SafetyFacts) -> Refusal | None:
    """Return why a step must not be performed now, or None if nothing forbids it.

    A report changes nothing and is always allowed. The first law that is broken is named; a fact that is not
    known forbids.
    """
    if step.action is Action.REPORT:
        return None
    laws = (*_EVERY_ACT, *_MORE_LAWS.get(step.action, ()))
    return next((refusal for law in laws if (refusal := law(step, facts))), None)


Law = Callable[[Step, SafetyFacts], Refusal | None]


def _dry_run(step: Step, facts: SafetyFacts) -> Refusal | None:
    return Refusal(0, "dry-run", "dry_run is set: plans are shown, nothing is changed") if facts.dry_run else None


def _exact_name(step: Step, facts: SafetyFacts) -> Refusal | None:
    if _is_exact(step.table):
        return None
    return Refusal(2, "inexact-name", f"{step.table!s} cannot be handed to the control tool as one exact table")


def _is_exact(table: TableName) -> bool:
    names = (table.schema, table.table)
    try:
        encodable = all(name and "\0" not in name and name.encode("utf-8") for name in names)
    except UnicodeEncodeError:
        return False
    return bool(encodable) and TableName.parse(str(table)) == table


def _known_entry(step: Step, facts: SafetyFacts) -> Refusal | None:
    if facts.entry is not None and facts.entry.table == step.table:
        return None
    reason = f"the checkpoint has no entry named exactly {step.table}; the control tool would exit 0 and do nothing"
    return Refusal(2, "no-entry", reason)


def _recorded_failure(step: Step, facts: SafetyFacts) -> Refusal | None:
    # The tool's ignore and destroy act on recorded failures only and pass over all else in silence; the rest do not.
    if step.action not in (Action.IGNORE, Action.DESTROY) or facts.entry is None:
        return None
    if step.action is Action.DESTROY and facts.is_given_up and not facts.needs_control_tool:
        return None
    statuses = [facts.entry.status]
    if step.action is Action.IGNORE:
        statuses += facts.entry.engines.values()
    if any(0 < status <= MAX_INVALID for status in statuses):
        return None
    reason = f"no failure of {step.table} is recorded (it is {status_name(facts.entry.status)})"
    return Refusal(2, "no-recorded-failure", reason)


def _backed_up(step: Step, facts: SafetyFacts) -> Refusal | None:
    return None if facts.is_backed_up else Refusal(3, "no-backup", "the checkpoint could not be backed up")


def _alone(step: Step, facts: SafetyFacts) -> Refusal | None:
    if facts.others_alive is False:
        return None
    what = "is alive" if facts.others_alive else "may be alive, which could not be looked into,"
    return Refusal(4, "not-alone", f"another Lightning {what} on the same checkpoint or target")


def _recorded(step: Step, facts: SafetyFacts) -> Refusal | None:
    if facts.is_record_trustworthy:
        return None
    return Refusal(6, "no-record", "the record of this run cannot be written, so a crash midway would leave no trace")


def _possible(step: Step, facts: SafetyFacts) -> Refusal | None:
    if not facts.needs_control_tool or step.action in _DONE_BY_OURSELVES:
        return None
    if not facts.has_control_tool:
        return Refusal(0, "no-control-tool", "no tidb-lightning-ctl was found (policy key control_tool.path)")
    if facts.pd_answers is True:
        return None
    said = "does not answer" if facts.pd_answers is False else "could not be asked"
    return Refusal(0, "no-pd", f"PD {said}; without it the control tool tries for 100 s, crashes and changes nothing")


def _agreed(step: Step, facts: SafetyFacts) -> Refusal | None:
    if facts.may_drop:
        return None
    return Refusal(1, "not-agreed", "the policy does not accept in words that tables are dropped (key `allow`)")


def _was_empty(step: Step, facts: SafetyFacts) -> Refusal | None:
    before = facts.baseline
    if before is None or before.table != step.table:
        return Refusal(1, "no-baseline", f"it is not recorded what {step.table} held before the first attempt")
    if not before.existed or before.was_empty is True:
        return None
    held = "had rows" if before.was_empty is False else "was not proven empty"
    return Refusal(1, "rows-before", f"{step.table} {held} before the first attempt (run {before.run})")


def _own_rows_only(step: Step, facts: SafetyFacts) -> Refusal | None:
    if not facts.shares_target:
        return None
    return Refusal(1, "shared-table", f"a parallel import fills {step.table} with others: their rows would go too")


def _own_checkpoint(step: Step, facts: SafetyFacts) -> Refusal | None:
    # The default checkpoint is one file for all clusters, and a table of that name may stand in each of them.
    if facts.is_own_checkpoint:
        return None
    what = "does not say which cluster it is for" if facts.is_own_checkpoint is None else "is for another cluster"
    return Refusal(1, "other-cluster", f"the checkpoint {what}, so it proves nothing of {step.table} in this one")


def _same_table(step: Step, facts: SafetyFacts) -> Refusal | None:
    if facts.target is None or facts.target.table != step.table:
        return Refusal(1, "target-not-seen", f"the target could not be asked about {step.table}")
    if not facts.target.exists or facts.entry is None:
        return None
    if facts.is_aside_already:
        return _nothing_new(step, facts.target)
    is_same, seen = (_by_id if facts.entry.table_id else _by_time)(facts.entry, facts.target)
    if is_same:
        return None
    if is_same is None:
        return Refusal(1, "not-identified", f"nothing tells whether {step.table} is the table imported into: {seen}")
    return Refusal(1, "other-table", f"{step.table} is not the table that was imported into: {seen}")


def _no_rows_of_others(step: Step, facts: SafetyFacts) -> Refusal | None:
    held = facts.target.row_count if facts.target is not None else None
    brought = facts.entry.rows if facts.entry is not None else None
    known = [rows for rows in (brought, facts.rows_seen) if rows is not None]
    if not facts.is_physical or held is None or not known or held <= min(known):
        return None
    what = "its last checksum saw" if min(known) == facts.rows_seen else "the import accounts for"
    reason = f"{step.table} holds {held} rows and {what} {min(known)}: others put rows there meanwhile"
    return Refusal(1, "rows-of-others", reason)


def rows_seen(seen: Comparison | None, entry: TableRecord | None) -> int | None:
    """Work out how many rows a table had when its checksum was taken; None where its pairs are no multiple of rows."""
    if seen is None or seen.remote is None or seen.local is None or entry is None or not entry.rows:
        return None
    pairs_of_a_row, rest = divmod(seen.local.kvs, entry.rows)
    if rest or not pairs_of_a_row or seen.remote.kvs % pairs_of_a_row:
        return None
    return seen.remote.kvs // pairs_of_a_row


def _nothing_new(step: Step, target: TableFacts) -> Refusal | None:
    if target.is_empty is True:
        return None
    reason = f"{step.table} was set aside before, and what stands there now is not known to be empty"
    return Refusal(1, "other-table", reason)


def _unopposed(step: Step, facts: SafetyFacts) -> Refusal | None:
    if facts.objections is None:
        return Refusal(0, "not-examined", f"what speaks against the {step.action} of {step.table} could not be asked")
    return Refusal(0, "objection", "; ".join(facts.objections)) if facts.objections else None


def _by_id(entry: TableRecord, target: TableFacts) -> tuple[bool | None, str]:
    if target.table_id is None:
        return None, "its id is not known"
    return target.table_id == entry.table_id, f"its id is {target.table_id}, the checkpoint's {entry.table_id}"


def _by_time(entry: TableRecord, target: TableFacts) -> tuple[bool | None, str]:
    # The logical backend stores no id; Lightning creates a table before it makes the table's entry.
    if target.created_at is None or entry.created_at is None:
        return None, "the checkpoint stores no id, and when both were created is not known"
    return target.created_at <= entry.created_at + MARGIN_SECONDS, "it was created or altered after its entry was made"


_EVERY_ACT: tuple[Law, ...] = (
    _dry_run,
    _exact_name,
    _known_entry,
    _recorded_failure,
    _alone,
    _recorded,
    _possible,
    _backed_up,
)
#: What takes a table away; a drop must be agreed to in words besides.
_TAKES_AWAY: tuple[Law, ...] = (_own_checkpoint, _was_empty, _own_rows_only, _same_table)
_MORE_LAWS: Mapping[Action, tuple[Law, ...]] = {
    Action.DESTROY: (_agreed, *_TAKES_AWAY, _no_rows_of_others),
    Action.QUARANTINE: (*_TAKES_AWAY, _unopposed),
    Action.REWIND: (_unopposed,),
    # Rows that stood there before would be overwritten by those of the source.
    Action.RESUME_REPLACE: (_own_checkpoint, _was_empty, _unopposed),
}
#: The control tool knows nothing of these.
_DONE_BY_OURSELVES = {Action.REWIND, Action.RESUME_REPLACE}
