"""Leases in a small schema of the target: taken, renewed and ended by the server's own clock.

Every call opens a session of its own and is bounded by the time-out, statement by statement: a server that hangs costs
a wait, never a run. Two rows are locked at most, for as long as one start takes: the counter of tokens serialises the
starts of all hosts.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.lease import Holder, Lease, LeaseClaim, rule
from safe_lightning.core.tables import TableName, quote
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_server import number_of, text_of
from safe_lightning.lightning.mysql_connection import DENIED, ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server

_ABSENT = {1049, 1146}
_LEASES_MOST = 10_000
#: A lease that was over for so long is nobody's any more, whatever it was on.
_FORGOTTEN_SECONDS = 7 * 86400
_COLUMNS = "token, run, host, pid, checkpoint, table_names, is_parallel_import"
_MICROSECONDS_LEFT = "TIMESTAMPDIFF(MICROSECOND, UTC_TIMESTAMP(6), expires_at)"
_DEFINITIONS = (
    "CREATE SCHEMA IF NOT EXISTS {schema} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
    "CREATE TABLE IF NOT EXISTS {schema}.tokens (id TINYINT NOT NULL PRIMARY KEY, last BIGINT UNSIGNED NOT NULL)",
    "CREATE TABLE IF NOT EXISTS {schema}.leases (token BIGINT UNSIGNED NOT NULL PRIMARY KEY, "
    "run VARCHAR(64) NOT NULL, host VARCHAR(255) NOT NULL, pid BIGINT NOT NULL, checkpoint VARCHAR(4096) NOT NULL, "
    "table_names LONGTEXT NULL, is_parallel_import TINYINT NOT NULL, taken_at DATETIME(6) NOT NULL, "
    "renewed_at DATETIME(6) NOT NULL, expires_at DATETIME(6) NOT NULL)",
    "INSERT IGNORE INTO {schema}.tokens VALUES (1, 0)",
)


class LeaseBusy(Exception):
    """Another run holds a lease on what this one needs; the sentence names it."""


@dataclass(frozen=True)
class LeaseStore:
    """The leases of one target: its server, the schema that holds them, and how long one lives without renewal."""

    server: Server
    schema: str
    timeout_seconds: float
    expiry_seconds: float

    def take(self, claim: LeaseClaim, holder: Holder) -> tuple[int, tuple[Lease, ...]]:
        """Take a lease; return its token and the leases that were over and that it ended.

        Raises LeaseBusy, and CouldNotLook where it is not known whether it was taken: if so it ends by itself.
        """
        with self._writing() as session:
            self._prepare(session)
            session.query("START TRANSACTION")
            [(last,)] = session.query(f"SELECT last FROM {self._name('tokens')} WHERE id = 1 FOR UPDATE")  # noqa: S608
            # For update: a snapshot from before the wait for the counter would miss the lease that was waited for.
            found = _read(session, self._name("leases"), "FOR UPDATE")
            ruling = rule(claim, (lease for lease in found if lease.holder != holder))
            if ruling.busy:
                session.query("ROLLBACK")
                raise LeaseBusy(ruling.busy)
            over = [
                lease.token for lease in found if lease.holder == holder or -lease.seconds_left > _FORGOTTEN_SECONDS
            ]
            self._end(session, [*over, *(lease.token for lease in ruling.overtaken)])
            token = number_of(last) + 1
            session.query(f"UPDATE {self._name('tokens')} SET last = %s WHERE id = 1", [token])  # noqa: S608
            self._insert(session, token, claim, holder)
            session.query("COMMIT")
        return token, ruling.overtaken

    def renew(self, token: int) -> bool:
        """Let a lease begin its time anew; False where it is gone: another run took it over. Raises CouldNotLook."""
        with self._writing() as session:
            session.query("START TRANSACTION")
            where = f"{self._name('leases')} WHERE token = %s"
            if not session.query(f"SELECT 1 FROM {where} FOR UPDATE", [token]):  # noqa: S608
                return False
            session.query(
                f"UPDATE {self._name('leases')} SET renewed_at = UTC_TIMESTAMP(6), "  # noqa: S608
                "expires_at = UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND WHERE token = %s",
                [self._microseconds, token],
            )
            session.query("COMMIT")
        return True

    def release(self, token: int) -> None:
        """End a lease; one that is gone already is no error. Raises CouldNotLook."""
        with self._writing() as session:
            self._end(session, [token])

    @property
    def _microseconds(self) -> int:
        return int(self.expiry_seconds * 1e6)

    def _name(self, table: str) -> str:
        return f"{quote(self.schema)}.{table}"

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        with open_session(self.server, self.timeout_seconds) as session:
            session.query("ROLLBACK")  # the session begins in a read-only transaction
            session.query("SET SESSION autocommit = 1")
            session.query(f"SET SESSION innodb_lock_wait_timeout = {max(1, int(self.timeout_seconds / 2))}")
            if session.is_tidb:
                session.query("SET SESSION tidb_txn_mode = 'pessimistic'")
            yield session

    def _prepare(self, session: Session) -> None:
        """Make schema and tables where they are missing: whoever may only write rows can have them made beforehand."""
        try:
            session.query(f"SELECT 1 FROM {self._name('leases')} LIMIT 1")  # noqa: S608
            if session.query(f"SELECT 1 FROM {self._name('tokens')} WHERE id = 1"):  # noqa: S608
                return
        except ServerRefused as error:
            if error.code not in _ABSENT | DENIED:
                raise
        for statement in _DEFINITIONS:
            session.query(statement.format(schema=quote(self.schema)))

    def _insert(self, session: Session, token: int, claim: LeaseClaim, holder: Holder) -> None:
        names = None if claim.tables is None else json.dumps(sorted(map(str, claim.tables)), ensure_ascii=False)
        session.query(
            f"INSERT INTO {self._name('leases')} ({_COLUMNS}, taken_at, renewed_at, expires_at) VALUES "  # noqa: S608
            "(%s, %s, %s, %s, %s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), "
            "UTC_TIMESTAMP(6) + INTERVAL %s MICROSECOND)",
            [token, holder.run, holder.host, holder.pid, claim.checkpoint, names, int(claim.is_parallel_import),
             self._microseconds],
        )  # fmt: skip

    def _end(self, session: Session, tokens: Sequence[int]) -> None:
        chosen = ", ".join(map(str, tokens)) or "0"
        session.query(f"DELETE FROM {self._name('leases')} WHERE token IN ({chosen})")  # noqa: S608


def leases_in(session: Session, schema: str, *, is_needed: bool) -> tuple[Lease, ...]:
    """Read the leases of a schema over an open session, read-only; none where there is no such schema.

    Raises CouldNotLook; where they are not needed, a schema that is closed to us counts as none.
    """
    try:
        return _read(session, f"{quote(schema)}.leases", "")
    except ServerRefused as error:
        if error.code in _ABSENT or (error.code in DENIED and not is_needed):
            return ()
        raise


def _read(session: Session, name: str, lock: str) -> tuple[Lease, ...]:
    statement = f"SELECT {_COLUMNS}, {_MICROSECONDS_LEFT} FROM {name} ORDER BY token LIMIT {_LEASES_MOST} {lock}"  # noqa: S608
    return tuple(_lease(row) for row in session.query(statement))


def _lease(row: Sequence[object]) -> Lease:
    token, run, host, pid, checkpoint, names, is_parallel, left = row
    holder = Holder(text_of(run), text_of(host), number_of(pid))
    try:
        tables = None if names is None else frozenset(map(TableName.parse, json.loads(text_of(names))))
    except (ValueError, TypeError) as error:
        raise CouldNotLook(f"the lease of {holder} cannot be read: {error}") from error
    claim = LeaseClaim(text_of(checkpoint), tables, bool(number_of(is_parallel)))
    return Lease(holder, claim, number_of(token), number_of(left) / 1e6)
