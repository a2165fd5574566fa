"""The state of one run while it goes on: what was called, where it is recorded, what has happened so far."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from safe_lightning import __version__
from safe_lightning.api import Context, ImportReport, Policy, Stage, TableBaseline, TableName, Task, Verdict
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import redact_argv
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.hooking import HookResult, LoadedHook
from safe_lightning.invocation import Invocation
from safe_lightning.logs import Logger, configure, flush, get_logger
from safe_lightning.record.baselines import baseline_key, recall
from safe_lightning.record.result import AttemptEnd, HookEntry, RemedyEntry
from safe_lightning.record.run_dir import RunDir
from safe_lightning.record.state_dir import StateUnavailable, state_dir
from safe_lightning.services import EngineServices
from safe_lightning.supervise.signals import StopControl

if TYPE_CHECKING:
    from safe_lightning.leasing import LeaseKeeper

_FINDINGS_SHOWN_MOST = 6


@dataclass
class Session:
    """One run: fixed facts, the record, and the entries that its result will hold.

    ``state`` is None where nothing can be recorded; then no step that changes anything is performed.
    ``task_override`` is the config that the child is started with instead of the user's.
    """

    call: Invocation
    hooks: Sequence[LoadedHook]
    control: StopControl
    state: Path | None
    record: RunDir
    log: Logger
    services: EngineServices
    is_console: bool
    hook_entries: list[HookEntry] = field(default_factory=list)
    hook_lines: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    remedy_entries: list[RemedyEntry] = field(default_factory=list)
    previous_attempts: list[AttemptEnd] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    attempt: int = 1
    log_path: Path | None = None
    task_override: Path | None = None
    lease: LeaseKeeper | None = None

    @property
    def task(self) -> Task:
        """The task as Lightning sees it."""
        return self.call.task

    @property
    def policy(self) -> Policy:
        """The policy in force."""
        return self.call.loaded.policy

    @property
    def is_import(self) -> bool:
        """Whether data may move: not for version and help, nor for the control tool's own flags."""
        return not (self.task.is_info_only or self.task.is_control_tool_call)

    @property
    def baseline_key(self) -> str:
        """The name of this import across its attempts."""
        return baseline_key(self.task.checkpoint.location, self.target_name)

    @property
    def target_name(self) -> str:
        """The target as locks and baselines name it."""
        return f"{self.task.target.host}:{self.task.target.port}"

    def context(self, stage: Stage, report: ImportReport | None = None) -> Context:
        """Return what hooks of a stage are given."""
        return Context(
            run=self.call.run,
            attempt=self.attempt,
            stage=stage,
            run_dir=self.record.path,
            argv=redact_argv(self.call.argv),
            task=self.task,
            policy=self.policy,
            services=self.services,
            dry_run=self.policy.dry_run,
            report=report,
            verdicts=tuple(self.verdicts),
        )

    def keep_verdict(self, result: HookResult) -> None:
        """Log a hook's verdict with its reason, and keep it."""
        verdict = result.verdict
        say = self.log.info if verdict.status == "pass" else self.log.warning
        say("hook-verdict", hook=result.name, stage=str(result.stage), status=str(verdict.status), code=verdict.code,
            message=verdict.message)  # fmt: skip
        for finding in verdict.findings:
            about = {"table": str(finding.table)} if finding.table else {}
            self.log.info("finding", hook=result.name, code=finding.code, message=finding.message, **about)
        self.record.add_verdict(result, self.attempt)
        self.verdicts.append(verdict)
        entry = HookEntry(
            result.name, str(result.stage), str(verdict.status), verdict.code, verdict.message, self.attempt
        )
        self.hook_entries.append(entry)
        if verdict.status != "pass":
            self._keep_lines(result)

    def _keep_lines(self, result: HookResult) -> None:
        """Keep what the closing words say of a verdict: its message, and its findings up to a handful."""
        verdict = result.verdict
        shown = verdict.findings[:_FINDINGS_SHOWN_MOST]
        more = len(verdict.findings) - len(shown)
        self.hook_lines += [f"{result.name}: {verdict.status}, {verdict.message}"]
        self.hook_lines += [finding.message for finding in shown]
        self.hook_lines += [f"and {more} more findings, all in the record"] * (more > 0)

    def note(self, text: str) -> None:
        """Warn of something that the run goes on without, and keep it for the result."""
        if text not in self.notes:
            self.notes.append(text)
            self.log.warning("note", message=text)


@contextmanager
def open_session(call: Invocation, hooks: Sequence[LoadedHook], control: StopControl) -> Iterator[Session]:
    """Open the record and the event stream of a run; the record is closed whatever happens."""
    output = configure(call.loaded.policy.log)
    log = get_logger(run=call.run)
    state, record = _open_record(call, log)
    if record.path is not None:
        output.sinks.append(record.events.write)
    services = EngineServices(call.task, call.loaded.policy, lambda: _recall(session), control.event, state, call.run)
    session = Session(call, hooks, control, state, record, log, services, output.is_console)
    try:
        _record_call(session)
        yield session
    finally:
        flush()
        if session.task_override is not None:
            session.task_override.unlink(missing_ok=True)  # it holds what the user's config holds, secrets included
        if record.path is not None and record.events.write in output.sinks:
            output.sinks.remove(record.events.write)
        record.close()


def _open_record(call: Invocation, log: Logger) -> tuple[Path | None, RunDir]:
    def tell(trouble: str) -> None:
        log.warning("record-trouble", message=trouble, consequence="no step that changes anything will be performed")

    try:
        state = state_dir(call.loaded.policy.state_dir, call.environ)
    except StateUnavailable as error:
        return None, RunDir.absent(str(error), tell)
    return state, RunDir.create(state, call.run, call.started_at, tell)


def _record_call(session: Session) -> None:
    call, record = session.call, session.record
    record.write_call(
        call.argv, call.cwd, call.environ, {"safe-lightning": __version__}, call.task.checkpoint.location,
        call.started_at, call.run,
    )  # fmt: skip
    record.write_policy(session.policy)
    record.write_task(call.task, call.argv)


def _recall(session: Session) -> Mapping[TableName, TableBaseline]:
    if session.state is None:
        raise CouldNotLook("there is no record, so it is not known what stood in the target before")
    return recall(session.state, session.baseline_key)


def process_environment(session: Session) -> dict[str, str]:
    """Return the environment of the child; the run's id in it lets a nested wrapper see that it is one."""
    return {**session.call.child_environ, "SAFE_LIGHTNING_RUN_ID": f"{session.call.run}:{os.getpid()}"}
