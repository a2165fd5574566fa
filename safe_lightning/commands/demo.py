"""``demo``: four acts on shipped data, in a sandbox, explained on screen."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from safe_lightning.commands.output import fail
from safe_lightning.core.exitcodes import ExitCode


def demo(
    pause: Annotated[bool, typer.Option("--pause", help="Wait for Enter before each act (on a terminal).")] = False,
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="DIR", help="Keep the HTML page of every run in this folder, not a temporary one."
        ),
    ] = None,
    opens: Annotated[
        bool, typer.Option("--open", help="Open the page of the mismatch in a browser at the end.")
    ] = False,
) -> None:
    """Show in a minute what a guarded import is: a clean one, a checksum mismatch, a leftover checkpoint.

    Everything happens in a sandbox with stand-ins; no cluster is needed and nothing of yours is touched. The HTML
    page of every run is kept, and the demo says where.
    Exit code 0 means that all four acts ended as announced.
    """
    from safe_lightning.cli import drop_in
    from safe_lightning.rehearsal.acts import page_of_mismatch, play_all
    from safe_lightning.rehearsal.cluster import ClusterError
    from safe_lightning.rehearsal.sandbox import SandboxError

    try:
        pages = keep or Path(tempfile.mkdtemp(prefix="safe-lightning-demo-pages-"))
        is_as_announced = play_all(drop_in, is_pausing=pause, pages=pages)
    except (SandboxError, ClusterError, OSError) as error:
        fail(f"the demo could not be set up: {error}", ExitCode.INTERNAL)
    if opens and (page := page_of_mismatch(pages)):
        import webbrowser

        webbrowser.open(page.absolute().as_uri())
    raise typer.Exit(0 if is_as_announced else int(ExitCode.INTERNAL))
