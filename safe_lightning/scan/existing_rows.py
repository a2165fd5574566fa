"""The rows that stand in the target already, as one more file of their table: its key columns, read in one snapshot.

The file is a dump of quoted texts without a name, so that every engine reads it like the source and nothing is left
behind. What the server prints is given to the same cast as the source's values; a value that this cast cannot have
made stands in no row of the source, and what cannot be told makes its keys not checked.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import field, replace
from pathlib import Path
from typing import BinaryIO

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server
from safe_lightning.scan.existing_values import ExistingColumn, OutOfReach, existing_columns
from safe_lightning.scan.model import EVERY_KEY, KeyFound, KeyRequest, Limits, TableFound, TableScanRequest, Watch
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.mapping import ROW_ID

_ROWS_BETWEEN_LOOKS = 1000
_FILE_WORD = "target"
_COUNTER = re.compile(r"AUTO_(?:INCREMENT|RANDOM_BASE)=\d+")


@dataclass(frozen=True)
class RowsOfTarget:
    """The target whose rows count as well. ``untold`` says of tables, by lower-case name, why theirs cannot be read."""

    server: Server
    timeout_seconds: float
    unreachable: str = ""
    untold: Mapping[TableName, str] = field(default_factory=dict)

    def untold_of(self, table: TableName) -> str:
        """Say why the rows of a table are not read; "" where they are."""
        return self.untold.get(TableName(table.schema.lower(), table.table.lower()), "")


@dataclass
class ExistingRows:
    """What was read of a table's rows. ``doubts`` say of keys, by name, why their existing rows cannot be told.

    ``told_rows`` is their number, None where they were not read.
    """

    file: SourceFile | None = None
    rows: int = 0
    told_rows: int | None = None
    doubts: dict[str, str] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """The size of the file."""
        return self.file.size_bytes if self.file is not None else 0

    def joined(self, request: TableScanRequest) -> TableScanRequest:
        """Return the request with the rows as its last file."""
        if self.file is None:
            return request
        return replace(request, files=(*request.files, self.file), existing=len(request.files))

    def doubted(self, found: TableFound) -> TableFound:
        """Return what was found, with the doubts about the existing rows of each key."""
        return replace(found, keys=tuple(map(self._doubted, found.keys)))

    def _doubted(self, key: KeyFound) -> KeyFound:
        reason = self.doubts.get(key.key.name) or self.doubts.get(EVERY_KEY)
        return replace(key, doubt="; ".join(filter(None, (key.doubt, reason)))) if reason else key


@contextmanager
def existing_rows(
    target: RowsOfTarget | None, request: TableScanRequest, definition: str, limits: Limits, watch: Watch
) -> Iterator[ExistingRows]:
    """Read the rows of a table that exists; the file lives as long as the body. Raises ScanStopped.

    ``definition`` is what the target said of the table when the scan was planned, "" where it does not exist.
    """
    found = ExistingRows()
    if target is None or not request.files:
        yield found
        return
    reason = target.unreachable or (definition and (target.untold_of(request.table) or _reason_against(request)))
    if reason:
        found.doubts[EVERY_KEY] = f"its rows in the target were not looked at: {reason}"
    if reason or not definition:
        yield found
        return
    found.doubts[ROW_ID] = "the hidden ids of the target's rows were not looked at"
    with ExitStack() as stack:
        try:
            file = stack.enter_context(tempfile.TemporaryFile(prefix="safe-lightning-scan-", dir=limits.spill_dir))
            _copy(target, request, definition, file, found, watch)
        except (CouldNotLook, OSError) as error:
            found.doubts[EVERY_KEY] = f"its rows in the target were not read to the end: {error}"
        found.told_rows = found.rows if _key_places(request) else None
        if found.rows:
            found.file = _as_source_file(request.table, file)
        yield found


def _reason_against(request: TableScanRequest) -> str:
    """Say why existing rows cannot be fed to an engine: it would give them the default of a column that is ignored."""
    for column in _key_places(request):
        definition = request.definition.columns[column]
        if definition.name.lower() in request.ignored and not definition.auto:
            return f"the task ignores column {definition.name}, which is part of a key"
    return ""


def _key_places(request: TableScanRequest) -> list[int]:
    return list(dict.fromkeys(place for key in _checked(request) for place, _ in key.parts))


def _checked(request: TableScanRequest) -> list[KeyRequest]:
    return [key for key in request.keys if key.not_checked is None and key.parts]


def _as_source_file(table: TableName, file: BinaryIO) -> SourceFile:
    size = file.tell()
    # It has no name: whatever kills us, the disk gets its space back.
    path = Path(f"/proc/self/fd/{file.fileno()}")
    return SourceFile(path, f"{_FILE_WORD} {table}", table, FileType.SQL, size_bytes=size)


def _copy(
    target: RowsOfTarget,
    request: TableScanRequest,
    definition: str,
    file: BinaryIO,
    found: ExistingRows,
    watch: Watch,
) -> None:
    columns = existing_columns(request, _key_places(request))
    if not columns:
        return
    with open_session(target.server, target.timeout_seconds) as session:
        _prepare(session, request.table, definition)
        chosen = ", ".join(text for column in columns for text in column.expressions)
        rows = session.stream(f"SELECT {chosen} FROM {request.table}")  # noqa: S608 - quoted
        copier = _Copier(request, columns, file, found, "NO_BACKSLASH_ESCAPES" not in request.rules.sql_mode)
        copier.begin()
        try:
            for number, row in enumerate(rows):
                if not number % _ROWS_BETWEEN_LOOKS:
                    watch.advance(request.table, 0)
                copier.add(row)
        finally:
            rows.close()
            file.flush()


def _prepare(session: Session, table: TableName, definition: str) -> None:
    """Have values sent as they are stored, without a limit for the whole answer, of the table that was planned for."""
    session.take_bytes()
    session.query("SET SESSION time_zone = '+00:00'")
    variable = "max_statement_time" if "mariadb" in session.version.lower() else "max_execution_time"
    with suppress(ServerRefused):  # an old server has no such limit
        session.query(f"SET SESSION {variable} = 0")
    [(_, now, *_), *_] = session.query(f"SHOW CREATE TABLE {table}")
    if _without_counter(now.decode("utf-8", "surrogateescape")) != _without_counter(definition):
        raise CouldNotLook("the table was altered while the scan ran")


def _without_counter(definition: str) -> str:
    """Leave out the next id, which every insert moves."""
    return _COUNTER.sub("", definition)


@dataclass
class _Copier:
    """Writes rows; one that cannot be told wholly keeps out of the keys that it cannot be told of."""

    request: TableScanRequest
    columns: Sequence[ExistingColumn]
    file: BinaryIO
    found: ExistingRows
    has_escapes: bool

    def begin(self) -> None:
        """Write the head of the statement."""
        names = ",".join(quote(column.name) for column in self.columns)
        self.file.write(f"INSERT INTO {quote(self.request.table.table)} ({names}) VALUES\n".encode())

    def add(self, values: Sequence[bytes | None]) -> None:
        """Write a row as the server sent it."""
        texts: list[bytes | None] = []
        at = 0
        for column in self.columns:
            sent = values[at : at + column.width]
            at += column.width
            try:
                texts.append(column.text(sent))
            except OutOfReach:
                if not self._keep_out(column, texts):
                    return
            except NotReproducible as reason:
                self._doubt(column, str(reason))
                if not self._keep_out(column, texts):
                    return
        row = b",".join([b"NULL" if text is None else quoted(text, has_escapes=self.has_escapes) for text in texts])
        self.file.write(b",\n(%b)" % row if self.found.rows else b"(%b)" % row)
        self.found.rows += 1

    def _keep_out(self, column: ExistingColumn, texts: list[bytes | None]) -> bool:
        """Take the row out of the keys with this column: by a NULL, or wholly, which the other keys then lack."""
        if column.is_nullable:
            texts.append(None)
            return True
        for key in _checked(self.request):
            if column.place not in (place for place, _ in key.parts):
                reason = f"a row of the target was left out: its {column.name} is no value that this import could write"
                self.found.doubts.setdefault(key.name, reason)
        return False

    def _doubt(self, column: ExistingColumn, reason: str) -> None:
        for key in _checked(self.request):
            if column.place in (place for place, _ in key.parts):
                self.found.doubts.setdefault(key.name, f"a row of the target cannot be told: {reason}")


def quoted(text: bytes, *, has_escapes: bool) -> bytes:
    r"""Write a text as a literal.

    >>> quoted(b"it's \\ ", has_escapes=True)
    b"'it''s \\\\ '"
    """
    if has_escapes and b"\\" in text:
        text = text.replace(b"\\", b"\\\\")
    return b"'%b'" % (text.replace(b"'", b"''") if b"'" in text else text)
