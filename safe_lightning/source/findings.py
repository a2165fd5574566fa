"""What reading a source may bring up: findings, errors in the input, and settings that Lightning refuses."""

from __future__ import annotations

from enum import StrEnum

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName


class Level(StrEnum):
    """What a finding means: Lightning goes on without a word (WARN), or stops, or we could not look (ERROR)."""

    NOTE = "note"
    WARN = "warn"
    ERROR = "error"


@dataclass(frozen=True)
class SourceFinding:
    """One thing about the source: a stable code, a sentence, and the place where known.

    ``file`` is the path relative to the source folder; ``line`` counts from 1; ``offset`` is a byte of the file,
    of its decompressed content where the file is compressed.
    """

    code: str
    message: str
    level: Level = Level.WARN
    file: str | None = None
    line: int | None = None
    offset: int | None = None
    table: TableName | None = None


class InputError(Exception):
    """A file cannot be read to its end as Lightning reads it; what was read before stays valid.

    ``offset`` counts bytes of the decompressed content, ``file_offset`` bytes of the compressed file itself,
    known where the compression is at fault. ``is_silent`` tells that Lightning would not say a word and
    import what came before.
    """

    def __init__(
        self,
        code: str,
        reason: str,
        file: str = "",
        line: int | None = None,
        offset: int | None = None,
        *,
        file_offset: int | None = None,
        is_silent: bool = False,
    ) -> None:
        self.code = code
        self.reason = reason
        self.file = file
        self.line = line
        self.offset = offset
        self.file_offset = file_offset
        self.is_silent = is_silent
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        place = [self.file] if self.file else []
        place += [f"line {self.line}"] if self.line is not None else []
        place += [f"byte {self.offset}"] if self.offset is not None else []
        place += [f"byte {self.file_offset} of the compressed file"] if self.file_offset is not None else []
        return f"{', '.join(place)}: {self.reason}" if place else self.reason

    def finding(self, table: TableName | None = None) -> SourceFinding:
        """Turn the error into a finding about a table."""
        level = Level.WARN if self.is_silent else Level.ERROR
        offset = self.offset if self.offset is not None else self.file_offset
        return SourceFinding(self.code, str(self), level, self.file or None, self.line, offset, table)


class ConfigProblem(ValueError):
    """A setting that Lightning refuses; the sentence names the key."""
