"""Runs that died without a result: what they were doing, and the end that a later run writes for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.verdict import ImportReport
from safe_lightning.record.clock import rfc3339
from safe_lightning.record.durable import to_bytes, write_durably
from safe_lightning.record.process import is_same_process, process_identity
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_folder import TASK_OVERRIDE, begun, is_alive, run_folders
from safe_lightning.record.strict_json import UnreadableRecord
from safe_lightning.record.trail import IMPORTING, Phase, TrailStep, read_phases, read_steps, read_verdicts

DIED = "safe-lightning died during this run and could not write its end"
_LOG_BYTES_MOST = 256 << 20


@dataclass(frozen=True)
class DeadRun:
    """A run without a result whose process is dead; ``is_child_alive`` None means that it could not be looked at."""

    folder: Path
    result: RunResult
    phases: tuple[Phase, ...]
    steps: tuple[TrailStep, ...]
    child_pid: int | None
    is_child_alive: bool | None

    @property
    def phase(self) -> str:
        """The last phase it had entered; empty if it had entered none."""
        return self.phases[-1].name if self.phases else ""

    @property
    def was_started(self) -> bool:
        """Whether it had started its child."""
        return any(phase.name == IMPORTING for phase in self.phases)

    @property
    def open_steps(self) -> tuple[TrailStep, ...]:
        """The steps that were begun and of which nothing tells whether they were done."""
        return tuple(step for step in self.steps if step.result is None)

    def describe(self) -> str:
        """Say in one sentence which run it was and what it was doing."""
        run = self.result
        parts = [f"run {run.run}, started {rfc3339(run.started_at)}, died {_doing(self)}"]
        parts += [f"{s.action} {s.table} was begun; whether it was done is not recorded" for s in self.open_steps]
        if self.is_child_alive:
            parts.append(f"its tidb-lightning (process {self.child_pid}) is still running")
        elif self.is_child_alive is None:
            parts.append(f"whether its tidb-lightning (process {self.child_pid}) is still running cannot be told")
        return "; ".join(parts)


WORDS = {
    "": "before it had begun to look",
    "looking": "while it was looking, before the import",
    IMPORTING: "while its import was running",
    "judging": "while it was judging how its import had ended",
    "remedying": "while it was performing its remedy",
    "finishing": "while it was writing its end, after everything else",
}


def _doing(dead: DeadRun) -> str:
    if dead.phase == "looking" and dead.was_started:
        return "while it was looking, before another attempt"
    return WORDS.get(dead.phase, f"in the phase {dead.phase}")


def close_dead_runs(state: Path, at: float) -> list[str]:
    """Say what the runs that died were doing, one sentence each, and write their ends so that this is told once.

    Raises OSError where they cannot be read; an end that cannot be written is said in its sentence.
    """
    return [_close_and_tell(dead, at) for dead in previous_unfinished(state)]


def _close_and_tell(dead: DeadRun, at: float) -> str:
    try:
        result = close_dead_run(dead, at)
    except OSError as error:
        return f"{dead.describe()}; its end cannot be written: {error.strerror or error}"
    return f"{dead.describe()}; it is recorded as {result.outcome}" if result else dead.describe()


def previous_unfinished(state: Path) -> list[DeadRun]:
    """List the runs that died without a result, oldest first. Raises OSError.

    A run whose process lives is not one of them, nor is one that has been closed by `close_dead_run`.
    """
    folders = [f for f in run_folders(state) if not (f / "result.json").exists() and not is_alive(f)]
    # Looked at again: one of them may have ended between the two looks.
    return [_dead_run(folder) for folder in folders if not (folder / "result.json").exists()]


def _dead_run(folder: Path) -> DeadRun:
    phases = read_phases(folder)
    started = [phase for phase in phases if phase.pid is not None]
    pid, identity = (started[-1].pid, started[-1].identity) if started else (None, None)
    is_child_alive = False if pid is None else _is_alive(pid, identity)
    return DeadRun(folder, begun(folder), tuple(phases), tuple(read_steps(folder)), pid, is_child_alive)


def _is_alive(pid: int, identity: str | None) -> bool | None:
    if identity is not None:
        return is_same_process(pid, identity)
    try:
        # Its identity was not recorded: what has the number now may be anybody.
        return None if process_identity(pid) else False
    except OSError:
        return None


def close_dead_run(dead: DeadRun, at: float) -> RunResult | None:
    """Write the result of a dead run, so that it is told once; None where that would be too early.

    Too early is as long as its process or its child lives, or may live. Success is never claimed: what its own log
    says is taken where it is a failure, else the outcome stays unknown. Raises OSError where it cannot be written.
    """
    if dead.is_child_alive is not False or is_alive(dead.folder) or (dead.folder / "result.json").exists():
        return None
    (dead.folder / TASK_OVERRIDE).unlink(missing_ok=True)
    told, trouble = _told_by_files(dead)
    outcome, reason = _judge(dead, told, trouble)
    hooks = tuple(verdict.entry for verdict in read_verdicts(dead.folder))
    result = replace(
        dead.result,
        outcome=outcome,
        reason=reason,
        hooks=hooks,
        remedies=tuple(step.to_entry() for step in dead.steps),
        attempts=max(sum(phase.name == IMPORTING for phase in dead.phases), 1),
        notes=(*dead.result.notes, f"written by a later run, {rfc3339(at)}: {dead.describe()}"),
    )
    if told is not None:
        result = replace(
            result, tables=told.tables, root_error=told.root_error, version=told.version, evidence=told.evidence,
            engines_not_ingested=told.engines_not_ingested,
        )  # fmt: skip
    write_durably(dead.folder / "result.json", to_bytes(result.to_json(), indent=1) + b"\n")
    return result


def _told_by_files(dead: DeadRun) -> tuple[ImportReport | None, str]:
    if not dead.was_started:
        return None, ""
    from safe_lightning.explaining import UnreadableInput, explain_files
    from safe_lightning.record.run_files import pieces_of

    try:
        pieces = pieces_of(dead.folder)
        if sum(piece.length or 0 for piece in pieces) > _LOG_BYTES_MOST:
            return None, f"its log is too large to be read now; `safe-lightning explain {dead.result.run}` does"
        return explain_files(pieces), ""
    except (UnreadableInput, UnreadableRecord, OSError) as error:
        return None, str(error)


_FINE = {Outcome.SUCCEEDED, Outcome.SUCCEEDED_WITH_CONFLICTS, Outcome.VERSION_INFO}


def _judge(dead: DeadRun, told: ImportReport | None, trouble: str) -> tuple[Outcome, str]:
    if not dead.was_started:
        return Outcome.KILLED, "safe-lightning died before it had started the import"
    if told is None:
        return Outcome.UNKNOWN, f"{DIED}; {trouble}"
    if told.outcome in _FINE:
        return Outcome.UNKNOWN, f"{DIED}; its log speaks of a good end, but nobody was left to prove it"
    return told.outcome, f"{DIED}; its log: {told.reason}"
