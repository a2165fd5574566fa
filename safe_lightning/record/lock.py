"""Two runs must not share a checkpoint or, unless they import in parallel, a target table.

All of it is flock: the kernel lets go when a process dies, however it dies, and there is no file whose mere
existence blocks anybody. It sees the runs that share our state folder, not those of other machines.
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from types import TracebackType

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import some_names
from safe_lightning.record.claim import Claim, shared_tables
from safe_lightning.record.durable import to_bytes, write_all
from safe_lightning.record.flock import is_held, lock_file
from safe_lightning.record.run_folder import read_json
from safe_lightning.record.strict_json import UnreadableRecord

_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0
#: The registry is held for milliseconds at a start; this is the patience with a process that was suspended there.
_REGISTRY_SECONDS = 5.0


class LockBusy(Exception):
    """Another run holds what this one needs; the sentence names it and since when it runs."""


class LockUnavailable(Exception):
    """It could not be found out whether another run holds what this one needs."""


@dataclass
class RunLocks:
    """The locks that one run holds; a context manager that lets go of them.

    ``note`` says what is not covered by them, if anything.
    """

    claim: Claim
    note: str = ""
    _descriptors: list[int] = field(default_factory=list)
    _claim_file: Path | None = None

    @classmethod
    def acquire(
        cls, state: Path, claim: Claim, *, wait_seconds: float = 0.0, stop_event: threading.Event | None = None
    ) -> RunLocks:
        """Take the locks of a claim, all or none, waiting for them at most ``wait_seconds``.

        Raises LockBusy, also when ``stop_event`` ends the waiting, and LockUnavailable.
        """
        stop = stop_event or threading.Event()
        deadline, pause = time.monotonic() + wait_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                return cls._try(state / "locks", claim, stop)
            except OSError as error:
                reason = error.strerror or str(error)
                raise LockUnavailable(f"no lock can be taken in {state / 'locks'}: {reason}") from error
            except LockBusy:
                left = deadline - time.monotonic()
                if left <= 0 or stop.wait(min(pause, left)):
                    raise
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    @classmethod
    def _try(cls, folder: Path, claim: Claim, stop: threading.Event) -> RunLocks:
        locks = cls(claim, note=_gaps(claim))
        try:
            with _registry(folder / "registry", stop):
                locks._lock_checkpoint(folder)
                _refuse_shared_tables(folder, claim)
                locks._publish(folder)
        except BaseException:
            locks.release()
            raise
        return locks

    def _lock_checkpoint(self, folder: Path) -> None:
        location = self.claim.checkpoint_location
        if not location:
            return
        path = folder / f"checkpoint-{hashlib.sha256(location.encode('utf-8', 'surrogateescape')).hexdigest()[:32]}"
        descriptor = lock_file(path)
        if descriptor is None:
            raise LockBusy(f"the checkpoint {location} is in use by {_holder(path)}")
        self._descriptors.append(descriptor)
        os.ftruncate(descriptor, 0)
        write_all(descriptor, to_bytes(self.claim.to_json()))

    def _publish(self, folder: Path) -> None:
        path = folder / f"claim-{self.claim.run}"
        descriptor = lock_file(path)
        if descriptor is None:
            raise LockBusy(f"run {self.claim.run} holds its locks already")
        self._claim_file = path
        self._descriptors.append(descriptor)
        os.ftruncate(descriptor, 0)
        write_all(descriptor, to_bytes(self.claim.to_json()))

    def release(self) -> None:
        """Let go of everything; a second call does nothing."""
        if self._claim_file is not None:
            self._claim_file.unlink(missing_ok=True)
            self._claim_file = None
        while self._descriptors:
            os.close(self._descriptors.pop())

    def __enter__(self) -> RunLocks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


@contextmanager
def _registry(path: Path, stop: threading.Event) -> Iterator[None]:
    deadline = time.monotonic() + _REGISTRY_SECONDS
    while (descriptor := lock_file(path)) is None:
        if time.monotonic() > deadline or stop.wait(_FIRST_PAUSE_SECONDS):
            raise LockBusy("another start has been taking its locks for too long; is it suspended?")
    try:
        yield
    finally:
        os.close(descriptor)


def _gaps(claim: Claim) -> str:
    if claim.tables is None:
        return "the tables of this import are not known beforehand: only its checkpoint is locked"
    return "" if claim.checkpoint_location else "no checkpoint is kept: only the tables are locked"


def _refuse_shared_tables(folder: Path, claim: Claim) -> None:
    for theirs in _living_claims(folder):
        if shared := shared_tables(claim, theirs):
            raise LockBusy(f"{some_names(shared)} on {claim.target} is being imported by {theirs.describe()}")


def _living_claims(folder: Path) -> Iterator[Claim]:
    """Read the claims of living runs and clear away those of dead ones; the registry's lock must be held."""
    for path in sorted(folder.glob("claim-*")):
        if not is_held(path):
            path.unlink(missing_ok=True)
            continue
        try:
            yield Claim.from_json(read_json(path))
        except FileNotFoundError:  # its run has just ended
            continue
        except UnreadableRecord as error:
            raise LockBusy(f"a run that cannot be identified is alive: {error}") from error


def _holder(path: Path) -> str:
    try:
        return Claim.from_json(read_json(path)).describe()
    except (OSError, UnreadableRecord) as error:
        return f"a run that cannot be identified ({error})"
