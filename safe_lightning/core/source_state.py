"""A source as it stood at some moment, and what has become of it since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from datetime import UTC, datetime

from safe_lightning.core.checkpoint import DONE, FileRecord, TableRecord
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName

_SHOWN_MOST = 3


@dataclass(frozen=True, slots=True)
class FileState:
    """A data file: its path inside the source, its size, and when it was last written to (0: not known)."""

    name: str
    size_bytes: int
    modified_nanoseconds: int = 0


@dataclass(frozen=True)
class TableSource:
    """The data files of one table in Lightning's order, and a hash of its schema file ("" where there is none)."""

    files: tuple[FileState, ...] = ()
    schema_hash: str = ""


@dataclass(frozen=True)
class SourceState:
    """A source: the tables that its files belong to, and the names of files that cannot be read."""

    tables: Mapping[TableName, TableSource] = field(default_factory=dict)


def changes_since_checkpoint(record: TableRecord, now: TableSource | None) -> tuple[str, ...]:
    """Say how a table's files differ from those that the checkpoint lists; () where nothing shows it.

    Of a table that is done the files may be gone: nobody reads them again. A store that kept no files is silent.
    """
    if not record.files:
        return ()
    found = {file.name: file for file in now.files} if now is not None else {}
    listed = {file.path for file in record.files}
    gone = [file.path for file in record.files if file.path not in found] if record.status < DONE else []
    return tuple(
        [f"{_names(gone)} vanished from the source"] * bool(gone)
        + [change for file in record.files if (change := _size_change(file, found.get(file.path)))]
        + _added([name for name in found if name not in listed])
    )


def _size_change(listed: FileRecord, now: FileState | None) -> str:
    if now is None or not listed.size_bytes or listed.size_bytes == now.size_bytes:
        return ""
    change = "grew" if now.size_bytes > listed.size_bytes else "shrank"
    return f"{listed.path} {change} from {listed.size_bytes} to {now.size_bytes} bytes"


def _added(names: Sequence[str]) -> list[str]:
    return [f"{_names(names)} came to the source, without an entry: it would not be read"] if names else []


def changes_since_launch(then: TableSource, now: TableSource | None) -> tuple[str, ...]:
    """Say how a table's files differ from those at the first launch, content and schema included."""
    if now is None:
        return ()
    return tuple(_changes_since_launch(then, now))


def _changes_since_launch(then: TableSource, now: TableSource) -> Iterator[str]:
    before = {file.name: file for file in then.files}
    shared = [(before[file.name], file) for file in now.files if file.name in before]
    written = [(old, new) for old, new in shared if _is_rewritten(old, new)]
    if moved := _moved(written):
        yield f"{_names(moved)} took each other's content: the files were reordered"
    yield from (
        f"{new.name} was written to at {_moment(new.modified_nanoseconds)}, after the first launch"
        for _, new in written[:_SHOWN_MOST]
        if new.name not in moved
    )
    if then.schema_hash != now.schema_hash:
        yield "its schema file changed since the first launch"


def _is_rewritten(old: FileState, new: FileState) -> bool:
    known = bool(old.modified_nanoseconds and new.modified_nanoseconds)
    return known and (old.size_bytes, old.modified_nanoseconds) != (new.size_bytes, new.modified_nanoseconds)


def _moved(written: Sequence[tuple[FileState, FileState]]) -> list[str]:
    """Name the files whose size and time are now those of another one of them."""
    states = {(old.size_bytes, old.modified_nanoseconds) for old, _ in written}
    return [new.name for _, new in written if (new.size_bytes, new.modified_nanoseconds) in states]


def written_after(record: TableRecord, now: TableSource | None) -> tuple[str, ...]:
    """Name the files that were written to after the checkpoint listed them: a hint only, as a copy looks the same."""
    if now is None or record.created_at is None or not record.files:
        return ()
    listed = {file.path for file in record.files}
    limit = (record.created_at + 2) * 1e9
    return tuple(file.name for file in now.files if file.name in listed and file.modified_nanoseconds > limit)


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN_MOST} more" if len(names) > _SHOWN_MOST else ""
    return ", ".join(names[:_SHOWN_MOST]) + more


def _moment(nanoseconds: int) -> str:
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
