"""Killed with -9 at every point of a quarantine: the next start says what stands, and the same answer finishes it."""

from __future__ import annotations

import subprocess

import pytest

from .conftest import FIRST, QUARANTINE, ROWS, Import

KILLED = """
import os, signal, sys
from pathlib import Path
import safe_lightning.acts.quarantining, safe_lightning.acts.remedy_engine, safe_lightning.lightning.renaming
module, name = sys.argv[1].rsplit(".", 1)
def die(*given, real=getattr(sys.modules[module], name), **more):
    if sys.argv[2] == "after":
        real(*given, **more)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(sys.modules[module], name, die)
from safe_lightning.cli import drop_in
sys.exit(drop_in(sys.argv[3:], os.environ))
"""
POINTS = [
    ("safe_lightning.acts.quarantining.remember", "before", False),
    ("safe_lightning.acts.quarantining.remember", "after", False),
    ("safe_lightning.lightning.renaming.set_aside", "after", True),
    ("safe_lightning.acts.remedy_engine.act_on_entry", "before", True),
    ("safe_lightning.acts.remedy_engine.act_on_entry", "after", True),
    ("safe_lightning.acts.quarantining.settle", "before", True),
]


def kill_at(made: Import, name: str, when: str) -> subprocess.CompletedProcess[bytes]:
    made.policy(**QUARANTINE)
    ended = made.call("-c", KILLED, name, when, *made.argv)
    assert ended.returncode == -9, ended.stderr.decode()
    return ended


@pytest.mark.parametrize(
    ("name", "when", "is_renamed"), POINTS, ids=[f"{w} {n.rpartition('.')[2]}" for n, w, _ in POINTS]
)
@pytest.mark.parametrize("existed", [False, True], ids=["absent before", "empty before"])
def test_no_row_is_lost_and_the_same_answer_finishes_it(
    made: Import, name: str, when: str, is_renamed: bool, existed: bool
) -> None:
    if existed:
        made.server.run("CREATE SCHEMA app", "CREATE TABLE app.items (id bigint PRIMARY KEY, code varchar(9) NOT NULL)")
    made.fail()
    partial = made.tables()["items"]
    assert partial >= len(FIRST)
    kill_at(made, name, when)
    asides = [rows for table, rows in made.tables().items() if "__sl_" in table]
    assert asides == ([partial] if is_renamed else [])
    made.policy(**QUARANTINE)
    ended = made.run()
    assert ended.returncode == 0, ended.stderr.decode()
    tables = made.tables()
    assert tables.pop("items") == ROWS
    assert list(tables.values()) == [partial]


def test_the_next_start_says_what_stands_now(failed: Import) -> None:
    kill_at(failed, "safe_lightning.acts.remedy_engine.act_on_entry", "before")
    failed.policy()
    ended = failed.run()
    assert ended.returncode == 80, ended.stderr.decode()
    (name,) = [table for table in failed.tables() if "__sl_" in table]
    run = name.rpartition("_")[2]
    assert b"quarantine `app`.`items` was begun; whether it was done is not recorded" in ended.stderr
    said = f"run {run} began to set `app`.`items` aside as `app`.`{name}`, and died: it has that name now"
    assert said.encode() in ended.stderr
    (listed,) = failed.listed()
    assert listed["is_finished"] is False


def test_the_name_can_be_given_back_and_the_failed_import_is_as_it_was(failed: Import) -> None:
    before = failed.tables(), failed.checkpoint
    kill_at(failed, "safe_lightning.acts.remedy_engine.act_on_entry", "before")
    done = failed.verb("restore", "`app`.`items`", "--apply")
    assert done.returncode == 0, done.stderr.decode()
    assert (failed.tables(), failed.checkpoint, failed.listed()) == (*before, [])
