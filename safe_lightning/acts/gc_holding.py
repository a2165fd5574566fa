"""Holding the target's GC life time while a checksum of ours runs, where the policy allows it, and giving it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from safe_lightning.api import CouldNotLook
from safe_lightning.lightning.gc_life_time import (
    HELD,
    change_life_time,
    is_long_enough,
    read_life_time,
    statement_by_hand,
)
from safe_lightning.record.gc_holds import GcHold, forget_hold, has_holds, left_holds, note_hold
from safe_lightning.session import Session


@contextmanager
def gc_held(session: Session) -> Iterator[None]:
    """Hold the GC life time while the body runs, where the policy says so. What goes wrong with it is only noted."""
    is_allowed = session.policy.verify.hold_gc and not session.policy.dry_run
    hold = _raise(session) if is_allowed else None
    try:
        yield
    finally:
        if hold is not None:
            _give_back(session, hold)


def _raise(session: Session) -> GcHold | None:
    server, timeout_seconds = session.task.target, session.policy.checkpoint.timeout
    if session.state is None:
        session.note("the GC life time was not raised: without a record nobody could give it back after a kill")
        return None
    hold = None
    try:
        life_time = read_life_time(server, timeout_seconds)
        if is_long_enough(life_time):
            return None
        hold = note_hold(session.state, session.call.run, session.target_name, life_time)
        if change_life_time(server, life_time, HELD, timeout_seconds):
            session.log.info("gc-life-time-raised", before=life_time, now=HELD)
    except (CouldNotLook, OSError) as error:
        session.note(f"the GC life time was not raised: {error}")
    return hold


def _give_back(session: Session, hold: GcHold) -> None:
    """Give a life time back, unless somebody else has changed it meanwhile; what fails is left to the next start."""
    try:
        is_done = change_life_time(session.task.target, HELD, hold.life_time, session.policy.checkpoint.timeout)
        if session.state is not None:
            forget_hold(session.state, hold)
        session.log.info("gc-life-time-given-back", now=hold.life_time if is_done else "changed by somebody else")
    except (CouldNotLook, OSError) as error:
        session.note(
            f"the GC life time of {hold.server} is still {HELD}: {error}; the next start gives it back, or by hand: "
            f"{statement_by_hand(hold.life_time)}"
        )


def give_back_left_holds(session: Session) -> None:
    """Give back what runs raised that died since; of another target it is only said."""
    if session.state is None or not has_holds(session.state):
        return
    try:
        for hold in left_holds(session.state):
            if hold.server == session.target_name:
                session.note(f"run {hold.run} died while it held the GC life time; it was {hold.life_time} before")
                _give_back(session, hold)
            else:
                session.note(
                    f"run {hold.run} died while it held the GC life time of {hold.server}, which is another target; "
                    f"the next import into that gives it back, or by hand: {statement_by_hand(hold.life_time)}"
                )
    except (CouldNotLook, OSError) as error:
        session.note(str(error))
