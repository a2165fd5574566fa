"""What the target decides about keys: its definitions of the tables, its collations, its time zone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server

_ABSENT = {1049, 1146}
_SERVER_ZONE = "SYSTEM"


@dataclass(frozen=True)
class TargetFacts:
    """What could be learned. ``unreachable`` says why nothing was; ``refused`` why one table could not be seen."""

    new_collation: bool | None = None
    utf8mb4_collation: str = ""
    time_zone: str = ""
    definitions: Mapping[TableName, str] = field(default_factory=dict)
    refused: Mapping[TableName, str] = field(default_factory=dict)
    unreachable: str = ""


def ask_target(server: Server, tables: Sequence[TableName], timeout_seconds: float) -> TargetFacts:
    """Ask the target, read-only. Never raises: what cannot be learned is said in the answer."""
    if not server.port:
        return TargetFacts(unreachable="the task names no port of the target (tidb.port)")
    try:
        with open_session(server, timeout_seconds) as session:
            return _ask(session, tables)
    except CouldNotLook as error:
        return TargetFacts(unreachable=str(error))


def _ask(session: Session, tables: Sequence[TableName]) -> TargetFacts:
    definitions: dict[TableName, str] = {}
    refused: dict[TableName, str] = {}
    for table in tables:
        try:
            rows = session.query(f"SHOW CREATE TABLE {table}")
            definitions[table] = _text(rows[0][1])
        except ServerRefused as error:
            if error.code not in _ABSENT:
                refused[table] = str(error)
        except IndexError:
            refused[table] = f"{session.place} gave no definition of {table}"
    return TargetFacts(
        _new_collation(session), _variable(session, "default_collation_for_utf8mb4"), _time_zone(session), definitions,
        refused,
    )  # fmt: skip


def _new_collation(session: Session) -> bool | None:
    """Read what was fixed at the bootstrap; a missing row means off.

    Source: importer/tidb.go, ObtainNewCollationEnabled.
    """
    try:
        rows = session.query("SELECT variable_value FROM mysql.tidb WHERE variable_name = 'new_collation_enabled'")
    except ServerRefused:
        return None
    return bool(rows) and _text(rows[0][0]).lower() == "true"


def _time_zone(session: Session) -> str:
    """Read the zone of new sessions; "" where it is the server's own, which is another machine's."""
    zone = _variable(session, "time_zone", "GLOBAL")
    return "" if zone.upper() == _SERVER_ZONE else zone


def _variable(session: Session, name: str, scope: str = "SESSION") -> str:
    try:
        rows = session.query(f"SELECT @@{scope}.{name}")
    except ServerRefused:
        return ""
    return _text(rows[0][0]) if rows else ""


def _text(value: object) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
