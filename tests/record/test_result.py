"""A result keeps everything exactly, shows no secret, and is read strictly."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.stop import EngineNotIngested, Stop, StopKind
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import Action, TableResult
from safe_lightning.record.clock import folder_stamp, rfc3339, seconds_of
from safe_lightning.record.durable import to_bytes
from safe_lightning.record.result import AttemptEnd, HookEntry, RemedyEntry, RunResult
from safe_lightning.record.strict_json import UnreadableRecord

TABLE = TableName("app", "we`ird")
FULL = RunResult(
    run="ab12cd34",
    started_at=1_795_536_000.5,
    ended_at=1_795_536_060.125,
    argv=("--config", "t.toml"),
    outcome=Outcome.CHECKSUM_MISMATCH,
    reason="why",
    exit_code=1,
    child_exit_code=1,
    child_signal=None,
    tables=(
        TableResult(TABLE, "checksum-mismatch", Comparison(Totals(2**64 - 1, 3, 4), Totals(None, 5, 2**70)), "error"),
        TableResult(None, "checksum-mismatch", Comparison(None, Totals(1, 2, 3))),
        TableResult(TABLE, "unfinished"),
    ),
    hooks=(HookEntry("checksum", "post-import", "warn", "checksum-mismatch", "sentence", 2),),
    remedies=(RemedyEntry(TABLE, Action.DESTROY, "per policy", "done"),),
    root_error="root",
    evidence=("a", "b"),
    attempts=2,
    previous_attempts=(AttemptEnd(Outcome.KILLED, "signal", None, 9),),
    log_path="/log",
    version="v8.5.4",
    notes=("n",),
    stop=Stop(StopKind.DRAINED, "signal SIGTERM", "drained: nothing moved for 1.0 s"),
    engines_not_ingested=(EngineNotIngested(TABLE, -1, 2**63, 0),),
)


@pytest.mark.parametrize("result", [FULL, RunResult("x", 0.0), RunResult("x", 0.0, outcome=Outcome.UNKNOWN)])
def test_a_result_reads_back_as_what_it_was(result: RunResult) -> None:
    assert RunResult.from_json(json.loads(to_bytes(result.to_json()))) == result


def test_the_history_entry_is_the_contract_and_nothing_else() -> None:
    assert RunResult("x", 0.0).to_entry() == {
        "schema": 1,
        "run": "x",
        "started": "1970-01-01T00:00:00.000Z",
        "ended": None,
        "argv": [],
        "outcome": None,
        "exit_code": None,
        "child_exit_code": None,
        "child_signal": None,
        "tables": [],
        "hooks": [],
        "remedies": [],
    }
    entry = FULL.to_entry()
    assert entry["hooks"] == [
        {"name": "checksum", "stage": "post-import", "status": "warn", "code": "checksum-mismatch"}
    ]
    assert entry["tables"][0] == {
        "table": "`app`.`we``ird`",
        "status": "checksum-mismatch",
        "checksum": {
            "remote": {"checksum": 18446744073709551615, "kvs": 3, "bytes": 4},
            "local": {"checksum": None, "kvs": 5, "bytes": 2**70},
        },
    }
    assert [table["table"] for table in entry["tables"]] == ["`app`.`we``ird`", None, "`app`.`we``ird`"]


def test_a_secret_in_a_sentence_is_not_written() -> None:
    dsn = "root:hunter2@tcp(h:3306)/ refused"
    told = RunResult(
        "x", 0.0, outcome=Outcome.UNKNOWN, reason=dsn, root_error=dsn, evidence=(dsn,), notes=(dsn,),
        tables=(TableResult(None, "failed", None, dsn),), hooks=(HookEntry("h", "s", "warn", "c", dsn),),
        remedies=(RemedyEntry(TABLE, Action.REPORT, dsn, dsn),),
        previous_attempts=(AttemptEnd(Outcome.UNKNOWN, dsn, 1, None),),
    )  # fmt: skip
    written = to_bytes(told.to_json())
    assert b"hunter2" not in written
    assert written.count(b"root:***@tcp") == 9


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [
        ("schema", 2, "schema: found 2, known is 1"),
        ("schema", True, "schema: found bool, wanted int"),
        ("outcome", "fine", "outcome: 'fine' is not a valid Outcome"),
        ("started", "yesterday", "started: Invalid isoformat"),
        ("started", "2026-11-24T16:00:00", "a time without a zone"),
        ("argv", ["a", 1], "argv: wanted texts only"),
        ("argv", "a", "argv: found str, wanted list"),
        ("exit_code", "1", "exit_code: found str, wanted int"),
        ("tables", [{"table": "a.b", "status": "x", "error": None}], r"tables\[0\].table: not a back-quoted"),
        ("tables", [1], r"tables\[0\]: not an object"),
        ("remedies", [{"table": "`a`.`b`", "action": "drop"}], r"remedies\[0\].action: 'drop'"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_key(key: str, value: object, complaint: str) -> None:
    with pytest.raises(UnreadableRecord, match=complaint):
        RunResult.from_json({**FULL.to_json(), key: value})


#: Keys that came after the first release: its records are still read.
LATER = {"stop": None, "engines_not_ingested": ()}


@pytest.mark.parametrize("key", sorted(FULL.to_json().keys() - LATER.keys()))
def test_a_missing_key_is_refused(key: str) -> None:
    document = FULL.to_json()
    del document[key]
    with pytest.raises(UnreadableRecord, match=key):
        RunResult.from_json(document)


@pytest.mark.parametrize("key", sorted(LATER))
def test_a_key_that_came_later_may_be_missing(key: str) -> None:
    document = FULL.to_json()
    del document[key]
    assert getattr(RunResult.from_json(document), key) == LATER[key]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(sorted(FULL.to_json())), inner),
    max_leaves=10,
)


@given(JSON, st.sampled_from(sorted(FULL.to_json())))
def test_any_json_is_a_result_or_refused(value: Any, key: str) -> None:
    for document in (value, {**FULL.to_json(), key: value}):
        with suppress(UnreadableRecord):
            assert isinstance(RunResult.from_json(document), RunResult)


def test_a_run_without_an_outcome_has_no_report() -> None:
    with pytest.raises(ValueError, match="has no outcome yet"):
        RunResult("x", 0.0).to_report()
    assert FULL.to_report().tables == FULL.tables


@given(st.integers(0, 4_000_000_000_000))
def test_times_are_kept_to_the_millisecond(milliseconds: int) -> None:
    at = milliseconds / 1000
    assert round(seconds_of(rfc3339(at)) * 1000) == milliseconds
    assert round(seconds_of(folder_stamp(at)) * 1000) == pytest.approx(milliseconds, abs=1)
