"""Times as the record writes them: RFC 3339, UTC, milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(at: float) -> str:
    """Write seconds since the epoch as RFC 3339 in UTC.

    >>> rfc3339(1795536000.5)
    '2026-11-24T16:00:00.500Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Read what `rfc3339` wrote. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return moment.timestamp()


def folder_stamp(at: float) -> str:
    """Write a time so that folder names sort by it.

    >>> folder_stamp(1795536000.5)
    '20261124T160000.500Z'
    """
    return datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%S") + f".{int(at % 1 * 1000):03d}Z"
