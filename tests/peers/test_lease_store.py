"""Leases in a real server: who gets one, who has to wait, what ends one, and by whose clock."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from instances import ITEMS, ORDERS, server_of
from mariadb import MariaDB, free_port

from safe_lightning.core.lease import Holder, LeaseClaim
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.lease_store import LeaseBusy, LeaseStore, leases_in
from safe_lightning.lightning.mysql_connection import open_session
from safe_lightning.lightning.task import Server

NORTH, SOUTH = Holder("aaaa", "north", 11), Holder("bbbb", "south", 22)
CLAIM = LeaseClaim("schema cp of the target", frozenset({ORDERS}))
SCHEMA = "sl_leases"


def store_of(server: MariaDB, expiry_seconds: float = 60.0) -> LeaseStore:
    return LeaseStore(server_of(server), SCHEMA, 10.0, expiry_seconds)


@pytest.fixture
def store(target: MariaDB) -> LeaseStore:
    return store_of(target)


def make_over(server: MariaDB, seconds: int = 5) -> None:
    """Let time pass for all leases: by the server's clock they were over so many seconds ago."""
    server.run(f"UPDATE {SCHEMA}.leases SET expires_at = UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND")


def holders(server: MariaDB) -> list[str]:
    with open_session(server_of(server), 10.0) as session:
        return [lease.holder.run for lease in leases_in(session, SCHEMA, is_needed=True)]


def test_a_lease_is_read_as_it_was_taken(target: MariaDB, store: LeaseStore) -> None:
    claim = LeaseClaim("x", frozenset({ORDERS, TableName("a`b", "☃")}), is_parallel_import=True)
    assert store.take(claim, NORTH) == (1, ())
    with open_session(server_of(target), 10.0) as session:
        (lease,) = leases_in(session, SCHEMA, is_needed=True)
    assert (lease.claim, lease.holder, lease.token) == (claim, NORTH, 1)
    assert 50 < lease.seconds_left <= 60


@pytest.mark.parametrize(
    ("theirs", "said"),
    [
        (LeaseClaim("schema cp of the target", None), "the checkpoint schema cp of the target is in use by run aaaa"),
        (LeaseClaim("other", frozenset({ORDERS, ITEMS})), "`shop`.`orders` is in use by run aaaa"),
        (LeaseClaim("", frozenset({TableName("SHOP", "Orders")})), "`SHOP`.`Orders` is in use by run aaaa"),
        (LeaseClaim("other", frozenset({ORDERS}), is_parallel_import=True), "`shop`.`orders` is in use by run aaaa"),
    ],
)
def test_what_another_host_holds_is_busy(store: LeaseStore, theirs: LeaseClaim, said: str) -> None:
    store.take(CLAIM, NORTH)
    with pytest.raises(LeaseBusy) as busy:
        store.take(theirs, SOUTH)
    assert str(busy.value).startswith(f"{said} (process 11 of north), whose lease ends in ")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (CLAIM, LeaseClaim("other", frozenset({ITEMS}))),
        (CLAIM, LeaseClaim("", None)),
        (replace(CLAIM, is_parallel_import=True), LeaseClaim("other", frozenset({ORDERS}), is_parallel_import=True)),
    ],
    ids=["other tables", "tables that are not known", "instances of one parallel import"],
)
def test_claims_that_can_stand_side_by_side_do(
    target: MariaDB, store: LeaseStore, ours: LeaseClaim, theirs: LeaseClaim
) -> None:
    store.take(ours, NORTH)
    assert store.take(theirs, SOUTH) == (2, ())
    assert holders(target) == ["aaaa", "bbbb"]


def test_a_lease_that_is_over_is_taken_over_and_its_holder_fenced(target: MariaDB, store: LeaseStore) -> None:
    first, _ = store.take(CLAIM, NORTH)
    make_over(target)
    second, overtaken = store.take(CLAIM, SOUTH)
    assert second > first
    assert [lease.holder for lease in overtaken] == [NORTH]
    assert store.renew(first) is False
    assert store.renew(second) is True
    assert holders(target) == ["bbbb"]


def test_a_lease_that_is_over_is_its_holders_again_where_nobody_took_it(target: MariaDB, store: LeaseStore) -> None:
    token, _ = store.take(CLAIM, NORTH)
    make_over(target)
    assert store.renew(token) is True
    with pytest.raises(LeaseBusy):
        store.take(CLAIM, SOUTH)


def test_a_lease_on_other_things_is_not_taken_over(target: MariaDB, store: LeaseStore) -> None:
    token, _ = store.take(CLAIM, NORTH)
    make_over(target)
    store.take(LeaseClaim("other", frozenset({ITEMS})), SOUTH)
    assert store.renew(token) is True


def test_a_lease_of_long_ago_is_forgotten(target: MariaDB, store: LeaseStore) -> None:
    store.take(CLAIM, NORTH)
    make_over(target, 8 * 86400)
    store.take(LeaseClaim("other", frozenset({ITEMS})), SOUTH)
    assert holders(target) == ["bbbb"]


def test_a_lease_that_was_given_back_is_free(store: LeaseStore) -> None:
    token, _ = store.take(CLAIM, NORTH)
    store.release(token)
    store.release(token)
    assert store.take(CLAIM, SOUTH) == (2, ())


def test_a_take_whose_answer_was_lost_can_be_done_again(store: LeaseStore, target: MariaDB) -> None:
    store.take(CLAIM, NORTH)
    assert store.take(CLAIM, NORTH) == (2, ())
    assert holders(target) == ["aaaa"]


def test_time_is_told_by_the_server_alone(target: MariaDB, monkeypatch: pytest.MonkeyPatch) -> None:
    store = store_of(target, expiry_seconds=30)
    token, _ = store.take(CLAIM, NORTH)
    hours_ahead = time.time() + 86400
    monkeypatch.setattr(time, "time", lambda: hours_ahead)
    with pytest.raises(LeaseBusy, match=r"ends in (29|30) s"):
        store.take(CLAIM, SOUTH)
    assert store.renew(token) is True


def test_of_many_that_start_at_once_one_gets_it(target: MariaDB) -> None:
    stores = [store_of(target) for _ in range(8)]
    stores[0].take(LeaseClaim("other", frozenset()), NORTH)  # the schema is there
    barrier, got, busy = threading.Barrier(len(stores)), list[int](), list[str]()

    def start(store: LeaseStore, number: int) -> None:
        barrier.wait()
        try:
            got.append(store.take(CLAIM, Holder(f"run{number}", f"host{number}", number))[0])
        except LeaseBusy as error:
            busy.append(str(error))

    threads = [threading.Thread(target=start, args=(store, number)) for number, store in enumerate(stores)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (got, len(busy)) == ([2], 7)


@pytest.fixture
def clerk(target: MariaDB, store: LeaseStore) -> Iterator[Server]:
    """Somebody who may write rows of the schema, and make nothing."""
    target.run("CREATE USER clerk@'127.0.0.1' IDENTIFIED BY 'x'")
    root = server_of(target)
    yield replace(root, user="clerk", password=type(root.password)("x"))
    target.run("DROP USER clerk@'127.0.0.1'")


def test_a_schema_that_was_made_beforehand_needs_no_right_to_make_it(
    target: MariaDB, store: LeaseStore, clerk: Server
) -> None:
    token, _ = store.take(CLAIM, NORTH)
    store.release(token)
    target.run(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {SCHEMA}.* TO clerk@'127.0.0.1'")
    assert replace(store, server=clerk).take(CLAIM, SOUTH)[0] == 2


def test_who_may_not_make_it_is_told(store: LeaseStore, clerk: Server) -> None:
    with pytest.raises(CouldNotLook, match=r"refused \(1044\)"):
        replace(store, server=clerk).take(CLAIM, SOUTH)


def test_a_schema_closed_to_us_only_counts_where_leases_are_wanted(
    target: MariaDB, store: LeaseStore, clerk: Server
) -> None:
    store.take(CLAIM, NORTH)
    with open_session(clerk, 10.0) as session:
        assert leases_in(session, SCHEMA, is_needed=False) == ()
        with pytest.raises(CouldNotLook):
            leases_in(session, SCHEMA, is_needed=True)


def test_no_schema_is_no_lease(target: MariaDB) -> None:
    with open_session(server_of(target), 10.0) as session:
        assert leases_in(session, SCHEMA, is_needed=True) == ()


def test_a_lease_that_cannot_be_understood_is_not_passed_over(target: MariaDB, store: LeaseStore) -> None:
    store.take(CLAIM, NORTH)
    target.run(f"UPDATE {SCHEMA}.leases SET table_names = '[1, {{'")
    with pytest.raises(CouldNotLook, match=r"the lease of run aaaa .* cannot be read"):
        store.take(CLAIM, SOUTH)


@pytest.mark.parametrize("is_listening", [True, False], ids=["hangs", "is gone"])
def test_a_server_that_does_not_answer_costs_a_wait_and_no_more(is_listening: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1] if is_listening else free_port()
        started = time.monotonic()
        with pytest.raises(CouldNotLook):
            LeaseStore(Server(port=port), SCHEMA, 0.5, 60.0).take(CLAIM, NORTH)
        assert time.monotonic() - started < 10


def test_a_start_that_was_suspended_with_the_counter_in_hand_is_not_waited_for_long(
    target: MariaDB, store: LeaseStore
) -> None:
    token, _ = store.take(CLAIM, NORTH)
    with target.connect() as hung, hung.cursor() as cursor:
        cursor.execute("START TRANSACTION")
        cursor.execute(f"SELECT last FROM {SCHEMA}.tokens FOR UPDATE")
        with pytest.raises(CouldNotLook, match=r"\(1205\)|did not answer"):
            replace(store, timeout_seconds=2.0).take(LeaseClaim("other", frozenset()), SOUTH)
        assert store.renew(token) is True
