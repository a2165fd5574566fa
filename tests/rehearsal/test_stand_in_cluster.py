"""The stand-in cluster: what Lightning, the control tool and our own looks ask of it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from typing import Any

import pymysql
import pytest

from .conftest import SCHEMA, OpenShop, Shop


@pytest.fixture
def shop(open_shop: OpenShop) -> Shop:
    return open_shop()


@pytest.fixture
def sql(shop: Shop) -> Any:
    connection = pymysql.connect(host="127.0.0.1", port=shop.sandbox.ports.mysql, user="root", autocommit=True)

    def run(statement: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    run("CREATE DATABASE `app`")
    run("USE app")
    run(SCHEMA)
    yield run
    connection.close()


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SELECT VERSION()", [("8.0.11-TiDB-v8.5.4",)]),
        ("SHOW TABLES FROM `app`", [("items",)]),
        ("SELECT 1 FROM `app`.`items` USE INDEX() LIMIT 1", []),
        ("SELECT COUNT(*) FROM app.items", [(0,)]),
        ("ADMIN CHECKSUM TABLE `app`.`items`", [("app", "items", "0", 0, 0)]),
        ("SET SESSION tidb_backoff_weight = 30", []),
        ("SELECT variable_value FROM mysql.tidb WHERE variable_name = 'new_collation_enabled'", [("True",)]),
        (
            "SELECT TABLE_NAME, TIDB_TABLE_ID FROM information_schema.tables WHERE TABLE_SCHEMA = 'app'",
            [("items", 112)],
        ),
        (
            "SELECT COUNT(*) FROM information_schema.columns WHERE TABLE_SCHEMA = 'information_schema' "
            "AND TABLE_NAME = 'TABLES' AND COLUMN_NAME = 'TIDB_TABLE_ID'",
            [(1,)],
        ),
    ],
)
def test_statements(sql: Any, statement: str, rows: list[tuple[Any, ...]]) -> None:
    assert sql(statement) == rows


def test_creation_time_is_a_time_by_the_servers_clock(sql: Any) -> None:
    ((created, stamp, now),) = sql(
        "SELECT CREATE_TIME, UNIX_TIMESTAMP(CREATE_TIME), UNIX_TIMESTAMP() FROM information_schema.tables"
    )
    assert created.replace(tzinfo=UTC) == datetime.fromtimestamp(stamp, UTC)
    assert stamp <= now <= time.time()


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("SELECT 1 FROM app.nosuch LIMIT 1", 1146),
        ("DROP TABLE app.nosuch", 1051),
        (SCHEMA, 1050),
        ("INSERT INTO app.items VALUES (1, 'z', 1)", 1062),
        ("INSERT INTO app.items VALUES (9, 'a', 1)", 1062),
        ("SELECT FROM WHERE", 1064),
    ],
)
def test_refusals_keep_their_numbers(sql: Any, statement: str, code: int) -> None:
    sql("INSERT INTO app.items (id, code, n) VALUES (1, 'a', NULL)")
    with pytest.raises(pymysql.Error) as error:
        sql(statement)
    assert error.value.args[0] == code


def test_a_refused_statement_inserts_none_of_its_rows(sql: Any) -> None:
    with pytest.raises(pymysql.Error):
        sql("INSERT INTO app.items VALUES (1, 'a', 1), (2, 'a', 1)")
    assert sql("SELECT COUNT(*) FROM app.items") == [(0,)]


def test_a_table_created_anew_has_another_id(sql: Any) -> None:
    sql("DROP TABLE `app`.`items`")
    sql(SCHEMA)
    assert sql("SELECT TIDB_TABLE_ID FROM information_schema.tables") == [(114,)]


def get(port: int, path: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return json.load(answer)


def test_the_status_api_tells_the_same_id_and_time_as_sql(shop: Shop, sql: Any) -> None:
    found = get(shop.sandbox.ports.status, "/schema/app/items")
    ((table_id, stamp),) = sql("SELECT TIDB_TABLE_ID, UNIX_TIMESTAMP(CREATE_TIME) FROM information_schema.tables")
    assert (found["id"], (found["update_timestamp"] >> 18) // 1000) == (table_id, stamp)


def test_tidb_names_a_pd_that_answers(shop: Shop) -> None:
    from safe_lightning.lightning.pd import ask_pd
    from safe_lightning.lightning.task import Server

    ports = shop.sandbox.ports
    answer = ask_pd(Server(status_port=ports.status), 10)
    assert (answer.address, answer.version) == (f"127.0.0.1:{ports.pd}", "v8.5.4")


@pytest.mark.parametrize("path", ["/nosuch", "/schema/app/nosuch/x"])
def test_unknown_paths_are_not_found(shop: Shop, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        get(shop.sandbox.ports.status, path)
    assert error.value.code == 404
