"""A folder of its own for one act outside a run, with what was meant and what came of it."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safe_lightning.record.clock import folder_stamp
from safe_lightning.record.durable import Journal, sync_folder


@contextmanager
def act_journal(acts: Path, refuse: Callable[[str], Exception]) -> Iterator[tuple[Path, Journal]]:
    """Make a new folder below that of all such acts and open its journal. Raises what ``refuse`` makes."""
    folder = acts / f"{folder_stamp(time.time())}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(mode=0o700, parents=True)
        sync_folder(folder.parent)
        journal = Journal(folder / "steps.jsonl")
    except OSError as error:
        raise refuse(f"no record can be written in {folder}: {os.strerror(error.errno or 0)}") from error
    try:
        yield folder, journal
    finally:
        journal.close()
