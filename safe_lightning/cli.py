"""The front door: a verb of ours goes to Typer, anything else is an import as Lightning takes it.

No option of ours exists on the import path: Go's flag syntax cannot share a parser with click
(it would read ``-backend local`` as the value of ``-d``).
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

#: Our verbs; Lightning itself takes no positional word, so they collide with nothing.
VERBS = (
    "check",
    "checkpoint",
    "clean",
    "completion",
    "config",
    "demo",
    "explain",
    "help",
    "history",
    "hooks",
    "quarantine",
    "rehearse",
    "report",
    "rewind",
    "scan",
    "verify",
    "version",
)

_COMPLETION = "_SAFE_LIGHTNING_COMPLETE"


def main(argv: Sequence[str]) -> int:
    """Serve one command line (``argv[0]`` included) and return the exit code.

    Called under the name ``tidb-lightning`` every word belongs to Lightning, also those that are our verbs.
    """
    arguments = list(argv[1:])
    is_verb = bool(arguments) and arguments[0] in VERBS and not _is_lightning(argv[0])
    if is_verb or os.environ.get(_COMPLETION):
        return _run_verb(arguments)
    return drop_in(arguments, os.environ)


def drop_in(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run one import exactly as ``tidb-lightning`` would be called, guarded. Returns the exit code."""
    from safe_lightning.run import run_import

    _collect_garbage_again()
    return run_import(tuple(argv), environ, _working_folder())


def _run_verb(arguments: list[str]) -> int:
    from safe_lightning.commands import app

    _collect_garbage_again()
    return app.run(arguments)


def _collect_garbage_again() -> None:
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _is_lightning(name: str) -> bool:
    return Path(name).name.startswith("tidb-lightning")


def _working_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError:
        print("safe-lightning: the working folder does not exist any more", file=sys.stderr)
        return Path("/")
