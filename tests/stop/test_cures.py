"""Answers that make an unsafe resume a safe one: engines set back, or rows sent again that overwrite themselves."""

from __future__ import annotations

import os
from typing import Any

import pytest

from safe_lightning.lightning.task import Server
from safe_lightning.rehearsal.cluster import Cluster
from safe_lightning.rehearsal.toml_text import write_toml

from .conftest import MID_FILE, MID_INGEST, ROWS, SLOW_INGEST, SLOW_ROWS, TABLE, Import, Open


def answer(made: Import, word: str, **more: Any) -> None:
    """Give the policy one answer to every resume that is not safe."""
    policy = {
        "schema": 1,
        "checkpoint": {"on": {"unsafe": word}},
        "hooks": [{"use": "checkpoint", "stage": "pre-import"}],
        "supervise": {"safe_stop": "off"},
        **more,
    }
    (made.folder / "policy.toml").write_text(write_toml(policy))


def steps(made: Import) -> list[tuple[str, str]]:
    return [(step["action"], step["result"].partition(":")[0]) for step in made.result["remedies"]]


@pytest.fixture
def cut_short(import_of: Open) -> Import:
    """A physical import that a signal stopped in the middle of an ingest."""
    made = import_of("local", **SLOW_INGEST)
    answer(made, "refuse")
    made.stop_at(MID_INGEST)
    return made


def test_an_engine_never_ingested_is_set_back_and_the_import_is_whole(cut_short: Import) -> None:
    answer(cut_short, "rewind")
    assert cut_short.run() == 0, cut_short.stderr.decode()
    assert (cut_short.rows, steps(cut_short)) == (ROWS, [("rewind", "done")])
    assert "engine(s) 0" in cut_short.result["remedies"][0]["result"]


def test_a_rewind_is_not_done_where_a_source_file_changed(cut_short: Import) -> None:
    answer(cut_short, "rewind")
    before = (cut_short.sandbox.folder / "checkpoint.pb").read_bytes()
    os.utime(cut_short.folder / "export" / "app.items.001.csv", (4_000_000_000, 4_000_000_000))
    assert cut_short.run() == 80, cut_short.stderr.decode()
    assert (cut_short.sandbox.folder / "checkpoint.pb").read_bytes() == before


def test_a_rewind_is_shown_in_a_dry_run_and_nothing_is_changed(cut_short: Import) -> None:
    answer(cut_short, "rewind", dry_run=True)
    before = (cut_short.sandbox.folder / "checkpoint.pb").read_bytes()
    assert cut_short.run() == 88
    assert steps(cut_short) == [("rewind", "planned")]
    assert (cut_short.sandbox.folder / "checkpoint.pb").read_bytes() == before


def test_a_mismatch_that_an_empty_engine_made_is_mended_by_a_remedy(cut_short: Import) -> None:
    """Resumed all the same, the engine is passed over and the checksum fails: set back, it is read again."""
    hooks = [{"use": "checkpoint", "stage": "pre-import"}, {"use": "checksum", "stage": "post-import"}]
    rule = {"cause": "any", "action": "rewind", "then": "retry", "least_confidence": 0.0}
    answer(cut_short, "resume", hooks=hooks, remedy=[rule])
    assert cut_short.run() == 0, cut_short.stderr.decode()
    assert (cut_short.rows, steps(cut_short)) == (ROWS, [("rewind", "done")])


def test_a_cure_for_another_danger_is_refused_with_the_reason(cut_short: Import) -> None:
    answer(cut_short, "resume-replace")
    assert cut_short.run() == 80
    assert b"as rows sent again would not overwrite themselves" in cut_short.stderr


@pytest.fixture
def in_flight(import_of: Open) -> Import:
    """A logical import that a SIGTERM stopped without a drain, rows of it on their way."""
    made = import_of("tidb", **SLOW_ROWS)
    answer(made, "refuse")
    made.stop_at(MID_FILE)
    return made


def test_without_the_answer_it_is_refused_and_the_answer_is_named(in_flight: Import) -> None:
    assert in_flight.run() == 80
    assert "resume-replace" in in_flight.result["reason"]


def test_rows_sent_again_overwrite_themselves(in_flight: Import) -> None:
    answer(in_flight, "resume-replace")
    assert in_flight.run() == 0, in_flight.stderr.decode()
    assert (in_flight.rows, steps(in_flight)) == (ROWS, [("resume-replace", "done")])


def sql(made: Import, statement: str) -> None:
    with Cluster(Server(port=made.sandbox.ports.mysql), made.sandbox.scenario) as cluster:
        cluster.run(statement)


def test_rows_from_before_are_never_overwritten(import_of: Open) -> None:
    made = import_of("tidb", **SLOW_ROWS)
    sql(made, "CREATE DATABASE app")
    sql(made, f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, n int, KEY k (n))")
    sql(made, f"INSERT INTO {TABLE} (id, n) VALUES (77, 4711)")
    answer(made, "refuse")
    made.stop_at(MID_FILE)
    answer(made, "resume-replace")
    assert made.run() == 88, made.stderr.decode()
    assert steps(made) == [("resume-replace", "refused")]
    assert "safety law 1" in made.result["remedies"][0]["result"]


def test_a_table_without_a_key_is_refused(import_of: Open) -> None:
    made = import_of("tidb", **SLOW_ROWS)
    schema = made.folder / "export" / "app.items-schema.sql"
    schema.write_text("CREATE TABLE items (id bigint, n int);")
    answer(made, "refuse")
    made.stop_at(MID_FILE)
    answer(made, "resume-replace")
    assert made.run() == 80, made.stderr.decode()
    assert b"the table has no key" in made.stderr
