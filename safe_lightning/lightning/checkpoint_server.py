"""A checkpoint's chunks as the server that keeps them sums them up: never one statement per table.

A large store is asked in ranges of table names, each of which a server sums well within the time of one answer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import islice
from typing import Any

from safe_lightning.core.checkpoint import ALL_WRITTEN, ChunkTotals, FileRecord, UnreadableCheckpoint
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.mysql_connection import Session

#: Files that are kept for a comparison with the source; of a store that lists more only the sums are read.
FILES_KEPT_MOST = 200_000
#: Grouping more chunks than this by file would take the server longer than a look may.
CHUNKS_GROUPED_MOST = 2_000_000
#: Engines that one statement sums up; each has some dozens or hundreds of chunks.
_ENGINES_SUMMED_MOST = 2_000


@dataclass
class Store:
    """The chosen tables of a checkpoint schema and the columns that each of them has."""

    session: Session
    schema: str
    tables: Mapping[str, str]
    columns: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        for table, column in self.session.query(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = %s", [self.schema]
        ):
            self.columns[text_of(table)].add(text_of(column).lower())

    def name(self, kind: str) -> str:
        """Name one of its tables, quoted."""
        return f"{quote(self.schema)}.{quote(self.tables[kind])}"

    def column(self, kind: str, column: str, expression: str = "{}", default: str = "NULL") -> str:
        """Name a column inside an expression, or the default where this version of the table lacks it."""
        return expression.format(column) if column in self.columns[self.tables[kind]] else default


@dataclass
class ServerChunks:
    """Sums over the chunks of one table, and its files where there are not too many in the store."""

    totals: ChunkTotals = field(default_factory=ChunkTotals)
    files_done: int = 0
    files_total: int = 0
    updated_at: float | None = None
    files: tuple[FileRecord, ...] | None = None
    begun_engines: set[int] = field(default_factory=set)


_SOURCE = "{chunk} c LEFT JOIN {engine} e ON e.table_name = c.table_name AND e.engine_id = c.engine_id"
_DONE = "(c.pos >= c.end_offset OR COALESCE(e.status, 0) >= {written})"
#: One row per table and engine, in the order of the primary key and without a join: the server sorts and keeps nothing.
_SUM_ENGINES = """
SELECT c.table_name, c.engine_id, SUM(c.pos >= c.end_offset), COUNT(*), SUM(c.kvc_kvs), SUM(c.prev_rowid_max),
       SUM(c.rowid_max), MAX(c.rowid_max), MAX(c.pos > c.offset), {created}, {updated}
FROM {chunk} c WHERE {range} GROUP BY c.table_name, c.engine_id
"""
#: One row per file. A file is done when all its chunks are.
_LIST_FILES = """
SELECT c.table_name, c.path, {size}, {compression}, MIN({done}), MAX(c.pos > c.offset AND NOT {done})
FROM {source} WHERE {range} GROUP BY c.table_name, c.path LIMIT {most}
"""
_COUNT_FILES = """
SELECT table_name, COUNT(*), SUM(done)
FROM (SELECT c.table_name, c.path, MIN({done}) AS done FROM {source} WHERE {range} GROUP BY c.table_name, c.path) files
GROUP BY table_name
"""


def read_chunks(session: Session, store: Store, engines: Mapping[str, Mapping[int, int]]) -> Mapping[str, ServerChunks]:
    """Read the sums over a store's chunks, table by table, in two or three statements a range. Raises CouldNotLook.

    ``engines`` maps tables, in the server's own order of their names, to their engines' statuses. Of a store of very
    many chunks the files are not looked at.
    """
    words = {
        "chunk": store.name("chunk"),
        "source": _SOURCE.format(chunk=store.name("chunk"), engine=store.name("engine")),
        "done": _DONE.format(written=ALL_WRITTEN),
        "created": store.column("chunk", "create_time", "UNIX_TIMESTAMP(MIN(c.{}))"),
        "updated": store.column("chunk", "update_time", "UNIX_TIMESTAMP(MAX(c.{}))"),
        "size": store.column("chunk", "file_size", "MAX(c.{})", "0"),
        "compression": store.column("chunk", "compression", "MAX(c.{})", "0"),
        "most": str(FILES_KEPT_MOST + 1),
    }
    found: dict[str, ServerChunks] = defaultdict(ServerChunks)
    ranges = list(_ranges(engines))
    for row in _ask(session, _SUM_ENGINES, words, ranges):
        table = text_of(row[0])
        is_written = engines.get(table, {}).get(number_of(row[1]), 0) >= ALL_WRITTEN
        _add_engine(session, row, found[table], is_written=is_written)
    if sum(its.totals.total for its in found.values()) > CHUNKS_GROUPED_MOST:
        return found
    files = list(islice(_ask(session, _LIST_FILES, words, ranges), FILES_KEPT_MOST + 1))
    if len(files) <= FILES_KEPT_MOST:
        _keep_files(files, found)
    else:
        for table, total, done in _ask(session, _COUNT_FILES, words, ranges):
            its = found[text_of(table)]
            its.files_total, its.files_done = number_of(total), number_of(done)
    return found


def _ranges(engines: Mapping[str, Mapping[int, int]]) -> Iterator[tuple[str, list[str]]]:
    """Cut the names of tables into ranges, each as a condition and its values; together they leave no name out."""
    first, count = "", 0
    for table, its in engines.items():
        if count + len(its) > _ENGINES_SUMMED_MOST and count:
            yield _range(first, table)
            first, count = table, 0
        count += len(its)
    yield _range(first, "")


def _range(first: str, end: str) -> tuple[str, list[str]]:
    bounds = {"c.table_name >= %s": first, "c.table_name < %s": end}
    given = {condition: name for condition, name in bounds.items() if name}
    return " AND ".join(given) or "TRUE", list(given.values())


def _ask(
    session: Session, statement: str, words: Mapping[str, str], ranges: Iterable[tuple[str, list[str]]]
) -> Iterator[Sequence[Any]]:
    for condition, values in ranges:
        yield from session.query(statement.format(range=condition, **words), values)


def _add_engine(session: Session, row: Sequence[Any], into: ServerChunks, *, is_written: bool) -> None:
    number, done, total, kvs, used, reserved, most, has_begun = map(number_of, row[1:9])
    totals = into.totals
    totals.done += total if is_written else done
    totals.total += total
    totals.kvs += kvs
    totals.row_ids_used += used
    totals.row_ids_reserved += reserved
    totals.row_id_most = max(totals.row_id_most, most)
    moments = [moment for moment in (totals.created_at, session.local_time(row[9])) if moment is not None]
    totals.created_at = min(moments, default=None)
    moments = [moment for moment in (into.updated_at, session.local_time(row[10])) if moment is not None]
    into.updated_at = max(moments, default=None)
    if has_begun:
        into.begun_engines.add(number)


def _keep_files(rows: Iterable[Sequence[Any]], into: Mapping[str, ServerChunks]) -> None:
    files: dict[str, list[FileRecord]] = defaultdict(list)
    for table, path, size, compression, is_done, is_half_read in rows:
        record = FileRecord(
            text_of(path), number_of(size), bool(number_of(compression)), bool(number_of(is_done)),
            bool(number_of(is_half_read)),
        )  # fmt: skip
        files[text_of(table)].append(record)
    for name, its in into.items():
        its.files = tuple(sorted(files[name], key=lambda file: file.path))
        its.files_total, its.files_done = len(its.files), sum(file.is_done for file in its.files)


def number_of(value: object) -> int:
    """Read a whole number of a store; NULL is 0. Raises UnreadableCheckpoint."""
    try:
        return int(str(value or 0))
    except ValueError as error:
        raise UnreadableCheckpoint(f"the checkpoint holds {value!r} where a whole number belongs") from error


def text_of(value: object) -> str:
    """Read a text of a store. Raises CouldNotLook where it is not UTF-8."""
    if not isinstance(value, bytes):
        return str(value)
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise CouldNotLook(f"the checkpoint holds a name that is not UTF-8: {value!r}") from error
