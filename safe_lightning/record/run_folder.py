"""The folders under ``runs/``: how one comes into being, and what can be read from one later."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.record.clock import seconds_of
from safe_lightning.record.durable import sync_folder
from safe_lightning.record.flock import is_held, lock_file
from safe_lightning.record.result import RunResult
from safe_lightning.record.strict_json import UnreadableRecord

#: Held by the run for as long as it lives.
#: The config of a child that was started with another task than the user's; it may hold secrets, and goes at the end.
TASK_OVERRIDE = "task-override.toml"
ALIVE = "alive"
_NEW = ".new-"
_GONE = ".gone-"
_JSON_BYTES_MOST = 64 << 20


@dataclass(frozen=True)
class NewFolder:
    """A run's folder, just made, and the descriptor of its held lock."""

    path: Path
    alive: int

    @classmethod
    def make(cls, runs: Path, name: str) -> NewFolder:
        """Make a folder that appears under its name already locked, so that nobody takes it for a dead run.

        Raises OSError, also where the file system knows no locks.
        """
        hidden = runs / f"{_NEW}{name}"
        hidden.mkdir(mode=0o700)
        alive = lock_file(hidden / ALIVE)
        if alive is None:
            raise BlockingIOError(f"{hidden} is in use")
        try:
            hidden.rename(runs / name)
            sync_folder(runs)
        except BaseException:
            os.close(alive)
            raise
        return cls(runs / name, alive)


def run_folders(state: Path) -> list[Path]:
    """List the runs' folders, oldest first. Raises OSError, but not for a state that holds no runs yet."""
    try:
        names = [entry.name for entry in os.scandir(state / "runs") if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [state / "runs" / name for name in sorted(names) if not name.startswith(".")]


def leavings(state: Path, now: float) -> list[Path]:
    """List folders that were being made or removed when their process died, an hour ago or longer."""
    hidden = [path for path in (state / "runs").glob(".*") if path.name.startswith((_NEW, _GONE))]
    return [path for path in hidden if path.stat().st_mtime < now - 3600 and not is_held(path / ALIVE)]


def set_aside(folder: Path) -> Path:
    """Take a folder out of sight before it is removed, so that a kill -9 leaves no half of a run. Raises OSError."""
    return folder.rename(folder.with_name(_GONE + folder.name))


def run_of(folder: Path) -> str:
    """Return the run's id, which ends the folder's name."""
    return folder.name.rpartition("-")[2]


def is_alive(folder: Path) -> bool:
    """Whether the run's process still lives. Raises OSError."""
    return is_held(folder / ALIVE)


def read_json(path: Path) -> Any:  # noqa: ANN401 - JSON is anything
    """Read a JSON file. Raises FileNotFoundError, other OSError, or UnreadableRecord naming the file."""
    with path.open("rb") as file:
        data = file.read(_JSON_BYTES_MOST + 1)
    if len(data) > _JSON_BYTES_MOST:
        raise UnreadableRecord(f"{path} is larger than {_JSON_BYTES_MOST} bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UnreadableRecord(f"{path} is not JSON: {error}") from error


def read_call(folder: Path) -> dict[str, Any]:
    """Read what was called. Raises OSError, UnreadableRecord."""
    call = read_json(folder / "argv.json")
    if not isinstance(call, dict):
        raise UnreadableRecord(f"{folder / 'argv.json'}: not an object")
    return call


def started_at(folder: Path) -> float:
    """Return when the run started, by its folder's name; the folder's own time where that is no time."""
    try:
        return seconds_of(folder.name.rpartition("-")[0])
    except (ValueError, OverflowError):
        return folder.stat().st_mtime


def read_result(folder: Path) -> RunResult | None:
    """Read how the run ended; None while it has no result. Raises UnreadableRecord, OSError."""
    try:
        return RunResult.from_json(read_json(folder / "result.json"))
    except FileNotFoundError:
        return None
    except UnreadableRecord as error:
        raise UnreadableRecord(f"{folder / 'result.json'}: {error}") from error


def read_run(folder: Path) -> RunResult:
    """Read a run as far as it is known: its result, or what was called and no outcome. Raises OSError.

    A result that cannot be read is an unknown outcome with a note, not an error: one spoiled file must not hide
    all other runs.
    """
    try:
        return read_result(folder) or begun(folder)
    except UnreadableRecord as error:
        return begun(folder, note=str(error))


def begun(folder: Path, note: str = "") -> RunResult:
    """Return what is known of a run without a readable result; one that died at once has only its folder's name."""
    notes, argv = [note] * bool(note), []
    try:
        argv = read_call(folder).get("argv", [])
    except (OSError, UnreadableRecord) as error:
        notes.append(f"what was called is not recorded: {error}")
    texts = tuple(word for word in argv if isinstance(word, str)) if isinstance(argv, list) else ()
    outcome = Outcome.UNKNOWN if note else None
    return RunResult(
        run_of(folder), started_at(folder), argv=texts, outcome=outcome, reason=note, notes=tuple(notes)
    )  # fmt: skip
