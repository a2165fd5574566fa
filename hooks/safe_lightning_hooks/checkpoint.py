"""Pre-import hook ``checkpoint``: what an earlier run left behind, and what the policy does about it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

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
    TableName,
    UnreadableCheckpoint,
    Verdict,
    checkpoint_answer,
    instance_findings,
    judge_leftover,
)
from safe_lightning_hooks.checkpoint_words import (
    BAD,
    NEXT_LIVE,
    NEXT_UNREADABLE,
    Answer,
    at_work,
    doubts,
    finding,
    refusal,
)

#: A finished or fresh table inside an unfinished import is as it should be: only the whole store can be either.
_ASKED_ALWAYS = {CheckpointVerdict(word) for word in ("foreign", "stale", "failed", "resumable")}
#: Answers that make one danger safe, and why they are of no use for any other.
_CURES = {
    "rewind": "nothing tells of an engine that was never ingested",
    "resume-replace": "rows sent again would not overwrite themselves, or are not what is wrong",
}


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
        return Verdict(Status.BLOCK, "checkpoint-live", f"{at_work(in_the_way)}; refused {reason}. {NEXT_LIVE}")
    try:
        checkpoint = context.services.read_checkpoint()
    except CouldNotLook as error:
        return _unreadable(context, error)
    judgement, failures = judge_leftover(context.services, checkpoint, time.time(), context.task)
    verdict = _with_instances(_answer(context, checkpoint, judgement, (*unseen, *failures)), judgement, checkpoint)
    # One whose task cannot be read is only of interest where there is something that it may be at work on.
    return _with_peers(verdict, [peer for peer in peers if checkpoint.tables or peer.is_known])


def _peers(context: Context) -> tuple[tuple[Peer, ...], tuple[str, ...]]:
    find = getattr(context.services, "peers", None)
    try:
        return (find() if find is not None else ()), ()
    except CouldNotLook as error:
        return (), (f"whether another Lightning is at work is not known: {error}",)


def _with_peers(verdict: Verdict, peers: Sequence[Peer]) -> Verdict:
    """Add a finding for each peer; one that shares the target alone is let be, as an import into other tables may."""
    findings = tuple(
        Finding("live", at_work([peer]), None, {"pid": peer.pid or None, "kind": str(peer.kind), "who": peer.who})
        for peer in peers
    )
    status = Status.WARN if findings and verdict.status is Status.PASS else verdict.status
    return replace(verdict, status=status, findings=verdict.findings + findings)


def _with_instances(verdict: Verdict, judgement: CheckpointJudgement, checkpoint: Checkpoint) -> Verdict:
    """Say how a parallel import stands as a whole; what an instance that was stopped had to import is missing."""
    if judgement.instances is None:
        return verdict
    own = checkpoint.task.task_id if checkpoint.task else 0
    told = instance_findings(judgement.instances, own)
    status = Status.WARN if len(told) > 1 and verdict.status is Status.PASS else verdict.status
    return replace(verdict, status=status, findings=verdict.findings + told)


def _unreadable(context: Context, error: CouldNotLook) -> Verdict:
    answer, reason = checkpoint_answer(context.policy, None, CheckpointVerdict.UNREADABLE)
    if answer == "ignore":
        return Verdict(Status.WARN, "checkpoint-unreadable", f"{error}; going on all the same, {reason}")
    if isinstance(error, UnreadableCheckpoint):
        return Verdict(Status.BLOCK, "checkpoint-unreadable", f"{error}; refused {reason}. {NEXT_UNREADABLE}")
    return Verdict(Status.ERROR, "could-not-look", str(error))


def _answer(
    context: Context, checkpoint: Checkpoint, judgement: CheckpointJudgement, failures: Sequence[str]
) -> Verdict:
    if not judgement.tables:
        return _answer_whole(context, checkpoint, judgement)
    answers = _limited(context, judgement, _ask(context, judgement))
    findings = (
        *(finding(table) for table in judgement.tables),
        *(Finding("not-looked", text) for text in (*judgement.not_looked, *failures, *checkpoint.notes)),
        *(doubt for table in judgement.tables for doubt in doubts(table)),
    )
    refused = [answer for answer in answers if answer.word == "refuse"]
    if refused:
        return Verdict(Status.BLOCK, _code(judgement), refusal(context, checkpoint, judgement, refused), findings)
    plan = _plan(answers)
    status = Status.WARN if plan or len(findings) > len(judgement.tables) or judgement.verdict in BAD else Status.PASS
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


def _ask(context: Context, judgement: CheckpointJudgement) -> list[Answer]:
    asked = _ASKED_ALWAYS | {judgement.verdict}
    return [
        Answer(
            table,
            *checkpoint_answer(context.policy, table.record.table, table.verdict, is_unsafe=bool(table.danger)),
        )
        for table in judgement.tables
        if table.verdict in asked
    ]


def _limited(context: Context, judgement: CheckpointJudgement, answers: Sequence[Answer]) -> list[Answer]:
    """Turn answers that go beyond the policy's limits, or that would not help, into refusals."""
    limits = context.policy.checkpoint
    if limits.require_fingerprint and not judgement.has_fingerprint:
        return _refuse(answers, "checkpoint.require_fingerprint", "its first launch was not seen")
    answers = [_limit_one(context, _of_use(answer)) for answer in answers]
    acts = sum(_is_act(answer) and answer.word != Action.RESUME_REPLACE for answer in answers)
    if limits.max_tables and acts > limits.max_tables:
        return _refuse(answers, "checkpoint.max_tables", f"{acts} entries would be treated")
    return answers


def _of_use(answer: Answer) -> Answer:
    """Refuse a cure for another danger than the one that is there; of a failure only the record can tell."""
    is_cure = answer.word in _CURES and answer.table.verdict is not CheckpointVerdict.FAILED
    if not is_cure or answer.table.cure == answer.word:
        return answer
    return replace(answer, word="refuse", reason=f"as {_CURES[answer.word]}; {answer.reason} asks for {answer.word}")


def _limit_one(context: Context, answer: Answer) -> Answer:
    limits, table = context.policy.checkpoint, answer.table.record.table
    if not _is_act(answer):
        return answer
    if answer.word == "remove" and (doubled := _would_double(context, table)):
        return replace(answer, word="refuse", reason=f"as {doubled}; {answer.reason} asks for remove")
    if limits.require_empty_before and not _was_empty(context, table):
        [answer] = _refuse([answer], "checkpoint.require_empty_before", "not recorded to have been empty before")
    rows = answer.table.record.rows
    # A quarantine drops nothing; what is purged later is held to the same limit then.
    if answer.word == "destroy" and limits.max_rows_dropped and (rows is None or rows > limits.max_rows_dropped):
        said = "an unknown number of" if rows is None else f"{rows}"
        [answer] = _refuse([answer], "checkpoint.max_rows_dropped", f"{said} rows would be dropped")
    return answer


def _would_double(context: Context, table: TableName) -> str:
    """Say why an import from the start would double rows: the logical backend has no checksum that would tell."""
    if context.task.backend != "tidb":
        return ""
    try:
        with context.services.target() as target:
            seen = target.weigh(target.table(table), 1)
    except CouldNotLook as error:
        return f"it is not known whether rows are left in it, which would be there twice ({error})"
    if not seen.exists or seen.row_count == 0 or seen.has_key:
        return ""
    return "rows of it are in the table, which has no key: with an import from the start they would be there twice"


def _was_empty(context: Context, table: TableName) -> bool:
    baseline = context.services.baselines().get(table)
    return baseline is not None and (not baseline.existed or baseline.was_empty is True)


def _is_act(answer: Answer) -> bool:
    return answer.word not in ("resume", "refuse")


def _refuse(answers: Iterable[Answer], key: str, why: str) -> list[Answer]:
    return [replace(answer, word="refuse", reason=f"per policy ({key}: {why})") for answer in answers]


def _plan(answers: Sequence[Answer]) -> Plan | None:
    steps = tuple(
        Step(Action(answer.word), answer.table.record.table, f"{answer.table.verdict}; {answer.reason}")
        for answer in answers
        if _is_act(answer)
    )
    return Plan(steps, _course_of(steps)) if steps else None


def _course_of(steps: Sequence[Step]) -> str:
    treated = sum(step.action is not Action.RESUME_REPLACE for step in steps)
    entries = "1 entry of the checkpoint is" if treated == 1 else f"{treated} entries of the checkpoint are"
    told = [f"{entries} treated before the import"] if treated else []
    told += ['the import goes on with conflict.strategy = "replace"'] if treated < len(steps) else []
    return ", and ".join(told)


def _course(plan: Plan | None) -> str:
    return plan.reason if plan else "Lightning goes on from it"


def _code(judgement: CheckpointJudgement) -> str:
    return f"checkpoint-{judgement.verdict}"
