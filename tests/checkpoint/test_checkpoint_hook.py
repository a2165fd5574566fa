"""The hook ``checkpoint`` over real checkpoint files: what it says of each, and what it does as the policy answers."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import second_opinion
from look import StillServices, file_task, judge, recorded_facts, recorded_source
from recordings import Recording, recordings
from safe_lightning_hooks.checkpoint import look

from safe_lightning.api import Action, Context, CouldNotLook, Policy, Stage, Status, TableFacts, TableName, Task
from safe_lightning.core.peer import Peer, Shared
from safe_lightning.lightning.checkpoint_file import FileCheckpoint, FileChunk, FileEngine, FileTable, FileTask, encode
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.policy.model import CheckpointAnswers, CheckpointPolicy, OverrideRule

ENTRY = 1_795_000_000


def left_behind(recording: Recording) -> Path | None:
    """Find the checkpoint file that a recorded import met, where its target was recorded with it."""
    before = recording.folder / "before"
    found = sorted(before.glob("*checkpoint.pb"))
    return found[0] if found and (before / "rows.tsv").is_file() and not recording.is_control_tool else None


MET = [recording for recording in recordings() if left_behind(recording)]


def is_damaged(recording: Recording) -> bool:
    path = left_behind(recording)
    return path is not None and second_opinion.parse(path.read_bytes()) is None


WHOLE = [recording for recording in MET if not is_damaged(recording)]


def told_of(recording: Recording) -> Any:
    path = left_behind(recording)
    assert path is not None
    task = replace(file_task(path), backend=recording.case.get("backend", "tidb"))
    source = recorded_source(recording.folder / "data")
    return judge(task, facts=recorded_facts(recording.folder / "before" / "rows.tsv"), source=source)


@pytest.mark.parametrize("recording", [r for r in MET if r.outcome == "nothing-imported"], ids=lambda r: r.name)
def test_a_checkpoint_that_made_an_import_of_nothing_is_refused(recording: Recording) -> None:
    verdict = told_of(recording)
    assert verdict.status is Status.BLOCK
    assert verdict.code in ("checkpoint-stale", "checkpoint-finished")


def was_refused_as_failed(recording: Recording) -> bool:
    return b"has failed last time" in recording.bytes_of("stderr") + recording.bytes_of("lightning.log")


@pytest.mark.parametrize("recording", [r for r in WHOLE if was_refused_as_failed(r)], ids=lambda r: r.name)
def test_what_lightning_refused_as_failed_is_refused_as_failed(recording: Recording) -> None:
    verdict = told_of(recording)
    assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-failed")


@pytest.mark.parametrize("path", sorted({p for r in recordings() for p in r.folder.glob("*/*checkpoint.pb")}), ids=str)
def test_every_recorded_file_gets_a_verdict_with_a_sentence_for_each_table(path: Path) -> None:
    verdict = judge(file_task(path))
    assert str(path) in verdict.message
    tables = [finding for finding in verdict.findings if finding.table]
    assert all(finding.message.startswith(f"{finding.table}: ") for finding in tables)


@pytest.mark.parametrize("recording", [r for r in MET if is_damaged(r)], ids=lambda r: r.name)
def test_a_damaged_file_is_refused_whatever_lightning_made_of_it(recording: Recording) -> None:
    verdict = told_of(recording)
    assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-unreadable")
    assert "restore a copy" in verdict.message


# Every verdict and every answer

A, B = TableName("app", "a"), TableName("app", "b`x")


def table(status: int, done: int = 1, engine: int = 30) -> FileTable:
    chunks = {f"f{n}:0": FileChunk(f"f{n}", 0, 9, 9 if n < done else 0, 0, 9, 9, 9, timestamp=ENTRY) for n in range(2)}
    return FileTable(status, {0: FileEngine(engine, chunks)})


def write(path: Path, backend: str = "tidb", **tables: FileTable) -> Path:
    named = {str(TableName("app", name.replace("_", "`"))): value for name, value in tables.items()}
    path.write_bytes(encode(FileCheckpoint(FileTask(7, "/data", backend), named)))
    return path


def there(*tables: TableName, **more: Any) -> dict[TableName, TableFacts]:
    usual = {"exists": True, "created_at": ENTRY - 60.0, "is_empty": False}
    return {name: TableFacts(name, **{**usual, **more}) for name in tables}


def nothing(path: Path) -> Path:
    return path


def fresh(path: Path) -> Path:
    return write(path)


def resumable(path: Path) -> Path:
    return write(path, a=table(30))


def finished(path: Path) -> Path:
    return write(path, a=table(210, done=2, engine=120))


def failed(path: Path) -> Path:
    return write(path, a=table(6))


def unreadable(path: Path) -> Path:
    path.write_bytes(b"\xff" * 40)
    return path


Make = Callable[[Path], Path]
ANSWERED = ("fresh", "resumable", "unsafe", "finished", "failed", "stale", "unreadable")


@pytest.mark.parametrize(
    ("make", "facts", "answer", "status", "steps"),
    [
        (nothing, None, "refuse", Status.PASS, []),
        (fresh, None, "resume", Status.PASS, []),
        (fresh, None, "remove", Status.PASS, []),
        (fresh, None, "refuse", Status.BLOCK, []),
        (resumable, there(A), "resume", Status.WARN, []),
        (resumable, there(A), "refuse", Status.BLOCK, []),
        (resumable, there(A), "remove", Status.WARN, [Action.REMOVE]),
        (finished, there(A), "resume", Status.WARN, []),
        (finished, there(A), "refuse", Status.BLOCK, []),
        (finished, there(A), "remove", Status.WARN, [Action.REMOVE]),
        (failed, there(A), "resume", Status.WARN, []),
        (failed, there(A), "refuse", Status.BLOCK, []),
        (failed, there(A), "remove", Status.WARN, [Action.REMOVE]),
        (failed, there(A), "destroy", Status.WARN, [Action.DESTROY]),
        (failed, there(A), "ignore", Status.WARN, [Action.IGNORE]),
        (failed, there(A), "quarantine", Status.WARN, [Action.QUARANTINE]),
        (finished, there(A), "quarantine", Status.WARN, [Action.QUARANTINE]),
        (resumable, there(A), "quarantine", Status.WARN, [Action.QUARANTINE]),
        (resumable, there(A, is_empty=True), "quarantine", Status.WARN, [Action.QUARANTINE]),
        (resumable, there(A, is_empty=True), "refuse", Status.BLOCK, []),
        (resumable, there(A, is_empty=True), "remove", Status.WARN, [Action.REMOVE]),
        (resumable, there(A, is_empty=True), "resume", Status.WARN, []),
        (unreadable, None, "refuse", Status.BLOCK, []),
        (unreadable, None, "ignore", Status.WARN, []),
    ],
)
def test_the_policy_answers_each_verdict(
    make: Make, facts: Any, answer: str, status: Status, steps: list[Action], tmp_path: Path
) -> None:
    policy = Policy(checkpoint=CheckpointPolicy(on=CheckpointAnswers(**dict.fromkeys(ANSWERED, answer))))  # type: ignore[arg-type]
    verdict = judge(file_task(make(tmp_path / "cp.pb")), policy, facts, frozenset({A}))
    assert (verdict.status, [step.action for step in verdict.plan.steps] if verdict.plan else []) == (status, steps)
    assert all(
        step.table == A and "per policy (checkpoint.on." in step.reason
        for step in (verdict.plan.steps if verdict.plan else ())
    )


@pytest.mark.parametrize(
    ("make", "facts", "code", "words"),
    [
        (nothing, None, "checkpoint-none", ["there is no checkpoint at "]),
        (fresh, None, "checkpoint-fresh", ["holds no table"]),
        (
            resumable,
            there(A),
            "checkpoint-resumable",
            ["how the earlier run ended is not known", "refused per default (checkpoint.on.unsafe)", '= "replace"'],
        ),
        (
            finished,
            there(A),
            "checkpoint-finished",
            [
                "`app`.`a`: analyzed, 2 of 2 chunks done: a re-run imports nothing; refused per default",
                "empty the tables",
            ],
        ),
        (
            failed,
            there(A),
            "checkpoint-failed",
            ["failed at written: Lightning refuses to start until that is treated; refused per default", "Mend what"],
        ),
        (
            resumable,
            there(A, created_at=ENTRY + 60.0),
            "checkpoint-stale",
            ["was created or altered at", "refused per default (checkpoint.on.stale). Lightning may skip what"],
        ),
        (resumable, {}, "checkpoint-stale", ["the target table does not exist, yet the checkpoint says loaded"]),
        (unreadable, None, "checkpoint-unreadable", ["is no whole checkpoint: byte 0", "refused per default"]),
    ],
)
def test_the_sentence_says_what_is_wrong_and_what_to_do(
    make: Make, facts: Any, code: str, words: list[str], tmp_path: Path
) -> None:
    verdict = judge(file_task(make(tmp_path / "cp.pb")), facts=facts, source=frozenset({A}))
    assert verdict.code == code
    assert [word for word in words if word not in verdict.message] == []


def test_a_table_tells_its_files_rows_and_time(tmp_path: Path) -> None:
    verdict = judge(file_task(resumable(tmp_path / "cp.pb")), facts=there(A))
    finding = verdict.findings[0]
    assert finding.message == (
        "`app`.`a`: loaded, 1 of 2 files, 2026-11-18 11:06:40 UTC. Resumable: loaded, 1 of 2 chunks done"
    )
    assert (finding.code, finding.table, finding.data["chunks_total"]) == ("resumable", A, 2)


def test_an_override_answers_for_its_tables_only(tmp_path: Path) -> None:
    path = write(tmp_path / "cp.pb", a=table(6), b_x=table(6))
    rule = OverrideRule(tables=("app.a",), checkpoint={"failed": "destroy"})
    verdict = judge(file_task(path), Policy(override=(rule,)), there(A, B))
    assert verdict.status is Status.BLOCK
    assert "`app`.`b``x`; `app`.`b``x`: failed at written" in verdict.message
    assert verdict.plan is None
    both = OverrideRule(tables=("app.*",), checkpoint={"failed": "ignore"})
    plan = judge(file_task(path), Policy(override=(both, rule)), there(A, B)).plan
    assert plan is not None
    assert [(step.action, step.table) for step in plan.steps] == [(Action.DESTROY, A), (Action.IGNORE, B)]


def test_a_finished_table_inside_an_unfinished_import_is_let_be(tmp_path: Path) -> None:
    path = write(tmp_path / "cp.pb", "local", a=table(210, done=2, engine=120), b_x=table(30))
    verdict = judge(file_task(path, "local"), facts={**there(A), **there(B, is_empty=True)})
    assert (verdict.status, verdict.plan) == (Status.PASS, None)


def test_a_table_that_was_destroyed_leaves_the_others_finished_and_the_import_may_begin(tmp_path: Path) -> None:
    task = file_task(finished(tmp_path / "cp.pb"))
    assert judge(task, facts=there(A), source=frozenset({A, B})).status is Status.PASS
    assert judge(task, facts=there(A), source=frozenset({A})).status is Status.BLOCK


def test_a_finished_store_is_refused_where_the_source_cannot_be_looked_at(tmp_path: Path) -> None:
    verdict = judge(file_task(finished(tmp_path / "cp.pb")), facts=there(A))
    assert verdict.status is Status.BLOCK
    assert any("the source is remote" in finding.message for finding in verdict.findings)


def test_a_target_out_of_reach_is_said_and_never_passed_over(tmp_path: Path) -> None:
    verdict = judge(file_task(write(tmp_path / "cp.pb", "local", a=table(30)), "local"))
    assert verdict.status is Status.WARN
    notes = [finding.message for finding in verdict.findings if finding.code == "not-looked"]
    assert notes == [
        "the target was not looked at, so nothing is known of tables dropped or emptied since",
        "MySQL server db.example.com:4000 cannot be reached",
    ]


@pytest.mark.parametrize(
    ("backend", "is_empty", "engine", "said"),
    [
        ("tidb", False, 30, "rows in flight would be sent again"),
        ("local", True, 30, ""),
        ("local", False, 30, "nothing of this import was ingested yet"),
        ("local", False, 60, ""),
    ],
)
def test_rows_that_are_there_may_make_a_resume_unsafe(
    backend: str, is_empty: bool, engine: int, said: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "cp.pb", backend, a=table(30, engine=engine))
    verdict = judge(file_task(path, backend), facts=there(A, is_empty=is_empty))
    dangers = [finding.message for finding in verdict.findings if finding.code == "resume-not-safe"]
    assert [said in danger for danger in dangers] == ([True] if said else [])


def test_no_checkpoint_is_read_where_the_task_keeps_none(tmp_path: Path) -> None:
    task = replace(file_task(unreadable(tmp_path / "cp.pb")), checkpoint=CheckpointStore(enabled=False))
    assert judge(task).code == "no-checkpoint-kept"


def test_a_remote_checkpoint_is_an_error_and_never_a_pass(tmp_path: Path) -> None:
    task = Task(argv=(), cwd=tmp_path, checkpoint=CheckpointStore(url="s3://bucket/cp.pb"))
    with_error = judge(task)
    assert (with_error.status, with_error.code) == (Status.ERROR, "could-not-look")
    assert "s3://bucket/cp.pb is remote" in with_error.message


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(path), lambda path: path.symlink_to("/dev/zero")],
    ids=["pipe", "directory", "loop", "device"],
)
def test_what_is_no_file_blocks_at_once(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "cp.pb")
    verdict = judge(file_task(tmp_path / "cp.pb"))
    assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-unreadable")


def test_a_file_of_two_gibibytes_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "cp.pb").open("wb") as file:
        file.truncate(2 << 30)
    verdict = judge(file_task(tmp_path / "cp.pb"))
    assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-unreadable")
    assert "2147483648 bytes, more than checkpoint.size_most" in verdict.message


def test_a_file_cut_at_any_byte_is_never_taken_for_less_than_it_was(tmp_path: Path) -> None:
    path = write(tmp_path / "cp.pb", a=table(6), b_x=table(30))
    whole = path.read_bytes()
    told = {}
    for size in range(1, len(whole)):
        path.write_bytes(whole[:size])
        verdict = judge(file_task(path), facts=there(A, B))
        told[size] = verdict.status
    passed = [size for size, status in told.items() if status is not Status.BLOCK]
    # A cut between two whole fields of the file leaves a shorter file that is well formed: nothing can show it.
    assert all(whole[size] in (0x0A, 0x12) for size in passed)
    assert len(passed) <= 2


def test_a_table_that_cannot_be_seen_does_not_hide_the_others(tmp_path: Path) -> None:
    path = write(tmp_path / "cp.pb", a=table(30), b_x=table(30))
    task, policy = file_task(path), Policy()
    services = Selective(task, policy, there(A, is_empty=True))
    verdict = look(Context("r1", 1, Stage.PRE_IMPORT, None, (), task, policy, services))
    assert (verdict.status, verdict.code) == (Status.BLOCK, "checkpoint-stale")
    assert any("access to `app`.`b``x` was denied" in finding.message for finding in verdict.findings)


class Selective(StillServices):
    """A target that denies what it has no facts of."""

    def target(self) -> Any:
        return nullcontext(self)

    def table(self, name: TableName) -> TableFacts:
        assert self.facts is not None
        if name not in self.facts:
            raise CouldNotLook(f"access to {name} was denied")
        return self.facts[name]


REMOVE = CheckpointAnswers(failed="remove", finished="remove")


@pytest.mark.parametrize(
    ("limits", "is_refused"),
    [
        ({}, False),
        ({"max_tables": 2}, False),
        ({"max_tables": 1}, True),
        ({"max_tables": 0}, False),
        ({"require_fingerprint": True}, True),
        ({"require_empty_before": True}, True),
    ],
)
@pytest.mark.parametrize("word", ["remove", "quarantine"])
def test_an_answer_goes_no_further_than_the_limits(
    limits: dict[str, Any], is_refused: bool, word: str, tmp_path: Path
) -> None:
    policy = Policy(checkpoint=CheckpointPolicy(on=replace(REMOVE, failed=word), **limits))
    verdict = judge(file_task(write(tmp_path / "cp.pb", a=table(6), b_x=table(6))), policy, there(A, B))
    assert (verdict.status is Status.BLOCK, verdict.plan is None) == (is_refused, is_refused)
    if is_refused:
        assert f"per policy (checkpoint.{next(iter(limits))}: " in verdict.message


def test_a_table_of_too_many_rows_is_not_destroyed(tmp_path: Path) -> None:
    policy = Policy(checkpoint=CheckpointPolicy(on=CheckpointAnswers(failed="destroy"), max_rows_dropped=1000))
    verdict = judge(file_task(write(tmp_path / "cp.pb", a=table(6))), policy, there(A))
    assert verdict.status is Status.BLOCK
    assert "checkpoint.max_rows_dropped: an unknown number of rows would be dropped" in verdict.message


def test_a_table_of_many_rows_may_be_set_aside_as_none_is_dropped(tmp_path: Path) -> None:
    policy = Policy(checkpoint=CheckpointPolicy(on=CheckpointAnswers(failed="quarantine"), max_rows_dropped=1))
    verdict = judge(file_task(write(tmp_path / "cp.pb", a=table(6))), policy, there(A))
    assert verdict.plan
    assert [step.action for step in verdict.plan.steps] == [Action.QUARANTINE]


class Busy(StillServices):
    """Another Lightning is at work."""

    def peers(self) -> tuple[Peer, ...]:
        return (Peer(4711, "the checkpoint cp.pb", Shared.CHECKPOINT), Peer(4712, "the target db:4000", Shared.TARGET))


@pytest.mark.parametrize(("answer", "code"), [("refuse", "checkpoint-live"), ("ignore", "checkpoint-none")])
def test_a_checkpoint_that_another_lightning_is_at_work_on_is_live(answer: str, code: str, tmp_path: Path) -> None:
    task, policy = file_task(tmp_path / "cp.pb"), Policy(checkpoint=CheckpointPolicy(on=CheckpointAnswers(live=answer)))
    verdict = look(Context("r1", 1, Stage.PRE_IMPORT, None, (), task, policy, Busy(task, policy)))
    assert (verdict.code, verdict.status) == (code, Status.BLOCK if answer == "refuse" else Status.WARN)
    said = verdict.message if answer == "refuse" else " ".join(f.message for f in verdict.findings)
    assert "process 4711 shares the checkpoint cp.pb" in said


def test_a_refusal_gives_the_command_to_type(tmp_path: Path) -> None:
    task = replace(file_task(write(tmp_path / "cp.pb", b_x=table(6))), config_file=Path("/srv/my task.toml"))
    message = judge(task, facts=there(B)).message
    assert "tidb-lightning-ctl --config='/srv/my task.toml' --checkpoint-error-destroy='`app`.`b``x`'" in message


def test_a_checkpoint_of_another_source_is_foreign_and_never_destroyed(tmp_path: Path) -> None:
    task = replace(file_task(write(tmp_path / "cp.pb", a=table(6))), data_source_dir=str(tmp_path))
    policy = Policy(checkpoint=CheckpointPolicy(on=CheckpointAnswers(failed="destroy")))
    verdict = judge(task, policy, there(A))
    assert (verdict.status, verdict.code, verdict.plan) == (Status.BLOCK, "checkpoint-foreign", None)
    assert f"it was made for the source /data, this task reads {tmp_path}" in verdict.message
