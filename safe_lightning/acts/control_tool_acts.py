"""One act on a checkpoint's entry: by the control tool, or by ourselves where the policy says so."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from safe_lightning.acts.remedy_steps import Deed, Surroundings
from safe_lightning.core.checkpoint import TableRecord
from safe_lightning.core.redact import redact
from safe_lightning.core.verdict import CouldNotLook, Step
from safe_lightning.lightning.ctl import control_tool_argv

if TYPE_CHECKING:
    from safe_lightning.supervise.command import CommandEnd

_OUTPUT_BYTES_KEPT = 256 << 10
_OUTPUT_BYTES_SHOWN = 8 << 10
_SENTENCE_CHARACTERS_MOST = 500
_STOP_GRACE_SECONDS = 15.0


def act_on_entry(step: Step, around: Surroundings, entry: TableRecord | None, pd_addresses: str) -> Deed:
    """Do a step's act, as a rule by the control tool; how that ended proves nothing."""
    if around.policy.control_tool.is_direct:
        return Deed(_act_ourselves(step, around, entry))
    from safe_lightning.supervise.command import CommandNotStarted, run_command

    assert around.control_tool is not None, "the safety laws have seen to it"
    try:
        end = run_command(
            control_tool_argv(around.control_tool, around.task, step.action, step.table, pd_addresses),
            timeout_seconds=around.policy.control_tool.timeout,
            env=dict(around.environ),
            cwd=around.task.cwd,
            output_limit_bytes=_OUTPUT_BYTES_KEPT,
            stop=_AfterGrace(around.stop),
        )
    except CommandNotStarted as error:
        return Deed(str(error), "not-started")
    said = describe_end(end, around.policy.control_tool.timeout)
    return Deed(said, exit_code=end.exit_code, output=_output(end))


def _act_ourselves(step: Step, around: Surroundings, entry: TableRecord | None) -> str:
    from safe_lightning.acts.direct_acts import act_directly, forget_metadata

    try:
        task = around.services.read_checkpoint().task  # the entry that is taken out may be its last one
    except CouldNotLook as error:
        return str(error)
    if said := act_directly(step, around.task, around.policy, entry):
        return said
    return forget_metadata(step, around.task, around.policy, task.task_id if task is not None else 0)


class _AfterGrace(threading.Event):
    """Set a while after a stop was asked for: an act that has begun is not cut off between entry and table."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop
        self._since: float | None = None

    def is_set(self) -> bool:
        """Whether the control tool has had its time since the stop."""
        if self._stop.is_set() and self._since is None:
            self._since = time.monotonic()
        return self._since is not None and time.monotonic() - self._since >= _STOP_GRACE_SECONDS


def describe_end(end: CommandEnd, timeout_seconds: float) -> str:
    """Say how the control tool ended where that was not a plain exit 0; the exit code alone proves nothing."""
    said = _last_line(end.stderr)
    if end.stopped:
        return "the run was stopped, and the control tool was killed as it did not end"
    if end.timed_out:
        return f"the control tool did not end within {timeout_seconds:g} s and was killed"
    if end.exit_code == 2 and b"panic:" in end.stderr:
        return "the control tool crashed, as it does when PD stops answering"
    if end.signal:
        return f"the control tool was killed by signal {end.signal}"
    return f"the control tool ended with exit code {end.exit_code}: {said}" if end.exit_code else ""


def _last_line(output: bytes) -> str:
    # A Go error comes first; the stack below it tells a DBA nothing.
    lines = [line for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if not line.startswith(("\t", "github.com/", "main.", "runtime.", "Dropping "))]
    return redact(errors[-1].strip())[:_SENTENCE_CHARACTERS_MOST] if errors else "without a word"


def _output(end: CommandEnd) -> str:
    text = (end.stdout[-_OUTPUT_BYTES_SHOWN:] + end.stderr[-_OUTPUT_BYTES_SHOWN:]).decode("utf-8", "replace")
    return redact(text)
