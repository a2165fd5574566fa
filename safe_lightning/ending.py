"""The end of a run: the exit code, the result for the record, and the closing words."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from safe_lightning.api import CouldNotLook, ImportReport, Outcome, Status, Verdict
from safe_lightning.core.exitcodes import ExitCode, exit_code
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import EXPLANATIONS
from safe_lightning.core.redact import redact, redact_argv, redact_rows_in_text
from safe_lightning.hooking import HookResult
from safe_lightning.record.baselines import forget
from safe_lightning.record.ledger import Ledger, LedgerUnavailable
from safe_lightning.record.result import RunResult
from safe_lightning.record.retention import remove_expired
from safe_lightning.session import Session


@dataclass(frozen=True)
class Ending:
    """How a run ends: the report, and an exit code that overrides the one which the outcome asks for.

    ``is_proven``: the child failed only to prove its success, and that was proven after it.
    """

    report: ImportReport
    code: ExitCode | None = None
    is_quiet: bool = False
    is_proven: bool = False


def without_child(outcome: Outcome, reason: str, root_error: str | None = None) -> ImportReport:
    """Report a run whose child was never started."""
    return ImportReport(outcome, reason, None, None, None, (), root_error, ())


def blocked_by(result: HookResult) -> Ending:
    """End a run that a pre-import hook stopped."""
    verdict = result.verdict
    report = without_child(Outcome.BLOCKED, f"hook {result.name}: {verdict.message}")
    return Ending(report, stop_code(verdict), is_quiet=verdict.is_soft_stop)


def stop_code(verdict: Verdict) -> ExitCode:
    """Say with which code a stopping verdict ends a run."""
    if verdict.is_soft_stop:
        return ExitCode.TRY_LATER
    if verdict.status is Status.ERROR:
        return ExitCode.COULD_NOT_LOOK
    if verdict.code.startswith("checkpoint-"):
        return ExitCode.LEFTOVER_CHECKPOINT
    return _STOP_CODES.get(verdict.code, ExitCode.BLOCKED)


_STOP_CODES = {"key-conflicts": ExitCode.CONFLICTS_IN_SOURCE, "keys-not-checked": ExitCode.COULD_NOT_LOOK}


def stopped_after(ending: Ending, results: Sequence[HookResult]) -> Ending:
    """Keep a run from ending with 0 where a post-import hook blocks, or broke and ``on_error`` says abort."""
    if not any(result.stops for result in results):
        return ending
    return replace(ending, code=ending.code or ExitCode.BLOCKED)


def with_damage(report: ImportReport, results: Sequence[HookResult]) -> ImportReport:
    """Turn a success into damage where a post-import hook has proven it; no failure is ever made better or other."""
    proven = next((result for result in results if result.verdict.is_damage), None)
    if proven is None or report.outcome not in _GOOD:
        return report
    reason = f"hook {proven.name}: {proven.verdict.message}"
    return replace(report, outcome=Outcome.DAMAGED, reason=reason)


_GOOD = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_CONFLICTS}


def _code(session: Session, ending: Ending) -> int:
    policy, report = session.policy, ending.report
    if ending.is_proven and ending.code is None:
        return int(ExitCode.OK)
    natural = exit_code(
        report.outcome,
        report.child_exit_code,
        report.child_signal,
        by_outcome=policy.exit_codes == "outcome",
        allow_nothing=policy.allow_nothing,
    )
    if ending.code is None or (report.child_exit_code is not None and natural != 0):
        return natural
    if policy.exit_codes == "outcome" and natural != 0 and ending.code is not ExitCode.TRY_LATER:
        return natural
    return int(ending.code)


def close(session: Session, ending: Ending) -> int:
    """Write the result, say the closing words and return the exit code."""
    code = _code(session, ending)
    session.record.enter("finishing", time.time())
    result = _result(session, ending.report, code)
    page = _write_page(session, result)
    _tell(session, ending, code, page)
    session.record.finish(result)
    _tidy_up(session, result)
    return code


def _result(session: Session, report: ImportReport, code: int) -> RunResult:
    return RunResult(
        run=session.call.run,
        started_at=session.call.started_at,
        ended_at=time.time(),
        argv=redact_argv(session.call.argv),
        outcome=report.outcome,
        reason=_safe(session, report.reason),
        exit_code=code,
        child_exit_code=report.child_exit_code,
        child_signal=report.child_signal,
        tables=tuple(replace(t, error=_safe(session, t.error) if t.error else None) for t in report.tables),
        hooks=tuple(session.hook_entries),
        remedies=tuple(session.remedy_entries),
        root_error=_safe(session, report.root_error) if report.root_error else None,
        evidence=report.evidence,
        attempts=session.attempt,
        previous_attempts=tuple(session.previous_attempts),
        log_path=str(session.log_path) if session.log_path else None,
        version=report.version,
        notes=tuple(session.notes),
        stop=report.stop,
        engines_not_ingested=report.engines_not_ingested,
    )


def _write_page(session: Session, result: RunResult) -> str:
    """Write the page of the run and return where it lies; nothing that goes wrong with it may change the end."""
    if not session.is_import:
        return ""
    try:
        from safe_lightning.report.run_page import run_page

        return str(session.record.write_report(lambda folder: run_page(folder, result)) or "")
    except Exception as error:  # noqa: BLE001 - a page for people must never cost the result of a run
        session.log.warning("report-trouble", message=f"report.html was not written: {error!r}")
        return ""


def _safe(session: Session, text: str) -> str:
    masked = redact(text)
    return redact_rows_in_text(masked) if session.policy.log.row_data == "redact" else masked


def _tell(session: Session, ending: Ending, code: int, page: str) -> None:
    report = ending.report
    is_nothing = report.outcome is Outcome.VERSION_INFO or ending.is_quiet
    if session.is_console and not is_nothing:
        _print_summary(session, report, code, page)
    explanation = EXPLANATIONS[report.outcome]
    is_shown_otherwise = is_nothing or session.is_console
    say = session.log.debug if is_shown_otherwise else session.log.error if code else session.log.info
    say(
        "run-ended",
        outcome=str(report.outcome),
        exit_code=code,
        child_exit_code=report.child_exit_code,
        child_signal=report.child_signal,
        reason=_safe(session, report.reason),
        root_error=_safe(session, report.root_error or ""),
        meaning=explanation.meaning,
        next_step=explanation.next_step,
        tables=[f"{table.table or '(not named)'}: {table.status}" for table in report.tables],
        notes=[*report.evidence, *session.notes],
        record=str(session.record.path or ""),
        log=str(session.log_path or ""),
        report=page,
    )


def _print_summary(session: Session, report: ImportReport, code: int, page: str) -> None:
    from safe_lightning.logs import current_output
    from safe_lightning.report.summary import Closing, join, summary_lines

    shown = replace(
        report,
        reason=_safe(session, report.reason),
        root_error=_safe(session, report.root_error) if report.root_error else None,
        evidence=(*report.evidence, *session.notes),
    )
    remedies = [f"{entry.action} {entry.table}: {entry.result}" for entry in session.remedy_entries]
    places = [("record", str(session.record.path or "")), ("log", str(session.log_path or "")), ("report", page)]
    lines = summary_lines(shown, Closing(code, session.attempt, session.hook_lines, remedies, places))
    current_output().outlet.write(join(lines).encode("utf-8", "backslashreplace"))


def _tidy_up(session: Session, result: RunResult) -> None:
    """Enter the run in the ledger and let go of what is no longer needed; none of it may change the exit code."""
    if session.state is None or session.record.path is None:
        return
    try:
        with Ledger.open(session.state) as ledger:
            ledger.finish(session.record.path, result)
        # A child that failed has left its checkpoint: what stood there before still counts.
        if result.outcome is Outcome.SUCCEEDED and session.is_import and not result.child_exit_code:
            forget(session.state, session.baseline_key)
        remove_expired(session.state, session.policy.record, time.time())
    except (LedgerUnavailable, CouldNotLook, OSError) as error:
        session.log.warning("record-trouble", message=str(error), consequence="the run's directory holds everything")


def refuse(message: str, code: ExitCode | int) -> int:
    """End before anything has begun: one clear error on stderr."""
    text = "\n".join(f"safe-lightning: {line}" for line in message.splitlines())
    os.write(sys.stderr.fileno(), f"{text}\n".encode("utf-8", "backslashreplace"))
    return int(code)
