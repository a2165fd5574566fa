"""The words of a judgement: how the process ended, all evidence of it, and the outcome that follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from safe_lightning.core.evidence import StreamEvidence, TaskEvidence
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome


@dataclass(frozen=True)
class End:
    """How the process ended; both None where that is not known (an old log is explained)."""

    exit_code: int | None = None
    signal: int | None = None
    was_stalled: bool = False
    killed_by_us: bool = False
    stop_reason: str = ""
    never_started: bool = False
    is_known: bool = True


@dataclass(frozen=True)
class Evidence:
    """Everything that is known of a run when its outcome is judged.

    ``log_level`` is the level that the task asks for, "" where unknown; ``log_is_cut`` says that the
    log's last line has no end; ``has_log`` that any log record was seen at all.
    """

    task: TaskEvidence = field(default_factory=TaskEvidence)
    streams: StreamEvidence = field(default_factory=StreamEvidence)
    signal_seen: str = ""
    has_log: bool = False
    log_level: str = ""
    log_is_cut: bool = False
    info_only: bool = False
    is_control_tool: bool = False


@dataclass(frozen=True)
class Judgement:
    """The outcome, the sentence that says why, and what else the operator must be told."""

    outcome: Outcome
    reason: str
    notes: tuple[str, ...] = ()


#: One rule of the judgement: it looks at everything and answers or passes.
Rule = Callable[[End, Evidence], Judgement | None]


def says_success(seen: Evidence) -> bool:
    """Whether the child said in its last words that all went well."""
    return seen.streams.said_success or seen.task.finished is True


def is_canceled(seen: Evidence) -> bool:
    """Whether the child's own words say that the import was stopped."""
    if seen.streams.said_canceled:
        return True
    # Up to 5.3 a canceled run logs "the whole procedure completed" as well; later versions never do both.
    return seen.task.task_canceled and not (seen.task.completed and says_success(seen))


def first_line(text: str) -> str:
    """Return the first line of a text; a Go error's other lines repeat it or list its batch of rows."""
    return text.strip().splitlines()[0] if text.strip() else ""
