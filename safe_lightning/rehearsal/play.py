"""The endings: where the stand-in importer leaves the straight way because the rehearsal asked for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import field
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.rehearsal.pairs import Pair, Value, decode_record, encode_entries, encode_record, with_row_id
from safe_lightning.rehearsal.scenario import VARIABLE, Ending, Mishap, Scenario
from safe_lightning.rehearsal.schema import TableSchema

_SIGNAL_NAMES = {
    signal.SIGINT: "interrupt",
    signal.SIGTERM: "terminated",
    signal.SIGHUP: "hangup",
    signal.SIGQUIT: "quit",
}
_LOST_PAIRS = 3
_REPEATED_ROWS = 2
_DELETED_ROWS = 2
_OTHER_ROW_IDS = 1 << 40
_POLL_SECONDS = 0.05


class CanceledError(Exception):
    """A signal asked the importer to stop."""


@dataclass
class Cancellation:
    """Remembers the first signal; the importer looks at it between two pieces of work."""

    signal_name: str = ""
    is_reported: bool = field(default=False)

    def install(self) -> None:
        """Take the four signals that Lightning takes."""
        for number in _SIGNAL_NAMES:
            signal.signal(number, self._take)

    def _take(self, number: int, frame: object) -> None:
        self.signal_name = self.signal_name or _SIGNAL_NAMES[signal.Signals(number)]

    def check(self) -> None:
        """Raise CanceledError if a signal came."""
        if self.signal_name:
            raise CanceledError(self.signal_name)


class Play:
    """Plays one ending; an accident (a kill, a hang, lost pairs) happens once in a sandbox, not at every run."""

    def __init__(self, scenario: Scenario, cancellation: Cancellation, environ: dict[str, str]) -> None:
        self.scenario = scenario
        self.cancellation = cancellation
        path = environ.get(VARIABLE)
        self._played = Path(f"{path}.played") if path else None
        self._has_mishap: bool | None = None

    def is_on(self, ending: Ending) -> bool:
        """Whether an ending that belongs to the source is asked for."""
        return self.scenario.ending is ending

    def _accident(self, *endings: Ending) -> bool:
        if self.scenario.ending not in endings or self._played is None or self._played.exists():
            return False
        self._played.touch()
        return True

    def has(self, mishap: Mishap) -> bool:
        """Whether a mishap befalls this run: the first one in its sandbox, and that as a whole."""
        if self.scenario.mishap is not mishap:
            return False
        if self._has_mishap is None:
            self._has_mishap = self._played is not None and not self._played.exists()
            if self._has_mishap and self._played is not None:
                self._played.touch()
        return self._has_mishap

    def in_chunk(self, number: int, count: int) -> None:
        """Stop, die or stand still within a chunk: the second, or the only one. Raises CanceledError."""
        if number == min(1, count - 1) and self._accident(Ending.KILL, Ending.CANCEL, Ending.HANG):
            if self.is_on(Ending.KILL):
                os.kill(os.getpid(), signal.SIGKILL)
            elif self.is_on(Ending.CANCEL):
                os.kill(os.getpid(), signal.SIGTERM)
            else:
                self._stand_still()
        self.cancellation.check()

    def _stand_still(self) -> None:
        self.rest(self.scenario.hang_seconds)

    def rest(self, seconds: float) -> None:
        """Take a time over something. Raises CanceledError as soon as a signal has come."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.cancellation.check()
            time.sleep(min(left, _POLL_SECONDS))

    def takes(self, seconds: float) -> bool:
        """Take a time over something that a signal cuts short; whether it came to its end."""
        try:
            self.rest(seconds)
        except CanceledError:
            return False
        return True

    def rows(self, schema: TableSchema, rows: list[list[Value]]) -> list[list[Value]]:
        """Repeat the first rows with other values, where duplicate keys are asked for."""
        key = next((key for key in schema.keys if key.is_unique), None)
        if key is None or not self.is_on(Ending.DUPLICATE_KEYS):
            return rows
        kept = {schema.position(name) for name in key.columns}
        return rows + [[v if i in kept else _other(v) for i, v in enumerate(row)] for row in rows[:_REPEATED_ROWS]]

    def is_overtaken(self) -> bool:
        """Whether the cluster's garbage collection overtakes the checksum that is being computed."""
        return self._accident(Ending.CHECKSUM_INCOMPLETE)

    def arriving(self, schema: TableSchema, pairs: Sequence[Pair]) -> Sequence[Pair]:
        """Say what of an engine's pairs comes to stand in the cluster, by the ending and the mishap."""
        if self._accident(Ending.CHECKSUM_MISMATCH):
            return pairs[:-_LOST_PAIRS]
        if self.has(Mishap.NOWHERE):
            return []
        if self.has(Mishap.DELETED_AS_CONFLICTS):
            each = 1 if any(pair.index is None for pair in pairs) else len({pair.index for pair in pairs})
            return pairs[: -_DELETED_ROWS * each]
        if self.has(Mishap.OTHER_BYTES):
            return [_in_other_bytes(pair) for pair in pairs]
        return [*pairs, *_again(schema, pairs)] if self.has(Mishap.SECOND_IMPORTER) else pairs

    def stops_in_ingest(self) -> bool:
        """Ask ourselves to stop as an ingest begins, where that is the mishap; whether the stop has come."""
        if not self.has(Mishap.STOP_IN_INGEST):
            return False
        os.kill(os.getpid(), signal.SIGTERM)
        return not self.takes(self.scenario.hang_seconds)


def _in_other_bytes(pair: Pair) -> Pair:
    if pair.index is not None:
        return pair
    *others, last = decode_record(pair.value)
    return Pair(pair.key, encode_record([*others, f"{last or ''}\u00a0"]), None)


def _again(schema: TableSchema, pairs: Sequence[Pair]) -> Iterator[Pair]:
    """Encode the rows once more under other row ids, as a second importer does that knows nothing of the first."""
    for pair in pairs:
        if pair.index is None:
            values = decode_record(pair.value)
            record = with_row_id(pair, _OTHER_ROW_IDS)
            yield record
            yield from encode_entries(schema, record.key, values)


def _other(value: Value) -> Value:
    if value is None:
        return None
    try:
        return str(int(value) + 1_000_000)
    except ValueError:
        return f"{value}'"
