"""Pre-import hook ``checkpoint``: what an earlier run left behind, and what the policy does about it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from safe_lightning.api import (
    Action,
    Checkpoint,
    CheckpointJudgement,
    CheckpointVerdict,
    Context,
    CouldNotLook,
    Finding,
    Peer,
    Plan,
    Status,
    Step,
    TableJudgement,
    TableName,
    TableRecord,
    UnreadableCheckpoint,
    Verdict,
    checkpoint_answer,
    judge_leftover,
    status_name,
)

_NAMES_SHOWN_MOST = 5
#: A finished or fresh table inside an unfinished import is as it should be: only the whole store can be either.
_ASKED_ALWAYS = {CheckpointVerdict(word) for word in ("foreign", "stale", "failed", "resumable")}


def look(context: Context) -> Verdict:
    """Judge the leftover checkpoint and answer as the policy says.

    Blocks where the answer is to refuse, warns with a plan where entries are to be treated, and passes where
    Lightning may go on. A store that cannot be read blocks, or warns if the policy ignores that; a
    store that cannot be reached is an error, never a pass.
    """
    if not context.task.checkpoint.enabled:
        return Verdict(Status.PASS, "no-checkpoint-kept", "no checkpoint is kept (checkpoint.enable = false)")
    peers, unseen = _peers(context)
    in_the_way = [peer for peer in peers if peer.is_in_the_way]
    word, reason = checkpoint_answer(context.policy, None, CheckpointVerdict.LIVE)
    if in_the_way and word == "refuse":
        return Verdict(Status.BLOCK, "checkpoint-live", f"{_at_work(in_the_way)}; refused {reason}. {_NEXT_LIVE}")
    try:
        checkpoint = context.services.read_checkpoint()
    except CouldNotLook as error:
        return _unreadable(context, error)
    judgement, failures = judge_leftover(context.services, checkpoint, time.time(), context.task)
    verdict = _answer(context, checkpoint, judgement, (*unseen, *failures))
    # One whose task cannot be read is only of interest where there is something that it may be at work on.
    return _with_peers(verdict, [peer for peer in peers if checkpoint.tables or peer.is_known])


def _peers(context: Context) -> tuple[tuple[Peer, ...], tuple[str, ...]]:
    find = getattr(context.services, "peers", None)
    try:
        return (find() if find is not None else ()), ()
    except CouldNotLook as error:
        return (), (f"whether another Lightning is at work is not known: {error}",)


def _at_work(peers: Sequence[Peer]) -> str:
    return "; ".join(f"another Lightning is at work: process {peer.pid} shares {peer.shares}" for peer in peers)


def _with_peers(verdict: Verdict, peers: Sequence[Peer]) -> Verdict:
    """Add a finding for each peer; one that shares the target alone is let be, as an import into other tables may."""
    findings = tuple(
        Finding("live", _at_work([peer]), None, {"pid": peer.pid, "kind": str(peer.kind)}) for peer in peers
    )
    status = Status.WARN if findings and verdict.status is Status.PASS else verdict.status
    return replace(verdict, status=status, findings=verdict.findings + findings)


def _unreadable(context: Context, error: CouldNotLook) -> Verdict:
    answer, reason = checkpoint_answer(context.policy, None, CheckpointVerdict.UNREADABLE)
    if answer == "ignore":
        return Verdict(Status.WARN, "checkpoint-unreadable", f"{error}; going on all the same, {reason}")
    if isinstance(error, UnreadableCheckpoint):
        return Verdict(Status.BLOCK, "checkpoint-unreadable", f"{error}; refused {reason}. {_NEXT_UNREADABLE}")
    return Verdict(Status.ERROR, "could-not-look", str(error))


@dataclass(frozen=True)
class _Answer:
    """The policy's word on one table, and where it comes from."""

    table: TableJudgement
    word: str
    reason: str


def _answer(
    context: Context, checkpoint: Checkpoint, judgement: CheckpointJudgement, failures: Sequence[str]
) -> Verdict:
    if not judgement.tables:
        return _answer_whole(context, checkpoint, judgement)
    answers = _limited(context, judgement, _ask(context, judgement))
    findings = (
        *(_finding(table) for table in judgement.tables),
        *(Finding("not-looked", text) for text in (*judgement.not_looked, *failures, *checkpoint.notes)),
        *(finding for table in judgement.tables for finding in _doubts(table)),
    )
    refused = [answer for answer in answers if answer.word == "refuse"]
    if refused:
        return Verdict(Status.BLOCK, _code(judgement), _refusal(context, checkpoint, judgement, refused), findings)
    plan = _plan(answers)
    status = Status.WARN if plan or len(findings) > len(judgement.tables) or _is_bad(judgement) else Status.PASS
    message = f"{judgement.verdict} checkpoint at {checkpoint.location} ({judgement.evidence}); {_course(plan)}"
    return Verdict(status, _code(judgement), message, findings, plan)


def _answer_whole(context: Context, checkpoint: Checkpoint, judgement: CheckpointJudgement) -> Verdict:
    notes = tuple(Finding("not-looked", note) for note in checkpoint.notes)
    if judgement.verdict is CheckpointVerdict.NONE:
        return Verdict(Status.PASS, _code(judgement), judgement.evidence, notes)
    word, reason = checkpoint_answer(context.policy, None, judgement.verdict)
    if word == "refuse":
        return Verdict(Status.BLOCK, _code(judgement), f"{judgement.evidence}; refused {reason}", notes)
    return Verdict(Status.WARN if notes else Status.PASS, _code(judgement), judgement.evidence, notes)


def _ask(context: Context, judgement: CheckpointJudgement) -> list[_Answer]:
    asked = _ASKED_ALWAYS | {judgement.verdict}
    return [
        _Answer(
            table,
            *checkpoint_answer(context.policy, table.record.table, table.verdict, is_unsafe=bool(table.danger)),
        )
        for table in judgement.tables
        if table.verdict in asked
    ]


def _limited(context: Context, judgement: CheckpointJudgement, answers: Sequence[_Answer]) -> list[_Answer]:
    """Turn answers that go beyond the policy's limits into refusals."""
    limits = context.policy.checkpoint
    if limits.require_fingerprint and not judgement.has_fingerprint:
        return _refuse(answers, "checkpoint.require_fingerprint", "its first launch was not seen")
    answers = [_limit_one(context, answer) for answer in answers]
    acts = sum(_is_act(answer) for answer in answers)
    if limits.max_tables and acts > limits.max_tables:
        return _refuse(answers, "checkpoint.max_tables", f"{acts} entries would be treated")
    return answers


def _limit_one(context: Context, answer: _Answer) -> _Answer:
    limits, table = context.policy.checkpoint, answer.table.record.table
    if not _is_act(answer):
        return answer
    if limits.require_empty_before and not _was_empty(context, table):
        [answer] = _refuse([answer], "checkpoint.require_empty_before", "not recorded to have been empty before")
    rows = answer.table.record.rows
    if answer.word == "destroy" and limits.max_rows_dropped and (rows is None or rows > limits.max_rows_dropped):
        said = "an unknown number of" if rows is None else f"{rows}"
        [answer] = _refuse([answer], "checkpoint.max_rows_dropped", f"{said} rows would be dropped")
    return answer


def _was_empty(context: Context, table: TableName) -> bool:
    baseline = context.services.baselines().get(table)
    return baseline is not None and (not baseline.existed or baseline.was_empty is True)


def _is_act(answer: _Answer) -> bool:
    return answer.word not in ("resume", "refuse")


def _refuse(answers: Iterable[_Answer], key: str, why: str) -> list[_Answer]:
    return [replace(answer, word="refuse", reason=f"per policy ({key}: {why})") for answer in answers]


def _plan(answers: Sequence[_Answer]) -> Plan | None:
    steps = tuple(
        Step(Action(answer.word), answer.table.record.table, f"{answer.table.verdict}; {answer.reason}")
        for answer in answers
        if _is_act(answer)
    )
    return Plan(steps, f"{len(steps)} entries of the checkpoint are treated before the import") if steps else None


def _course(plan: Plan | None) -> str:
    return plan.reason if plan else "Lightning goes on from it"


def _is_bad(judgement: CheckpointJudgement) -> bool:
    return judgement.verdict in (_ASKED_ALWAYS | {CheckpointVerdict.FINISHED}) - {CheckpointVerdict.RESUMABLE}


def _code(judgement: CheckpointJudgement) -> str:
    return f"checkpoint-{judgement.verdict}"


def _refusal(
    context: Context, checkpoint: Checkpoint, judgement: CheckpointJudgement, refused: Sequence[_Answer]
) -> str:
    """Say what is wrong, with which tables, why it is refused and what to do: read at night, by someone in haste."""
    first = next((answer for answer in refused if answer.table.verdict is judgement.verdict), refused[0])
    first = next((answer for answer in refused if answer.table.danger and not _is_bad(judgement)), first)
    names = [str(answer.table.record.table) for answer in refused]
    more = f" and {len(names) - _NAMES_SHOWN_MOST} more" if len(names) > _NAMES_SHOWN_MOST else ""
    judged = first.table
    return (
        f"{judgement.verdict} checkpoint at {checkpoint.location}: {', '.join(names[:_NAMES_SHOWN_MOST])}{more}; "
        f"{judged.record.table}: {judged.danger or judged.evidence}; refused {first.reason}. {_next(context, judged)}"
    )


def _next(context: Context, judged: TableJudgement) -> str:
    """Say what to do about one table, with the command to type where there is one."""
    remove = _control(context, "remove", judged.record.table)
    if judged.danger:
        return _next_unsafe(context, judged, remove)
    if judged.verdict is CheckpointVerdict.FAILED:
        return f"{_NEXT[judged.verdict]}: {_control(context, 'error-destroy', judged.record.table)}"
    if judged.verdict in (CheckpointVerdict.STALE, CheckpointVerdict.FINISHED):
        return f"{_NEXT[judged.verdict]}: {remove}"
    return _NEXT[judged.verdict]


def _next_unsafe(context: Context, judged: TableJudgement, remove: str) -> str:
    anew = f"to begin anew, empty the table and type: {remove}"
    if context.task.backend == "tidb" and "no key" not in judged.danger and "read half" not in judged.danger:
        return (
            'Where the table has a key, set [conflict] strategy = "replace" in '
            f"{context.task.config_file or 'the task'} and start again: rows sent again overwrite themselves; {anew}"
        )
    return f"{anew[0].upper()}{anew[1:]}"


def _control(context: Context, mode: str, table: TableName) -> str:
    config = f" --config={shlex.quote(str(context.task.config_file))}" if context.task.config_file else ""
    return f"tidb-lightning-ctl{config} --checkpoint-{mode}={shlex.quote(str(table))}"


_NEXT_LIVE = "Wait until it has ended, or stop it if it is not wanted"
_NEXT_UNREADABLE = (
    "Lightning might take it for a new one, or go on from the part before the damage: restore a copy, or move it aside "
    "and empty the tables to begin anew"
)
_NEXT = {
    CheckpointVerdict.FOREIGN: (
        "It is another import's: give this one a checkpoint of its own (checkpoint.dsn, or checkpoint.schema with the "
        "mysql driver), or go back to the task that it was made by"
    ),
    CheckpointVerdict.STALE: (
        "Lightning may skip what it takes for imported: remove these entries from the checkpoint and empty the tables "
        "to import them anew"
    ),
    CheckpointVerdict.FAILED: (
        "Mend what failed, then treat these entries: destroy drops the table with its entry, ignore keeps both"
    ),
    CheckpointVerdict.FINISHED: (
        "Nothing is left to do; to let Lightning look for tables that have no entry, set checkpoint.on.finished = "
        '"resume"; to import again, empty the tables and remove the checkpoint'
    ),
    CheckpointVerdict.RESUMABLE: 'To go on from it, set checkpoint.on.resumable = "resume"; to begin anew, remove it',
}


def _progress(record: TableRecord) -> str:
    if record.chunks_total and not record.files_total:  # too many to be told apart
        return f"{record.chunks_done} of {record.chunks_total} chunks"
    return f"{record.files_done} of {record.files_total} files"


def _finding(judged: TableJudgement) -> Finding:
    record = judged.record
    rows = f", {record.rows} rows" if record.rows is not None else ""
    moment = record.updated_at if record.updated_at is not None else record.created_at
    when = f", {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""
    name = status_name(record.failed_status or record.status)
    line = f"{record.table}: {name}, {_progress(record)}{rows}{when}"
    data = {
        "status": record.status,
        "files_done": record.files_done,
        "files_total": record.files_total,
        "rows": record.rows,
        "kvs": record.kvs,
        "chunks_done": record.chunks_done,
        "chunks_total": record.chunks_total,
    }
    message = f"{line}. {judged.verdict.capitalize()}: {judged.evidence}"
    return Finding(judged.verdict.value, message, record.table, data)


def _doubts(judged: TableJudgement) -> list[Finding]:
    """Tell why a resume is not safe, and what could not be ruled out."""
    table = judged.record.table
    danger = [Finding("resume-not-safe", f"{table}: {judged.danger}", table)] if judged.danger else []
    return danger + [Finding("resume-in-doubt", f"{table}: {doubt}", table) for doubt in judged.doubts]
