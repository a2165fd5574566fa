"""Keeps a run's lease for as long as the run lasts, and knows at any moment whether it still has it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from safe_lightning.core.lease import Hold, Holder, LeaseClaim
from safe_lightning.core.verdict import CouldNotLook

if TYPE_CHECKING:
    from safe_lightning.lightning.lease_store import LeaseStore
    from safe_lightning.session import Session

#: A lease is renewed so many times in the time that it lives without.
_RENEWALS_PER_EXPIRY = 3


class LeaseKeeper:
    """One run's lease: taken, renewed in a thread of its own, asked for before every destructive act, given back.

    ``tell`` says what became of it; ``on_lost`` is called once if another run took it over. Nothing here raises after
    `take`: a server that cannot be asked leaves the lease unsure, which forbids what destroys.
    """

    def __init__(
        self,
        store: LeaseStore,
        claim: LeaseClaim,
        holder: Holder,
        tell: Callable[[str], None],
        on_lost: Callable[[str], None],
    ) -> None:
        self._store, self._claim, self._holder = store, claim, holder
        self._tell, self._on_lost = tell, on_lost
        self._token: int | None = None
        self._hold = Hold.UNSURE
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self) -> None:
        """Take the lease. Raises LeaseBusy; where the server cannot be asked it stays unsure, and says so."""
        with self._lock:
            try:
                self._take()
            except CouldNotLook as error:
                self._tell(f"no lease could be taken: {error}; nothing is destroyed until one is")

    def start(self) -> None:
        """Begin to renew it."""
        self._thread = threading.Thread(target=self._renew_again_and_again, name="lease", daemon=True)
        self._thread.start()

    def confirm(self) -> Hold:
        """Ask the server now whether the lease is still ours, renewing it; bounded by the store's time-outs."""
        with self._lock:
            self._renew()
            return self._hold

    def release(self) -> None:
        """Give it back; one that cannot be given back ends by itself."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()
        if self._token is not None and self._hold is not Hold.LOST:
            try:
                self._store.release(self._token)
            except CouldNotLook as error:
                self._tell(f"the lease could not be given back: {error}; it ends by itself")

    def _renew_again_and_again(self) -> None:
        while not self._is_over.wait(self._store.expiry_seconds / _RENEWALS_PER_EXPIRY):
            self.confirm()

    def _renew(self) -> None:
        from safe_lightning.lightning.lease_store import LeaseBusy

        if self._hold is Hold.LOST:
            return
        try:
            if self._token is None:
                self._take()
            elif not self._store.renew(self._token):
                self._lose("another run took over the lease, which had not been renewed in time")
                return
        except LeaseBusy as error:
            self._lose(f"no lease was held meanwhile, and {error}")
            return
        except CouldNotLook as error:
            if self._hold is Hold.HELD:
                self._tell(f"the lease could not be renewed: {error}; nothing is destroyed until it is")
            self._hold = Hold.UNSURE
            return
        if self._hold is Hold.UNSURE:
            self._tell("the lease is held again")
        self._hold = Hold.HELD

    def _take(self) -> None:
        self._token, overtaken = self._store.take(self._claim, self._holder)
        self._hold = Hold.HELD
        for lease in overtaken:
            self._tell(f"took over the lease of {lease.holder}, which was over for {-lease.seconds_left:.0f} s")

    def _lose(self, why: str) -> None:
        self._hold = Hold.LOST
        self._tell(f"{why}: this run destroys nothing any more")
        self._on_lost(why)


def others_alive(session: Session) -> bool | None:
    """Say whether another Lightning may be at work on what this run shares; None: could not look, or not certain.

    Whoever lost the lease has another one beside it, and must not destroy anything.
    """
    hold = session.lease.confirm() if session.lease is not None else Hold.HELD
    if hold is Hold.LOST:
        return True
    return None if hold is Hold.UNSURE else session.services.others_alive(session.note)


@contextmanager
def lease_of(session: Session) -> Iterator[None]:
    """Hold the run's lease where the policy wants one. Raises LockBusy where another host's run is in the way."""
    if session.policy.lock.lease == "off" or not session.is_import:
        yield
        return
    session.lease = _take(session)
    session.lease.start()
    try:
        yield
    finally:
        session.lease.release()


def _take(session: Session) -> LeaseKeeper:
    import time

    from safe_lightning.lightning.lease_store import LeaseBusy
    from safe_lightning.record.lock import LockBusy

    keeper = _keeper(session)
    deadline = time.monotonic() + session.policy.lock.wait
    while True:
        try:
            keeper.take()
        except LeaseBusy as error:
            left = deadline - time.monotonic()
            if left <= 0 or session.control.event.wait(min(1.0, left)):
                raise LockBusy(str(error)) from error
        else:
            return keeper


def _keeper(session: Session) -> LeaseKeeper:
    from safe_lightning.elsewhere import host_name, lease_claim
    from safe_lightning.lightning.lease_store import LeaseStore

    policy, task = session.policy, session.task
    expiry = policy.lock.lease_expiry
    timeout = min(policy.checkpoint.timeout, expiry / _RENEWALS_PER_EXPIRY)
    store = LeaseStore(task.target, policy.lock.lease_schema, timeout, expiry)
    try:
        tables = session.services.source_tables()
    except CouldNotLook:
        tables = None

    def lost(why: str) -> None:
        if policy.lock.on_lease_lost == "stop":
            session.control.request_stop(why)

    holder = Holder(session.call.run, host_name(policy), os.getpid())
    return LeaseKeeper(store, lease_claim(task, policy, tables), holder, session.note, lost)
