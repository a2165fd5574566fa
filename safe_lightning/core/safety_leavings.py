"""The laws before anything is taken away that a failed import left outside its checkpoint's entries.

`safety` holds those of entries and tables. These are the same laws for rows of Lightning's own schemas, engine
folders, files, the emptied store and TiKV's mode: a fact that is not known forbids.
"""

from __future__ import annotations

from collections.abc import Callable

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.safety import Refusal


@dataclass(frozen=True)
class LeavingFacts:
    """What is known of a leaving at the moment before it goes; None is 'could not be learned' and never 'no'.

    ``held_by`` says who uses it now, "" if nobody does. ``is_copied``: what cannot be made again was copied before,
    or needs no copy. ``entries_left`` counts the checkpoint's entries that still need it.
    """

    is_ours: bool | None = None
    held_by: str = ""
    others_alive: bool | None = None
    entries_left: int | None = None
    dry_run: bool = False
    is_record_trustworthy: bool = False
    is_copied: bool = False


def forbidden_removal(facts: LeavingFacts) -> Refusal | None:
    """Return why a leaving must not be taken away now, or None if nothing forbids it; the first broken law is named."""
    return next((refusal for law in _LAWS if (refusal := law(facts))), None)


def _dry_run(facts: LeavingFacts) -> Refusal | None:
    return Refusal(0, "dry-run", "dry_run is set: plans are shown, nothing is changed") if facts.dry_run else None


def _ours(facts: LeavingFacts) -> Refusal | None:
    if facts.is_ours:
        return None
    what = "it is not known to be this import's" if facts.is_ours is None else "it is not this import's"
    return Refusal(1, "not-ours", what)


def _needed(facts: LeavingFacts) -> Refusal | None:
    if facts.entries_left == 0:
        return None
    if facts.entries_left is None:
        return Refusal(1, "maybe-needed", "the checkpoint could not be read, so it may still be needed")
    return Refusal(1, "needed", "an entry of the checkpoint that stays needs it")


def _alone(facts: LeavingFacts) -> Refusal | None:
    if facts.others_alive is False:
        return None
    what = "is at work" if facts.others_alive else "may be at work, which could not be looked into,"
    return Refusal(4, "not-alone", f"another Lightning {what} on the same checkpoint or target")


def _free(facts: LeavingFacts) -> Refusal | None:
    return Refusal(4, "in-use", facts.held_by) if facts.held_by else None


def _recorded(facts: LeavingFacts) -> Refusal | None:
    if facts.is_record_trustworthy:
        return None
    return Refusal(6, "no-record", "what is meant cannot be written down, so a crash midway would leave no trace")


def _copied(facts: LeavingFacts) -> Refusal | None:
    return None if facts.is_copied else Refusal(3, "no-backup", "it could not be copied before")


_LAWS: tuple[Callable[[LeavingFacts], Refusal | None], ...] = (
    _dry_run,
    _alone,
    _ours,
    _free,
    _needed,
    _recorded,
    _copied,
)
