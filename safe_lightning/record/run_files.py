"""What a recorded run left to be explained: its part of the child's log, and the captured output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safe_lightning.explaining import Piece
from safe_lightning.record.log_link import LogLink
from safe_lightning.record.run_folder import run_folders
from safe_lightning.record.strict_json import UnreadableRecord
from safe_lightning.record.trail import IMPORTING, read_phases

_STREAM_PARTS = ("", ".tail.old", ".tail")


def pieces_of(folder: Path) -> list[Piece]:
    """List what a run left to be explained: its part of the log, and the captured output.

    After a retry the output of several attempts lies in one file and cannot be told apart, so the log speaks alone
    where there is one. Raises UnreadableRecord, OSError.
    """
    logged = list(_log_pieces(folder))
    if logged and _attempts(folder) > 1:
        return logged
    names = [folder / f"{stream}{part}" for stream in ("stdout", "stderr") for part in _STREAM_PARTS]
    return [*logged, *(_whole(path) for path in names if path.is_file() and path.stat().st_size)]


def _whole(path: Path) -> Piece:
    return Piece(str(path), length=path.stat().st_size)


def _attempts(folder: Path) -> int:
    return sum(phase.name == IMPORTING for phase in read_phases(folder))


def _log_pieces(folder: Path) -> Iterator[Piece]:
    link = LogLink.read(folder)
    if link is None:
        return
    if link.end_offset is not None:
        for part in link.parts():
            yield Piece(str(part.path), part.start, part.length)
        return
    # Nobody wrote where it ends: a later run of ours or of anybody may have gone on in the same file.
    limit = _next_start(folder, link)
    for part in link.parts():
        held = part.path.stat().st_size - part.start
        length = held if limit is None else min(held, limit - part.start)
        if length > 0:
            yield Piece(str(part.path), part.start, length, is_one_run=True)


def _next_start(folder: Path, link: LogLink) -> int | None:
    starts = list[int]()
    for other in run_folders(folder.parent.parent):
        later = _link_of(other) if other.name > folder.name else None
        if later and later.path == link.path and (not link.file_id or later.file_id == link.file_id):
            starts.append(later.start_offset)
    return min((start for start in starts if start >= link.start_offset), default=None)


def _link_of(folder: Path) -> LogLink | None:
    try:
        return LogLink.read(folder)
    except UnreadableRecord:
        return None
