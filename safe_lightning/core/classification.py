"""The judgement of a run: from evidence to one outcome, with the reason in a sentence.

The rules are tried in order; each looks at all evidence and answers or passes. Success comes last and
must be earned: exit code 0, the child's own words, no sign of a cancel, and proof of work.
"""

from __future__ import annotations

from safe_lightning.core.error_text import classify_error, is_echo
from safe_lightning.core.judgement import End, Evidence, Judgement, Rule, first_line, is_canceled, says_success
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.success import judge_success

__all__ = ["End", "Evidence", "Judgement", "judge", "root_error"]

_SIGPIPE = 13
#: Logged as errors, yet Lightning itself goes on after them (pingcap/tidb-lightning#436).
_HARMLESS = frozenset({"all retry ingest failed", "analyze failed", "cannot switch to Import mode"})
_CRASH_SIGNALS = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV"}


def judge(end: End, seen: Evidence) -> Judgement:
    """Say how a run ended.

    >>> judge(End(exit_code=0), Evidence()).outcome
    <Outcome.UNKNOWN: 'unknown'>
    """
    for rule in _RULES:
        if verdict := rule(end, seen):
            return Judgement(verdict.outcome, verdict.reason, (*verdict.notes, *_notes(seen)))
    return Judgement(Outcome.UNKNOWN, "neither the exit nor the log tells how the import ended")


def root_error(seen: Evidence) -> str | None:
    """Find the error that started it: the final one, unless that only echoes a cancellation."""
    candidates = [
        seen.streams.final_error,
        seen.streams.config_error,
        seen.streams.http_server_error,
        seen.task.final_error,
        seen.streams.loop_error,
        seen.streams.sentence,
        seen.streams.panic,
    ]
    logged = [error or message for message, error in seen.task.errors if message not in _HARMLESS]
    failed = [trace.error for trace in seen.task.tables.values()]
    for text in (*candidates, *failed, *logged):
        if text and not is_echo(text):
            return text
    return next((text for text in candidates if text), None)


def _stopped_by_us(end: End, seen: Evidence) -> Judgement | None:
    if end.was_stalled:
        return Judgement(Outcome.HUNG, "no progress for longer than the policy allows: the import was stopped")
    if end.never_started:
        return Judgement(Outcome.CANCELED, f"{end.stop_reason or 'a stop request'} came before the import was started")
    return None


def _version_info(end: End, seen: Evidence) -> Judgement | None:
    if end.exit_code not in (0, None) or end.signal or (seen.has_log and seen.task.started):
        return None
    if (seen.info_only and end.exit_code == 0) or seen.streams.version_lines:
        return Judgement(Outcome.VERSION_INFO, "only the version or the help was asked for")
    if seen.streams.has_usage and not seen.streams.config_error and not seen.streams.final_error:
        return Judgement(Outcome.VERSION_INFO, "the usage was printed and nothing else was done")
    return None


def _signal(end: End, seen: Evidence) -> Judgement | None:
    if not end.signal:
        return None
    if end.signal == _SIGPIPE and seen.task.completed and seen.task.finished and not is_canceled(seen):
        return judge_success(end, seen)
    if end.signal in _CRASH_SIGNALS and not end.killed_by_us:
        return Judgement(Outcome.CRASHED, f"the process died of {_CRASH_SIGNALS[end.signal]}")
    whom = "by safe-lightning after the grace period" if end.killed_by_us else "from outside"
    return Judgement(Outcome.KILLED, f"the process was ended by signal {end.signal} {whom}")


def _panic(end: End, seen: Evidence) -> Judgement | None:
    if not seen.streams.panic or end.exit_code == 0:
        return None
    if seen.signal_seen or seen.streams.said_canceled or seen.streams.was_interrupted:
        return Judgement(Outcome.CANCELED, "a signal stopped the import; the panic came while it was stopping")
    if seen.streams.panic_in_precheck:
        return Judgement(Outcome.PRECHECK_FAILED, f"Lightning crashed in its own pre-check: {seen.streams.panic}")
    return Judgement(Outcome.CRASHED, f"the process crashed: {seen.streams.panic}")


def _hidden_server_error(end: End, seen: Evidence) -> Judgement | None:
    if seen.streams.http_server_error and not seen.task.started:
        return Judgement(Outcome.ENVIRONMENT_ERROR, f"nothing was started: {seen.streams.http_server_error.strip()}")
    return None


def _failure(end: End, seen: Evidence) -> Judgement | None:
    if not (end.exit_code or (not end.is_known and _says_failure(seen))):
        return None
    error = root_error(seen)
    if error is None or is_echo(error):
        if is_canceled(seen) or seen.signal_seen:
            return Judgement(Outcome.CANCELED, "the import was canceled")
        return Judgement(Outcome.UNKNOWN, f"the child ended with {end.exit_code} and named no error")
    return Judgement(_failure_outcome(error, seen), first_line(error))


def _says_failure(seen: Evidence) -> bool:
    """Tell a failure by words alone: those of an end, or where no end is told at all, those of what led to it."""
    streams, task = seen.streams, seen.task
    if streams.final_error or streams.config_error or task.failed:
        return True
    if says_success(seen) or task.completed or is_canceled(seen):
        return False
    told = [streams.loop_error, streams.sentence, task.refusal, *(trace.error for trace in task.tables.values())]
    return _mismatches(seen) or any(text and not is_echo(text) for text in told)


def _mismatches(seen: Evidence) -> bool:
    return bool(seen.task.mismatches or seen.streams.unnamed_mismatches or seen.streams.named_mismatches)


def _failure_outcome(error: str, seen: Evidence) -> Outcome:
    outcome = classify_error(error)
    if _mismatches(seen) and outcome in (None, Outcome.CHECKSUM_MISMATCH):
        return Outcome.CHECKSUM_MISMATCH
    pending = any(trace.remote_pending for trace in seen.task.tables.values())
    failed_there = any("remote checksum" in message for message, _ in seen.task.errors)
    if pending and failed_there and outcome in (None, Outcome.ENVIRONMENT_ERROR, Outcome.TRANSIENT):
        return Outcome.CHECKSUM_INCOMPLETE
    return outcome or Outcome.UNKNOWN


def _canceled(end: End, seen: Evidence) -> Judgement | None:
    is_stopping = not end.is_known and bool(seen.signal_seen) and not says_success(seen)
    if not (is_canceled(seen) or is_stopping):
        return None
    if seen.signal_seen:
        by = f"signal {seen.signal_seen}"
    elif seen.task.canceled_by_api:
        by = "a request on the status port"
    else:
        by = "a stop request"
    return Judgement(Outcome.CANCELED, f"{by} stopped the import before it was complete")


def _stopped_short(end: End, seen: Evidence) -> Judgement | None:
    said_end = seen.streams.said_success or seen.streams.said_exit
    if end.is_known or said_end or not (seen.task.version and seen.task.saw_config):
        return None
    if seen.task.finished is None and not seen.task.completed and not seen.task.failed:
        return Judgement(
            Outcome.KILLED,
            "the log stops in the middle of the run: the process was ended from outside, or it is still running",
        )
    return None


def _killed_by_word(end: End, seen: Evidence) -> Judgement | None:
    if not end.is_known and seen.streams.said_killed:
        return Judgement(Outcome.KILLED, "the shell says Killed: most likely the kernel's out-of-memory killer")
    return None


def _without_proof(end: End, seen: Evidence) -> Judgement | None:
    if end.exit_code == 0 and not seen.has_log:
        return Judgement(
            Outcome.UNKNOWN, "the child exited with 0, but its log was not found, so nothing proves success"
        )
    return None


def _control_tool(end: End, seen: Evidence) -> Judgement | None:
    """Judge a call of tidb-lightning-ctl, whose exit code 0 only says that it met no error."""
    if not (seen.is_control_tool or seen.streams.is_control_tool) or end.signal:
        return None
    if not end.is_known and not seen.streams.panic:
        return None
    if end.exit_code == 0:
        if seen.streams.has_usage or seen.streams.version_lines:
            return Judgement(Outcome.VERSION_INFO, "the control tool printed its usage or version")
        return Judgement(Outcome.SUCCEEDED, "the control tool met no error; look at the checkpoint for what it changed")
    error = seen.streams.config_error or seen.streams.first_stderr_line
    outcome = classify_error(error)
    kept = outcome if outcome is Outcome.CONFIG_ERROR else Outcome.ENVIRONMENT_ERROR
    return Judgement(kept, first_line(error) or f"the control tool ended with {end.exit_code}")


def _notes(seen: Evidence) -> tuple[str, ...]:
    task, notes = seen.task, list[str]()
    if types := max(task.type_errors, seen.streams.type_errors):
        notes.append(f"{types} rows were skipped because of their types (lightning.max-error)")
    if other := [str(t.table) for t in task.tables.values() if t.skipped == "other-instance"]:
        notes.append(f"not verified here, left to another instance: {', '.join(other[:5])}")
    if off := [str(t.table) for t in task.tables.values() if t.skipped == "off"]:
        notes.append(f"not verified, the checksum is off: {', '.join(off[:5])}")
    return tuple(notes)


_RULES: tuple[Rule, ...] = (
    _stopped_by_us,
    _control_tool,
    _version_info,
    _signal,
    _panic,
    _hidden_server_error,
    _failure,
    _killed_by_word,
    _canceled,
    judge_success,
    _stopped_short,
    _without_proof,
)
