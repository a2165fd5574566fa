"""Where a run's part of the child's log lies: written when the run begins, found again after rotations."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.record.run_folder import read_json
from safe_lightning.record.strict_json import Keys, UnreadableRecord


@dataclass(frozen=True)
class LogPart:
    """Some bytes of one file; ``length`` is None where they go on to the file's end."""

    path: Path
    start: int
    length: int | None


@dataclass(frozen=True)
class LogLink:
    """The content of ``log.json``: the log's path, from where to where, and which file it was at the start.

    ``file_id`` is "device:inode", empty where the child had not made the file yet. ``end_offset`` is the start and
    the bytes read since, None as long as nobody has written the end.
    """

    path: Path
    start_offset: int
    file_id: str = ""
    end_offset: int | None = None

    @classmethod
    def of(cls, path: Path, start_offset: int) -> LogLink:
        """Describe a log as it is now."""
        return cls(path, start_offset, _file_id(path))

    @classmethod
    def read(cls, folder: Path) -> LogLink | None:
        """Read a run's ``log.json``; None where there is none. Raises UnreadableRecord, OSError."""
        try:
            keys = Keys(read_json(folder / "log.json"), "")
        except FileNotFoundError:
            return None
        try:
            start, end = keys.number("start_offset"), keys.maybe("end_offset", keys.number)
            return cls(Path(keys.text("path")), max(start, 0), keys.text("file"), end)
        except UnreadableRecord as error:
            raise UnreadableRecord(f"{folder / 'log.json'}: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """Return it as ``log.json`` holds it."""
        return {
            "path": str(self.path),
            "start_offset": self.start_offset,
            "end_offset": self.end_offset,
            "file": self.file_id,
        }

    @property
    def length(self) -> int | None:
        """Return how many bytes belong to the run; None where its end is not recorded."""
        return None if self.end_offset is None else max(self.end_offset - self.start_offset, 0)

    def parts(self) -> list[LogPart]:
        """Find the run's bytes, also where the log was rotated since; empty where they are gone. Raises OSError.

        A renamed file is known by its inode, those after it by the order of their names (Lightning's rotation puts
        the time there). A file that is shorter than where the run began cannot hold it.
        """
        files = self._files()
        if not files or files[0].stat().st_size < self.start_offset:
            return []
        parts, left = list[LogPart](), self.length
        for place, path in enumerate(files):
            start = self.start_offset if place == 0 else 0
            held = max(path.stat().st_size - start, 0)
            parts.append(LogPart(path, start, held if left is None or left > held else left))
            left = None if left is None else max(left - held, 0)
        if self.end_offset is None:
            parts[-1] = LogPart(parts[-1].path, parts[-1].start, None)
        return [part for part in parts if part.length != 0]

    def _files(self) -> list[Path]:
        here = _file_id(self.path)
        if here and (not self.file_id or self.file_id == here):
            return [self.path]
        pattern = f"{glob.escape(self.path.stem)}-*{glob.escape(self.path.suffix)}"
        backups = sorted(self.path.parent.glob(pattern))
        ours = next((place for place, path in enumerate(backups) if _file_id(path) == self.file_id), None)
        if ours is None:
            return []
        return [*backups[ours:], *([self.path] if here else [])]


def _file_id(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_dev}:{status.st_ino}"
