"""What an application of a clean-up plan wrote down: the plan, each act before it, and what came of it after.

One folder per plan, `cleanings/` in the state folder; applied again after a kill, the same plan goes on in the same
folder. An act of which only the intent is there may or may not have been done: what is found then decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.record.cleaning_plan import SHORT, SavedPlan, read_plan, save_plan
from safe_lightning.record.durable import Journal, read_journal, sync_folder
from safe_lightning.record.flock import is_held, lock_file
from safe_lightning.record.strict_json import UnreadableRecord

_ALIVE = "alive"
DONE = "done"


@dataclass(frozen=True)
class Trace:
    """How far an application came; ``begun`` were intended and have no result, ``done`` are proven."""

    folder: Path
    plan: SavedPlan
    begun: tuple[str, ...] = ()
    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    is_over: bool = False
    is_alive: bool = False

    @property
    def is_dead(self) -> bool:
        """Whether it stopped before its end and nobody goes on with it now."""
        return not self.is_over and not self.is_alive

    def describe(self) -> str:
        """Say what it was doing."""
        parts = [f"the clean-up of plan {self.plan.name[:SHORT]} ended before it was through"]
        parts += [f"{len(self.done)} act(s) were done"] * bool(self.done)
        parts += [f"{key} was begun; whether it was done is not recorded" for key in self.begun]
        parts += [f"{key} was not done" for key in self.failed]
        return "; ".join(parts)


def read_traces(state: Path) -> list[Trace]:
    """Read what all clean-ups wrote down, oldest first. Raises OSError; what cannot be read is passed over."""
    folder = state / "cleanings"
    if not folder.is_dir():
        return []
    paths = sorted((path for path in folder.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
    traces = (read_trace(path) for path in paths)
    return [trace for trace in traces if trace is not None]


def read_trace(folder: Path) -> Trace | None:
    """Read one; None where it died before its plan was written, and so before any act. Raises OSError."""
    try:
        plan = read_plan(folder / "plan.json")
    except (FileNotFoundError, UnreadableRecord):
        return None
    last: dict[str, str] = {}
    is_over = False
    for entry in read_journal(folder / "steps.jsonl"):
        key = entry.get("item")
        if isinstance(key, str):
            last[key] = str(entry.get("result", ""))
        is_over = "end" in entry
    return Trace(
        folder, plan,
        tuple(key for key, result in last.items() if not result),
        tuple(key for key, result in last.items() if result == DONE),
        tuple(key for key, result in last.items() if result not in ("", DONE)),
        is_over, is_held(folder / _ALIVE),
    )  # fmt: skip


@dataclass(frozen=True)
class Writing:
    """The open record of an application."""

    folder: Path
    journal: Journal

    def intend(self, key: str, act: str, facts: Mapping[str, object]) -> None:
        """Write what is about to be done; it is on the disk when this returns. Raises OSError."""
        self.journal.append({"item": key, "intent": act, "facts": dict(facts)})

    def keep(self, key: str, result: str, message: str) -> None:
        """Write what came of it. Raises OSError."""
        self.journal.append({"item": key, "result": result, "message": message})

    def end(self, reason: str) -> None:
        """Write that nothing of it is left to be done. Raises OSError."""
        self.journal.append({"end": reason})


@contextmanager
def open_writing(state: Path, plan: SavedPlan) -> Iterator[Writing]:
    """Open the record of a plan's application. Raises OSError, BlockingIOError where another is at it now."""
    folder = state / "cleanings" / plan.name[: 2 * SHORT]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    alive = lock_file(folder / _ALIVE)
    if alive is None:
        raise BlockingIOError(f"plan {plan.name[:SHORT]} is being applied by another process")
    try:
        if not (folder / "plan.json").exists():
            save_plan(folder / "plan.json", plan.document)
        sync_folder(folder.parent)
        journal = Journal(folder / "steps.jsonl")
        try:
            yield Writing(folder, journal)
        finally:
            journal.close()
    finally:
        os.close(alive)


def close_traces(traces: list[Trace], reason: str) -> None:
    """Write under dead applications that they are over. Raises OSError."""
    for trace in traces:
        journal = Journal(trace.folder / "steps.jsonl")
        try:
            journal.append({"end": reason})
        finally:
            journal.close()


def item_of(plan: SavedPlan, key: str) -> Mapping[str, Any] | None:
    """Return an item of a plan's document."""
    items = plan.document.get("items", ())
    return next((item for item in items if item.get("key") == key), None)
