"""The stand-in control tool: exit 0 proves nothing, as with the real one."""

from __future__ import annotations

import pytest

from safe_lightning.rehearsal.checkpoints import CheckpointBook
from safe_lightning.rehearsal.scenario import Ending

from .conftest import TABLE, OpenShop, Shop

DESTROY, IGNORE, REMOVE = "--checkpoint-error-destroy", "--checkpoint-error-ignore", "--checkpoint-remove"


@pytest.fixture
def failed(open_shop: OpenShop) -> Shop:
    """A shop whose table failed its checksum."""
    shop = open_shop(ending=Ending.DUPLICATE_KEYS)
    shop.run()
    return shop


def statuses(book: CheckpointBook) -> dict[str, int]:
    return {str(name): table.status for name, table in book.tables.items()}


@pytest.mark.parametrize(
    ("flags", "exit_code", "entries", "rows"),
    [
        ([f"{DESTROY}={TABLE}"], 0, {}, None),
        ([f"{DESTROY}=all"], 0, {}, None),
        ([f"{IGNORE}={TABLE}"], 0, {str(TABLE): 30}, 40),
        ([f"{REMOVE}={TABLE}"], 0, {}, 40),
        ([f"{REMOVE}=all"], 0, {}, 40),
        ([f"{DESTROY}=app.items"], 0, {str(TABLE): 18}, 40),  # not back-quoted: nothing is done
        ([f"{DESTROY}=`app`.`nosuch`"], 0, {str(TABLE): 18}, 40),
        ([f"{DESTROY}={TABLE}", f"{IGNORE}={TABLE}"], 0, {str(TABLE): 30}, 40),  # ignore beats destroy
        ([], 0, {str(TABLE): 18}, 40),
        (["--checkpoint-destroy=all"], 2, {str(TABLE): 18}, 40),
    ],
)
def test_what_each_mode_does(
    failed: Shop, flags: list[str], exit_code: int, entries: dict[str, int], rows: int | None
) -> None:
    assert failed.ctl(*flags).exit_code == exit_code
    assert (statuses(failed.checkpoint), failed.rows) == (entries, rows)


def test_a_good_table_is_not_destroyed(open_shop: OpenShop) -> None:
    shop = open_shop(ending=Ending.KILL)
    shop.run()
    assert shop.ctl(f"{DESTROY}=all").exit_code == 0
    assert statuses(shop.checkpoint) == {str(TABLE): 30}
    assert shop.rows == 0


def test_the_entry_goes_before_the_drop_fails(failed: Shop) -> None:
    from safe_lightning.lightning.task import Server
    from safe_lightning.rehearsal.cluster import Cluster

    with Cluster(Server(port=failed.sandbox.ports.mysql), failed.sandbox.scenario) as cluster:
        cluster.drop(TABLE)
    end = failed.ctl(f"{DESTROY}={TABLE}")
    assert end.exit_code == 1
    assert end.stderr.splitlines() == [
        b"Dropping table: `app`.`items`",
        b"* Encountered error while dropping table: drop table failed: Error 1051 (42S02): Unknown table 'app.items'",
        b"drop table failed: Error 1051 (42S02): Unknown table 'app.items'",
    ]
    assert statuses(failed.checkpoint) == {}


@pytest.mark.parametrize("content", [None, b"\xff\xff not protobuf"])
def test_a_missing_or_broken_store_becomes_two_bytes(open_shop: OpenShop, content: bytes | None) -> None:
    shop = open_shop()
    if content is not None:
        shop.checkpoint_file.write_bytes(content)
    assert shop.ctl(f"{DESTROY}={TABLE}").exit_code == 0
    assert shop.checkpoint_file.read_bytes() == b"\x12\x00"


def test_remove_all_leaves_an_empty_file(failed: Shop) -> None:
    failed.ctl(f"{REMOVE}=all")
    assert failed.checkpoint_file.read_bytes() == b""


def test_without_pd_it_tries_and_then_crashes(failed: Shop) -> None:
    before = failed.checkpoint_file.read_bytes()
    end = failed.ctl("--pd-urls=127.0.0.1:1", f"{DESTROY}={TABLE}")
    assert end.exit_code == 2
    assert end.stderr.startswith(b"panic: runtime error: invalid memory address or nil pointer dereference\n")
    assert end.stdout.count(b"[pd] failed to get cluster id") == failed.sandbox.scenario.pd_tries
    assert failed.checkpoint_file.read_bytes() == before


def test_checkpoints_off_are_refused(open_shop: OpenShop) -> None:
    shop = open_shop(checkpoint={"enable": False})
    end = shop.ctl(f"{DESTROY}=all")
    assert (end.exit_code, end.stderr) == (1, b"cannot perform this function while checkpoints is disabled\n")


def test_every_run_talks_of_pd_on_stdout(failed: Shop) -> None:
    lines = failed.ctl(f"{REMOVE}={TABLE}").stdout.decode().splitlines()
    assert ['["[pd] switch leader"]' in lines[0], "[source=lightning-ctl]" in lines[-1]] == [True, True]
