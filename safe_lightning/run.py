"""The story of a run: lock, look, import, judge, explain, treat, try again if the policy says so, and tell the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

from safe_lightning.acts.treatment import treat
from safe_lightning.api import ImportReport, Outcome, Stage
from safe_lightning.attempt import Attempt
from safe_lightning.core.exitcodes import ExitCode
from safe_lightning.ending import Ending, blocked_by, close, refuse, stopped_after, with_damage, without_child
from safe_lightning.finishing import finish_checksum
from safe_lightning.groundwork import copy_checkpoint, remember_baselines, run_locks, tell_dead_runs
from safe_lightning.hooking import HookLoadError, HookResult, load_hooks, run_stage
from safe_lightning.invocation import resolve
from safe_lightning.launches import begin_launch, end_launch
from safe_lightning.lightning.binary import BinaryError
from safe_lightning.policy.load import PolicyError
from safe_lightning.record.lock import LockBusy
from safe_lightning.record.result import AttemptEnd
from safe_lightning.session import Session, open_session
from safe_lightning.supervise.child import ChildNotStarted
from safe_lightning.supervise.signals import StopControl, signals_taken_by


def run_import(argv: tuple[str, ...], environ: Mapping[str, str], cwd: Path) -> int:
    """Run one import, guarded, and return the exit code."""
    control = StopControl()
    with signals_taken_by(control):
        try:
            call = resolve(argv, environ, cwd)
            # Version and help need no hooks, and are asked for often.
            hooks = [] if call.task.is_info_only else load_hooks(call.loaded.policy.hooks)
        except (PolicyError, HookLoadError) as error:
            return refuse(str(error), ExitCode.POLICY)
        with open_session(call, hooks, control) as session:
            return close(session, _story(session))


def _story(session: Session) -> Ending:
    _say_task_problems(session)
    tell_dead_runs(session)
    try:
        binary = session.call.find_binary()
        with run_locks(session):
            ending = _look(session, binary)
            if ending is None:
                return _import_and_treat(session, binary)
    except (BinaryError, ChildNotStarted) as error:
        report = without_child(Outcome.ENVIRONMENT_ERROR, str(error), str(error))
        ending = Ending(
            report, ExitCode.NOT_FOUND if error.exit_code == ExitCode.NOT_FOUND else ExitCode.NOT_EXECUTABLE
        )
    except LockBusy as error:
        ending = Ending(without_child(Outcome.BLOCKED, str(error)), ExitCode.TRY_LATER)
    return _tell_hooks(session, ending)


def _tell_hooks(session: Session, ending: Ending) -> Ending:
    """Let the post-import hooks hear of an import that was not started; a quiet stop stays quiet."""
    if session.is_import and not ending.is_quiet:
        _run_hooks(session, Stage.POST_IMPORT, LaterSignal(session.control), ending.report)
    return ending


def _look(session: Session, binary: Path) -> Ending | None:
    """Run the pre-import hooks and what they plan; None where the import may begin."""
    if not session.is_import:
        return None
    session.record.enter("looking", time.time())
    copy_checkpoint(session, "before")
    stop = session.control.event
    results = _run_hooks(session, Stage.PRE_IMPORT, stop)
    if session.control.stop_requested:
        reason = session.control.request.reason if session.control.request else "a stop request"
        return Ending(without_child(Outcome.CANCELED, f"{reason} came before the import was started"))
    if stopping := next((result for result in results if result.stops), None):
        return blocked_by(stopping)
    if not treat(session, results, binary, stop).is_complete:
        return Ending(without_child(Outcome.BLOCKED, "what the policy wants done before the import was not done"))
    return None


def _import_and_treat(session: Session, binary: Path) -> Ending:
    """Import, judge and treat; once more for as long as the policy's remedy asks for it and was completed."""
    while True:
        remember_baselines(session)
        begin_launch(session)
        report = Attempt(session, binary).run()
        end_launch(session, report)
        if not session.is_import:
            return Ending(report)
        session.record.enter("judging", time.time())
        copy_checkpoint(session, "after")
        stop = LaterSignal(session.control)
        told = finish_checksum(session, report, stop)
        is_proven = told.outcome is Outcome.SUCCEEDED and report.outcome is not told.outcome
        results = _run_hooks(session, Stage.POST_IMPORT, stop, told)
        told = with_damage(told, results)
        ending = stopped_after(Ending(told, is_proven=is_proven), results)
        if ending.code is not None:
            return ending
        treatment = treat(session, results, binary, stop)
        if not treatment.wants_retry or session.attempt > treatment.retries_most or session.control.stop_requested:
            return ending
        _begin_again(session, told)


def _run_hooks(
    session: Session, stage: Stage, stop: threading.Event, report: ImportReport | None = None
) -> list[HookResult]:
    context = session.context(stage, report)
    return run_stage(session.hooks, stage, context, stop_event=stop, on_verdict=session.keep_verdict, log=session.log)


def _begin_again(session: Session, report: ImportReport) -> None:
    ended = AttemptEnd(report.outcome, report.reason, report.child_exit_code, report.child_signal)
    session.previous_attempts.append(ended)
    session.attempt += 1
    session.log.info("retry", attempt=session.attempt, after=str(report.outcome), reason=report.reason)


def _say_task_problems(session: Session) -> None:
    for problem in session.task.problems:
        certainty = "Lightning rejects this" if problem.is_certain else "Lightning may reject this; it decides"
        session.log.warning("task-problem", key=problem.key, message=problem.message, certainty=certainty)


class LaterSignal(threading.Event):
    """Set once a signal comes after now: the one that stopped the import must not stop what follows it."""

    def __init__(self, control: StopControl) -> None:
        super().__init__()
        self._control = control
        self._taken_before = control.signals_taken

    def is_set(self) -> bool:
        """Whether a further signal has come."""
        return super().is_set() or self._control.signals_taken > self._taken_before
