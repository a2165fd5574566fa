"""``report``: everything that is recorded of one run, as text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.commands.recorded import read, state_folder
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.record.durable import to_bytes, write_durably
from safe_lightning.record.lookup import find_run
from safe_lightning.record.run_folder import read_run


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run id, the beginning of one, or `last`.")],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Write to this file instead of stdout.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the recorded result as JSON.")] = False,
) -> None:
    """Tell one run in full: its end, the hooks' verdicts, plan and steps, attempts, where everything lies.

    Works for a run that is still going on, as far as it has come, and for one that died.
    """
    state = state_folder()
    folder = read(lambda: find_run(state, run))
    text = read(lambda: _json(folder) if as_json else _text(folder))
    if output is None:
        show_bytes(text)
        return
    try:
        write_durably(output.absolute(), text.encode("utf-8", "backslashreplace") + b"\n")
    except OSError as error:
        fail(f"the report cannot be written to {output}: {error.strerror or error}", ExitCode.USAGE)


def _json(folder: Path) -> str:
    return json.dumps(json.loads(to_bytes(read_run(folder).to_json())), ensure_ascii=False, indent=2)


def _text(folder: Path) -> str:
    from safe_lightning.report.recorded_run import run_lines

    return "\n".join(run_lines(folder))
