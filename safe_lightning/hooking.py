"""Loads the configured hooks and runs a stage of them: in order, bounded in time, every verdict kept."""

from __future__ import annotations

import importlib
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePath
from typing import Protocol

from safe_lightning.api import Context, CouldNotLook, Hook, Stage, Status, Verdict
from safe_lightning.command_hook import CommandHook, EventLog, broken, interrupted
from safe_lightning.core.hook_json import complain_about
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.model import HookRule

ENTRY_POINT_GROUP = "safe_lightning.hooks"

#: Our own hooks as pyproject.toml declares them: no search through all installed packages at every start.
BUILT_IN = {
    "checkpoint": "safe_lightning_hooks.checkpoint:look",
    "conflicts": "safe_lightning_hooks.conflicts:look",
    "checksum": "safe_lightning_hooks.checksum:explain",
    "rows": "safe_lightning_hooks.rows:look",
}

_STOP_LOOKS_SECONDS = 0.05


class HookLoadError(Exception):
    """A configured hook cannot be loaded; the sentence names it and says why."""


class Judge(Protocol):
    """A hook of either kind behind one interface."""

    def judge(self, context: Context, stop: threading.Event, log: EventLog) -> Verdict:
        """Answer with a verdict, whatever happens."""
        ...


@dataclass(frozen=True)
class LoadedHook:
    """One entry of [[hooks]], ready to run."""

    name: str
    rule: HookRule
    origin: str
    judge: Judge

    @property
    def stage(self) -> Stage:
        """The stage that the policy gives it."""
        return Stage(self.rule.stage)

    @property
    def aborts_on_error(self) -> bool:
        """Whether its breaking down stops the run: before the import by default, afterwards only where asked for."""
        return (self.rule.on_error or _DEFAULT_ON_ERROR[self.stage]) == "abort"


_DEFAULT_ON_ERROR = {Stage.PRE_IMPORT: "abort", Stage.POST_IMPORT: "warn"}


@dataclass(frozen=True)
class HookResult:
    """A hook's verdict and whether the run may go on after it.

    ``stops`` is true for a block, and for an error where ``on_error`` says abort. Before the import it
    means that the import is not started; afterwards that no remedy is applied and the run ends non-zero.
    """

    name: str
    stage: Stage
    verdict: Verdict
    duration_seconds: float
    stops: bool = False


def load_hooks(rules: Iterable[HookRule]) -> list[LoadedHook]:
    """Load the configured hooks in the policy's order, and only those that it names.

    Raises HookLoadError before anything has run, also for hooks of the post-import stage: nobody wants to
    learn after six hours that the last hook cannot be found.
    """
    return [_load(rule) for rule in rules]


def _load(rule: HookRule) -> LoadedHook:
    if rule.run:
        name = rule.name or PurePath(rule.run[0]).name
        return LoadedHook(name, rule, " ".join(rule.run), CommandHook(name, rule))
    origin = BUILT_IN.get(rule.use) or _find_entry_point(rule.use)
    name = rule.name or rule.use
    return LoadedHook(name, rule, origin, PythonHook(name, rule.timeout, _import(rule.use, origin)))


def _find_entry_point(name: str) -> str:
    from importlib.metadata import entry_points

    found = entry_points(group=ENTRY_POINT_GROUP)
    values = {point.value for point in found if point.name == name}
    if not values:
        known = ", ".join(sorted({*BUILT_IN, *found.names}))
        raise HookLoadError(f"hook {name!r}: no installed package offers it; known are {known}")
    if len(values) > 1:
        raise HookLoadError(f"hook {name!r}: several installed packages offer it: {', '.join(sorted(values))}")
    return str(values.pop())


def _import(name: str, origin: str) -> Hook:
    module, _, attribute = origin.partition("[")[0].strip().partition(":")
    try:
        target: object = importlib.import_module(module)
        for part in attribute.split("."):
            target = getattr(target, part)
    except (Exception, SystemExit) as error:
        raise HookLoadError(f"hook {name!r}: {origin} cannot be loaded: {type(error).__name__}: {error}") from error
    if not callable(target):
        raise HookLoadError(f"hook {name!r}: {origin} is not callable")
    return target


@dataclass(frozen=True)
class PythonHook:
    """A Python callable behind the hook interface.

    It runs in a thread of its own. One that does not return within its time-out is reported and abandoned:
    Python cannot kill a thread, so it may go on beside the run (it does not keep the process alive).
    """

    name: str
    timeout_seconds: float
    call: Hook

    def judge(self, context: Context, stop: threading.Event, log: EventLog) -> Verdict:
        """Call the hook; an exception, a time-out or a stop becomes a verdict."""
        answers: list[Verdict] = []
        worker = threading.Thread(
            target=lambda: answers.append(self._answer(context, log)), name=f"hook {self.name}", daemon=True
        )
        worker.start()
        deadline = time.monotonic() + self.timeout_seconds
        while worker.is_alive() and not stop.is_set() and time.monotonic() < deadline:
            worker.join(_STOP_LOOKS_SECONDS)
        if answers:
            return answers[0]
        if stop.is_set():
            return interrupted()
        return broken(f"did not return within {self.timeout_seconds:g} s and was abandoned")

    def _answer(self, context: Context, log: EventLog) -> Verdict:
        try:
            verdict = self.call(context)
        except CouldNotLook as error:
            return Verdict(Status.ERROR, "could-not-look", str(error))
        except BaseException as error:  # noqa: BLE001 - SystemExit too would end the thread without a word
            log.debug("hook-traceback", hook=self.name, traceback=traceback.format_exc())
            return broken(f"{type(error).__name__}: {error}")
        complaint = complain_about(verdict)
        return broken(complaint) if complaint else verdict


def run_stage(
    hooks: Sequence[LoadedHook],
    stage: Stage,
    context: Context,
    *,
    stop_event: threading.Event,
    on_verdict: Callable[[HookResult], None],
    log: EventLog | None = None,
) -> list[HookResult]:
    """Run the hooks of a stage in the policy's order and return their results.

    Before the import the first result that stops ends the stage. After it every hook runs whose ``when``
    names the outcome (or names none). A stop ends either stage after the hook that it interrupted: give the
    post-import stage an event of its own, so that hooks still run after a canceled import.
    """
    log = log or _default_log()
    results: list[HookResult] = []
    for hook in hooks:
        if hook.stage is not stage or not _is_wanted(hook.rule, context):
            continue
        result = _run(hook, context, stop_event, log)
        results.append(result)
        on_verdict(result)
        if stop_event.is_set() or (result.stops and stage is Stage.PRE_IMPORT):
            break
    return results


def _is_wanted(rule: HookRule, context: Context) -> bool:
    return not rule.when or context.report is None or str(context.report.outcome) in rule.when


def _run(hook: LoadedHook, context: Context, stop: threading.Event, log: EventLog) -> HookResult:
    started = time.monotonic()
    verdict = interrupted() if stop.is_set() else hook.judge.judge(context, stop, log)
    stops = verdict.status is Status.BLOCK or (verdict.status is Status.ERROR and hook.aborts_on_error)
    return HookResult(hook.name, hook.stage, verdict, time.monotonic() - started, stops)


def _default_log() -> EventLog:
    from safe_lightning.logs import get_logger

    return get_logger()
