"""The causes that a recorded run told at its end, which knew more than its log: target, source and earlier attempts."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from safe_lightning.core.cause import joined_causes
from safe_lightning.core.causes.model import Cause
from safe_lightning.record.same_import import had_rows_before as had_rows_before
from safe_lightning.record.trail import TrailVerdict, read_verdicts
from safe_lightning.report.told_causes import TableCauses, causes_of


def causes_told_by(folder: Path) -> list[Cause] | None:
    """Return the causes of all tables after the last attempt, as they were told; None where no hook told any."""
    told = _last(_verdicts(folder))
    return joined_causes({one.table: one.causes for one in told}) if told else None


def checks_told_by(folder: Path) -> tuple[str, ...]:
    """Return in words the checks that were made after the last attempt to settle the causes."""
    told = _last(_verdicts(folder))
    return tuple(f"{one.table}: {check}" if len(told) > 1 else check for one in told for check in one.checks)


def _last(verdicts: list[TrailVerdict]) -> list[TableCauses]:
    attempt = max((verdict.entry.attempt for verdict in verdicts), default=0)
    return [one for one in causes_of(verdicts) if one.attempt == attempt]


def _verdicts(folder: Path) -> list[TrailVerdict]:
    with suppress(OSError):  # the causes are then judged by the log, as those of any other run
        return read_verdicts(folder)
    return []
