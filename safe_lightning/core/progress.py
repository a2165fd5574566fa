"""Progress as Lightning's own log tells it, of every era (facts: pkg/lightning/importer, log-progress).

The line comes every five minutes whether anything moved or not, and its speed is an average over the whole
run: only counters that change are progress.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.logline import LogRecord

_UNITS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_COUNT = re.compile(r"(\d{1,18})/(\d{1,18})")
_SIZE = re.compile(r"(\d{1,18}(?:\.\d{1,18})?) ?([KMGTPE]?)i?B")
_PERCENT = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)%")
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(h|ms|m|us|µs|ns|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_SPEED = re.compile(r"speed (\d{1,18}(?:\.\d{1,18})?) MiB/s")
_REMAINING = re.compile(r"remaining (\S+)")
_MIB_BYTES = 1 << 20


@dataclass(frozen=True)
class Progress:
    """One progress line; what it does not say is None.

    Totals are estimates and may be exceeded. 100 % is not the end: checksum and analysis follow.
    """

    percent: float | None = None
    tables_done: int | None = None
    tables_total: int | None = None
    chunks_done: int | None = None
    chunks_total: int | None = None
    engines_done: int | None = None
    engines_total: int | None = None
    bytes_done: int | None = None
    bytes_total: int | None = None
    rows_done: int | None = None
    imported_bytes: int | None = None
    rate_bytes_per_second: float | None = None
    state: str = ""
    remaining_seconds: float | None = None


def parse_progress(record: LogRecord) -> Progress | None:
    """Read a progress line of any era; None for every other record.

    >>> from safe_lightning.core.logline import parse_line
    >>> line = '2019/04/19 10:57:24.508  [info] progress: 288/314 chunks (91.7%), 0/1 tables (0.0%), speed 2.0 MiB/s'
    >>> progress = parse_progress(parse_line(line))
    >>> progress.chunks_done, progress.chunks_total, progress.percent, progress.rate_bytes_per_second
    (288, 314, 91.7, 2097152.0)
    """
    if record.message == "progress":
        return _from_fields(record.fields)
    return _from_sentence(record.message) if record.message.startswith("progress: ") else None


def counters(progress: Progress) -> tuple[int | None, ...]:
    """Return what must change between two lines for the import to have moved."""
    return (
        progress.tables_done,
        progress.chunks_done,
        progress.engines_done,
        progress.bytes_done,
        progress.rows_done,
        progress.imported_bytes,
    )


def parse_duration_seconds(text: str) -> float | None:
    """Read a Go duration; None where it is none.

    >>> parse_duration_seconds("10h27m18s"), parse_duration_seconds("1.5ms"), parse_duration_seconds("soon")
    (37638.0, 0.0015, None)
    """
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def parse_size_bytes(text: str) -> int | None:
    """Read a size as Lightning prints it; None where it is none.

    >>> parse_size_bytes("1.5KiB"), parse_size_bytes("144MiB/153GiB"), parse_size_bytes("-")
    (1536, 150994944, None)
    """
    found = _SIZE.match(text)
    return round(float(found[1]) * 1024 ** _UNITS[found[2]]) if found else None


def _from_fields(fields: Mapping[str, str]) -> Progress:
    # Until 4.0.8 the chunks were called files; where both are given they are the same.
    chunks = _count(fields.get("chunks", fields.get("files", "")))
    tables, engines = _count(fields.get("tables", "")), _count(fields.get("engines", ""))
    done, _, total = fields.get("restore-bytes", "").partition("/")
    rate = _number(fields.get("encode speed(MiB/s)", fields.get("speed(MiB/s)", "")))
    return Progress(
        percent=_percent(fields.get("total") or fields.get("files") or fields.get("chunks", "")),
        tables_done=tables[0],
        tables_total=tables[1],
        chunks_done=chunks[0],
        chunks_total=chunks[1],
        engines_done=engines[0],
        engines_total=engines[1],
        bytes_done=parse_size_bytes(done),
        bytes_total=parse_size_bytes(total),
        rows_done=_count(fields.get("restore-rows", ""))[0],
        imported_bytes=parse_size_bytes(fields.get("import-bytes", "")),
        rate_bytes_per_second=None if rate is None else rate * _MIB_BYTES,
        state=fields.get("state", ""),
        remaining_seconds=parse_duration_seconds(fields.get("remaining", "")),
    )


def _from_sentence(text: str) -> Progress:
    parts = {part.split(" ")[1]: part for part in text.removeprefix("progress: ").split(", ") if part.count(" ")}
    chunks, tables = _count(parts.get("chunks", "")), _count(parts.get("tables", ""))
    speed, remaining = _SPEED.search(text), _REMAINING.search(text)
    return Progress(
        percent=_percent(parts.get("chunks", "")),
        tables_done=tables[0],
        tables_total=tables[1],
        chunks_done=chunks[0],
        chunks_total=chunks[1],
        rate_bytes_per_second=float(speed[1]) * _MIB_BYTES if speed else None,
        remaining_seconds=parse_duration_seconds(remaining[1]) if remaining else None,
    )


def _count(text: str) -> tuple[int | None, int | None]:
    found = _COUNT.match(text)
    return (int(found[1]), int(found[2])) if found else (None, None)


def _percent(text: str) -> float | None:
    found = _PERCENT.search(text)
    return float(found[1]) if found else None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    # A rate over no time is printed as NaN or +Inf.
    return number if math.isfinite(number) else None


#: Messages that are logged once per piece of work done.
_STEPS_DONE = frozenset(
    {
        "restore all schema completed",
        "load data source completed",
        "load engines and files completed",
        "restore file completed",
        "encode kv data and write completed",
        "restore engine completed",
        "engine close completed",
        "write data to local DB",
        "import engine success",
        "import completed",
        "import and cleanup engine completed",
        "import whole table completed",
        "restore table completed",
        "remote checksum completed",
        "checksum pass",
        "add indexes completed",
        "analyze completed",
    }
)
#: Which messages begin a phase of the run, in words for people.
_PHASES = {
    "load data source start": "looking at the source",
    "restore all schema start": "creating tables",
    "restore all tables data start": "checking the target",
    "restore file start": "writing",
    "start import engine": "importing",
    "remote checksum start": "checksum",
    "analyze start": "analyzing",
    "clean checkpoints start": "cleaning up",
}
#: Which messages end one.
_PHASE_ENDS = {
    "load data source completed": "looking at the source",
    "restore all schema completed": "creating tables",
    "restore file completed": "writing",
    "import engine success": "importing",
    "remote checksum completed": "checksum",
    "add indexes completed": "adding indexes",
    "analyze completed": "analyzing",
    "clean checkpoints completed": "cleaning up",
}
_PHASE_STARTS = {message: phase for message, phase in _PHASES.items() if phase in _PHASE_ENDS.values()}
#: Every message that begins or ends a phase whose end is logged as well.
PHASE_MESSAGES = frozenset(_PHASE_STARTS) | frozenset(_PHASE_ENDS)


def phase_of(message: str) -> tuple[str, bool] | None:
    """Say which phase a message tells of, in words for people, and whether a piece of it ends there; else None.

    Only phases whose end is logged as well, so that one without an end was cut short.

    >>> phase_of("restore file start"), phase_of("restore file completed"), phase_of("progress")
    (('writing', False), ('writing', True), None)
    """
    if message in _PHASE_ENDS:
        return _PHASE_ENDS[message], True
    return (_PHASE_STARTS[message], False) if message in _PHASE_STARTS else None


class ProgressMeter:
    """Follows the records of one run and tells which of them show that the import moved."""

    def __init__(self) -> None:
        self.latest: Progress | None = None
        self.phase = ""
        self._index_fields = ""

    def note(self, record: LogRecord) -> bool:
        """Take a record; True where it shows progress. A repeated progress line with the same counters does not."""
        message = record.message
        if message in _STEPS_DONE:
            return True
        if message in _PHASES:
            self.phase = _PHASES[message]
            return False
        if message == "add index progress":
            before, self._index_fields = self._index_fields, record.rest
            return before != self._index_fields
        return message.startswith("progress") and self._note_line(parse_progress(record))

    def _note_line(self, progress: Progress | None) -> bool:
        if progress is None:
            return False
        before, self.latest = self.latest, progress
        return before is None or counters(before) != counters(progress)
