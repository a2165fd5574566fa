"""What the tests of the page share: a strict reading of HTML, and a failed run with a remedy and a retry."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.stop import EngineNotIngested
from safe_lightning.core.tables import Comparison, TableName, Totals
from safe_lightning.core.verdict import Action, Finding, Plan, Stage, Status, Step, TableResult, Verdict
from safe_lightning.record.result import AttemptEnd, RemedyEntry, RunResult
from safe_lightning.record.run_dir import RunDir

STARTED_AT = 1_795_536_000.5
ORDERS, CUSTOMERS = TableName("shop", "orders"), TableName("shop", "customers")
STEP = Step(Action.DESTROY, ORDERS, "key-conflicts (95%); per policy ([[remedy]] number 1)")
ROOT = "checksum mismatched remote vs local => (checksum: 1 vs 2) (total_kvs: 3001203 vs 3001206)"
CAUSES = {
    "causes": [
        {
            "cause": "key-conflicts",
            "confidence": 0.95,
            "evidence": ["3,001,203 pairs of 3,001,206: -3 pairs"],
            "settle": "count rows per key",
        },
        {"cause": "rows-before", "confidence": 0.1, "evidence": [], "settle": ""},
    ]
}
EXAMPLE = {
    "key": ["1017", None],
    "why": "identical",
    "rows": [{"file": "o.1.csv", "line": 17, "offset": 9, "row": 16}, {"file": "o.2.parquet", "line": None, "row": 1}],
}
DUPLICATES = {"key": "PRIMARY", "duplicate_keys": 3, "duplicate_rows": 6, "examples": [EXAMPLE]}

_VOID = {"br", "meta"}
_LOADING = {"src", "href", "srcset", "action", "data", "poster", "background"}


class Page(HTMLParser):
    """Reads a page, and insists on balanced elements and on nothing that is loaded or run."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.titles: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = {name for name, _ in attrs}
        assert not names & _LOADING, attrs
        assert not [name for name in names if name.startswith("on")], attrs
        self.tags.add(tag)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            assert "url(" not in data
            assert "@import" not in data
            return
        self.texts.append(data)
        if self.open and self.open[-1] == "h2":
            self.titles.append(data)


class HookEnd:
    """A hook's result as the engine hands it over."""

    def __init__(self, name: str, stage: Stage, verdict: Verdict) -> None:
        self.name, self.stage, self.verdict, self.duration_seconds = name, stage, verdict, 0.1


def child_event(
    record: RunDir, second: float, message: str, attempt: int = 1, level: str = "info", **more: Any
) -> None:
    """Add an event of the child's log, which it wrote that many seconds after the start."""
    at = datetime.fromtimestamp(STARTED_AT + second, UTC).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
    event = {
        "timestamp": "2026-11-24T23:00:00.000Z", "level": level, "event": message, "run": "ab12", "attempt": attempt,
        "child": True, "source": "x.go:1", "child_time": f"{at} +00:00", "fields": more,
    }  # fmt: skip
    record.events.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")


def failed_run(state: Path) -> Path:
    """Record a run that failed, was treated, was tried again and failed again."""
    record = RunDir.create(state, "ab12cd34", STARTED_AT)
    assert record.path is not None
    argv = ["--config", "t.toml", "-tidb-password", "hunter2"]
    record.write_call(
        argv, Path("/srv/import"), ["PATH"], {"safe-lightning": "0.1"}, "file:///cp.pb", STARTED_AT, "ab12"
    )
    found = Finding("key-conflicts", "`shop`.`orders`: 3 keys in 6 rows", ORDERS, DUPLICATES)
    explained = Finding("key-conflicts", "the same in one line", ORDERS, CAUSES)
    plan = Plan((STEP,), "then the import is run again, at most 1 time", True, 1)
    mismatch = Verdict(Status.WARN, "checksum-mismatch", "the checksum does not match", (explained,), plan)
    record.enter("looking", STARTED_AT + 1)
    warned = Verdict(Status.WARN, "key-conflicts", "3 duplicate keys", (found,))
    record.add_verdict(HookEnd("conflicts", Stage.PRE_IMPORT, warned), 1)
    for attempt, second in ((1, 100), (2, 5000)):
        record.enter("importing", STARTED_AT + second, 1)
        child_event(record, second + 10, "restore file start", attempt)
        child_event(record, second + 3610, "restore file completed", attempt)
        child_event(record, second + 3700, "remote checksum start", attempt)
        child_event(record, second + 3800, "run failed", attempt, "error", error=ROOT)
        record.enter("judging", STARTED_AT + second + 4000)
        record.add_verdict(HookEnd("checksum", Stage.POST_IMPORT, mismatch), attempt)
        if attempt == 1:
            record.write_plan(plan)
            record.enter("remedying", STARTED_AT + second + 4001)
            record.record_intent(STEP)
            record.record_result(STEP, {"status": "done", "message": "the entry is gone, the table too"})
    record.enter("finishing", STARTED_AT + 9100)
    totals = Comparison(Totals(1, 3_001_203, 100), Totals(2, 3_001_206, 106))
    clean = Totals(5, 120_000, 9_000)
    result = RunResult(
        "ab12cd34", STARTED_AT, STARTED_AT + 9101,
        argv=("--config", "t.toml", "-tidb-password", "***"),
        outcome=Outcome.CHECKSUM_MISMATCH, reason=ROOT, exit_code=1, child_exit_code=1,
        tables=(
            TableResult(CUSTOMERS, "checksum-passed", Comparison(clean, clean)),
            TableResult(ORDERS, "checksum-mismatch", totals, ROOT),
        ),
        remedies=(RemedyEntry(ORDERS, Action.DESTROY, STEP.reason, "done"),),
        root_error=ROOT, attempts=2, previous_attempts=(AttemptEnd(Outcome.KILLED, "ended from outside", None, 9),),
        log_path="/srv/import/lightning.log", version="v8.5.4", notes=("something to know",),
        engines_not_ingested=(EngineNotIngested(CUSTOMERS, 3, 777, 0),),
    )  # fmt: skip
    record.finish(result)
    record.close()
    return record.path
