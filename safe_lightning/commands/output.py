"""Writing to people and machines from a verb: one place for errors and for exact bytes."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from safe_lightning.core.exitcodes import ExitCode


def fail(message: str, code: ExitCode) -> NoReturn:
    """End a verb with one clear sentence on stderr. Raises typer.Exit."""
    print(f"safe-lightning: {message}", file=sys.stderr)
    raise typer.Exit(int(code))


def show_bytes(text: str) -> None:
    """Print a line as UTF-8 whatever the locale says; names may hold what the terminal cannot."""
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "backslashreplace") + b"\n")
    sys.stdout.buffer.flush()
