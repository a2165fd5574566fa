"""A run whose policy holds the source's keys against the rows of the target, in a real sandbox."""

from __future__ import annotations

from pathlib import Path

from sandboxes import sandbox

INCLUDE = {"scan": {"include_target": True}}
STANDING = (
    "CREATE DATABASE app",
    "CREATE TABLE app.items (id bigint PRIMARY KEY, code varchar(9) NOT NULL, UNIQUE KEY (code))",
    "INSERT INTO app.items VALUES (7, 'other'), (900, 'c9'), (901, 'new')",
)


def test_rows_that_stand_in_the_target_block_the_run_and_are_on_its_page(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=INCLUDE) as place:
        for statement in STANDING:
            place.sql(statement)
        ended = place.run()
        page = max((place.sandbox.folder / "state" / "runs").iterdir()) / "report.html"
        told = page.read_text()
    assert ended.returncode == 65, ended.stderr.decode()
    assert b"2 duplicate keys in 4 rows of 1 table" in ended.stderr
    assert told.count("<div>target `app`.`items`</div>") == 2


def test_without_the_policy_key_they_are_not_looked_at(tmp_path: Path) -> None:
    with sandbox(tmp_path) as place:
        for statement in STANDING:
            place.sql(statement)
        ended = place.call("scan", "--", *place.sandbox.argv)
    assert ended.returncode == 0, ended.stderr.decode()
