"""From a stop that left an empty engine to a whole table: the verb, what it asks, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from safe_lightning.core.checkpoint import Checkpoint, TableRecord
from safe_lightning.core.rewind import Evidence, Setting, plan_rewind
from safe_lightning.core.source_state import SourceState
from safe_lightning.core.tables import TableName

from .conftest import MID_INGEST, ROWS, SLOW_INGEST, TABLE, Import, Open


def rewind(made: Import, *options: str) -> subprocess.CompletedProcess[bytes]:
    environ = made.sandbox.environ({**os.environ, "SAFE_LIGHTNING_CONFIG": str(made.folder / "policy.toml")})
    argv = [sys.executable, "-m", "safe_lightning", "rewind", *options, "--", *made.sandbox.argv]
    return subprocess.run(argv, cwd=made.folder, env=environ, capture_output=True, timeout=60, check=False)


@pytest.fixture
def stopped(import_of: Open) -> Import:
    """A physical import that a signal stopped in the middle of an ingest, without a drain."""
    made = import_of("local", **SLOW_INGEST)
    made.policy(safe_stop="off")
    made.stop_at(MID_INGEST)
    return made


def checkpoint_of(made: Import) -> Path:
    return made.sandbox.folder / "checkpoint.pb"


def told(ended: subprocess.CompletedProcess[bytes]) -> Any:
    document = json.loads(ended.stdout)
    schema = json.loads((resources.files("safe_lightning") / "schemas" / "rewind.json").read_text())
    jsonschema.validate(document, schema)
    return document


def test_the_record_alone_is_enough_and_the_resume_is_whole(stopped: Import) -> None:
    before = checkpoint_of(stopped).read_bytes()
    planned = rewind(stopped, "--plan", "--json")
    assert planned.returncode == 80, planned.stderr.decode()
    [table] = told(planned)["tables"]
    assert (table["table"], table["engines"], table["refusals"]) == (str(TABLE), [0], [])
    assert "0 of 80 pairs were imported" in table["evidence"][0]
    assert checkpoint_of(stopped).read_bytes() == before
    done = rewind(stopped, "--apply")
    assert done.returncode == 0, done.stderr.decode()
    [folder] = (stopped.sandbox.folder / "state" / "rewinds").iterdir()
    assert [path.read_bytes() for path in folder.glob("checkpoint-*.pb")] == [before]
    steps = [json.loads(line) for line in (folder / "steps.jsonl").read_text().splitlines()]
    assert [next(iter(step)) for step in steps] == ["intent", "result"]
    assert (stopped.run(), stopped.rows) == (0, ROWS), stopped.stderr.decode()
    assert rewind(stopped).returncode == 0  # the checkpoint is gone with the success: nothing to set back


def test_without_a_record_a_log_or_the_user_says_it(stopped: Import) -> None:
    shutil.rmtree(stopped.sandbox.folder / "state" / "runs")
    assert told(rewind(stopped, "--json"))["tables"] == []
    log = str(stopped.sandbox.folder / "lightning.log")
    assert told(rewind(stopped, "--json", "--log", log))["tables"][0]["engines"] == [0]
    [table] = told(rewind(stopped, "--json", "--engine", f"{TABLE}:0"))["tables"]
    assert table["evidence"] == ["engine 0: confirmed by you"]


def test_a_source_file_that_changed_since_is_refused(stopped: Import) -> None:
    before = checkpoint_of(stopped).read_bytes()
    with (stopped.folder / "export" / "app.items.001.csv").open("a") as file:
        file.write("4711,1\n")
    refused = rewind(stopped, "--apply", "--json")
    assert refused.returncode == 88
    assert any("app.items.001.csv" in said for said in told(refused)["tables"][0]["refusals"])
    assert checkpoint_of(stopped).read_bytes() == before


def test_what_is_no_engine_is_wrong_usage(stopped: Import) -> None:
    assert rewind(stopped, "--engine", "app.items:0").returncode == 64
    assert rewind(stopped, "--plan", "--apply").returncode == 64


GOOD = Setting(True, False, SourceState(), False)
RECORD = TableRecord(TableName("a", "b"), 30, engines={-1: 30, 0: 120, 1: 30})


def engines(record: TableRecord, *found: int, setting: Setting = GOOD) -> tuple[int, ...]:
    evidence = [Evidence(record.table, number, "seen") for number in found]
    plans = plan_rewind(Checkpoint("file", "here", True, None, (record,)), evidence, setting)
    return plans[0].engines if plans else ()


@pytest.mark.parametrize(
    ("statuses", "found", "set_back"),
    [
        ({-1: 30, 0: 120, 1: 120}, [1], (1,)),
        ({-1: 30, 0: 120, 1: 30}, [1], ()),
        ({-1: 30, 0: 120}, [7], ()),
        ({-1: 120, 0: 120, 1: 120}, [-1], (-1, 0, 1)),
        ({-1: 90, 0: 120, 1: 120}, [1], (-1, 0, 1)),
        ({-1: 120, 0: 120, 1: 120}, [], ()),
    ],
)
def test_which_engines_are_set_back(statuses: dict[int, int], found: list[int], set_back: tuple[int, ...]) -> None:
    assert engines(replace(RECORD, engines=statuses), *found) == set_back


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (replace(GOOD, is_physical=False), "physical backend"),
        (replace(GOOD, is_parallel_import=True), "parallel import"),
        (replace(GOOD, others_alive=True), "another Lightning is at work"),
        (replace(GOOD, others_alive=None), "another Lightning may be at work"),
        (replace(GOOD, source=None), "the source cannot be looked at"),
    ],
)
def test_what_forbids_it(setting: Setting, said: str) -> None:
    evidence = [Evidence(RECORD.table, 0, "seen")]
    [planned] = plan_rewind(Checkpoint("file", "here", True, None, (RECORD,)), evidence, setting)
    assert any(said in refusal for refusal in planned.refusals)
