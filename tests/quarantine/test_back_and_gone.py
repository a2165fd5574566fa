"""Giving a name back, and dropping for good: never a row that is not ours, never a table that we do not remember."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import ALLOW, QUARANTINE, ROWS, Import


@pytest.fixture
def aside(failed: Import) -> tuple[Import, str, int]:
    """An import whose first try is aside and whose second one went well: the import, the new name, its rows."""
    failed.policy(**QUARANTINE)
    ended = failed.run()
    assert ended.returncode == 0, ended.stderr.decode()
    ((name, rows),) = [(name, rows) for name, rows in failed.tables().items() if "__sl_" in name]
    return failed, name, rows


Aside = tuple[Import, str, int]


def test_a_name_taken_by_rows_is_not_given_back(aside: Aside) -> None:
    made, name, rows = aside
    refused = made.verb("restore", f"`app`.`{name}`", "--apply")
    assert refused.returncode == 88
    assert b"refused: `app`.`items` exists and holds rows" in refused.stdout
    assert made.tables() == {"items": ROWS, name: rows}


def test_a_free_name_is_given_back(aside: Aside) -> None:
    made, name, rows = aside
    made.server.run("DROP TABLE app.items")
    assert made.verb("restore", f"`app`.`{name}`").returncode == 80
    assert made.verb("restore", f"`app`.`{name}`", "--apply").returncode == 0
    assert (made.tables(), made.listed()) == ({"items": rows}, [])


def test_an_empty_table_in_the_way_is_set_aside_itself(aside: Aside) -> None:
    made, name, rows = aside
    made.server.run("DELETE FROM app.items")
    done = made.verb("restore", "`app`.`items`", "--apply")
    assert done.returncode == 0, done.stderr.decode()
    (spare,) = [table for table in made.tables() if table != "items"]
    assert made.tables() == {"items": rows, spare: 0}
    assert spare != name
    assert [table["table"] for table in made.listed()] == [f"`app`.`{spare}`"]


@pytest.mark.parametrize("table", ["`app`.`others`", "`app`.`items__sl_0badcafe`"])
def test_what_nobody_set_aside_has_no_name_to_be_given_back(aside: Aside, table: str) -> None:
    made, _, _ = aside
    made.server.run("CREATE TABLE app.others (i int)", "CREATE TABLE app.items__sl_0badcafe (i int)")
    assert made.verb("restore", table, "--apply").returncode == 64


def purge(made: Import, *options: str) -> int:
    return made.verb("purge", "--older-than", "0s", *options).returncode


def test_only_what_is_remembered_is_dropped(aside: Aside) -> None:
    made, _, _ = aside
    made.server.run("CREATE TABLE app.items__sl_0badcafe (i int)")
    made.policy(**ALLOW)
    assert purge(made) == 80
    assert purge(made, "--apply") == 0
    assert made.tables() == {"items": ROWS, "items__sl_0badcafe": 0}
    assert (purge(made), made.listed()) == (0, [])


def test_what_is_young_is_kept(aside: Aside) -> None:
    made, name, _ = aside
    made.policy(**ALLOW)
    assert made.verb("purge", "--apply").returncode == 0
    assert name in made.tables()


def remembered(made: Import) -> Any:
    (path,) = (made.state / "quarantine").glob("*.json")
    return path, json.loads(path.read_text())


FORGED = [
    ({"name": "`app`.`items`"}, "its name is none that safe-lightning gives"),
    ({"original": "`app`.`others`"}, "its name is none that safe-lightning gives"),
    ({"created_at_milliseconds": 4_000}, "it cannot be told to be the table that was set aside"),
    ({"created_at_milliseconds": None}, "it cannot be told to be the table that was set aside"),
    ({"is_settled": False}, "its quarantine was not finished"),
]


@pytest.mark.parametrize(("change", "said"), FORGED, ids=[next(iter(change)) for change, _ in FORGED])
def test_a_table_that_may_be_another_is_not_dropped(aside: Aside, change: dict[str, Any], said: str) -> None:
    made, name, rows = aside
    path, document = remembered(made)
    path.write_text(json.dumps({**document, **change}))
    made.policy(**ALLOW)
    refused = made.verb("purge", "--older-than", "0s", "--apply")
    assert (refused.returncode, said in refused.stdout.decode()) == (88, True), refused.stdout.decode()
    assert made.tables() == {"items": ROWS, name: rows}


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "does not accept in words that tables are dropped"),
        ({**ALLOW, "dry_run": True}, "dry_run is set"),
        ({**ALLOW, "checkpoint": {"max_rows_dropped": 1}}, "rows would be dropped (checkpoint.max_rows_dropped)"),
    ],
)
def test_a_policy_keeps_it(aside: Aside, keys: dict[str, Any], said: str) -> None:
    made, name, rows = aside
    made.policy(**keys)
    refused = made.verb("purge", "--older-than", "0s", "--apply")
    assert (refused.returncode, said in refused.stdout.decode()) == (88, True), refused.stdout.decode()
    assert made.tables()[name] == rows


def test_an_unreadable_memory_is_no_empty_one(aside: Aside) -> None:
    made, _, _ = aside
    path, _ = remembered(made)
    path.write_text("{")
    assert made.verb("list").returncode == 69
    made.policy(**ALLOW)
    assert purge(made, "--apply") == 69


def test_what_somebody_else_has_dropped_is_forgotten(aside: Aside) -> None:
    made, name, _ = aside
    made.server.run(f"DROP TABLE app.`{name}`")
    assert [table["exists"] for table in made.listed()] == [False]
    made.policy(**ALLOW)
    assert purge(made, "--apply") == 0
    assert made.listed() == []


@pytest.mark.parametrize(
    "words", [["purge", "--older-than", "soon"], ["restore", "app.items"], ["purge", "--plan", "--apply"]]
)
def test_what_cannot_be_meant_is_wrong_usage(made: Import, words: list[str]) -> None:
    made.policy()
    assert made.verb(*words).returncode == 64


WRITTEN_MEANWHILE = """
import os, sys
import safe_lightning.lightning.renaming as renaming
import pymysql
real, calls = renaming.rename_tables, []
def late(*given):
    calls.append(given)
    if len(calls) == 1:  # somebody writes between the look and the rename
        host, port, password = sys.argv[1], int(sys.argv[2]), sys.argv[3]
        with pymysql.connect(host=host, port=port, user="root", password=password, autocommit=True) as connection:
            connection.cursor().execute("INSERT INTO app.items VALUES (4711, 'late')")
    return real(*given)
renaming.rename_tables = late
from safe_lightning.commands.app import run
sys.exit(run(sys.argv[4:]))
"""


def test_a_row_that_came_meanwhile_stays_where_it_is(aside: Aside) -> None:
    made, name, rows = aside
    made.server.run("DELETE FROM app.items")
    server = [made.server.host, str(made.server.port), made.server.password]
    verb = ["quarantine", "restore", "`app`.`items`", "--apply", "--", *made.argv]
    ended = made.call("-c", WRITTEN_MEANWHILE, *server, *verb)
    assert ended.returncode == 88, ended.stderr.decode()
    assert b"was written to meanwhile" in ended.stderr
    assert made.tables() == {"items": 1, name: rows}
    assert [(table["table"], table["is_finished"]) for table in made.listed()] == [(f"`app`.`{name}`", True)]
    made.policy(**ALLOW)
    assert purge(made, "--apply") == 0
    assert made.tables() == {"items": 1}
