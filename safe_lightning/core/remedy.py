"""From causes and policy to a plan; nothing here acts, and by default nothing is planned but a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from safe_lightning.core.cause import CHECKSUM_INCOMPLETE, Cause, is_mismatch, tied
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, ImportReport, Plan, Step


class Rule(Protocol):
    """The part of a policy's [[remedy]] entry that a plan needs."""

    @property
    def action(self) -> str: ...  # noqa: D102
    @property
    def then(self) -> str: ...  # noqa: D102
    @property
    def max_attempts(self) -> int: ...  # noqa: D102
    @property
    def least_confidence(self) -> float: ...  # noqa: D102


#: Asks the policy for its answer to one cause of one table; the text says "per policy …" or "per default".
RemedyFor = Callable[[TableName, str], tuple[Rule, str]]


@dataclass(frozen=True)
class _Choice:
    step: Step
    retries: int


def plan_remedy(
    report: ImportReport,
    causes: Mapping[TableName | None, Sequence[Cause]],
    remedy_for: RemedyFor,
    checksum_is_required: bool = True,
) -> Plan | None:
    """Plan what the policy answers to a mismatch or to a checksum that was not completed; None for any other end.

    A retry is planned only where every failed table is treated and every answer asks for it: Lightning refuses
    to start as long as one recorded failure is left, so a table that is only reported is never tried again.
    A failure is ignored only where the task requires the checksum: else the next run would pass without any proof.
    """
    named = {table: found for table, found in causes.items() if table is not None and found}
    if named:
        choices = [_choose(table, found, remedy_for) for table, found in named.items()]
        choices = choices if checksum_is_required else [_unproven(choice) for choice in choices]
        return _plan(choices, _obstacle(report))
    if report.checksum_incomplete:
        return _plan([_only_again(table, remedy_for) for table in _unverified(report)], "")
    return None


def _choose(table: TableName, causes: Sequence[Cause], remedy_for: RemedyFor) -> _Choice:
    candidates = tied(causes)
    answers = [(cause, *remedy_for(table, cause.name)) for cause in candidates]
    first, rule, reason = answers[0]
    if len({(other.action, other.then) for _, other, _ in answers}) > 1:
        undecided = f"{_names(candidates)}: equally likely, and the policy answers them differently"
        return _Choice(Step(Action.REPORT, table, undecided), 0)
    why = f"{_names(candidates)} ({first.confidence:.0%}); {reason}"
    if first.confidence < max(other.least_confidence for _, other, _ in answers):
        return _Choice(
            Step(Action.REPORT, table, f"{why}; only reported, as that is less sure than the policy asks"), 0
        )
    action = Action(rule.action)
    is_retried = rule.then == "retry" and action is not Action.REPORT
    retries = min(other.max_attempts for _, other, _ in answers) if is_retried else 0
    return _Choice(Step(action, table, why), retries)


def _unproven(choice: _Choice) -> _Choice:
    if choice.step.action is not Action.IGNORE:
        return choice
    why = f"{choice.step.reason}; not ignored, as the task does not require the checksum that would prove the next run"
    return _Choice(Step(Action.REPORT, choice.step.table, why), 0)


def _names(causes: Sequence[Cause]) -> str:
    return " or ".join(cause.name for cause in causes)


def _only_again(table: TableName, remedy_for: RemedyFor) -> _Choice:
    """Repeat the run at most: an incomplete checksum records no failure, so there is nothing to treat."""
    rule, reason = remedy_for(table, CHECKSUM_INCOMPLETE)
    why = f"{CHECKSUM_INCOMPLETE}; {reason}"
    if rule.action in (Action.DESTROY, Action.REMOVE, Action.QUARANTINE, Action.REWIND):
        why += f"; {rule.action} is never done for it, as nothing is proven wrong"
        return _Choice(Step(Action.REPORT, table, why), 0)
    return _Choice(Step(Action.REPORT, table, why), rule.max_attempts if rule.then == "retry" else 0)


def _unverified(report: ImportReport) -> list[TableName]:
    settled = {"checksum-passed", "conflicts-resolved", "checksum-off", "left-to-other-instance"}
    return [result.table for result in report.tables if result.table is not None and result.status not in settled]


def _obstacle(report: ImportReport) -> str:
    if any(result.table is None and is_mismatch(result.status) for result in report.tables):
        return "a mismatched table is not named, so it cannot be treated"
    others = [str(result.table) for result in report.tables if result.status.startswith("failed")]
    return f"{', '.join(others)} failed for another reason" if others else ""


def _plan(choices: Sequence[_Choice], obstacle: str) -> Plan | None:
    if not choices:
        return None
    retries = min(choice.retries for choice in choices)
    steps = tuple(choice.step for choice in choices)
    if retries and not obstacle:
        reason = f"then the import is run again, at most {_count(retries, 'time')}"
        return Plan(steps, reason, then_retry=True, max_attempts=retries)
    wanted = f"; no retry: {obstacle}" if retries else ""
    acting = sum(step.action is not Action.REPORT for step in steps)
    return Plan(
        steps, (f"{_count(acting, 'table')} treated" if acting else "nothing is changed, only reported") + wanted
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
