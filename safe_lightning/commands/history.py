"""``history``: the runs of this state folder, newest first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from safe_lightning.commands.output import show_bytes
from safe_lightning.commands.recorded import Config, note, read, state_folder
from safe_lightning.record.lookup import newest_first
from safe_lightning.record.result import RunResult

_ROW = "{when:<16}  {run:<8}  {outcome:<24}  {code:>4}  {duration:>9}  {tables:>6}"


def history(
    as_json: Annotated[bool, typer.Option("--json", help="Print the machine-readable form.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Show only the newest N runs.")] = None,
    config: Config = None,
) -> None:
    """List earlier runs, newest first: when, how they ended, with which exit code, how long they took.

    A run that is still going on has no outcome yet. `safe-lightning report RUN` tells one of them in full.
    """
    state = state_folder(config)
    runs, trouble = read(lambda: newest_first(state, limit))
    note(trouble)
    results = [result for _, result in runs]
    if as_json:
        show_bytes(json.dumps([result.to_entry() for result in results], ensure_ascii=False))
    elif results:
        show_bytes("\n".join(to_text(results)))
    else:
        print(f"No run is recorded in {state}.")


def to_text(results: Sequence[RunResult]) -> Iterator[str]:
    """Write the table for people, within 80 columns. Times are UTC, as everywhere in the record."""
    yield _ROW.format(
        when="started (UTC)", run="run", outcome="outcome", code="exit", duration="duration", tables="tables"
    )
    for result in results:
        yield _ROW.format(
            when=_minute(result.started_at),
            run=result.run,
            outcome=result.outcome or "still running",
            code="-" if result.exit_code is None else result.exit_code,
            duration=_duration(result),
            tables=len(result.tables),
        )


def _minute(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _duration(result: RunResult) -> str:
    if result.ended_at is None:
        return "-"
    seconds = round(result.ended_at - result.started_at)
    if seconds < 0:
        return "?"  # the clock was set back during the run
    hours, rest = divmod(seconds, 3600)
    return f"{hours}h{rest // 60:02d}m" if hours else f"{rest // 60}m{rest % 60:02d}s" if rest >= 60 else f"{rest}s"
