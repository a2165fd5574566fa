"""A stop through the whole wrapper: with a drain the resume is exact, without one rows are lost or collide."""

from __future__ import annotations

import signal

from .conftest import MID_FILE, MID_INGEST, ROWS, ROWS_PER_FILE, SLOW_INGEST, SLOW_ROWS, TABLE, Open


def test_a_drained_logical_import_is_resumed_exactly(import_of: Open) -> None:
    made = import_of("tidb", **SLOW_ROWS)
    made.stop_at(MID_FILE)
    assert made.result["stop"]["kind"] == "drained", made.result["stop"]
    assert made.rows == 2 * ROWS_PER_FILE
    assert (made.run(), made.rows) == (0, ROWS), made.stderr.decode()


def test_without_a_drain_the_same_resume_collides(import_of: Open) -> None:
    made = import_of("tidb", **SLOW_ROWS)
    made.policy(safe_stop="off")
    made.stop_at(MID_FILE)
    assert made.result["stop"] == {"kind": "signalled", "reason": "signal SIGTERM", "drain": "safe_stop is off"}
    assert made.run() == 1
    assert b"1062" in made.stderr


def test_a_drained_physical_import_waits_for_the_ingest_in_flight(import_of: Open) -> None:
    made = import_of("local", **SLOW_INGEST)
    made.stop_at(MID_INGEST)
    assert made.result["stop"]["kind"] in ("drained", "not-needed"), made.result["stop"]
    assert made.result["engines_not_ingested"] == []
    if made.result["outcome"] != "succeeded":
        assert made.run() == 0, made.stderr.decode()
    assert made.rows == ROWS


def test_without_a_drain_the_record_names_the_engine_that_was_never_ingested(import_of: Open) -> None:
    made = import_of("local", **SLOW_INGEST)
    made.policy(safe_stop="off")
    made.stop_at(MID_INGEST)
    assert made.result["engines_not_ingested"] == [{"table": str(TABLE), "engine": 0, "kvs": ROWS, "imported": 0}]
    assert made.run() == 1
    assert b"checksum mismatched" in made.stderr


def test_a_second_signal_skips_the_drain(import_of: Open) -> None:
    made = import_of("tidb", **SLOW_ROWS)
    made.policy(quiet_logical="20s", drain_timeout="60s")
    made.stop_at(MID_FILE, signal.SIGTERM)
    assert made.result["stop"]["kind"] == "signalled"
    assert "cut short by a further signal" in made.result["stop"]["drain"]


def test_an_import_that_does_not_become_quiet_in_time_is_signalled(import_of: Open) -> None:
    made = import_of("local", ingest_seconds=30.0)
    made.policy(drain_timeout="1s")
    made.stop_at(MID_INGEST)
    assert made.result["stop"]["kind"] == "signalled"
    assert "1 engine import(s) had not ended" in made.result["stop"]["drain"]


def test_a_task_without_a_status_address_is_signalled_and_told_so(import_of: Open) -> None:
    made = import_of("tidb", **SLOW_ROWS)
    made.policy(safe_stop="auto")
    made.stop_at(MID_FILE)
    assert made.result["stop"]["kind"] == "signalled"
    assert "no status address" in made.result["stop"]["drain"]
