"""Finding runs again: by id, the last one, or all of them, newest first."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.explaining import Piece, UnreadableInput
from safe_lightning.record.dead_runs import DIED
from safe_lightning.record.ledger import Ledger, LedgerUnavailable
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_files import pieces_of
from safe_lightning.record.run_folder import is_alive, read_result, read_run, run_folders, run_of
from safe_lightning.record.state_dir import StateUnavailable, find_state_dir
from safe_lightning.record.strict_json import UnreadableRecord

LAST = "last"
_LIKENESSES_SHOWN = 5


class NoSuchRun(LookupError):
    """A word names no run, or several; the sentence says what was looked for and where."""


def known_state_dir(environ: Mapping[str, str], config: Path | None = None) -> Path:
    """Name the state folder as a verb without an import finds it. Raises PolicyError, CouldNotLook.

    ``config`` is Lightning's own, beside which a policy may lie.
    """
    from safe_lightning.policy.load import find_policy, load_policy

    try:
        return find_state_dir(load_policy(find_policy(environ, config), environ).policy.state_dir, environ)
    except StateUnavailable as error:
        raise CouldNotLook(str(error)) from error


def find_run(state: Path, word: str) -> Path:
    """Find the folder of the run with this id, unique beginning of an id, or folder name; ``last`` is the newest.

    Raises NoSuchRun, CouldNotLook.
    """
    try:
        folders = run_folders(state)
    except OSError as error:
        raise CouldNotLook(f"the runs in {state} cannot be listed: {error.strerror or error}") from error
    if word == LAST and folders:
        return newest_first(state, limit=1)[0][0][0]
    if exact := [folder for folder in folders if word in (run_of(folder), folder.name)]:
        return exact[-1]
    alike = [folder for folder in folders if word and run_of(folder).startswith(word)]
    if len(alike) == 1:
        return alike[0]
    if alike:
        names = ", ".join(run_of(folder) for folder in alike[:_LIKENESSES_SHOWN])
        raise NoSuchRun(f"{word!r} is the beginning of {len(alike)} run ids in {state}: {names}")
    what = "no run is recorded" if word == LAST else f"no run has the id {word!r}, or one that begins so,"
    raise NoSuchRun(f"{what} in {state}")


def newest_first(state: Path, limit: int | None = None) -> tuple[list[tuple[Path, RunResult]], str]:
    """Return the runs and their folders, and what had to be mended or gone around to read them.

    The order is that of the starts, whatever the clock said; where the ledger cannot be used it is that of the
    clock. A run without a result is ``unknown`` once its process is dead. Raises CouldNotLook.
    """
    try:
        if not run_folders(state):
            return [], ""
        try:
            with Ledger.open(state) as ledger:
                runs, note = ledger.entries(limit), ledger.note
        except LedgerUnavailable as error:
            folders = run_folders(state)[::-1][:limit]
            runs, note = [(folder, read_run(folder)) for folder in folders], f"read without the ledger: {error}"
        return [(folder, _as_of_now(folder, run)) for folder, run in runs], note
    except OSError as error:
        raise CouldNotLook(f"the runs in {state} cannot be read: {error.strerror or error}") from error


def _as_of_now(folder: Path, run: RunResult) -> RunResult:
    if run.outcome is not None or is_alive(folder):
        return run
    # It may have ended between the two looks.
    now = read_run(folder)
    return now if now.outcome is not None else replace(now, outcome=Outcome.UNKNOWN, reason=DIED)


@dataclass(frozen=True)
class Source:
    """What a word on the command line stands for: pieces of text, and for a recorded run its folder and result."""

    pieces: tuple[Piece, ...]
    result: RunResult | None = None
    folder: Path | None = None


def read_source(word: str, environ: Mapping[str, str], config: Path | None = None) -> Source:
    """Say what a word stands for: ``-``, a file, or a run by id, beginning of an id, or ``last``.

    Raises UnreadableInput naming what was looked for, PolicyError.
    """
    if word == "-" or os.path.lexists(word):
        return Source((Piece(word),))
    if "/" in word:
        raise UnreadableInput(f"cannot read {word}: there is no such file")
    try:
        folder = find_run(known_state_dir(environ, config), word)
        return _recorded(folder)
    except NoSuchRun as error:
        raise UnreadableInput(f"there is no file {word}, and {error}") from error
    except (CouldNotLook, UnreadableRecord, OSError) as error:
        raise UnreadableInput(f"there is no file {word}, and its run cannot be read: {error}") from error


def _recorded(folder: Path) -> Source:
    pieces, result = tuple(pieces_of(folder)), _known_result(folder)
    if not pieces and (result is None or result.outcome is None):
        raise UnreadableInput(f"the run in {folder} left neither a log nor output, nor has it ended")
    return Source(pieces, result, folder)


def _known_result(folder: Path) -> RunResult | None:
    try:
        return read_result(folder)
    except UnreadableRecord:
        return None  # what its files tell is then all there is
