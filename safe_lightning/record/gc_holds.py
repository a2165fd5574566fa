"""GC life times that a run has raised: written down before the act, so that no kill leaves one raised for good."""

from __future__ import annotations

import os
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.record.durable import to_bytes, write_durably
from safe_lightning.record.process import is_same_process, process_identity
from safe_lightning.record.run_folder import read_json
from safe_lightning.record.strict_json import Keys, UnreadableRecord

SCHEMA = 1
_FOLDER = "gc-holds"


@dataclass(frozen=True)
class GcHold:
    """One life time that is to be given back: of which server, what it was, and whose process raised it."""

    run: str
    server: str
    life_time: str
    pid: int
    identity: str


def has_holds(state: Path) -> bool:
    """Whether there may be any."""
    return (state / _FOLDER).is_dir()


def note_hold(state: Path, run: str, server: str, life_time: str) -> GcHold:
    """Write down what is about to be raised. Durable when it returns. Raises OSError."""
    hold = GcHold(run, server, life_time, os.getpid(), process_identity(os.getpid()) or "")
    (state / _FOLDER).mkdir(mode=0o700, exist_ok=True)
    document = {"schema": SCHEMA, "server": server, "life_time": life_time, "pid": hold.pid, "identity": hold.identity}
    write_durably(_file(state, run), to_bytes(document))
    return hold


def forget_hold(state: Path, hold: GcHold) -> None:
    """Forget one that was given back. Raises OSError."""
    _file(state, hold.run).unlink(missing_ok=True)


def left_holds(state: Path) -> list[GcHold]:
    """List those whose process is dead. Raises CouldNotLook where one cannot be read, OSError."""
    holds = [_read(path) for path in sorted((state / _FOLDER).glob("*.json"))]
    return [hold for hold in holds if hold and is_same_process(hold.pid, hold.identity) is False]


def _read(path: Path) -> GcHold | None:
    try:
        keys = Keys(read_json(path), "")
        if keys.number("schema") != SCHEMA:
            raise UnreadableRecord("schema: not one that is known here")
        return GcHold(path.stem, keys.text("server"), keys.text("life_time"), keys.number("pid"), keys.text("identity"))
    except FileNotFoundError:
        return None  # its run gave it back at this moment
    except UnreadableRecord as error:
        raise CouldNotLook(f"which GC life time a run raised cannot be read: {path}: {error}") from error


def _file(state: Path, run: str) -> Path:
    return state / _FOLDER / f"{run}.json"
