"""Success must be earned: the child's own words, no sign of damage, and proof of work."""

from __future__ import annotations

from safe_lightning.core.evidence import Ingest, TableTrace, TaskEvidence
from safe_lightning.core.judgement import End, Evidence, Judgement, first_line, says_success
from safe_lightning.core.outcome import Outcome


def judge_success(end: End, seen: Evidence) -> Judgement | None:
    """Judge an end that the child calls good; None where it does not call it so, or where nothing supports it.

    Before success is granted, everything that contradicts it is asked for: a mismatch that was only warned of,
    keys that were dropped, engines that were never ingested, work that nothing verified.
    """
    if not (says_success(seen) or (seen.task.completed and (seen.streams.said_exit or not end.is_known))):
        return None
    if _is_silent(seen):
        return _by_word_alone(seen)
    if not seen.task.completed:
        return None
    for rule in (_tolerated, _damaged, _taken_on_trust, _conflicts):
        if verdict := rule(end, seen):
            return verdict
    return _proof_of_work(seen)


def _tolerated(end: End, seen: Evidence) -> Judgement | None:
    if seen.task.mismatches:
        return Judgement(
            Outcome.CHECKSUM_MISMATCH, 'the checksum does not match; post-restore.checksum = "optional" only warns'
        )
    if seen.task.checksum_not_computed:
        return Judgement(
            Outcome.CHECKSUM_INCOMPLETE,
            f"the checksum was not computed: {first_line(seen.task.checksum_not_computed)}",
        )
    return None


def _damaged(end: End, seen: Evidence) -> Judgement | None:
    task = seen.task
    verified = [trace for trace in task.tables.values() if trace.passed]
    unverified = [trace for trace in task.tables.values() if not trace.passed]
    if task.skipped_key_count and not task.conflicts_resolved and (unverified or not verified):
        return Judgement(
            Outcome.DAMAGED,
            f"{task.skipped_key_count} keys were dropped as duplicates and nothing verified the table since",
        )
    lost = [ingest for ingest in task.ingests.values() if _has_lost(ingest, seen)]
    if lost and task.completed:
        missing = sum(ingest.kvs - ingest.imported for ingest in lost)
        return Judgement(
            Outcome.DAMAGED,
            f"{len(lost)} engine(s) count as imported, yet {missing} of {sum(i.kvs for i in lost)} pairs were not "
            "ingested, and nothing verified the table since",
        )
    return None


def _has_lost(ingest: Ingest, seen: Evidence) -> bool:
    """Whether pairs of an engine that counts as imported never arrived, and no checksum has cleared the table."""
    task = seen.task
    trace = task.tables.get(ingest.table) if ingest.table else None
    if trace is not None and trace.passed:
        return False
    if ingest.kvs and not ingest.imported:
        return True
    # Conflicts that were resolved are missing by intent; an engine written anew counts its earlier pairs again.
    is_meant = task.conflicts_resolved or task.conflicts or seen.streams.conflicts
    return trace is not None and not trace.reused and not is_meant and ingest.imported < ingest.kvs


def _taken_on_trust(end: End, seen: Evidence) -> Judgement | None:
    """Refuse to vouch for a resumed physical import whose earlier engines nothing verified.

    An engine that was being ingested when a signal came is saved as imported although it is empty
    (six of six recorded runs, file driver); the resume skips it and only the checksum would notice.
    """
    task = seen.task
    for trace in task.tables.values():
        ingested = sum(1 for ingest in task.ingests.values() if ingest.table == trace.table)
        if trace.reused and trace.skipped == "off" and ingested < trace.engines_reused:
            return Judgement(
                Outcome.UNKNOWN,
                f"{trace.engines_reused - ingested} engine(s) of {trace.table} were ingested by an earlier attempt, "
                "and with the checksum off nothing tells whether completely",
            )
    return None


def _conflicts(end: End, seen: Evidence) -> Judgement | None:
    count = max(seen.task.conflicts, seen.streams.conflicts)
    if count or seen.task.conflicts_resolved:
        return Judgement(
            Outcome.SUCCEEDED_WITH_CONFLICTS,
            f"the import completed; {count or 'some'} conflicts were resolved or recorded as the task asks",
        )
    return None


def _is_silent(seen: Evidence) -> bool:
    """Tell a log that cannot carry the proof: its level hides INFO, or the disk was full."""
    hidden = seen.log_level in {"warn", "warning", "error", "fatal"} or (
        not seen.log_level and seen.task.version is not None and not seen.task.saw_config
    )
    return not seen.task.completed and seen.has_log and (hidden or seen.log_is_cut)


def _by_word_alone(seen: Evidence) -> Judgement | None:
    if not seen.streams.said_success:
        return None
    count = seen.streams.conflicts or seen.task.conflicts
    why = "the log ends in the middle of a line" if seen.log_is_cut else "its level hides the proof of work"
    verdict = _tolerated(End(), seen) or _damaged(End(), seen)
    if verdict:
        return verdict
    outcome = Outcome.SUCCEEDED_WITH_CONFLICTS if count else Outcome.SUCCEEDED
    return Judgement(outcome, "the import completed by its own word", (f"only the child's word says so: {why}",))


def _proof_of_work(seen: Evidence) -> Judgement:
    task = seen.task
    rows = sum(trace.chunk_kvs for trace in task.tables.values())
    ingested = sum(ingest.imported for ingest in task.ingests.values())
    passed = [trace for trace in task.tables.values() if trace.passed and trace.passed.kvs]
    if rows or ingested or passed or task.written_bytes:
        return Judgement(Outcome.SUCCEEDED, _summary(task, len(passed)))
    reused = [trace for trace in task.tables.values() if trace.reused]
    if reused and task.keep_after_success != "origin":
        # The checkpoint would be gone had an earlier run finished, so this one completed that import.
        return Judgement(
            Outcome.SUCCEEDED,
            "the import completed: everything was in place from earlier attempts",
            ("no row was imported by this run itself",),
        )
    why = "the kept checkpoint says that all is done" if reused else "no file held a row for any table"
    return Judgement(Outcome.NOTHING_IMPORTED, f"the child ended well, but imported nothing: {why}")


def _summary(task: TaskEvidence, passed: int) -> str:
    tables = [trace for trace in task.tables.values() if _has_data(trace)]
    return f"the import completed: {len(tables)} table(s), {passed} verified by checksum"


def _has_data(trace: TableTrace) -> bool:
    return bool(trace.chunk_kvs or trace.passed or trace.restored)
