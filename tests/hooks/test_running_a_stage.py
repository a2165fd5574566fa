"""Order, stopping, filters and time-outs of a stage, whatever its hooks do."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

import pytest

from safe_lightning.api import (
    Action,
    Context,
    CouldNotLook,
    Hook,
    Outcome,
    Plan,
    Stage,
    Status,
    Step,
    TableName,
    Verdict,
)
from safe_lightning.hooking import HookResult, LoadedHook, PythonHook, run_stage
from safe_lightning.policy.model import HookRule

PASS = Verdict(Status.PASS, "fine", "fine")
WARN = Verdict(Status.WARN, "odd", "odd")
BLOCK = Verdict(Status.BLOCK, "bad", "bad")
LATER = Verdict(Status.BLOCK, "try-later", "later")


def hook(
    name: str, answer: Verdict | BaseException | Hook, stage: Stage = Stage.PRE_IMPORT, **rule: object
) -> LoadedHook:
    def call(context: Context) -> Verdict:
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, Verdict) else answer(context)

    entry = HookRule(use=name, stage=str(stage), **rule)  # type: ignore[arg-type]
    return LoadedHook(name, entry, "test", PythonHook(name, entry.timeout, call))


def run(hooks: list[LoadedHook], stage: Stage, context: Context, log: object) -> list[HookResult]:
    seen: list[HookResult] = []
    results = run_stage(hooks, stage, context, stop_event=threading.Event(), on_verdict=seen.append, log=log)  # type: ignore[arg-type]
    assert results == seen
    return results


def codes(results: list[HookResult]) -> list[str]:
    return [f"{result.name}:{result.verdict.code}" for result in results]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([PASS, WARN, PASS], ["0:fine", "1:odd", "2:fine"]),
        ([PASS, BLOCK, PASS], ["0:fine", "1:bad"]),
        ([LATER, PASS], ["0:try-later"]),
        ([CouldNotLook("no server"), PASS], ["0:could-not-look"]),
        ([ZeroDivisionError("by zero"), PASS], ["0:hook-broke"]),
    ],
)
def test_before_the_import_the_first_block_or_error_ends_the_stage(
    answers: list[Verdict], expected: list[str], context: Callable[..., Context], log: object
) -> None:
    hooks = [hook(str(i), answer) for i, answer in enumerate(answers)]
    assert codes(run(hooks, Stage.PRE_IMPORT, context(), log)) == expected


def test_a_broken_hook_before_the_import_may_be_made_a_warning(context: Callable[..., Context], log: object) -> None:
    results = run([hook("0", ValueError("x"), on_error="warn"), hook("1", PASS)], Stage.PRE_IMPORT, context(), log)
    assert [(r.verdict.status, r.stops) for r in results] == [(Status.ERROR, False), (Status.PASS, False)]


def test_after_the_import_every_hook_runs_and_errors_only_warn(
    context: Callable[..., Context], report: Callable[..., object], log: object
) -> None:
    post = Stage.POST_IMPORT
    hooks = [
        hook("0", BLOCK, post),
        hook("1", ValueError("x"), post),
        hook("2", ValueError("y"), post, on_error="abort"),
        hook("3", PASS, post),
    ]
    results = run(hooks, post, context(stage=post, report=report()), log)
    assert [result.stops for result in results] == [True, False, True, False]


def test_only_hooks_of_the_stage_run(context: Callable[..., Context], log: object) -> None:
    hooks = [hook("before", PASS), hook("after", PASS, Stage.POST_IMPORT)]
    assert codes(run(hooks, Stage.PRE_IMPORT, context(), log)) == ["before:fine"]


@pytest.mark.parametrize(
    ("when", "outcome", "runs"),
    [
        ((), Outcome.SUCCEEDED, True),
        (("hung", "checksum-mismatch"), Outcome.CHECKSUM_MISMATCH, True),
        (("hung", "checksum-mismatch"), Outcome.SUCCEEDED, False),
    ],
)
def test_when_names_the_outcomes_a_hook_runs_for(
    when: tuple[str, ...],
    outcome: Outcome,
    runs: bool,
    context: Callable[..., Context],
    report: Callable[..., object],
    log: object,
) -> None:
    post = Stage.POST_IMPORT
    results = run([hook("0", PASS, post, when=when)], post, context(stage=post, report=report(outcome)), log)
    assert bool(results) is runs


def test_an_exception_is_kept_with_type_text_and_traceback(context: Callable[..., Context], log: object) -> None:
    (result,) = run([hook("0", KeyError("answer"))], Stage.PRE_IMPORT, context(), log)
    assert result.verdict.message == "KeyError: 'answer'"
    ((level, event, fields),) = log.events  # type: ignore[attr-defined]
    assert (level, event) == ("debug", "hook-traceback")
    assert "raise answer" in fields["traceback"]


@pytest.mark.parametrize("answer", [None, "pass", True], ids=repr)
def test_an_answer_that_is_no_verdict_is_a_broken_hook(
    answer: object, context: Callable[..., Context], log: object
) -> None:
    (result,) = run([hook("0", lambda _: answer)], Stage.PRE_IMPORT, context(), log)  # type: ignore[arg-type,return-value]
    assert (result.verdict.status, result.verdict.code) == (Status.ERROR, "hook-broke")


CYCLE: dict[str, object] = {}
CYCLE["again"] = CYCLE
STEP = Step("destroy", TableName("a", "b"), "why")  # type: ignore[arg-type]
STEP_BY_TEXT = Step(Action.DESTROY, "`a`.`b`", "why")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Verdict("block", "bad", "a text"), "the status 'block' instead of a Status"),  # type: ignore[arg-type]
        (Verdict(Status.PASS, "fine", "fine", plan=Plan((STEP,), "why")), "steps are not of an Action and a TableName"),
        (Verdict(Status.PASS, "fine", "fine", plan=Plan((STEP_BY_TEXT,), "why")), "steps are not of an Action"),
        (Verdict(Status.PASS, "fine", "fine", data={"at": object()}), "JSON cannot carry: Object of type object"),
        (Verdict(Status.PASS, "fine", "fine", data=CYCLE), "JSON cannot carry: Circular reference"),
        (Verdict(Status.PASS, "fine", "fine", ("rows are missing",)), "JSON cannot carry"),  # type: ignore[arg-type]
    ],
)
def test_a_verdict_that_is_not_what_it_seems_is_a_broken_hook(
    answer: Verdict, complaint: str, context: Callable[..., Context], log: object
) -> None:
    (result,) = run([hook("0", answer)], Stage.PRE_IMPORT, context(), log)
    assert (result.verdict.code, result.stops) == ("hook-broke", True)
    assert complaint in result.verdict.message


def test_a_hook_that_exits_the_interpreter_ends_only_itself(context: Callable[..., Context], log: object) -> None:
    (result,) = run([hook("0", lambda _: sys.exit(0))], Stage.PRE_IMPORT, context(), log)  # type: ignore[arg-type]
    assert result.verdict.message == "SystemExit: 0"


def test_a_hook_that_hangs_is_reported_and_abandoned(context: Callable[..., Context], log: object) -> None:
    never = threading.Event()

    def hang(_: Context) -> Verdict:
        never.wait()
        return PASS

    (result,) = run([hook("0", hang, timeout=0.1)], Stage.PRE_IMPORT, context(), log)
    never.set()
    assert result.verdict.message == "did not return within 0.1 s and was abandoned"


def test_a_stop_interrupts_a_hook_and_ends_the_stage(context: Callable[..., Context], log: object) -> None:
    stop, never = threading.Event(), threading.Event()

    def stopped_meanwhile(_: Context) -> Verdict:
        stop.set()
        never.wait()
        return PASS

    results = run_stage(
        [hook("0", stopped_meanwhile), hook("1", PASS)],
        Stage.PRE_IMPORT,
        context(),
        stop_event=stop,
        on_verdict=lambda _: None,
        log=log,  # type: ignore[arg-type]
    )
    never.set()
    assert codes(results) == ["0:interrupted"]


def test_the_time_a_hook_took_is_told(context: Callable[..., Context], log: object) -> None:
    before = time.monotonic()
    (result,) = run([hook("0", PASS)], Stage.PRE_IMPORT, context(), log)
    assert 0 <= result.duration_seconds <= time.monotonic() - before
