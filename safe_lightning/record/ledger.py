"""One SQLite file over all runs, so that a question about hundreds of them reads one file.

The directories are what counts: the ledger is made again from them whenever it is missing, spoiled or behind.
Results are kept as JSON text, as SQLite's integers end at 2^63 and checksums do not.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from safe_lightning.record.clock import rfc3339
from safe_lightning.record.durable import to_bytes
from safe_lightning.record.flock import exclusive
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_folder import begun, read_run, run_folders
from safe_lightning.record.strict_json import UnreadableRecord

_FORMAT = 1
_BUSY_SECONDS = 10.0
_TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    folder TEXT NOT NULL UNIQUE,
    run TEXT NOT NULL,
    started TEXT NOT NULL,
    outcome TEXT,
    result TEXT
)
"""
_ADD = """
INSERT INTO runs (folder, run, started, outcome, result) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (folder) DO UPDATE SET outcome = excluded.outcome, result = excluded.result
WHERE excluded.result IS NOT NULL
"""


class LedgerUnavailable(Exception):
    """The ledger cannot be used; the run directories still can."""


class Ledger:
    """The index over the run directories of one state folder; a context manager that closes it.

    Several processes may use it at once. ``note`` says what had to be mended when it was opened.
    """

    def __init__(self, state: Path, database: sqlite3.Connection, note: str) -> None:
        self._state = state
        self._database = database
        self.note = note

    @classmethod
    def open(cls, state: Path) -> Ledger:
        """Open the ledger, bring it up to the directories, set a spoiled one aside. Raises LedgerUnavailable."""
        path = state / "ledger.sqlite"
        try:
            with exclusive(state / "locks" / "ledger"):
                database, note = _open_or_mend(path)
            ledger = cls(state, database, note)
            ledger._catch_up()
        except (sqlite3.Error, OSError) as error:
            raise LedgerUnavailable(f"{path}: {error}") from error
        return ledger

    def start(self, folder: Path) -> None:
        """Enter a run that begins. Raises LedgerUnavailable."""
        self._write([(folder, begun(folder))])

    def finish(self, folder: Path, result: RunResult) -> None:
        """Enter how a run ended. Raises LedgerUnavailable."""
        self._write([(folder, result)])

    def entries(self, limit: int | None = None, newest_first: bool = True) -> list[tuple[Path, RunResult]]:
        """Return runs and their folders in the order in which they were started, whatever the clock said.

        Raises LedgerUnavailable.
        """
        order = "DESC" if newest_first else "ASC"
        query = f"SELECT folder, result FROM runs ORDER BY sequence {order} LIMIT ?"  # noqa: S608 - one of two words
        with _errors():
            rows = self._database.execute(query, (-1 if limit is None else limit,)).fetchall()
        return [
            (folder, self._result(folder, text)) for folder, text in ((self._folder(row[0]), row[1]) for row in rows)
        ]

    def forget(self, runs: Iterable[str]) -> None:
        """Take out runs whose directories are gone. Raises LedgerUnavailable."""
        with _errors(), self._database:
            self._database.executemany("DELETE FROM runs WHERE run = ?", [(run,) for run in runs])

    def close(self) -> None:
        """Close it."""
        self._database.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _catch_up(self) -> None:
        """Enter what the directories hold and the ledger does not: a process may have died between the two."""
        known = dict(self._database.execute("SELECT folder, result IS NOT NULL FROM runs").fetchall())
        folders = {folder.name: folder for folder in run_folders(self._state)}
        behind = [folder for name, folder in folders.items() if not known.get(name)]
        missing = [(folder, read_run(folder)) for folder in behind]
        self._write([(f, r) for f, r in missing if f.name not in known or r.outcome is not None])
        gone = [(name,) for name in known if name not in folders]
        with self._database:
            self._database.executemany("DELETE FROM runs WHERE folder = ?", gone)

    def _write(self, runs: Iterable[tuple[Path, RunResult]]) -> None:
        rows = [_row(folder, result) for folder, result in runs]
        with _errors(), self._database:
            self._database.executemany(_ADD, rows)

    def _folder(self, name: str) -> Path:
        return self._state / "runs" / name

    def _result(self, folder: Path, text: str | None) -> RunResult:
        try:
            return begun(folder) if text is None else RunResult.from_json(json.loads(text))
        except (ValueError, UnreadableRecord) as error:
            raise LedgerUnavailable(f"{folder.name}: {error}") from error


def _row(folder: Path, result: RunResult) -> tuple[str, str, str, str | None, str | None]:
    is_over = result.outcome is not None
    text = to_bytes(result.to_json()).decode() if is_over else None
    return folder.name, result.run, rfc3339(result.started_at), str(result.outcome) if is_over else None, text


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise LedgerUnavailable(f"the ledger: {error}") from error


def _open_or_mend(path: Path) -> tuple[sqlite3.Connection, str]:
    try:
        return _connect(path), ""
    except sqlite3.DatabaseError as error:
        if not _is_spoiled(error):
            raise
        aside = _set_aside(path)
        return _connect(path), f"the ledger was spoiled ({error}); it is kept as {aside.name} and made anew"


def _is_spoiled(error: sqlite3.DatabaseError) -> bool:
    # A busy, full or read-only database is no spoiled one.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=_BUSY_SECONDS)
    try:
        path.chmod(0o600)
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        [check] = database.execute("PRAGMA quick_check(1)").fetchone()
        version = database.execute("PRAGMA user_version").fetchone()[0]
        if check != "ok" or version not in (0, _FORMAT):
            raise _spoiled(check if check != "ok" else f"format {version}, known is {_FORMAT}")
        with database:
            database.execute(_TABLE)
            database.execute(f"PRAGMA user_version = {_FORMAT}")
        database.execute("SELECT folder, run, started, outcome, result, sequence FROM runs LIMIT 1").fetchall()
    except BaseException:
        database.close()
        raise
    return database


def _spoiled(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _set_aside(path: Path) -> Path:
    """Rename a spoiled ledger and its side files; the last free number tells several apart."""
    number = 1
    while (aside := path.with_name(f"ledger.spoiled-{number}.sqlite")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return aside
