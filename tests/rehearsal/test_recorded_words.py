"""The stand-ins against recordings of the real tools: the same lines in the same order, the same words."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import recordings

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_model import decode
from safe_lightning.rehearsal.sandbox import Sandbox, open_sandbox
from safe_lightning.rehearsal.scenario import Ending, Scenario
from safe_lightning.rehearsal.screen import Check, check_table
from safe_lightning.supervise.command import CommandEnd, run_command

LINE = re.compile(r'\[[^]]*\] \[(\w+)\] \[([^]]*)\] \[("(?:[^"\\]|\\.)*"|[^]]*)\]')
#: Lines of parts that the stand-in has not: TiKV, PD's client, the sorted files, the start-up config check.
OF_OTHER_PARTS = re.compile(r"^(client|local|checksum|config|engine)\.go:")
#: Lines of goroutines that race with the others, so that their place differs between recordings.
RACING = {'"everything imported, stopping periodic actions"', '"switch tikv mode"', '"run failed"', "progress"}
NUMBER = re.compile(rb"\d+")

SHAPES = [
    ("v8.5.4-local-backend/01-success-file", Ending.CLEAN),
    ("v8.5.4-local-backend/02-mismatch-dup-pk-file", Ending.CLEAN),
    ("v8.5.4-local-backend/04-mismatch-dup-uk-file", Ending.CLEAN),
    ("v8.5.4-local-backend/14a-checksum-optional-dup", Ending.CLEAN),
    ("v8.5.4-tidb-backend/success-keep-origin-file", Ending.CLEAN),
    ("v8.5.4-tidb-backend/silent-empty-csv", Ending.CLEAN),
    ("v8.5.4-tidb-backend/success-filter-nothing", Ending.NOTHING),
    ("v8.5.4-tidb-backend/conflict-pk-default", Ending.CLEAN),
    ("v8.5.4-tidb-backend/stale-recreated-file", Ending.STALE),
    ("v8.5.4-tidb-backend/stale-unchanged-file", Ending.FINISHED),
    ("v8.5.4-tidb-backend/status-port-busy", Ending.STATUS_PORT_BUSY),
]


def folder_of(name: str) -> Path:
    for root in recordings.roots():
        if (root / name / "case.toml").is_file():
            return root / name
    pytest.skip(f"the recording {name} is not at hand")


@dataclass
class Replayed:
    """A recording, and what the stand-in made of the same config and data."""

    recorded: Path
    sandbox: Sandbox
    end: CommandEnd


@pytest.fixture(params=SHAPES, ids=lambda shape: shape[0].split("/")[1])
def replayed(request: pytest.FixtureRequest, copied: Callable[[Path, str], Path], tmp_path: Path):  # noqa: ANN201
    name, ending = request.param
    recorded = folder_of(name)
    config = copied(recorded, str(recordings.Recording(recorded).case["cwd"])) / "config.toml"
    with open_sandbox(["--config", str(config)], tmp_path, Scenario(ending=ending), tmp_path / "sandbox") as sandbox:
        log = sandbox.folder / "lightning.log"
        log.unlink(missing_ok=True)
        argv = [str(sandbox.folder / "bin" / "tidb-lightning"), *sandbox.argv]
        yield Replayed(recorded, sandbox, run_command(argv, timeout_seconds=60, env=os.environ, cwd=sandbox.folder))


def messages(log: Path) -> list[str]:
    found = [LINE.match(line) for line in log.read_text("utf-8", "replace").splitlines()]
    lines = [(m[1], m[2], m[3]) for m in found if m]
    return [" ".join(line) for line in lines if not OF_OTHER_PARTS.match(line[1]) and line[2] not in RACING]


def test_the_log_has_the_recorded_lines_in_the_recorded_order(replayed: Replayed) -> None:
    ours, recorded = (messages(p / "lightning.log") for p in (replayed.sandbox.folder, replayed.recorded))
    if sum("restore table start" in line for line in recorded) > 1:  # tables at the same time: any order
        ours, recorded = sorted(ours), sorted(recorded)
    assert ours == recorded


def test_exit_code_and_last_words_are_the_recorded_ones(replayed: Replayed) -> None:
    case = recordings.Recording(replayed.recorded).case
    assert replayed.end.exit_code == case["exit_code"]
    assert replayed.end.stdout.splitlines()[-1:] == (replayed.recorded / "stdout").read_bytes().splitlines()[-1:] or (
        b"Verbose" in replayed.end.stdout.splitlines()[0] and case["exit_code"] == 1
    )


def test_stderr_is_the_recorded_text_but_for_its_numbers(replayed: Replayed) -> None:
    recorded = (replayed.recorded / "stderr").read_bytes()
    assert NUMBER.sub(b"N", replayed.end.stderr) == NUMBER.sub(b"N", recorded)


def test_duplicate_keys_lose_as_many_pairs_as_recorded(copied: Callable[[Path, str], Path], tmp_path: Path) -> None:
    recorded = folder_of("v8.5.4-local-backend/02-mismatch-dup-pk-file")
    config = copied(recorded, str(recordings.Recording(recorded).case["cwd"])) / "config.toml"
    with open_sandbox(["--config", str(config)], tmp_path, Scenario(), tmp_path / "sandbox") as sandbox:
        argv = [str(sandbox.folder / "bin" / "tidb-lightning"), *sandbox.argv]
        end = run_command(argv, timeout_seconds=60, env=os.environ, cwd=sandbox.folder)
        assert b"(total_kvs: 3004 vs 3006)" in end.stderr
        ours, theirs = (decode((p / "checkpoint.pb").read_bytes()) for p in (sandbox.folder, recorded / "after"))
    name = str(TableName("shop2", "orders"))
    assert statuses(ours.tables[name]) == statuses(theirs.tables[name])
    ours_chunk, their_chunk = (model.tables[name].engines[0].chunks["shop2.orders.csv:0"] for model in (ours, theirs))
    for field in ("path", "offset", "end_offset", "pos", "kvc_kvs", "type", "file_size"):
        assert getattr(ours_chunk, field) == getattr(their_chunk, field), field


def statuses(table):  # noqa: ANN001, ANN201
    return table.status, {number: engine.status for number, engine in table.engines.items()}


TABLE = re.compile(r"(\+-+\+-+\+-+\+-+\+\n.*?\n)\n", re.DOTALL)
CELLS = re.compile(r"\|(.*?)\|(.*)\|(.*?)\|(.*?)\|$")


def recorded_tables() -> list[tuple[str, str]]:
    found = []
    for recording in recordings.recordings():
        text = recording.bytes_of("stdout").decode("utf-8", "replace")
        found += [(recording.name, match[1]) for match in [TABLE.search(text)] if match]
    return found


def read_checks(table: str) -> list[Check]:
    checks: list[list[str]] = []
    for line in re.sub(r"\x1b\[\d*m", "", table).splitlines()[3:]:
        if cells := CELLS.match(line):
            if cells[1].strip():
                checks.append([cells[2][1:-1], cells[3].strip(), cells[4].strip()])
            else:
                checks[-1][0] += cells[2][1:-1]
    return [Check(item.rstrip(), kind == "critical", passed == "true") for item, kind, passed in checks]


def test_every_recorded_check_table_can_be_drawn_again_byte_for_byte() -> None:
    tables = recorded_tables()
    assert tables
    assert [name for name, table in tables if check_table(read_checks(table)) != table + "\n"] == []
