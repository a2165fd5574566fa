"""Which runs may go, and their going.

A run is kept, whatever the limits say, while it has no result (it is alive, or nobody has told its end yet), while
it is the newest of its checkpoint location, and while what it saw in the target still counts for an unfinished
import. Of the others those go that are older than ``keep_for`` or behind the newest ``keep_runs``.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.policy.model import RecordPolicy
from safe_lightning.record.baselines import referenced_runs
from safe_lightning.record.ledger import Ledger, LedgerUnavailable
from safe_lightning.record.run_folder import (
    is_alive,
    leavings,
    read_call,
    run_folders,
    run_of,
    set_aside,
    started_at,
)
from safe_lightning.record.strict_json import UnreadableRecord


@dataclass(frozen=True)
class KeptRun:
    """What retention asks of a run; ``checkpoint_location`` is None where it is not recorded."""

    folder: Path
    run: str
    started_at: float
    checkpoint_location: str | None
    is_finished: bool


def expired(
    runs: Sequence[KeptRun],
    now: float,
    keep_runs: int,
    keep_for_seconds: float,
    referenced: Collection[str] = frozenset(),
) -> list[KeptRun]:
    """Return the runs that may go; 0 stands for no limit."""
    newest_first = sorted(runs, key=lambda run: run.started_at, reverse=True)
    newest = {run.checkpoint_location: run for run in reversed(newest_first)}
    return [
        run
        for place, run in enumerate(newest_first)
        if (0 < keep_runs <= place or 0 < keep_for_seconds < now - run.started_at)
        and run.is_finished
        and run.run not in referenced
        and newest[run.checkpoint_location] is not run
    ]


def remove_expired(state: Path, policy: RecordPolicy, now: float) -> list[str]:
    """Remove what the policy does not keep and return the ids of the runs. Raises CouldNotLook, OSError.

    To be called once an import has ended: it is never urgent.
    """
    gone = _due(state, policy, now)
    removed = [run.run for run in gone if _remove(run.folder)]
    for folder in leavings(state, now):
        shutil.rmtree(folder)
    if removed:
        try:
            with Ledger.open(state) as ledger:
                ledger.forget(removed)
        except LedgerUnavailable as error:
            raise CouldNotLook(f"the ledger still names removed runs: {error}") from error
    return removed


def _due(state: Path, policy: RecordPolicy, now: float) -> list[KeptRun]:
    folders = run_folders(state)
    oldest = min(map(started_at, folders), default=now)
    # Every run ends with this question, and most often no folder needs to be opened to answer it.
    if not (0 < policy.keep_runs < len(folders) or 0 < policy.keep_for < now - oldest):
        return []
    runs = [_kept_run(folder) for folder in folders]
    return expired(runs, now, policy.keep_runs, policy.keep_for, referenced_runs(state))


def _kept_run(folder: Path) -> KeptRun:
    is_finished = (folder / "result.json").exists() and not is_alive(folder)
    return KeptRun(folder, run_of(folder), started_at(folder), _checkpoint_location(folder), is_finished)


def _checkpoint_location(folder: Path) -> str | None:
    try:
        location = read_call(folder).get("checkpoint_location")
    except (OSError, UnreadableRecord):
        return None  # such runs are held for one location of their own: the newest of them stays
    return location if isinstance(location, str) else None


def _remove(folder: Path) -> bool:
    try:
        hidden = set_aside(folder)
    except FileNotFoundError:  # another process is tidying up as well
        return False
    shutil.rmtree(hidden)
    return True
