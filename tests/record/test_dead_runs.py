"""What a dead run was doing, told by the next one from what a real kill -9 left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from record_helpers import STARTED_AT, MakeRun, Start

from safe_lightning.core.outcome import Outcome
from safe_lightning.record.dead_runs import DeadRun, close_dead_run, close_dead_runs, previous_unfinished
from safe_lightning.record.ledger import Ledger
from safe_lightning.record.run_dir import RunDir
from safe_lightning.record.run_folder import begun

RUNNING = """
import os, sys
from pathlib import Path
from safe_lightning.record.run_dir import RunDir
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Step
state, log, child = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
record = RunDir.create(state, "dead", 1795536000.5)
record.write_call(["-tidb-password", "x"], Path("/"), [], {}, "", 1795536000.5, "dead")
step = Step(Action.DESTROY, TableName("a", "b"), "per policy")
for phase in sys.argv[4:]:
    if phase == "importing":
        record.link_log(log, 0)
        record.enter("importing", 1795536001, child)
    elif phase == "intent":
        record.record_intent(step)
    elif phase == "result":
        record.record_result(step, {"status": "done", "message": "gone"})
    else:
        record.enter(phase, 1795536001)
print("ready", flush=True)
sys.stdin.read()
"""

NOW = STARTED_AT + 3600

GoneChild = int
Kill = Callable[..., DeadRun]


@pytest.fixture
def gone_child() -> GoneChild:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "lightning.log"


@pytest.fixture
def killed(state: Path, start: Start, log: Path, gone_child: GoneChild) -> Kill:
    """Kill a run after these phases and return what the next run sees of it."""

    def kill(*phases: str, child: int | None = None) -> DeadRun:
        process = start(RUNNING, state, log, child or gone_child, *phases)
        assert previous_unfinished(state) == []
        process.kill()
        process.wait()
        [dead] = previous_unfinished(state)
        return dead

    return kill


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ([], "died before it had begun to look"),
        (["looking"], "died while it was looking, before the import"),
        (["looking", "importing"], "died while its import was running"),
        (["looking", "importing", "judging"], "died while it was judging how its import had ended"),
        (["importing", "remedying", "intent"], "`a`.`b` was begun; whether it was done is not recorded"),
        (["importing", "remedying", "intent", "result"], "died while it was performing its remedy"),
        (["importing", "looking"], "died while it was looking, before another attempt"),
        (["importing", "finishing"], "died while it was writing its end"),
    ],
)
def test_what_it_was_doing_is_said(killed: Kill, phases: list[str], words: str) -> None:
    told = killed(*phases).describe()
    assert told.startswith("run dead, started 2026-11-24T16:00:00.500Z, died ")
    assert words in told
    assert ("was begun" in told) == (phases[-1:] == ["intent"])


def test_a_living_child_is_named_and_nothing_is_closed(killed: Kill) -> None:
    dead = killed("importing", child=os.getpid())
    assert dead.is_child_alive is True
    assert f"its tidb-lightning (process {os.getpid()}) is still running" in dead.describe()
    assert close_dead_run(dead, NOW) is None
    assert not (dead.folder / "result.json").exists()


def test_a_later_process_with_the_childs_number_is_not_the_child(killed: Kill) -> None:
    dead = killed("importing", child=os.getpid())
    path = dead.folder / "phases.jsonl"
    entry = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entry, "identity": "another boot:1"}) + "\n")
    [again] = previous_unfinished(dead.folder.parent.parent)
    assert again.is_child_alive is False


def test_a_child_whose_identity_is_not_recorded_may_be_alive(killed: Kill) -> None:
    dead = killed("importing", child=os.getpid())
    path = dead.folder / "phases.jsonl"
    entry = json.loads(path.read_bytes())
    path.write_text(json.dumps({**entry, "identity": None}) + "\n")
    [again] = previous_unfinished(dead.folder.parent.parent)
    assert again.is_child_alive is None
    assert "cannot be told" in again.describe()
    assert close_dead_run(again, NOW) is None


def lines(*messages: str) -> bytes:
    return b"".join(
        f"[2026/11/24 16:00:00.000 +00:00] [{'ERROR' if 'failed' in m else 'INFO'}] [x.go:1] {m}\n".encode()
        for m in messages
    )


WELCOME = '["Welcome to TiDB-Lightning"] [release-version=v8.5.4]'
RUNNING_LINES = (WELCOME, "[cfg] [cfg={}]", '["the whole procedure start"]')
MISMATCH = (
    '["the whole procedure failed"] [error="[Lighting:Restore:ErrChecksumMismatch]checksum mismatched remote vs local '
    '=> (checksum: 1 vs 2) (total_kvs: 3 vs 4) (total_bytes:5 vs 6)"]'
)
DONE = (
    '["restore file completed"] [table=`a`.`b`] [checksum="{cksum=7,size=8,kvs=9}"]',
    '["checksum pass"] [table=`a`.`b`] [local="{cksum=7,size=8,kvs=9}"]',
    '["the whole procedure completed"] [takeTime=1s]',
    '["tidb lightning exit"] [finished=true]',
)


@pytest.mark.parametrize(
    ("phases", "logged", "outcome", "words"),
    [
        (["looking"], b"", Outcome.KILLED, "before it had started the import"),
        (["importing"], lines(*RUNNING_LINES), Outcome.KILLED, "its log: the log stops in the middle of the run"),
        (["importing"], b"", Outcome.UNKNOWN, "nothing to explain"),
        (["importing"], lines(*RUNNING_LINES, MISMATCH), Outcome.CHECKSUM_MISMATCH, "its log: "),
        (["importing", "judging"], lines(*RUNNING_LINES, *DONE), Outcome.UNKNOWN, "nobody was left to prove it"),
    ],
    ids=["never started", "cut off", "no log", "a failure that it logged", "a good end is not believed"],
)
def test_its_end_is_written_as_far_as_the_evidence_goes(
    killed: Kill, log: Path, state: Path, phases: list[str], logged: bytes, outcome: Outcome, words: str
) -> None:
    log.write_bytes(logged)
    dead = killed(*phases)
    result = close_dead_run(dead, NOW)
    assert result is not None
    assert (result.outcome, result.exit_code, result.ended_at) == (outcome, None, None)
    assert words in result.reason
    assert dead.describe() in result.notes[-1]
    assert previous_unfinished(state) == []
    with Ledger.open(state) as ledger:
        assert [entry for _, entry in ledger.entries()] == [result]


def test_a_later_success_in_the_same_log_is_not_the_dead_runs(killed: Kill, log: Path) -> None:
    log.write_bytes(lines(*RUNNING_LINES) + lines(*RUNNING_LINES, *DONE))
    result = close_dead_run(killed("importing"), NOW)
    assert result is not None
    assert result.outcome is Outcome.KILLED


def test_steps_and_verdicts_are_carried_into_the_written_end(killed: Kill) -> None:
    dead = killed("importing", "remedying", "intent")
    (dead.folder / "verdicts.jsonl").write_text(
        '{"hook": "h", "stage": "pre-import", "attempt": 1, "verdict": '
        '{"status": "pass", "code": "fine", "message": "m", "findings": []}}\n{"hook": 1}\n{"cut'
    )
    result = close_dead_run(dead, NOW)
    assert result is not None
    assert [(r.action, r.result) for r in result.remedies] == [
        ("destroy", "begun; whether it was done is not recorded")
    ]
    assert [(h.name, h.status, h.code) for h in result.hooks] == [("h", "pass", "fine")]


def test_an_end_is_written_once(killed: Kill) -> None:
    dead = killed("looking")
    assert close_dead_run(dead, NOW) is not None
    assert close_dead_run(dead, NOW) is None


def test_a_run_that_lives_is_never_closed(state: Path) -> None:
    record = RunDir.create(state, "living", STARTED_AT)
    assert previous_unfinished(state) == []
    assert record.path is not None
    assert close_dead_run(DeadRun(record.path, begun(record.path), (), (), None, False), NOW) is None
    record.close()


@pytest.mark.parametrize("name", ["phases.jsonl", "steps.jsonl", "argv.json", "log.json"])
@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00{", b'{"phase": 1}\n[]\n', b'{"step": {}, "intent": {"action": "eat"}}']
)
def test_a_spoiled_record_of_a_dead_run_is_still_told_and_closed(
    killed: Kill, name: str, content: bytes, state: Path
) -> None:
    folder = killed("importing", "remedying", "intent").folder
    (folder / name).write_bytes(content)
    [dead] = previous_unfinished(state)
    assert dead.describe().startswith("run dead")
    result = close_dead_run(dead, NOW)
    assert result is not None
    assert result.outcome in {Outcome.KILLED, Outcome.UNKNOWN}


def test_finished_runs_are_not_unfinished(state: Path, make_run: MakeRun) -> None:
    make_run("r1")
    assert previous_unfinished(state) == []


def test_every_dead_run_is_told_once_with_what_it_is_recorded_as(killed: Kill, state: Path) -> None:
    killed("looking")
    assert [sentence.rpartition("; ")[2] for sentence in close_dead_runs(state, NOW)] == ["it is recorded as killed"]
    assert close_dead_runs(state, NOW) == []


def test_an_end_that_cannot_be_written_is_said_and_told_again(killed: Kill, state: Path) -> None:
    dead = killed("looking")
    (dead.folder / "result.json").symlink_to(dead.folder / "nowhere" / "result.json")
    (dead.folder / "verdicts.jsonl").unlink()
    (dead.folder / "verdicts.jsonl").mkdir()
    for _ in range(2):
        [sentence] = close_dead_runs(state, NOW)
        assert "its end cannot be written: Is a directory" in sentence
