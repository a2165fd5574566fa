"""Turning log records into evidence: one small rule per message that matters.

Messages are matched, never file and line, which change with every release
(facts: pkg/lightning of release-8.5 and the eras before it).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from safe_lightning.core.evidence import FILES_KEPT, KEPT, Record, TaskEvidence, totals_field
from safe_lightning.core.log_clues import CLUE_RULES, lost_of
from safe_lightning.core.mismatch import MISMATCH_WORDS, table_before
from safe_lightning.core.tables import TableName

Rule = Callable[[TaskEvidence, Record], None]

_DETECTED = re.compile(r"^Detect (\d+) .*? errors in total, please refer to table (\S+)")
_WELCOME = {"Welcome to TiDB-Lightning", "Welcome to lightning"}
_RARE_BEGINNINGS = ("Welcome to ", "got signal to exit", "Detect ", "TiDB Lightning has ")
#: Up to 2.1 a message begins with its table, and there are no fields.
_PLAIN_TABLE = re.compile(r"\[(`(?:[^`]|``)+`\.`(?:[^`]|``)+`)\] (.*)", re.DOTALL)


class LogDigest:
    """Digest the records of one log.

    ``split_tasks``: a new Welcome line begins a new task (a file that holds several runs, or server
    mode). Without it everything belongs to one run, as where two processes share a log file.
    """

    def __init__(self, *, split_tasks: bool = False) -> None:
        self.tasks = [TaskEvidence()]
        self.records = 0
        self.signal = ""
        self._split_tasks = split_tasks

    @property
    def task(self) -> TaskEvidence:
        """The task that the records now belong to."""
        return self.tasks[-1]

    def add(self, record: Record) -> None:
        """Take one record."""
        self.records += 1
        message = record.message
        if rule := _RULES.get(message):
            rule(self.task, record)
        elif message.startswith(_RARE_BEGINNINGS):
            self._add_rare(record)
        if record.level in _BAD_LEVELS:
            _note_error(self.task, record)

    def _add_rare(self, record: Record) -> None:
        message = record.message
        if message in _WELCOME:
            self._begin_task(record)
        elif message == "got signal to exit":
            self.signal = record.fields.get("signal", "unknown")
        elif message.startswith("TiDB Lightning has "):
            self.task.refusal = self.task.refusal or message
        else:
            _count_detected(self.task, message)

    def _begin_task(self, record: Record) -> None:
        if self._split_tasks and (self.task.version or self.task.started):
            self.tasks.append(TaskEvidence(lost_before=lost_of(self.task)))
        fields = record.fields
        self.task.version = fields.get("release-version") or fields.get("Release Version") or self.task.version


def has_rule(message: str, is_whole: bool) -> bool:
    """Whether a rule waits for this message, or where only its beginning is known, may wait for it."""
    if is_whole:
        return message in _RULES or message in _ERROR_SUMMARIES or message.startswith(_RARE_BEGINNINGS)
    known = (*_RULES, *_ERROR_SUMMARIES, *_RARE_BEGINNINGS)
    return message.startswith(_RARE_BEGINNINGS) or any(words.startswith(message) for words in known)


_BAD_LEVELS = frozenset({"error", "fatal", "panic", "dpanic"})
_ERROR_SUMMARIES = frozenset(
    {
        "the whole procedure failed",
        "tidb lightning encountered error stack info",
        "tidb lightning encountered error",
        "restore all tables data failed",
        "run failed",
    }
)


def _note_error(task: TaskEvidence, record: Record) -> None:
    text = record.fields.get("error", "")
    if record.message in _ERROR_SUMMARIES:
        task.failed = True
        task.final_error = text or task.final_error
    if MISMATCH_WORDS in text or MISMATCH_WORDS in record.message:
        task.add_mismatch(text or record.message, _table_of(record) or table_before(text or record.message))
    if not text and (plain := _PLAIN_TABLE.match(record.message)) and (trace := task.trace(plain[1])):
        trace.error = trace.error or plain[2]
    if len(task.errors) < KEPT:
        task.errors.append((record.message, text))


def _table_of(record: Record) -> TableName | None:
    try:
        return TableName.parse(record.fields.get("table", ""))
    except ValueError:
        return None


def _count_detected(task: TaskEvidence, message: str) -> None:
    # The words lie: 7.0 calls key conflicts "data type errors" (pingcap/tidb#42816); the table's name does not.
    found = _DETECTED.match(message)
    if not found:
        return
    if "conflict" in found[2]:
        task.conflicts = max(task.conflicts, int(found[1]))
    else:
        task.type_errors = max(task.type_errors, int(found[1]))


def _flag(name: str, value: object = True) -> Rule:
    def rule(task: TaskEvidence, record: Record) -> None:
        setattr(task, name, value)

    return rule


def _exit(task: TaskEvidence, record: Record) -> None:
    task.finished = {"true": True, "false": False}.get(record.fields.get("finished", ""))


def _canceled(task: TaskEvidence, record: Record) -> None:
    task.task_canceled = True
    error = record.fields.get("error", "")
    if error and len(task.errors) < KEPT:
        task.errors.append((record.message, error))


def _reused(task: TaskEvidence, record: Record) -> None:
    if trace := task.trace(record.fields.get("table", "")):
        trace.reused = True
        engines = record.fields.get("enginesCnt", "")
        trace.engines_reused = int(engines) if engines.isdigit() else 0


def _chunk_done(task: TaskEvidence, record: Record) -> None:
    trace = task.trace(record.fields.get("table", ""))
    if trace is None:
        return
    totals = totals_field(record, "checksum")
    trace.chunks += 1
    # Versions that log no totals here still prove that a chunk was read.
    trace.chunk_kvs += totals.kvs if totals else 1
    if totals and len(trace.files) < FILES_KEPT:
        trace.files.append((record.fields.get("path", ""), totals.checksum, totals.bytes, totals.kvs))
    elif totals:
        trace.has_more_files = True


def _table_done(task: TaskEvidence, record: Record) -> None:
    if trace := task.trace(record.fields.get("table", "")):
        trace.restored = True


def _local_checksum(task: TaskEvidence, record: Record) -> None:
    if trace := task.trace(record.fields.get("table", "")):
        trace.local = totals_field(record, "checksum")
        # What is merged later holds the other instances' sums as well.
        trace.own = trace.own or trace.local
        trace.remote_pending = True


def _passed(task: TaskEvidence, record: Record) -> None:
    if trace := task.trace(record.fields.get("table", "")):
        trace.note_passed(totals_field(record, "local") or trace.local)


def _skipped(why: str) -> Rule:
    def rule(task: TaskEvidence, record: Record) -> None:
        if trace := task.trace(record.fields.get("table", "")):
            trace.skipped = why
            trace.remote_pending = False
        task.conflicts_resolved = task.conflicts_resolved or why == "duplicates"

    return rule


def _tolerated_mismatch(task: TaskEvidence, record: Record) -> None:
    text = record.fields.get("error", "")
    task.mismatch_tolerated = True
    task.add_mismatch(text, _table_of(record) or table_before(text))


def _not_computed(task: TaskEvidence, record: Record) -> None:
    task.checksum_not_computed = record.fields.get("error", "") or record.message


def _ingested(task: TaskEvidence, record: Record) -> None:
    fields = record.fields
    uuid, held, imported = fields.get("uuid", ""), fields.get("kvs", ""), fields.get("importedCount", "")
    if uuid and held.isdigit() and imported.isdigit():
        task.note_ingest(uuid, int(held), int(imported))


def _engine_named(task: TaskEvidence, record: Record) -> None:
    # "import engine success" names only the uuid; the tag stands on the lines around it.
    tag, uuid = record.fields.get("engineTag", ""), record.fields.get("engineUUID", "")
    name, _, number = tag.rpartition(":")
    if uuid in task.ingests and (trace := task.trace(name)):
        task.ingests[uuid].table, task.ingests[uuid].engine = trace.table, number
        task.unnamed_ingests.discard(uuid)


def _key_skipped(task: TaskEvidence, record: Record) -> None:
    task.skipped_key_count += 1
    if len(task.skipped_keys) < KEPT:
        task.skipped_keys.append(record.fields.get("key", ""))


def _failed_table(task: TaskEvidence, record: Record) -> None:
    trace = task.trace(record.fields.get("table", ""))
    if trace is None:
        return
    trace.failed_step = record.fields.get("status", "") or trace.failed_step
    trace.error = record.fields.get("error", "") or trace.error


def _table_error(task: TaskEvidence, record: Record) -> None:
    trace = task.trace(record.fields.get("table", ""))
    if trace is not None and not trace.error:
        trace.error = record.fields.get("error", "")


def _cleaning(task: TaskEvidence, record: Record) -> None:
    task.keep_after_success = record.fields.get("keepAfterSuccess", "")


def _written(task: TaskEvidence, record: Record) -> None:
    written = record.fields.get("written", "")
    task.written_bytes += int(written) if written.isdigit() else 0


_RULES: dict[str, Rule] = {
    **CLUE_RULES,
    "open checkpoint file failed, going to create a new one": _flag("first_launch"),
    "the whole procedure start": _flag("started"),
    "restore all schema completed": _flag("schema_restored"),
    "restore all tables data start": _flag("import_started"),
    "the whole procedure completed": _flag("completed"),
    "the whole procedure canceled": _canceled,
    "task canceled": _canceled,
    "user terminated": _canceled,
    "canceled task": _flag("canceled_by_api"),
    "tidb lightning exit": _exit,
    "reusing engines and files info from checkpoint": _reused,
    "restore file completed": _chunk_done,
    "encode kv data and write completed": _written,
    "restore table completed": _table_done,
    "restore table failed": _table_error,
    "failed to import table": _table_error,
    "local checksum": _local_checksum,
    "merged local checksum": _local_checksum,
    "checksum pass": _passed,
    "skip checksum because the checksum option is off": _skipped("off"),
    "skip checksum&analyze because duplicates were detected": _skipped("duplicates"),
    "skip checksum&analyze because other lightning instance will do this": _skipped("other-instance"),
    "compare checksum failed, will skip this error and go on": _tolerated_mismatch,
    "do checksum failed, will skip this error and go on": _not_computed,
    "import engine success": _ingested,
    "import completed": _engine_named,
    "import and cleanup engine completed": _engine_named,
    "duplicated key found, skip write": _key_skipped,
    "-": _failed_table,
    "clean checkpoints start": _cleaning,
    "clean checkpoints completed": _cleaning,
}
