"""The reference engine: plain Python over the exact readers and the exact key forms. Slow, bounded, and right."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field, replace

from safe_lightning.conflicts.canonical import ALTERATIONS, Altered, Canonical, NotReproducible
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.scan.key_store import KeyStore
from safe_lightning.scan.model import KeyFound, KeyRequest, Limits, ScanStopped, TableFound, TableScanRequest, Watch
from safe_lightning.scan.values import GENERATED_ID, ROW_ID_COLUMN, ColumnCast, column_cast
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import Level, SourceFinding
from safe_lightning.source.mapping import ROW_ID, ColumnMapping
from safe_lightning.source.rows import Row
from safe_lightning.source.table_rows import TableRows

_ROWS_BETWEEN_LOOKS = 2000


@dataclass
class _Heard:
    """Adds up what was read of a file until somebody asks."""

    bytes_read: int = 0

    def __call__(self, count: int) -> None:
        self.bytes_read += count


_ROW_ID_KEY = KeyRequest(ROW_ID, (ROW_ID,))


@dataclass
class _Part:
    """A column of a key, with its cast for files of either kind."""

    place: int
    name: str
    casts: dict[bool, ColumnCast]


@dataclass
class _Key:
    """A key while its rows are read."""

    request: KeyRequest
    parts: list[_Part]
    store: KeyStore
    not_checked: str | None = None
    is_out_of_space: bool = False
    written_ids: int = 0
    generated_ids: int = 0


@dataclass
class _Work:
    """One table while it is read."""

    request: TableScanRequest
    limits: Limits
    keys: list[_Key]
    seed: bytes = field(default_factory=lambda: os.urandom(16))
    rows: int = 0
    unread: str | None = None
    is_stopped: bool = False
    findings: list[SourceFinding] = field(default_factory=list)
    said: dict[str, SourceFinding] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def is_existing(self, number: int) -> bool:
        """Tell whether a file holds rows of the target, which are not imported: nothing is said or counted of them."""
        return number == self.request.existing

    def say(self, code: str, message: str, level: Level, number: int, row: Row) -> None:
        if self.is_existing(number):
            return
        self.counts[code] += 1
        if code not in self.said:
            name = self.request.files[number].name
            self.said[code] = SourceFinding(code, message, level, name, row.line, row.offset, self.request.table)


class ReferenceEngine:
    """Finds duplicate keys row by row."""

    def scan(self, request: TableScanRequest, limits: Limits, watch: Watch) -> TableFound:
        """Read all rows once and find every key that occurs twice; a stop leaves what was found until then."""
        work = _Work(request, limits, [])
        work.keys = [_start_key(key, work) for key in request.keys]
        try:
            for number, file in enumerate(request.files):
                _read_file(work, number, file, watch)
        except ScanStopped as stop:
            work.unread, work.is_stopped = str(stop), True
        try:
            return _result(work)
        finally:
            for key in work.keys:
                key.store.close()


def _start_key(request: KeyRequest, work: _Work) -> _Key:
    key = _Key(request, [], _store(work, max(1, len(work.request.keys))), request.not_checked)
    if key.not_checked is None:
        try:
            key.parts = [_part(work.request, place, prefix) for place, prefix in request.parts]
        except NotReproducible as error:
            key.not_checked = str(error)
    return key


def _store(work: _Work, share: int) -> KeyStore:
    return KeyStore(work.limits.memory_bytes // share, work.limits.spill_dir, work.request.existing)


def _part(request: TableScanRequest, place: int, prefix: int | None) -> _Part:
    column = request.definition.columns[place]
    casts = {signed: column_cast(column, request.mode, prefix, signed=signed) for signed in (False, True)}
    return _Part(place, column.name, casts)


def _row_id_key(work: _Work) -> _Key:
    """Add the key that explicit row ids make, once a file has them."""
    for key in work.keys:
        if key.request is _ROW_ID_KEY:
            return key
    key = _Key(_ROW_ID_KEY, [], _store(work, 4))
    casts = {signed: column_cast(ROW_ID_COLUMN, work.request.mode, signed=signed) for signed in (False, True)}
    key.parts = [_Part(-1, ROW_ID, casts)]
    work.keys.append(key)
    return key


def _read_file(work: _Work, number: int, file: SourceFile, watch: Watch) -> None:
    request = work.request
    wanted = {request.definition.columns[place].name.lower() for key in request.keys for place, _ in key.parts}
    rows = TableRows(
        file, request.table, request.definition, request.rules, request.ignored, request.mode.backend,
        wanted | {ROW_ID}, heard := _Heard(),
    )  # fmt: skip
    try:
        for row in _watched(rows, heard, file, watch, work):
            assert rows.mapping is not None
            _take(work, number, file, row, rows.mapping)
    finally:
        if not work.is_existing(number):
            work.rows += rows.row_count
            work.findings += rows.findings
    if not rows.is_read_to_end:
        errors = [found.message for found in rows.findings if found.level is not Level.NOTE]
        work.unread = work.unread or (errors[-1] if errors else f"{file.name} was not read to its end")


def _watched(rows: TableRows, heard: _Heard, file: SourceFile, watch: Watch, work: _Work) -> Iterator[Row]:
    told = 0
    for row in rows:
        yield row
        if not row.number % _ROWS_BETWEEN_LOOKS:
            now = min(heard.bytes_read, file.size_bytes)
            watch.advance(work.request.table, now - told)
            told = now
    watch.advance(work.request.table, file.size_bytes - told)


def _take(work: _Work, number: int, file: SourceFile, row: Row, mapping: ColumnMapping) -> None:
    signed = file.type is FileType.PARQUET
    keys = [*work.keys, _row_id_key(work)] if mapping.row_id is not None and not _has_row_id(work) else work.keys
    found: list[tuple[_Key, list[Canonical]]] = []
    for key in keys:
        if key.not_checked is None:
            parts = _parts(work, key, row, mapping, signed, number)
            if parts is None:
                return
            if key.not_checked is None:
                found.append((key, parts))
    for key, parts in found:
        _enter(work, key, parts, number, row)


def _has_row_id(work: _Work) -> bool:
    return any(key.request is _ROW_ID_KEY for key in work.keys)


def _parts(
    work: _Work, key: _Key, row: Row, mapping: ColumnMapping, signed: bool, number: int
) -> list[Canonical] | None:
    """Return the canonical forms of a key's parts; None for a row that the target refuses as a whole."""
    forms: list[Canonical] = []
    for part in key.parts:
        value = mapping.row_id_of(row.fields) if part.place < 0 else mapping.value(row.fields, part.place)
        try:
            form = part.casts[signed](value)
        except NotReproducible as error:
            name = work.request.files[number].name
            key.not_checked = f"{error} ({name}, line {row.line}, byte {row.offset})"
            return []
        if form.refused:
            message = (
                f"the value of column {part.name} is refused (error {form.refused}): Lightning stops at such a row"
            )
            work.say("refused-key", message, Level.ERROR, number, row)
            return None
        if form.altered:
            _say_altered(work, part.name, form.altered, number, row)
        forms.append(form)
    return forms


def _say_altered(work: _Work, column: str, altered: Altered, number: int, row: Row) -> None:
    for flag, (code, what) in ALTERATIONS.items():
        if flag in altered:
            work.say(
                code, f"the value of key column {column} {what}, and Lightning says nothing", Level.WARN, number, row
            )


def _enter(work: _Work, key: _Key, parts: Sequence[Canonical], number: int, row: Row) -> None:
    if any(part is GENERATED_ID for part in parts):
        key.generated_ids += 1
        return
    texts = [part.key for part in parts]
    if None in texts:
        return
    # The target numbers new rows beyond the ids that stand there: only written ones can meet those.
    key.written_ids += not work.is_existing(number)
    joined = _join([text for text in texts if text is not None])
    if work.limits.fraction < 1 and not _is_in_slice(joined, work):
        return
    try:
        key.store.add(joined, number, row.offset, row.line, row.number)
    except OSError as error:
        key.not_checked = f"its keys do not fit on the disk ({error.strerror})"
        key.is_out_of_space = True
        key.store.close()


def _join(texts: list[bytes]) -> bytes:
    if len(texts) == 1:
        return texts[0]
    return b"".join(len(text).to_bytes(4, "big") + text for text in texts)


def _is_in_slice(key: bytes, work: _Work) -> bool:
    digest = hashlib.blake2b(key, digest_size=8, key=work.seed).digest()
    return int.from_bytes(digest, "big") < work.limits.fraction * 2**64


def _result(work: _Work) -> TableFound:
    said = [
        replace(found, message=f"{found.message} (in {count} rows)") if (count := work.counts[code]) > 1 else found
        for code, found in work.said.items()
    ]
    keys = tuple(_finish_key(key, work.limits) for key in work.keys)
    return TableFound(work.rows, keys, (*work.findings, *said), work.unread, work.is_stopped)


def _finish_key(key: _Key, limits: Limits) -> KeyFound:
    if key.not_checked is not None:
        return KeyFound(key.request, not_checked=key.not_checked, is_out_of_space=key.is_out_of_space)
    try:
        keys, rows, groups = key.store.duplicates(limits.examples_most, limits.rows_shown_most)
    except OSError as error:
        return KeyFound(key.request, not_checked=f"its keys could not be read back from the disk ({error.strerror})")
    doubt = None
    if key.generated_ids and key.written_ids and any(cast.is_id for part in key.parts for cast in part.casts.values()):
        doubt = "some rows bring an id of their own and some get a generated one, which may be the same"
    return KeyFound(key.request, keys, rows, groups, doubt=doubt)
