"""The target's GC life time: read, raised for the time of a checksum, and given back, as Lightning does it.

Lightning writes to the same row of ``mysql.tidb`` when it compares by SQL (lightning/pkg/importer/checksum.go of
release-8.5); a row that somebody else changed meanwhile is left as it is.
"""

from __future__ import annotations

from safe_lightning.core.progress import parse_duration_seconds
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.mysql_connection import Session, open_session
from safe_lightning.lightning.task import Server

_NAME = "tikv_gc_life_time"
#: What Lightning raises it to.
HELD = "100h0m0s"
_HELD_SECONDS = 100 * 3600.0


def read_life_time(server: Server, timeout_seconds: float) -> str:
    """Return the life time as the target keeps it. Raises CouldNotLook, also where it is no duration."""
    with open_session(server, timeout_seconds) as session:
        return _read(session)


def is_long_enough(life_time: str) -> bool:
    """Whether there is nothing to raise."""
    return (parse_duration_seconds(life_time) or 0.0) >= _HELD_SECONDS


def change_life_time(server: Server, before: str, after: str, timeout_seconds: float) -> bool:
    """Change the life time and read it again; whether it is ``after`` now. One that is not ``before`` is left alone.

    Raises CouldNotLook where the target refuses, or afterwards still tells something else.
    """
    with open_session(server, timeout_seconds) as session:
        if not session.is_tidb:
            raise CouldNotLook(f"{session.place} is not TiDB, which alone has a GC life time")
        session.query("ROLLBACK")  # the look's own snapshot; what follows is committed at once
        if (found := _read(session)) != before:
            return found == after
        session.query(
            "UPDATE mysql.tidb SET VARIABLE_VALUE = %s WHERE VARIABLE_NAME = %s AND VARIABLE_VALUE = %s",
            [after, _NAME, before],
        )
        found = _read(session)
    if found != after:
        raise CouldNotLook(f"{session.place} did not take the GC life time {after}: it is {found}")
    return True


def statement_by_hand(life_time: str) -> str:
    """Write the statement with which somebody gives it back by hand."""
    return f"UPDATE mysql.tidb SET VARIABLE_VALUE = '{life_time}' WHERE VARIABLE_NAME = '{_NAME}'"  # noqa: S608


def _read(session: Session) -> str:
    rows = session.query("SELECT VARIABLE_VALUE FROM mysql.tidb WHERE VARIABLE_NAME = %s", [_NAME])
    value = rows[0][0] if rows else None
    found = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value or "")
    if parse_duration_seconds(found) is None:
        raise CouldNotLook(f"{session.place} tells no GC life time ({_NAME} in mysql.tidb)")
    return found
