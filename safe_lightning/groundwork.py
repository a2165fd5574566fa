"""What is done before the first attempt: locks, the dead runs of before, and a look at what stands in the target."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safe_lightning.api import Checkpoint, CouldNotLook, TableBaseline, TableFacts, TableName
from safe_lightning.core.redact import redact_argv
from safe_lightning.leasing import lease_of
from safe_lightning.leftover import look_at_names
from safe_lightning.record.baselines import forget, recall, remember
from safe_lightning.record.claim import Claim
from safe_lightning.record.lock import LockBusy, LockUnavailable, RunLocks
from safe_lightning.session import Session

#: Tables of the target that are looked at before an import whose own tables are not known.
_TABLES_LOOKED_AT_MOST = 5000


@contextmanager
def run_locks(session: Session) -> Iterator[None]:
    """Hold the run's locks, and its lease if the policy wants one.

    Raises LockBusy; where locks do not work the run goes on and says so.
    """
    locks = None
    if session.state is not None and session.is_import:
        try:
            locks = _acquire(session, session.state)
        except LockUnavailable as error:
            session.note(f"{error}: another run of the same import would not be noticed")
    try:
        with lease_of(session):
            yield
    finally:
        if locks is not None:
            locks.release()


def _acquire(session: Session, state: Path) -> RunLocks:
    claim, wait_seconds = _claim(session), session.policy.lock.wait
    try:
        return RunLocks.acquire(state, claim)
    except LockBusy as error:
        if not wait_seconds:
            raise
        session.log.warning("lock-wait", message=str(error), wait_seconds=wait_seconds)
    return RunLocks.acquire(state, claim, wait_seconds=wait_seconds, stop_event=session.control.event)


def _claim(session: Session) -> Claim:
    call, task = session.call, session.task
    return Claim(
        run=call.run,
        started_at=call.started_at,
        pid=os.getpid(),
        target=session.target_name,
        checkpoint_location=task.checkpoint.location if task.checkpoint.enabled else "",
        tables=_source_tables(session),
        is_parallel_import=task.parallel_import,
        argv=redact_argv(call.argv),
    )


def _source_tables(session: Session) -> frozenset[TableName] | None:
    """Name the tables that the source's files belong to; None where that cannot be told from here."""
    try:
        return session.services.source_tables()
    except CouldNotLook as error:
        session.log.debug("source-tables-unknown", reason=str(error))
        return None


def tell_dead_runs(session: Session) -> None:
    """Say what earlier runs were doing when they died, and close their records."""
    from safe_lightning.record.dead_runs import close_dead_runs

    if session.state is None:
        return
    try:
        for sentence in close_dead_runs(session.state, time.time()):
            session.note(sentence)
    except OSError as error:
        session.note(f"the records of earlier runs cannot be read: {error}")
    if session.is_import and (session.state / "gc-holds").is_dir():
        from safe_lightning.acts.gc_holding import give_back_left_holds

        give_back_left_holds(session)
    if session.is_import and (session.state / "quarantine").is_dir():
        from safe_lightning.acts.quarantining import tell_unfinished

        for sentence in tell_unfinished(session.state, session.target_name, session.services):
            session.note(sentence)


def copy_checkpoint(session: Session, when: str) -> None:
    """Keep the checkpoint as it is now: the file itself, and what it says for either driver."""
    store = session.task.checkpoint
    if not store.enabled or session.record.path is None:
        return
    if store.path is not None and os.path.lexists(store.path):
        session.record.copy_checkpoint(when, store.path)
    if session.hooks:
        try:
            session.record.write_checkpoint(when, session.services.read_checkpoint())
        except CouldNotLook as error:
            session.log.debug("checkpoint-not-kept", when=when, reason=str(error))


def remember_baselines(session: Session) -> None:
    """Look at the target before an attempt and remember what stands there.

    A table that the checkpoint knows was begun by an earlier attempt: its first observation counts. One that it
    does not know begins now, and is looked at anew. Without hooks nobody asks, so nobody looks.
    """
    if session.state is None or not session.hooks or not session.is_import:
        return
    try:
        known = _still_running(session)
        seen = _look(session, known)
        session.record.write_baselines(remember(session.state, session.baseline_key, seen).values())
    except (CouldNotLook, OSError) as error:
        session.note(f"what stands in the target before the import is not known: {error}")


def _still_running(session: Session) -> Mapping[TableName, TableBaseline]:
    """Forget the observations of imports that are over; return those that still count."""
    assert session.state is not None
    checkpoint: Checkpoint = session.services.read_checkpoint()
    entries = {record.table for record in checkpoint.tables}
    known = recall(session.state, session.baseline_key)
    if over := [table for table in known if table not in entries]:
        forget(session.state, session.baseline_key, over)
    return {table: baseline for table, baseline in known.items() if table in entries}


def _look(session: Session, known: Mapping[TableName, TableBaseline]) -> list[TableBaseline]:
    names, now = _source_tables(session), time.time()
    if names is None:
        with session.services.target() as target:
            names = frozenset(target.tables())
    wanted = sorted(names - known.keys())
    if len(wanted) > _TABLES_LOOKED_AT_MOST:
        session.note(f"{len(wanted) - _TABLES_LOOKED_AT_MOST} tables of the target were not looked at")
    if not wanted:
        return []
    facts, failures = look_at_names(session.services, wanted[:_TABLES_LOOKED_AT_MOST])
    if facts is None:
        raise CouldNotLook("; ".join(failures))
    for failure in failures:
        session.note(f"what stands in a table of the target before the import is not known: {failure}")
    return [_baseline(fact, now, session.call.run) for fact in facts.values()]


def _baseline(facts: TableFacts, now: float, run: str) -> TableBaseline:
    return TableBaseline(facts.table, facts.exists, facts.is_empty if facts.exists else None, now, run)
