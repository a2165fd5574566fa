"""The stand-in importer: how it ends, what it leaves, and how it goes on from there."""

from __future__ import annotations

from typing import Any

import pytest

from safe_lightning.rehearsal.scenario import Ending

from .conftest import CLEAN, TABLE, OpenShop

LOST = "checksum mismatched remote vs local"
DUPLICATES = {**CLEAN, "app.items.003.csv": "id,code,n\n5,again,1\n50,c7,1\n"}


def test_a_clean_import_passes_its_checksum_and_leaves_no_checkpoint(open_shop: OpenShop) -> None:
    shop = open_shop()
    end = shop.run()
    assert (end.exit_code, shop.rows, shop.checkpoint_file.exists()) == (0, 40, False)
    assert end.stdout.endswith(b"\ntidb lightning exit successfully\n")
    assert '["checksum pass"] [table=`app`.`items`]' in shop.log
    assert "kvs=120" in shop.log


@pytest.mark.parametrize(
    ("ending", "exit_code", "said"),
    [
        (Ending.CLEAN, 0, b""),
        (Ending.DUPLICATE_KEYS, 1, b"(total_kvs: 124 vs 126)"),
        (Ending.CHECKSUM_MISMATCH, 1, b"(total_kvs: 117 vs 120)"),
        (Ending.KILL, None, b""),
        (Ending.CANCEL, 0, b""),
        (Ending.STALE, 1, b"illegal checkpoints"),
        (Ending.FINISHED, 0, b""),
        (Ending.DATA_ERROR, 1, b"[Lightning:Restore:ErrEncodeKV]encode kv error in file app.items.001.csv:0"),
        (Ending.HANG, 0, b""),
        (Ending.STATUS_PORT_BUSY, 0, b"failed to start HTTP server: listen tcp"),
        (Ending.NOTHING, 0, b""),
    ],
)
def test_endings_of_a_physical_import(open_shop: OpenShop, ending: Ending, exit_code: int | None, said: bytes) -> None:
    end = open_shop(ending=ending).run()
    assert end.exit_code == exit_code
    assert said in end.stderr
    assert (end.signal == 9) == (ending is Ending.KILL)
    assert end.stdout.endswith(b"canceled\n") == (ending is Ending.CANCEL)


@pytest.mark.parametrize(
    ("ending", "exit_code", "said"),
    [
        (Ending.DUPLICATE_KEYS, 1, b"Error 1062 (23000): Duplicate entry '1' for key 'items.PRIMARY'"),
        (Ending.DATA_ERROR, 1, b"Error 1366 (HY000): Incorrect bigint value"),
        (Ending.STALE, 0, b""),
    ],
)
def test_endings_of_a_logical_import(open_shop: OpenShop, ending: Ending, exit_code: int, said: bytes) -> None:
    end = open_shop("tidb", ending).run()
    assert end.exit_code == exit_code
    assert said in end.stderr


@pytest.mark.parametrize("backend", ["local", "tidb"])
@pytest.mark.parametrize("ending", [Ending.KILL, Ending.CANCEL])
def test_an_import_that_was_stopped_goes_on_where_it_was(open_shop: OpenShop, backend: str, ending: Ending) -> None:
    shop = open_shop(backend, ending)
    shop.run()
    first, second = shop.checkpoint.tables[TABLE].engines[0].chunks
    assert (first.is_done, second.pos) == (True, 0)
    assert (shop.run().exit_code, shop.rows) == (0, 40)
    assert "reusing engines and files info from checkpoint" in shop.log


@pytest.mark.parametrize("ending", [Ending.KILL, Ending.CANCEL, Ending.CHECKSUM_MISMATCH])
def test_an_accident_happens_once_in_a_sandbox(open_shop: OpenShop, ending: Ending) -> None:
    shop = open_shop(ending=ending)
    shop.run()
    if ending is Ending.CHECKSUM_MISMATCH:
        shop.ctl(f"--checkpoint-error-destroy={TABLE}")
    assert shop.run().exit_code == 0


def test_conflicts_that_are_in_the_files_collide_without_being_asked_to(open_shop: OpenShop) -> None:
    shop = open_shop(files=DUPLICATES)
    end = shop.run()
    assert (end.exit_code, shop.rows) == (1, 41)  # the unique key's double is a row of its own
    assert b"(total_kvs: 124 vs 126)" in end.stderr
    assert shop.log.count("duplicated key found, skip write") == 2


def test_a_mismatch_is_recorded_and_the_next_run_refuses(open_shop: OpenShop) -> None:
    shop = open_shop(ending=Ending.DUPLICATE_KEYS)
    shop.run()
    table = shop.checkpoint.tables[TABLE]
    assert (table.status, {n: e.status for n, e in table.engines.items()}) == (18, {-1: 120, 0: 120})
    again = shop.run()
    assert again.exit_code == 1
    assert (
        b"has failed last time. To prevent data loss, this run will stop now, `app`.`items` failed in step(checksum)"
        in (again.stderr)
    )


def test_a_sql_error_is_recorded_but_a_physical_encoding_error_is_not(open_shop: OpenShop) -> None:
    shop = open_shop(ending=Ending.DATA_ERROR)
    shop.run()
    assert not shop.checkpoint.tables[TABLE].has_failed


def test_a_sql_error_is_recorded(open_shop: OpenShop) -> None:
    shop = open_shop("tidb", Ending.DATA_ERROR)
    shop.run()
    assert shop.checkpoint.tables[TABLE].status == 6


def test_a_logical_rerun_over_recreated_tables_imports_nothing_and_says_success(open_shop: OpenShop) -> None:
    shop = open_shop("tidb", Ending.STALE)
    end = shop.run()
    assert (end.exit_code, shop.rows) == (0, 0)
    assert b"exit successfully" in end.stdout


def test_an_optional_checksum_lets_a_mismatch_pass(open_shop: OpenShop) -> None:
    shop = open_shop(files=DUPLICATES, **{"post-restore": {"checksum": "optional"}})
    assert shop.run().exit_code == 0
    assert "compare checksum failed, will skip this error and go on" in shop.log
    assert LOST in shop.log


def test_a_table_with_rows_is_refused(open_shop: OpenShop) -> None:
    shop = open_shop()
    shop.run()
    end = shop.run()
    assert b"pre-check failed: table(s) [`app`.`items`] are not empty" in end.stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("app.items.sql", "INSERT INTO items VALUES (1,'a',NULL),(2,'b','7');"),
        ("app.items.csv", "id,code,n\n1,a,\\N\n2,b,7\n"),
        ("app.items.csv", 'n,code,id\n\\N,"a",1\n"7","b",2\n'),
    ],
)
def test_sql_and_csv_give_the_same_rows(open_shop: OpenShop, name: str, text: str) -> None:
    shop = open_shop(
        files={"app-schema-create.sql": "", "app.items-schema.sql": CLEAN["app.items-schema.sql"], name: text}
    )
    assert shop.run().exit_code == 0
    assert values(shop) == [(1, "a", None), (2, "b", 7)]


def values(shop: Any) -> list[tuple[object, ...]]:
    from safe_lightning.lightning.task import Server
    from safe_lightning.rehearsal.cluster import Cluster

    with Cluster(Server(port=shop.sandbox.ports.mysql), shop.sandbox.scenario) as cluster:
        return cluster.run("SELECT id, code, n FROM app.items ORDER BY id")


def test_the_version_is_printed_without_a_cluster(open_shop: OpenShop) -> None:
    assert open_shop().run("-V").stdout.startswith(b"Release Version: v8.5.4\n")


def test_progress_is_logged_at_the_rate_that_the_task_asks_for(open_shop: OpenShop) -> None:
    shop = open_shop(cron={"log-progress": "0s"})
    shop.run()
    assert '[progress] [total=100.0%] [tables="0/1 (0.0%)"] [chunks="2/2 (100.0%)"]' in shop.log
