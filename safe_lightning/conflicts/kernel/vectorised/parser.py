"""A file's way of being read: CSV or SQL, chunk by chunk."""

from __future__ import annotations

from safe_lightning.conflicts.kernel.binding import Dialect
from safe_lightning.conflicts.kernel.vectorised.chunk import Chunk
from safe_lightning.conflicts.kernel.vectorised.parsed import Parsed, parse_csv
from safe_lightning.conflicts.kernel.vectorised.rows import Shape
from safe_lightning.conflicts.kernel.vectorised.sql import parse_sql
from safe_lightning.conflicts.kernel.vectorised.sql_structure import SqlSigns
from safe_lightning.conflicts.kernel.vectorised.structure import Signs


class Parser:
    """Reads chunks of files of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.signs, self.shape = Signs.of(dialect), Shape.of(dialect)
        self._is_sql, self._fields = bool(dialect.is_sql), dialect.fields
        self._sql_signs = SqlSigns(dialect.quote, bool(dialect.has_escape))

    def parse(self, chunk: Chunk, limit: int, is_final: bool, is_behind_blanks: bool) -> Parsed:
        """Read the rows that begin in front of the limit and end in the chunk."""
        if self._is_sql:
            return parse_sql(chunk, self._sql_signs, self._fields, limit, is_final)
        return parse_csv(chunk, self.signs, self.shape, limit, is_final, is_behind_blanks)

    @property
    def end(self) -> bytes:
        """What ends a row, wherever it stands again."""
        return b"" if self._is_sql else self.signs.end or b"\n"
