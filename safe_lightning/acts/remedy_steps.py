"""What a plan is performed in, and what came of its steps: shared by the engine and by those who act for it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from safe_lightning.api import Checkpoint, Policy, Services, Task
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.step_proof import Proof
from safe_lightning.core.verdict import Step


class StepStatus(StrEnum):
    """What became of a step."""

    DONE = "done"
    REPORTED = "reported"
    PLANNED = "planned"
    REFUSED = "refused"
    FAILED = "failed"
    NOT_REACHED = "not-reached"


ENDING = {StepStatus.REFUSED, StepStatus.FAILED}


@dataclass(frozen=True)
class StepResult:
    """The end of one step: a stable code, a sentence, and the control tool's own end where it was called."""

    step: Step
    status: StepStatus
    code: str
    message: str
    exit_code: int | None = None
    output: str = ""

    def __str__(self) -> str:
        return f"{self.step.action} {self.step.table}: {self.status} ({self.message})"


@dataclass(frozen=True)
class PlanResult:
    """The ends of all steps, in order."""

    steps: tuple[StepResult, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every step was performed or only reported: the condition for a retry."""
        return all(result.status in (StepStatus.DONE, StepStatus.REPORTED) for result in self.steps)


@dataclass(frozen=True)
class Deed:
    """What an act said of itself, which proves nothing.

    ``code`` is set where it is certain that nothing was changed, and why; else what can be read decides.
    """

    said: str = ""
    code: str = ""
    exit_code: int | None = None
    output: str = ""


def _no_override(checkpoint: Checkpoint) -> Proof:
    return Proof(False, "no-override", "the import cannot be started with another task from here")


@dataclass(frozen=True)
class Surroundings:
    """What a plan is performed in; the callables are asked anew before every step.

    ``back_up`` copies the checkpoint and raises CouldNotLook or OSError if it cannot; ``others_alive`` says whether
    another Lightning may be at work (None: could not look); ``record_intent`` must have written durably when
    it returns, and ``is_record_trustworthy`` says afterwards whether it has. ``override`` has the import started
    with conflict.strategy = "replace". ``state`` is where quarantined tables are remembered and evidence for a
    rewind is found, ``run`` whose work this is.
    """

    task: Task
    policy: Policy
    services: Services
    control_tool: Path | None
    environ: Mapping[str, str]
    back_up: Callable[[], None]
    others_alive: Callable[[], bool | None]
    record_intent: Callable[[Step], None]
    record_result: Callable[[Step, StepResult], None]
    is_record_trustworthy: Callable[[], bool]
    dry_run: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    override: Callable[[Checkpoint], Proof] = _no_override
    state: Path | None = None
    run: str = ""
