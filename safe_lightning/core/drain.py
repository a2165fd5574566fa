"""When a paused import has become quiet (recordings drain-*, resume-after-drain-*).

A pause holds the reading of source files only. Batches and engines that are on their way go on, and whoever signals
before they have arrived loses track of them: so a stop waits until nothing moves any more.
"""

from __future__ import annotations

from collections.abc import Hashable

from safe_lightning.core.evidence import Record

#: Records that come whether the import moves or not, and those that our own questions cause.
_CHATTER = ("process http request ", "progress", "switch tikv mode", "[pd] ", "pause pd scheduler", "memory usage")
_IMPORT_BEGINS = "import start"
_IMPORT_ENDS = frozenset({"import completed", "import failed", "import canceled"})


class WorkWatch:
    """Follows the child's log: how often it told of work, and which engines are being imported at the moment."""

    def __init__(self) -> None:
        self.moves = 0
        self._importing: set[str] = set()

    @property
    def importing(self) -> int:
        """How many engine imports have begun and not ended."""
        return len(self._importing)

    def note(self, record: Record) -> None:
        """Take a record of the log."""
        message = record.message
        if message == _IMPORT_BEGINS:
            self._importing.add(record.fields.get("engineUUID", ""))
        elif message in _IMPORT_ENDS:
            self._importing.discard(record.fields.get("engineUUID", ""))
        if not message.startswith(_CHATTER):
            self.moves += 1


class Stillness:
    """Tells for how long what was seen has been the same.

    >>> still = Stillness()
    >>> still.seconds("a", 10.0), still.seconds("a", 12.5), still.seconds("b", 13.0), still.seconds("b", 13.5)
    (0.0, 2.5, 0.0, 0.5)
    """

    def __init__(self) -> None:
        self._seen: Hashable = self
        self._since = 0.0

    def seconds(self, seen: Hashable, now: float) -> float:
        """Take a look at a moment; return since how long it has been like this."""
        if seen != self._seen:
            self._seen, self._since = seen, now
        return now - self._since
