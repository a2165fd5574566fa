"""One attempt: the real binary under supervision, listened to, judged from all evidence."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path

from safe_lightning.api import ImportReport
from safe_lightning.child_listener import ChildListener
from safe_lightning.core.classification import End, Evidence, judge
from safe_lightning.core.import_report import build_report
from safe_lightning.core.redact import redact_argv
from safe_lightning.draining import added_flags, describe_stop, prepare_drain
from safe_lightning.session import Session, process_environment
from safe_lightning.supervise.child import ChildEnd, Watchers, supervise
from safe_lightning.supervise.watchdog import Limits, Watchdog


class Attempt:
    """Runs the child once. The stall watchdog and the log follower live exactly as long as the child."""

    def __init__(self, session: Session, binary: Path) -> None:
        self._session = session
        self._binary = binary
        self._was_stalled = False
        self._watchdog: Watchdog | None = None
        self._listener = ChildListener(session, self._note_progress)
        policy, task = session.policy.supervise, session.task
        self._added = added_flags(task, policy)
        self._argv = [*self._added, *_overridden(session)]
        self._drain = prepare_drain(task, self._added, policy, self._listener.work, self._on_event)

    def run(self) -> ImportReport:
        """Run to the end and report. Raises ChildNotStarted."""
        session, policy = self._session, self._session.policy
        listener = self._listener
        try:
            end = supervise(
                [str(self._binary), *self._argv],
                env=process_environment(session),
                cwd=session.call.cwd,
                grace_seconds=policy.child.grace,
                die_with_parent=policy.child.die_with_parent,
                control=session.control,
                watchers=Watchers(
                    listener.take_stdout, listener.take_stderr, self._started, self._on_event, listener.make_way
                ),
                drain=self._drain,
            )
        finally:
            if self._drain is not None:
                self._drain.close()
            if self._watchdog is not None:
                self._watchdog.end()
            listener.close()
        return self._judge(end)

    def _started(self, pid: int) -> None:
        session = self._session
        session.record.enter("importing", time.time(), pid, argv=list(redact_argv(self._argv)))
        session.log.debug("child-started", pid=pid, binary=str(self._binary), attempt=session.attempt)
        if self._added:
            session.log.info("flag-added", flags=self._added, why="safe_stop = always, and the task has no address")
        if session.task_override is not None:
            session.log.info("argv-as-started", argv=list(redact_argv(self._argv)), why='conflict.strategy = "replace"')
        self._listener.start()
        if session.is_import:
            self._watchdog = self._watch(pid)
            self._watchdog.start()

    def _watch(self, pid: int) -> Watchdog:
        policy, task = self._session.policy.watch, self._session.task
        places = [self._session.call.cwd / task.sorted_kv_dir] if task.sorted_kv_dir else []
        places += [task.checkpoint.path.parent] if task.checkpoint.path else []
        return Watchdog(
            pid=pid,
            interval_seconds=policy.interval,
            limits=Limits(
                memory_available_least=policy.memory_available_least,
                disk_free_least=policy.disk_free_least,
                open_files_most=policy.open_files_most,
                stall_after_seconds=policy.stall_after,
                cpu_lack_most=policy.cpu_lack_most,
            ),
            disk_paths=places,
            on_event=self._on_event,
            on_stall=self._stalled,
        )

    def _stalled(self, quiet_seconds: float) -> None:
        is_stopping = self._session.policy.watch.on_stall == "stop"
        self._on_event("stalled", quiet_seconds=round(quiet_seconds), action="stop" if is_stopping else "warn")
        if is_stopping and not self._session.control.stop_requested:
            self._was_stalled = True
            self._session.control.request_stop(f"no progress for {quiet_seconds:.0f} s", signal.SIGTERM)

    def _note_progress(self) -> None:
        if self._watchdog is not None:
            self._watchdog.note_progress()

    def _on_event(self, name: str, **fields: object) -> None:
        self._session.log.warning(name, attempt=self._session.attempt, **fields)

    def _judge(self, child: ChildEnd) -> ImportReport:
        listener, task = self._listener, self._session.task
        end = End(
            exit_code=child.exit_code,
            signal=child.signal,
            was_stalled=self._was_stalled,
            killed_by_us=child.killed_by_us,
            stop_reason=child.stop_reason,
            never_started=child.is_never_started,
        )
        seen = Evidence(
            task=listener.digest.task,
            streams=listener.streams.evidence,
            signal_seen=listener.digest.signal,
            has_log=listener.digest.records > 0,
            log_level=task.log_level,
            log_is_cut=listener.log_is_cut,
            info_only=task.is_info_only,
            is_control_tool=task.is_control_tool_call,
        )
        self._session.log_path = listener.log_path or self._session.log_path
        self._say_end(child)
        report = replace(build_report(end, seen, judge(end, seen)), stop=describe_stop(child, self._drain))
        if lost := report.engines_not_ingested:
            self._session.note(
                f"{len(lost)} engine(s) count as imported though they never were, and every resume passes over them: "
                "`safe-lightning rewind -- FLAGS` sets them back, see docs/cleaning.md"
            )
        return report

    def _say_end(self, child: ChildEnd) -> None:
        self._session.log.debug(
            "child-ended",
            exit_code=child.exit_code,
            signal=child.signal,
            seconds=round(child.duration_seconds, 1),
            max_rss_bytes=child.max_rss_bytes,
            cpu_seconds=round(child.cpu_seconds, 1),
        )
        if child.is_oom_suspected:
            self._on_event("out-of-memory-suspected", message="the kernel's out-of-memory killer was at work meanwhile")


def _overridden(session: Session) -> tuple[str, ...]:
    """Return the user's own flags, with another config file behind them where the policy had one made."""
    if session.task_override is None:
        return session.call.argv
    from safe_lightning.lightning.task_override import with_config

    return with_config(session.call.argv, session.task_override)
