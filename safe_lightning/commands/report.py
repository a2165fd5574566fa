"""``report``: everything that is recorded of one run, as text, as JSON, or as one HTML page."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from safe_lightning.commands.output import fail, show_bytes
from safe_lightning.commands.recorded import Config, read, state_folder
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
    as_html: Annotated[
        bool, typer.Option("--html", help="Write one HTML page; without --output as report.html of the run.")
    ] = False,
    opens: Annotated[bool, typer.Option("--open", help="Open the HTML page in a browser.")] = False,
    config: Config = None,
) -> None:
    """Tell one run in full: its end, the hooks' verdicts, plan and steps, attempts, where everything lies.

    Works for a run that is still going on, as far as it has come, and for one that died. The page that a run has
    written at its end lies beside its record; --html writes it anew and prints where it lies.
    """
    if as_json and (as_html or opens):
        fail("--json and --html are two reports; ask for one of them", ExitCode.USAGE)
    state = state_folder(config)
    folder = read(lambda: find_run(state, run))
    if as_html or opens:
        _give_page(folder, (output or folder / "report.html").absolute(), opens=opens)
        return
    text = read(lambda: _json(folder) if as_json else _text(folder))
    if output is None:
        show_bytes(text)
    else:
        _write(output.absolute(), f"{text}\n")


def _give_page(folder: Path, place: Path, *, opens: bool) -> None:
    from safe_lightning.report.run_page import run_page

    _write(place, read(lambda: run_page(folder)))
    show_bytes(str(place))
    if opens and not _open(place):
        print("safe-lightning: no browser could be opened; the page lies at the path above", file=sys.stderr)


def _open(place: Path) -> bool:
    # The browser is to outlive this command, so it is no child to be supervised.
    import webbrowser

    return webbrowser.open(place.as_uri())


def _write(place: Path, text: str) -> None:
    try:
        write_durably(place, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        fail(f"the report cannot be written to {place}: {error.strerror or error}", ExitCode.USAGE)


def _json(folder: Path) -> str:
    return json.dumps(json.loads(to_bytes(read_run(folder).to_json())), ensure_ascii=False, indent=2)


def _text(folder: Path) -> str:
    from safe_lightning.report.recorded_run import run_lines

    return "\n".join(run_lines(folder))
