"""What the hook ``checkpoint`` says: refusals read at night by someone in haste, and one finding per table."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from safe_lightning.api import (
    Action,
    Checkpoint,
    CheckpointJudgement,
    CheckpointVerdict,
    Context,
    Finding,
    Peer,
    TableJudgement,
    TableName,
    TableRecord,
    status_name,
)

_NAMES_SHOWN_MOST = 5


def at_work(peers: Sequence[Peer]) -> str:
    """Name the Lightnings that are at work, and what each shares."""
    return "; ".join(peer.sentence for peer in peers)


@dataclass(frozen=True)
class Answer:
    """The policy's word on one table, and where it comes from."""

    table: TableJudgement
    word: str
    reason: str


#: Verdicts that are worth a warning whatever the policy answers.
BAD = {CheckpointVerdict(word) for word in ("foreign", "stale", "failed", "finished")}


def refusal(context: Context, checkpoint: Checkpoint, judgement: CheckpointJudgement, refused: Sequence[Answer]) -> str:
    """Say what is wrong, with which tables, why it is refused and what to do: read at night, by someone in haste."""
    first = next((answer for answer in refused if answer.table.verdict is judgement.verdict), refused[0])
    if judgement.verdict not in BAD:
        first = next((answer for answer in refused if answer.table.danger), first)
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
    if judged.cure is Action.REWIND:
        return (
            'To set these engines back and import just them again, set checkpoint.on.unsafe = "rewind", or look with: '
            f"safe-lightning rewind -- {shlex.join(context.argv)}; {anew}"
        )
    if context.task.backend == "tidb" and "no key" not in judged.danger and "read half" not in judged.danger:
        return (
            'Where the table has a key, set checkpoint.on.unsafe = "resume-replace", or [conflict] strategy = '
            f'"replace" in {context.task.config_file or "the task"}, and start again: rows sent again overwrite '
            f"themselves; {anew}"
        )
    return f"{anew[0].upper()}{anew[1:]}"


def _control(context: Context, mode: str, table: TableName) -> str:
    config = f" --config={shlex.quote(str(context.task.config_file))}" if context.task.config_file else ""
    return f"tidb-lightning-ctl{config} --checkpoint-{mode}={shlex.quote(str(table))}"


NEXT_LIVE = "Wait until it has ended, or stop it if it is not wanted"
NEXT_UNREADABLE = (
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
        "Mend what failed, then treat these entries: destroy drops the table with its entry, quarantine renames it "
        "aside, ignore keeps both"
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


def finding(judged: TableJudgement) -> Finding:
    """Say of one table how far it came and what it is taken for."""
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


def doubts(judged: TableJudgement) -> list[Finding]:
    """Tell why a resume is not safe, and what could not be ruled out."""
    table = judged.record.table
    danger = [Finding("resume-not-safe", f"{table}: {judged.danger}", table)] if judged.danger else []
    return danger + [Finding("resume-in-doubt", f"{table}: {doubt}", table) for doubt in judged.doubts]
