"""What the engine offers to hooks: the checkpoint, the target, and what stood there before."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from safe_lightning.api import (
    Checkpoint,
    CouldNotLook,
    Peer,
    Policy,
    Surroundings,
    TableBaseline,
    TableName,
    Target,
    Task,
)
from safe_lightning.core.lean_dataclass import dataclass

if TYPE_CHECKING:
    from safe_lightning.core.parallel import Metadata
    from safe_lightning.elsewhere import OwnWork
    from safe_lightning.examining import Examiner
    from safe_lightning.scan.model import Scan


@dataclass
class EngineServices:
    """The services of one run; every look is made when it is asked for.

    A checkpoint file alone is read once for as long as it stays unchanged: that may take half a minute.

    ``recall`` tells the recorded baselines; it is a callable so that a run without a record can say why
    there are none. ``stop`` ends what takes long; ``state`` is where the results of scans are kept, if anywhere.
    ``run`` is the run's own name in leases.
    """

    task: Task
    policy: Policy
    recall: Callable[[], Mapping[TableName, TableBaseline]] = field(default=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    state: Path | None = None
    run: str = ""

    _read: tuple[tuple[int, ...], Checkpoint] | None = field(default=None, repr=False)

    def read_checkpoint(self) -> Checkpoint:
        """Read the checkpoint store of the task. Raises CouldNotLook."""
        from safe_lightning.lightning.checkpoint_store import read_checkpoint

        identity = _identity(self.task.checkpoint.path)
        if identity and self._read is not None and self._read[0] == identity:
            return self._read[1]
        found = read_checkpoint(self.task.checkpoint, self.policy.checkpoint)
        self._read = (identity, found) if identity else None
        return found

    @contextmanager
    def target(self) -> Iterator[Target]:
        """Open the target, read-only. Raises CouldNotLook."""
        from safe_lightning.lightning.tidb import open_target

        if not self.task.target.port:
            raise CouldNotLook("the task names no port of the target (tidb.port)")
        with open_target(self.task.target, self.policy.checkpoint.timeout) as target:
            yield target

    def source_tables(self) -> frozenset[TableName]:
        """Name the tables of the import. Raises CouldNotLook where the names of its source files do not tell them."""
        from safe_lightning.source.tables import source_tables

        return source_tables(self.task)

    def baselines(self) -> Mapping[TableName, TableBaseline]:
        """Tell what stood in the target before the first attempt."""
        return self.recall()

    def look_around(self, checkpoint: Checkpoint) -> tuple[Surroundings, tuple[str, ...]]:
        """Learn what a checkpoint is compared with besides the target."""
        from safe_lightning.leftover import look_around

        return look_around(self.task, checkpoint, self.state, self.policy.control_tool.probe_timeout)

    def count_rows(self, table: TableName) -> int:
        """Count the rows of one table of the target. Raises CouldNotLook."""
        from safe_lightning.lightning.checksum import Limits, count_rows

        limits = Limits(self.policy.verify.count_timeout, tries=1)
        return count_rows(self.task.target, table, limits, self.stop)

    def examiner(self) -> Examiner:
        """Offer looks at mismatched tables, all together no longer than the policy says."""
        from safe_lightning.examining import Examiner

        until = time.monotonic() + self.policy.verify.look_time
        return Examiner(self.task, self.policy, self.state, self.stop, self._task_id, until)

    def _task_id(self) -> int | None:
        """Tell Lightning's own id of this import; a logical checkpoint, or none, has none. Raises CouldNotLook."""
        if not self.task.checkpoint.enabled:
            return None
        found = self.read_checkpoint().task
        return found.task_id or None if found is not None else None

    def peers(self) -> tuple[Peer, ...]:
        """List the Lightnings that share something with the task: on this machine, and as far as the target tells.

        Raises CouldNotLook where nobody was found, yet not everything could be looked at.
        """
        from safe_lightning.lightning.peers import find_peers

        here = find_peers(self.task)
        try:
            return here + self._peers_elsewhere()
        except CouldNotLook:
            if here:
                return here
            raise

    def others_alive(self, say: Callable[[str], None] = lambda text: None) -> bool | None:
        """Say whether another Lightning may be at work on the same checkpoint or target; None: it is not certain.

        ``say`` hears who, or why that could not be looked into.
        """
        from safe_lightning.lightning.peers import are_others_alive

        here = are_others_alive(self.task)
        if here is not False:
            return here
        try:
            peers = self._peers_elsewhere()
        except CouldNotLook as error:
            say(f"whether another Lightning is at work elsewhere is not known: {error}")
            return None
        for peer in peers:
            say(peer.sentence)
        return None if peers and not any(peer.is_certain for peer in peers) else bool(peers)

    def instances(self) -> Metadata:
        """Read what the instances of a parallel import tell of themselves in the target. Raises CouldNotLook."""
        from safe_lightning.elsewhere import read_instances

        return read_instances(self.task, self.policy)

    def _peers_elsewhere(self) -> tuple[Peer, ...]:
        from safe_lightning.elsewhere import peers_elsewhere

        return peers_elsewhere(self.task, self.policy, self._own_work, self.run)

    def _own_work(self) -> OwnWork:
        from safe_lightning.elsewhere import OwnWork

        try:
            checkpoint = self.read_checkpoint()
        except CouldNotLook:
            return OwnWork(0, None)
        number = checkpoint.task.task_id if checkpoint.task else 0
        try:
            return OwnWork(number, self.source_tables() | {record.table for record in checkpoint.tables})
        except CouldNotLook:
            return OwnWork(number, None)

    def scan(self) -> Scan:
        """Look for duplicate keys in the source. Raises CouldNotLook where it cannot be looked at."""
        from safe_lightning.scan.task_scan import scan_task

        return scan_task(self.task, self.policy, stop=self.stop, state=self.state)


def _identity(path: Path | None) -> tuple[int, ...]:
    """Tell one state of a file from every other; () where there is none."""
    try:
        state = path.stat() if path is not None else None
    except (OSError, ValueError):
        return ()
    return (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns) if state else ()


def known_state(policy: Policy, environ: Mapping[str, str]) -> Path | None:
    """Name the folder in which earlier runs are recorded, for a verb without a run of its own; None: there is none."""
    from safe_lightning.record.state_dir import StateUnavailable, find_state_dir

    try:
        return find_state_dir(policy.state_dir, environ)
    except StateUnavailable:
        return None
