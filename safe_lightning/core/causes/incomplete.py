"""Why a checksum was not completed: no cause of a mismatch, and nothing is ever destroyed for it."""

from __future__ import annotations

import re

#: What stopped the comparison, by words of the error; the first that is found is told.
KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("GC life time", re.compile(r"GC life ?time|GC safe ?point|tikv:9006|\bError 9006\b|[Pp]ause ?GC|ErrPauseGC")),
    (
        "memory quota",
        re.compile(r"[Oo]ut [Oo]f [Mm]emory [Qq]uota|memory limit|8175|\bOOM\b|exceeds? .*memory", re.DOTALL),
    ),
    ("privilege", re.compile(r"denied|\bError (?:1044|1045|1142|1143|1227|8121)\b|privilege", re.IGNORECASE)),
    (
        "region unavailable",
        re.compile(r"[Rr]egion is unavailable|\b9005\b|no region|RegionNotFound|NotLeader|EpochNotMatch"),
    ),
    (
        "timeout",
        re.compile(r"time-?out|timed out|deadline exceeded|DeadlineExceeded|maximum execution time", re.IGNORECASE),
    ),
    (
        "server gone",
        re.compile(
            r"bad connection|invalid connection|connection (?:refused|reset)|broken pipe|EOF|gone away|lost connection"
            r"|server is (?:busy|shutting down)|no such host|Unavailable|dial tcp|fetch tso",
            re.IGNORECASE,
        ),
    ),
)
_UNKNOWN = "unknown reason"


def kind_of(error: str) -> str:
    """Name what kept a checksum from being completed.

    >>> kind_of("[tikv:9006]GC life time is shorter than transaction duration")
    'GC life time'
    """
    return next((name for name, words in KINDS if words.search(error)), _UNKNOWN)
