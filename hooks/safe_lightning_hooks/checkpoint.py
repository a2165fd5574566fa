"""Pre-import hook ``checkpoint``: what an earlier run left behind, and what the policy does about it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from safe_lightning.api import (
    Action,
    Checkpoint,
    CheckpointJudgement,
    CheckpointVerdict,
    Context,
    CouldNotLook,
    Finding,
    Plan,
    Status,
    Step,
    TableJudgement,
    UnreadableCheckpoint,
    Verdict,
    checkpoint_answer,
    judge_leftover,
    status_name,
)

_NAMES_SHOWN_MOST = 5
#: A finished or fresh table inside an unfinished import is as it should be: only the whole store can be either.
_ASKED_ALWAYS = {CheckpointVerdict.STALE, CheckpointVerdict.FAILED, CheckpointVerdict.RESUMABLE}


def look(context: Context) -> Verdict:
    """Judge the leftover checkpoint and answer as the policy says.

    Blocks where the answer is to refuse, warns with a plan where entries are to be treated, and passes where
    Lightning may go on. A store that cannot be read blocks, or warns if the policy ignores that; a
    store that cannot be reached is an error, never a pass.
    """
    if not context.task.checkpoint.enabled:
        return Verdict(Status.PASS, "no-checkpoint-kept", "no checkpoint is kept (checkpoint.enable = false)")
    try:
        checkpoint = context.services.read_checkpoint()
    except CouldNotLook as error:
        return _unreadable(context, error)
    judgement, failures = judge_leftover(context.services, checkpoint, time.time())
    return _answer(context, checkpoint, judgement, failures)


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
    answers = _ask(context, judgement)
    findings = (
        *(_finding(table) for table in judgement.tables),
        *(Finding("not-looked", text) for text in (*judgement.not_looked, *failures, *checkpoint.notes)),
        *_doubling(context, judgement, answers),
    )
    refused = [answer for answer in answers if answer.word == "refuse"]
    if refused:
        return Verdict(Status.BLOCK, _code(judgement), _refusal(checkpoint, judgement, refused), findings)
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
        _Answer(table, *checkpoint_answer(context.policy, table.record.table, table.verdict))
        for table in judgement.tables
        if table.verdict in asked
    ]


def _plan(answers: Sequence[_Answer]) -> Plan | None:
    steps = tuple(
        Step(Action(answer.word), answer.table.record.table, f"{answer.table.verdict}; {answer.reason}")
        for answer in answers
        if answer.word not in ("resume", "refuse")
    )
    return Plan(steps, f"{len(steps)} entries of the checkpoint are treated before the import") if steps else None


def _course(plan: Plan | None) -> str:
    return plan.reason if plan else "Lightning goes on from it"


def _is_bad(judgement: CheckpointJudgement) -> bool:
    return judgement.verdict in (CheckpointVerdict.STALE, CheckpointVerdict.FAILED, CheckpointVerdict.FINISHED)


def _code(judgement: CheckpointJudgement) -> str:
    return f"checkpoint-{judgement.verdict}"


def _refusal(checkpoint: Checkpoint, judgement: CheckpointJudgement, refused: Sequence[_Answer]) -> str:
    """Say what is wrong, with which tables, why it is refused and what to do: read at night, by someone in haste."""
    first = next((answer for answer in refused if answer.table.verdict is judgement.verdict), refused[0])
    names = [str(answer.table.record.table) for answer in refused]
    more = f" and {len(names) - _NAMES_SHOWN_MOST} more" if len(names) > _NAMES_SHOWN_MOST else ""
    return (
        f"{judgement.verdict} checkpoint at {checkpoint.location}: {', '.join(names[:_NAMES_SHOWN_MOST])}{more}; "
        f"{first.table.record.table}: {first.table.evidence}; refused {first.reason}. {_NEXT[first.table.verdict]}"
    )


_NEXT_UNREADABLE = (
    "Lightning might take it for a new one, or go on from the part before the damage: restore a copy, or move it aside "
    "and empty the tables to begin anew"
)
_NEXT = {
    CheckpointVerdict.STALE: (
        "Lightning may skip what it takes for imported: remove these entries from the checkpoint and empty the tables "
        "to import them anew"
    ),
    CheckpointVerdict.FAILED: (
        "Mend what failed, then treat these entries: destroy drops the table with its entry, ignore keeps both"
    ),
    CheckpointVerdict.FINISHED: (
        "Nothing is left to do; to import again, empty the tables and remove the checkpoint; to let Lightning look for "
        'tables that have no entry, set checkpoint.finished = "resume"'
    ),
    CheckpointVerdict.RESUMABLE: 'To go on from it, set checkpoint.resumable = "resume"; to begin anew, remove it',
}


def _finding(judged: TableJudgement) -> Finding:
    record = judged.record
    rows = f", {record.rows} rows" if record.rows is not None else ""
    moment = record.updated_at if record.updated_at is not None else record.created_at
    when = f", {datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC" if moment else ""
    name = status_name(record.failed_status or record.status)
    line = f"{record.table}: {name}, {record.files_done} of {record.files_total} files{rows}{when}"
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


def _doubling(context: Context, judgement: CheckpointJudgement, answers: Sequence[_Answer]) -> list[Finding]:
    """Warn where a resume may send rows again that are in the target already.

    The logical backend commits batches before it records them, so whatever was in flight at a stop is sent
    twice: error 1062 where there is a key, doubled rows and exit 0 where there is none.
    """
    if context.task.backend != "tidb":
        return []
    resumed = [
        answer.table.record.table
        for answer in answers
        if answer.word == "resume" and answer.table.verdict is CheckpointVerdict.RESUMABLE and answer.table.record.kvs
    ]
    return [
        Finding(
            "resume-may-double",
            f"{table}: rows in flight when the earlier run stopped are sent again: error 1062 where the table has a "
            'key (conflict.strategy = "replace" gets past it), rows twice where it has none',
            table,
        )
        for table in resumed
    ]
