"""What a run's journals tell: through which phases it went, what its hooks said, which steps it began and ended.

The journals of a run that died may end anywhere, so a line that does not fit is passed over here; nothing is
concluded from what is missing but that it is not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path
from typing import Any, TypeVar

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, Finding
from safe_lightning.record.clock import seconds_of
from safe_lightning.record.durable import read_journal
from safe_lightning.record.result import HookEntry, RemedyEntry
from safe_lightning.record.strict_json import Keys, UnreadableRecord

T = TypeVar("T")

IMPORTING = "importing"


@dataclass(frozen=True)
class Phase:
    """What the run did from ``at`` on; ``pid`` and ``identity`` are the child's, None where there is none."""

    name: str
    at: float
    pid: int | None = None
    identity: str | None = None


@dataclass(frozen=True)
class TrailStep:
    """A step whose intent was written; ``result`` is None where the run died before it wrote what came of it."""

    action: Action
    table: TableName
    reason: str
    result: str | None

    def to_entry(self) -> RemedyEntry:
        """Return it as a result keeps it."""
        result = "begun; whether it was done is not recorded" if self.result is None else self.result
        return RemedyEntry(self.table, self.action, self.reason, result)


@dataclass(frozen=True)
class TrailVerdict:
    """A hook's verdict, with what it found and the data behind it; the duration is None where it is not recorded."""

    entry: HookEntry
    findings: tuple[Finding, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    duration_seconds: float | None = None


def read_phases(folder: Path) -> list[Phase]:
    """Read the phases of a run in their order. Raises OSError."""
    return list(_fitting(read_journal(folder / "phases.jsonl"), _phase))


def read_verdicts(folder: Path) -> list[TrailVerdict]:
    """Read what the hooks of a run said, in their order. Raises OSError."""
    return list(_fitting(read_journal(folder / "verdicts.jsonl"), _verdict))


def read_steps(folder: Path) -> list[TrailStep]:
    """Read the steps that a run began or refused, in their order. Raises OSError."""
    entries = [entry for entry in read_journal(folder / "steps.jsonl") if isinstance(entry.get("step"), int)]
    results = {entry["step"]: entry for entry in entries if "result" in entry}
    intents = {entry["step"]: entry for entry in entries if "intent" in entry}
    found = {number: entry.get("intent") for number, entry in intents.items()}
    found |= {number: entry.get("of") for number, entry in results.items() if number not in intents}
    return list(_fitting([(step, results.get(number)) for number, step in found.items()], _step))


def _fitting(entries: list[Any], read: Callable[[Any], T]) -> Iterator[T]:
    for entry in entries:
        with suppress(UnreadableRecord, ValueError, OverflowError):
            yield read(entry)


def _phase(entry: Mapping[str, Any]) -> Phase:
    keys = Keys(entry, "")
    pid, identity = entry.get("pid"), entry.get("identity")
    is_child = isinstance(pid, int) and not isinstance(pid, bool)
    return Phase(
        keys.text("phase"), seconds_of(keys.text("at")),
        pid if is_child else None, identity if isinstance(identity, str) else None,
    )  # fmt: skip


def _verdict(entry: Mapping[str, Any]) -> TrailVerdict:
    keys = Keys(entry, "")
    verdict = Keys(entry.get("verdict"), "verdict")
    short = HookEntry(
        keys.text("hook"), keys.text("stage"), verdict.text("status"), verdict.text("code"), verdict.text("message"),
        keys.number("attempt"),
    )  # fmt: skip
    lasted = entry.get("duration_seconds")
    duration_seconds = float(lasted) if isinstance(lasted, int | float) and not isinstance(lasted, bool) else None
    found = entry["verdict"].get("findings")
    findings = _fitting(found if isinstance(found, list) else [], _finding)
    return TrailVerdict(short, tuple(findings), _data(entry["verdict"]), duration_seconds)


def _finding(document: object) -> Finding:
    keys = Keys(document, "finding")
    assert isinstance(document, Mapping), "Keys has seen to it"
    table = document.get("table")
    return Finding(
        str(document.get("code", "")), keys.text("message"),
        TableName.parse(table) if isinstance(table, str) else None, _data(document),
    )  # fmt: skip


def _data(document: Mapping[str, Any]) -> Mapping[str, Any]:
    data = document.get("data")
    return data if isinstance(data, Mapping) else {}


def _step(pair: tuple[object, Mapping[str, Any] | None]) -> TrailStep:
    step, ended = pair
    keys = Keys(step, "step")
    result = None if ended is None else _words(ended.get("result"))
    return TrailStep(keys.action("action"), keys.table("table"), keys.text("reason"), result)


def _words(result: object) -> str:
    if isinstance(result, Mapping) and isinstance(result.get("status"), str):
        message = result.get("message")
        return f"{result['status']}: {message}" if isinstance(message, str) and message else str(result["status"])
    return str(result)
