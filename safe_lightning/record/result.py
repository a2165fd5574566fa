"""How a run ended, as ``result.json`` keeps it and ``history --json`` shows it."""

from __future__ import annotations

from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.outcome import Outcome
from safe_lightning.core.redact import redact
from safe_lightning.core.stop import EngineNotIngested, Stop, StopKind
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import Action, ImportReport, TableResult
from safe_lightning.record.clock import rfc3339
from safe_lightning.record.strict_json import Keys, UnreadableRecord

SCHEMA = 1


@dataclass(frozen=True)
class HookEntry:
    """A hook's verdict in short; the whole of it is in ``verdicts.jsonl``."""

    name: str
    stage: str
    status: str
    code: str
    message: str = ""
    attempt: int = 1


@dataclass(frozen=True)
class RemedyEntry:
    """One step of a plan: what was to be done to which table, why, and what came of it in one word or sentence."""

    table: TableName
    action: Action
    reason: str
    result: str


@dataclass(frozen=True)
class AttemptEnd:
    """The end of an attempt that was followed by another one."""

    outcome: Outcome
    reason: str
    child_exit_code: int | None
    child_signal: int | None


@dataclass(frozen=True)
class RunResult:
    """Everything a later reader asks of one run first.

    ``outcome`` is None only while the run is going on; ``exit_code`` and ``ended_at`` are None then, and for a run
    that died without writing its end. ``argv`` is redacted. Times are seconds since the epoch. Secrets in sentences
    (an error may quote a DSN) are masked whenever the result is written.
    """

    run: str
    started_at: float
    ended_at: float | None = None
    argv: tuple[str, ...] = ()
    outcome: Outcome | None = None
    reason: str = ""
    exit_code: int | None = None
    child_exit_code: int | None = None
    child_signal: int | None = None
    tables: tuple[TableResult, ...] = ()
    hooks: tuple[HookEntry, ...] = ()
    remedies: tuple[RemedyEntry, ...] = ()
    root_error: str | None = None
    evidence: tuple[str, ...] = ()
    attempts: int = 1
    previous_attempts: tuple[AttemptEnd, ...] = ()
    log_path: str | None = None
    version: str | None = None
    notes: tuple[str, ...] = ()
    stop: Stop | None = None
    engines_not_ingested: tuple[EngineNotIngested, ...] = ()

    def to_entry(self) -> dict[str, Any]:
        """Return the contract of ``history --json``: stable names, unknown is null and never missing."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "started": rfc3339(self.started_at),
            "ended": None if self.ended_at is None else rfc3339(self.ended_at),
            "argv": list(self.argv),
            "outcome": _word(self.outcome),
            "exit_code": self.exit_code,
            "child_exit_code": self.child_exit_code,
            "child_signal": self.child_signal,
            "tables": [_table_to_json(result) for result in self.tables],
            "hooks": [{"name": h.name, "stage": h.stage, "status": h.status, "code": h.code} for h in self.hooks],
            "remedies": [_remedy_to_json(entry) for entry in self.remedies],
        }

    def to_json(self) -> dict[str, Any]:
        """Return the whole result: the history entry and what it leaves out."""
        entry = self.to_entry()
        tables = [{**short, "error": _masked(t.error)} for short, t in zip(entry["tables"], self.tables, strict=True)]
        hooks = [
            {**short, "message": redact(h.message), "attempt": h.attempt}
            for short, h in zip(entry["hooks"], self.hooks, strict=True)
        ]
        return {
            **entry,
            "tables": tables,
            "hooks": hooks,
            "reason": redact(self.reason),
            "root_error": _masked(self.root_error),
            "evidence": [redact(note) for note in self.evidence],
            "attempts": self.attempts,
            "previous_attempts": [_attempt_to_json(end) for end in self.previous_attempts],
            "log_path": self.log_path,
            "version": self.version,
            "notes": [redact(note) for note in self.notes],
            "stop": _stop_to_json(self.stop),
            "engines_not_ingested": [_engine_to_json(engine) for engine in self.engines_not_ingested],
        }

    @classmethod
    def from_json(cls, document: object) -> RunResult:
        """Read what `to_json` wrote. Raises UnreadableRecord naming the key."""
        keys = Keys(document, "")
        if keys.number("schema") != SCHEMA:
            raise UnreadableRecord(f"schema: found {keys.number('schema')}, known is {SCHEMA}")
        return cls(
            run=keys.text("run"),
            started_at=keys.time("started"),
            ended_at=keys.maybe("ended", keys.time),
            argv=keys.texts("argv"),
            outcome=keys.maybe("outcome", keys.outcome),
            reason=keys.text("reason"),
            exit_code=keys.maybe("exit_code", keys.number),
            child_exit_code=keys.maybe("child_exit_code", keys.number),
            child_signal=keys.maybe("child_signal", keys.number),
            tables=keys.each("tables", _table_from_json),
            hooks=keys.each("hooks", _hook_from_json),
            remedies=keys.each("remedies", _remedy_from_json),
            root_error=keys.maybe("root_error", keys.text),
            evidence=keys.texts("evidence"),
            attempts=keys.number("attempts"),
            previous_attempts=keys.each("previous_attempts", _attempt_from_json),
            log_path=keys.maybe("log_path", keys.text),
            version=keys.maybe("version", keys.text),
            notes=keys.texts("notes"),
            stop=_stop_from_json(keys.part("stop")),
            engines_not_ingested=keys.later("engines_not_ingested", _engine_from_json),
        )

    def to_report(self) -> ImportReport:
        """Return it as the report that the closing summary is written from; only for a run with an outcome."""
        if self.outcome is None:
            raise ValueError(f"run {self.run} has no outcome yet")
        return ImportReport(
            self.outcome, self.reason, self.child_exit_code, self.child_signal, self.version, self.tables,
            self.root_error, self.evidence, stop=self.stop, engines_not_ingested=self.engines_not_ingested,
        )  # fmt: skip


def _word(outcome: Outcome | None) -> str | None:
    return None if outcome is None else str(outcome)


def _masked(text: str | None) -> str | None:
    return None if text is None else redact(text)


def _table_to_json(result: TableResult) -> dict[str, Any]:
    checksum = result.checksum
    return {
        "table": str(result.table) if result.table else None,
        "status": result.status,
        "checksum": checksum.to_json() if checksum else None,
    }


def _remedy_to_json(entry: RemedyEntry) -> dict[str, Any]:
    return {
        "table": str(entry.table),
        "action": str(entry.action),
        "reason": redact(entry.reason),
        "result": redact(entry.result),
    }


def _attempt_to_json(end: AttemptEnd) -> dict[str, Any]:
    return {
        "outcome": str(end.outcome),
        "reason": redact(end.reason),
        "child_exit_code": end.child_exit_code,
        "child_signal": end.child_signal,
    }


def _stop_to_json(stop: Stop | None) -> dict[str, str] | None:
    if stop is None:
        return None
    return {"kind": str(stop.kind), "reason": redact(stop.reason), "drain": redact(stop.drain)}


def _stop_from_json(keys: Keys | None) -> Stop | None:
    return Stop(keys.word("kind", StopKind), keys.text("reason"), keys.text("drain")) if keys else None


def _engine_to_json(engine: EngineNotIngested) -> dict[str, Any]:
    return {
        "table": str(engine.table), "engine": engine.engine, "kvs": engine.kvs, "imported": engine.imported
    }  # fmt: skip


def _engine_from_json(keys: Keys) -> EngineNotIngested:
    return EngineNotIngested(
        keys.table("table"), keys.number("engine"), keys.number("kvs"), keys.number("imported")
    )  # fmt: skip


def _table_from_json(keys: Keys) -> TableResult:
    checksum = keys.part("checksum")
    comparison = (
        Comparison(_totals_of(checksum.part("remote")), _totals_of(checksum.part("local"))) if checksum else None
    )
    return TableResult(keys.maybe("table", keys.table), keys.text("status"), comparison, keys.maybe("error", keys.text))


def _totals_of(keys: Keys | None) -> Totals | None:
    if not keys:
        return None
    size = keys.maybe("bytes", keys.number)
    return Totals(keys.maybe("checksum", keys.number), keys.number("kvs"), size or 0, size is not None)


def _hook_from_json(keys: Keys) -> HookEntry:
    return HookEntry(
        keys.text("name"), keys.text("stage"), keys.text("status"), keys.text("code"), keys.text("message"),
        keys.number("attempt"),
    )  # fmt: skip


def _remedy_from_json(keys: Keys) -> RemedyEntry:
    return RemedyEntry(keys.table("table"), keys.action("action"), keys.text("reason"), keys.text("result"))


def _attempt_from_json(keys: Keys) -> AttemptEnd:
    return AttemptEnd(
        keys.outcome("outcome"), keys.text("reason"),
        keys.maybe("child_exit_code", keys.number), keys.maybe("child_signal", keys.number),
    )  # fmt: skip
