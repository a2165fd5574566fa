"""A run's directory: every file of it, what a kill -9 leaves, and what a disk that refuses does to it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from record_helpers import STARTED_AT, HookEnd, Start

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Finding, Plan, Stage, Status, Step, TableBaseline, Verdict
from safe_lightning.policy.model import Policy
from safe_lightning.record.durable import read_journal
from safe_lightning.record.process import process_identity
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_dir import RunDir
from safe_lightning.record.run_folder import is_alive, read_result, read_run

TABLE = TableName("app", "we`ird")
STEP = Step(Action.DESTROY, TABLE, "per policy remedy[0]")


VERDICT = Verdict(
    Status.WARN,
    "checksum-mismatch",
    "with root:hunter2@tcp(h:1)/",
    (Finding("rows-before", "f", TABLE),),
    None,
    {"n": 2**70},
)


def write_everything(record: RunDir, folder: Path, checkpoint: Path) -> None:
    record.write_call(
        ["-tidb-password", "hunter2"],
        folder,
        ["PATH", "HOME"],
        {"safe-lightning": "0.1"},
        "file:///cp",
        STARTED_AT,
        "ab12",
    )
    record.write_policy(Policy())
    record.write_task({"values": {"tidb.password": "hunter2", "tidb.host": "h"}}, ["-tidb-password", "hunter2"])
    record.write_baselines([TableBaseline(TABLE, True, None, STARTED_AT, "ab12")])
    record.enter("looking", STARTED_AT)
    record.add_verdict(HookEnd("checksum", Stage.POST_IMPORT, VERDICT, 0.5), 1)
    record.enter("importing", STARTED_AT, os.getpid(), attempt=1)
    record.link_log(folder / "lightning.log", 7)
    record.events.write(b'{"event": "e"}\n')
    record.stdout.write(b"out\n")
    record.stderr.write(b"password=hunter2\n")
    record.copy_checkpoint("before", checkpoint)
    record.close_log(folder / "lightning.log", 7, 99)
    record.write_plan(Plan((STEP,), "reason"))
    record.record_intent(STEP)
    record.record_result(STEP, {"status": "done", "message": "gone"})
    record.finish(RunResult("ab12", STARTED_AT, outcome=Outcome.CHECKSUM_MISMATCH, exit_code=1))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    (tmp_path / "cp.pb").write_bytes(b"protobuf")
    return tmp_path / "cp.pb"


@pytest.fixture
def written(state: Path, tmp_path: Path, checkpoint: Path) -> Path:
    record = RunDir.create(state, "ab12", STARTED_AT)
    write_everything(record, tmp_path, checkpoint)
    assert (record.is_trustworthy, record.trouble) == (True, "")
    record.close()
    assert record.path is not None
    return record.path


def test_the_directory_holds_these_files_and_no_others(written: Path) -> None:
    assert written.name == "20261124T160000.500Z-ab12"
    assert sorted(str(path.relative_to(written)) for path in written.rglob("*")) == [
        "alive",
        "argv.json",
        "baselines.json",
        "checkpoint-before",
        "checkpoint-before/checkpoint.pb",
        "events.jsonl",
        "log",
        "log.json",
        "phases.jsonl",
        "plan.json",
        "policy.json",
        "result.json",
        "stderr",
        "stdout",
        "steps.jsonl",
        "task.json",
        "verdicts.jsonl",
    ]


def test_nobody_else_may_read_it(written: Path) -> None:
    open_to_others = [p for p in (written, *written.rglob("*")) if not p.is_symlink() and p.stat().st_mode & 0o077]
    assert open_to_others == []


def test_no_secret_is_in_any_file(written: Path) -> None:
    held = [path.name for path in written.rglob("*") if path.is_file() and b"hunter2" in path.read_bytes()]
    assert held == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("argv.json", {"run": "ab12", "started": "2026-11-24T16:00:00.500Z", "argv": ["-tidb-password", "***"]}),
        ("argv.json", {"environment": ["HOME", "PATH"], "checkpoint_location": "file:///cp"}),
        ("task.json", {"values": {"tidb.password": "***", "tidb.host": "h"}, "argv": ["-tidb-password", "***"]}),
        ("log.json", {"start_offset": 7, "end_offset": 99}),
        ("plan.json", {"reason": "reason", "then_retry": False}),
    ],
)
def test_a_json_file_says(written: Path, name: str, content: dict[str, object]) -> None:
    assert content.items() <= json.loads((written / name).read_bytes()).items()


def test_a_verdict_is_kept_whole_with_exact_integers(written: Path) -> None:
    [entry] = read_journal(written / "verdicts.jsonl")
    assert (entry["hook"], entry["stage"], entry["attempt"]) == ("checksum", "post-import", 1)
    assert entry["verdict"]["data"] == {"n": 2**70}
    assert entry["verdict"]["findings"][0]["table"] == "`app`.`we``ird`"


def test_a_phase_with_a_child_names_it_so_that_no_later_process_is_taken_for_it(written: Path) -> None:
    looking, importing = read_journal(written / "phases.jsonl")
    assert "pid" not in looking
    assert (importing["phase"], importing["attempt"]) == ("importing", 1)
    assert (importing["pid"], importing["identity"]) == (os.getpid(), process_identity(os.getpid()))


def test_a_steps_intent_stands_before_its_result(written: Path) -> None:
    intent, result = read_journal(written / "steps.jsonl")
    step = {"action": "destroy", "table": str(TABLE), "reason": STEP.reason, "into": None}
    assert intent == {"step": 1, "intent": step}
    assert (result["step"], result["result"]) == (1, {"status": "done", "message": "gone"})


def test_a_refusal_without_an_intent_is_a_step_of_its_own(state: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    record.record_result(STEP, {"status": "refused"})
    record.record_intent(STEP)
    record.close()
    assert record.path is not None
    assert [entry["step"] for entry in read_journal(record.path / "steps.jsonl")] == [1, 2]


def test_the_link_leads_to_the_log_of_the_last_attempt(state: Path, tmp_path: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    assert record.path is not None
    for name, offset in (("first.log", 5), ("second.log", 0)):
        record.link_log(tmp_path / name, offset)
    assert (record.path / "log").readlink() == tmp_path / "second.log"
    assert json.loads((record.path / "log.json").read_bytes())["start_offset"] == 0


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (make_fifo, "not a regular file"),
        (make_sparse, "too large to be copied (2147483648 bytes)"),
        (Path.mkdir, "not a regular file"),
        (lambda path: path.symlink_to(path), "Too many levels"),
        (lambda path: None, "No such file"),
    ],
    ids=["fifo", "2 GiB", "folder", "cycle of links", "missing"],
)
def test_a_checkpoint_that_cannot_be_copied_is_said_and_the_record_stays_whole(
    state: Path, tmp_path: Path, make: object, words: str
) -> None:
    make(tmp_path / "cp")  # type: ignore[operator]
    record = RunDir.create(state, "ab12", STARTED_AT)
    record.copy_checkpoint("before", tmp_path / "cp")
    assert record.path is not None
    assert words in (record.path / "checkpoint-before" / "note.txt").read_text()
    assert record.is_trustworthy


DYING = """
import sys, time
from pathlib import Path
from safe_lightning.record.run_dir import RunDir
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Step
record = RunDir.create(Path(sys.argv[1]), "dead", 1795536000.5)
record.write_call(["-d", "/data"], Path("/"), [], {}, "", 1795536000.5, "dead")
record.enter("looking", 1795536001)
record.enter("remedying", 1795536002)
record.stdout.write(b"the last words of the child")
record.stdout.write(b" are here\\nand without an end")
record.record_intent(Step(Action.DESTROY, TableName("a", "b"), "why"))
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_kill_in_the_middle_leaves_a_record_that_can_be_read(state: Path, start: Start) -> None:
    process = start(DYING, state)
    [folder] = (state / "runs").iterdir()
    assert is_alive(folder)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not is_alive(folder)
    assert read_result(folder) is None
    assert read_run(folder).argv == ("-d", "/data")
    assert [entry["phase"] for entry in read_journal(folder / "phases.jsonl")] == ["looking", "remedying"]
    assert [entry["intent"]["action"] for entry in read_journal(folder / "steps.jsonl")] == ["destroy"]
    assert (folder / "stdout").read_bytes().startswith(b"the last words of the child are here\n")


def test_a_run_that_has_let_go_is_not_alive(written: Path) -> None:
    assert not is_alive(written)


# --- a disk that refuses ---------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path]:
    """Mount a tiny file system; skips where this user or container may not."""
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_raises_nothing_and_is_told_once(tmp_path: Path, checkpoint: Path) -> None:
    told: list[str] = []
    with small_disk(tmp_path / "small", "64k") as disk:
        (disk / "runs").mkdir()
        record = RunDir.create(disk, "ab12", STARTED_AT, told.append)
        assert record.is_trustworthy
        for _ in range(100):
            record.stdout.write(b"x" * 4096 + b"\n")
        write_everything(record, tmp_path, checkpoint)
        record.close()
    assert not record.is_trustworthy
    assert told == [record.trouble]
    assert "No space left on device" in record.trouble


def test_a_state_folder_on_a_read_only_disk_means_no_record(tmp_path: Path, checkpoint: Path) -> None:
    told: list[str] = []
    with small_disk(tmp_path / "small", "64k") as disk:
        (disk / "runs").mkdir()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        record = RunDir.create(disk, "ab12", STARTED_AT, told.append)
        write_everything(record, tmp_path, checkpoint)
        record.close()
    assert (record.path, record.is_trustworthy) == (None, False)
    assert told == ["the run could not be recorded: Read-only file system"]


def test_a_state_folder_that_is_none_means_no_record(tmp_path: Path, checkpoint: Path) -> None:
    (tmp_path / "state").write_text("a file")
    record = RunDir.create(tmp_path / "state", "ab12", STARTED_AT)
    write_everything(record, tmp_path, checkpoint)
    record.close()
    assert (record.path, record.is_trustworthy) == (None, False)


def test_a_record_that_is_absent_by_decision_says_why(tmp_path: Path, checkpoint: Path) -> None:
    record = RunDir.absent("/srv/state cannot be made: Permission denied")
    write_everything(record, tmp_path, checkpoint)
    record.close()
    assert (record.is_trustworthy, record.trouble) == (False, "/srv/state cannot be made: Permission denied")


FILLING = """
import resource, sys
from pathlib import Path
from safe_lightning.record.run_dir import RunDir
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Step
record = RunDir.create(Path(sys.argv[1]), "full", 1795536000.5)
resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
for number in range(100):
    record.enter("looking", float(number))
    record.record_intent(Step(Action.DESTROY, TableName("a", "b"), "why"))
record.stdout.write(b"x" * 5000)
record.close()
print(record.is_trustworthy, record.trouble)
"""


def test_files_that_may_not_grow_raise_nothing_and_what_was_written_can_be_read(state: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", FILLING, state], capture_output=True, text=True, check=True)
    assert ended.stdout.startswith("False the phase could not be recorded: File too large") or (
        ended.stdout.startswith("False an intent could not be recorded: File too large")
    )
    [folder] = (state / "runs").iterdir()
    assert len(read_journal(folder / "phases.jsonl")) > 10
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == (resource.RLIM_INFINITY, resource.RLIM_INFINITY)


def test_a_folder_that_vanishes_during_the_run_raises_nothing(state: Path, tmp_path: Path, checkpoint: Path) -> None:
    record = RunDir.create(state, "ab12", STARTED_AT)
    assert record.path is not None
    record.path.rename(tmp_path / "elsewhere")
    write_everything(record, tmp_path, checkpoint)
    record.close()
    assert not record.is_trustworthy


def test_two_runs_of_one_name_do_not_share_a_folder(state: Path) -> None:
    first, second = (RunDir.create(state, "ab12", STARTED_AT) for _ in range(2))
    assert (first.is_trustworthy, second.is_trustworthy) == (True, False)
    first.close()
    second.close()
