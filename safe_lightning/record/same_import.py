"""Finding the recorded runs of one import again, and what stood in its target before, also after its success."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from safe_lightning.core.redact import redact_argv
from safe_lightning.core.tables import Comparison, TableName
from safe_lightning.record.lookup import newest_first
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_folder import read_call, read_json
from safe_lightning.record.strict_json import Keys, UnreadableRecord


def runs_like(state: Path, argv: Sequence[str], cwd: Path) -> Iterator[tuple[Path, RunResult]]:
    """Yield the runs that were called with the same arguments in the same folder, newest first. Raises CouldNotLook."""
    wanted = redact_argv(argv)
    for folder, run in newest_first(state)[0]:
        if run.argv == wanted and _folder_of(folder) == str(cwd):
            yield folder, run


def last_checksum(state: Path, argv: Sequence[str], cwd: Path, table: TableName) -> Comparison | None:
    """Recall what the last run that really imported compared for a table. Raises CouldNotLook."""
    for _, run in runs_like(state, argv, cwd):
        if run.tables or run.child_exit_code is not None or run.child_signal is not None:
            return next((result.checksum for result in run.tables if result.table == table), None)
    return None


def _folder_of(folder: Path) -> object:
    try:
        return read_call(folder).get("cwd")
    except (OSError, UnreadableRecord):
        return None  # a run whose call cannot be read proves nothing of any other


def had_rows_before(folder: Path) -> dict[TableName, bool | None]:
    """Tell of each table that a run looked at whether it held rows then; None: it could not be told."""
    try:
        entries = [Keys(entry, "") for entry in read_json(folder / "baselines.json")]
        return {keys.table("table"): _had_rows(keys) for keys in entries}
    except (OSError, TypeError, UnreadableRecord):
        return {}  # as of a run that did not look


def _had_rows(keys: Keys) -> bool | None:
    if not keys.flag("existed"):
        return False
    was_empty = keys.maybe("was_empty", keys.flag)
    return None if was_empty is None else not was_empty
