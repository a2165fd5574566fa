"""Our own look at what a table of the target holds: ADMIN CHECKSUM TABLE, and the number of its rows.

Nothing is changed in the cluster. Its GC life time is left alone as well: the look is made in a transaction, and TiDB
holds back garbage collection for running transactions (tidb_gc_max_wait_time, a day by default). So a retry
begins a transaction of its own, with a snapshot of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, Totals
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.mysql_connection import ServerRefused, Session, open_session
from safe_lightning.lightning.task import Server

#: The server does not know the statement, the table or the right: asking again changes nothing.
_LASTING = {1044, 1045, 1046, 1049, 1064, 1142, 1146, 1227, 8121}
_RETRY_SECONDS = 2.0
#: A stop is asked for, not waited for: who asks decides by what it has seen.
_STOP_LOOKS_SECONDS = 0.1

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """How long one statement may take, how often it is tried, and how many threads of the server it may use.

    ``concurrency`` 0 leaves tidb_checksum_table_concurrency as the server has it; it is set for the session only.
    """

    timeout_seconds: float
    tries: int = 3
    concurrency: int = 0
    retry_seconds: float = _RETRY_SECONDS


def checksum_table(server: Server, table: TableName, limits: Limits, stop: threading.Event) -> Totals:
    """Ask the cluster for a table's totals. Raises CouldNotLook with the last refusal once all tries are used up."""
    return tried(server, limits, stop, lambda session: _checksum(session, table, limits.concurrency))


def count_rows(server: Server, table: TableName, limits: Limits, stop: threading.Event) -> int:
    """Count a table's rows by its records, not by an index, which may disagree. Raises CouldNotLook."""
    return tried(server, limits, stop, lambda session: _count(session, table))


def tried(server: Server, limits: Limits, stop: threading.Event, look: Callable[[Session], T]) -> T:
    """Take one look in a session of its own, again where it failed and may succeed. Raises CouldNotLook."""
    left = limits.tries
    while True:
        left -= 1
        try:
            with open_session(server, limits.timeout_seconds) as session, _stoppable(session, stop):
                return look(session)
        except CouldNotLook as error:
            if stop.is_set():
                raise CouldNotLook("the look was stopped") from error
            if left <= 0 or (isinstance(error, ServerRefused) and error.code in _LASTING):
                raise
        _rest(limits.retry_seconds, stop)


@contextmanager
def _stoppable(session: Session, stop: threading.Event) -> Iterator[None]:
    """Cut the session as soon as somebody asks for a stop: a checksum may take hours."""
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(_STOP_LOOKS_SECONDS):
            if stop.is_set():
                session.cut()
                return

    threading.Thread(target=watch, name="checksum stop", daemon=True).start()
    try:
        yield
    finally:
        is_over.set()


def _rest(seconds: float, stop: threading.Event) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop.is_set():
        time.sleep(_STOP_LOOKS_SECONDS)


def _checksum(session: Session, table: TableName, concurrency: int) -> Totals:
    if not session.is_tidb:
        raise CouldNotLook(f"{session.place} is not TiDB, which alone knows ADMIN CHECKSUM TABLE")
    if concurrency:
        session.query(f"SET SESSION tidb_checksum_table_concurrency = {concurrency}")
    rows = session.query(f"ADMIN CHECKSUM TABLE {table}")
    try:
        [(_, _, checksum, kvs, size)] = rows
        return Totals(int(str(checksum)), int(str(kvs)), int(str(size)))
    except ValueError as error:
        raise CouldNotLook(f"{session.place} answered ADMIN CHECKSUM TABLE with something else") from error


def _count(session: Session, table: TableName) -> int:
    [(count,)] = session.query(f"SELECT COUNT(*) FROM {table} USE INDEX ()")  # noqa: S608 - the name is quoted
    return int(count)
