"""One recorded run as one HTML page that needs nothing else: for a ticket, a mail, a colleague."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from safe_lightning import __version__
from safe_lightning.core.cause import next_step
from safe_lightning.core.outcome import EXPLANATIONS, Outcome
from safe_lightning.record.result import RunResult
from safe_lightning.report.markup import Content, Markup, element, facts, lines, section, table
from safe_lightning.report.page_course import (
    attempts_section,
    child_end,
    duration,
    events_section,
    hooks_section,
    outcome_tone,
    plan_section,
    timeline_section,
)
from safe_lightning.report.page_evidence import badge, causes_section, duplicates_section, name_of, tables_section
from safe_lightning.report.run_model import RecordedFile, RecordedRun, read_recorded_run
from safe_lightning.report.summary import shorten
from safe_lightning.report.timeline import read_timeline
from safe_lightning.report.told_causes import causes_of

_LINES_MOST = 40
_ERROR_CHARACTERS_MOST = 12_000
_FILES_MOST = 200
_NAMES_MOST = 400
_ENGINES_MOST = 50
_CAUSED = {Outcome.CHECKSUM_MISMATCH, Outcome.CHECKSUM_INCOMPLETE}
_FILE_WORDS = {
    "argv.json": "what was called",
    "baselines.json": "what stood in the target before",
    "checkpoint-after/": "the checkpoint after the import",
    "checkpoint-before/": "the checkpoint before the import",
    "events.jsonl": "all events, the child's log among them",
    "fingerprint.json": "what the import was at its first launch",
    "hooks/": "what command hooks were told and answered",
    "log": "link to the child's log",
    "log.json": "where in the child's log this run lies",
    "phases.jsonl": "the phases of the run",
    "plan.json": "the plan of the last remedy",
    "policy.json": "the policy as it was in force",
    "report.html": "this page",
    "result.json": "how it ended",
    "stderr": "the child's stderr",
    "stdout": "the child's stdout",
    "steps.jsonl": "each step of a plan: intent and result",
    "task.json": "the task as Lightning resolves it",
    "verdicts.jsonl": "every hook's verdict",
}


def run_page(folder: Path, result: RunResult | None = None) -> str:
    """Return the page of a run, as far as the run has come. Raises OSError, UnreadableRecord.

    Only the record is read, in which secrets are masked. ``result`` is that of a run which is just about to write
    it. Bounded however large the run was: of long lists the first are shown, and how many there are.
    """
    run = read_recorded_run(folder, result)
    title = f"Import {run.result.run}: {_headline(run)}"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", _style()),
    )
    return f"<!doctype html>\n{element('html', head, element('body', element('main', _body(run))), lang='en')}\n"


def _style() -> Markup:
    return Markup(Path(__file__).with_name("run_page.css").read_text(encoding="utf-8"))


def _body(run: RecordedRun) -> Iterator[Content]:
    course = read_timeline(run.folder, run.phases, run.result.ended_at)
    yield _header(run)
    yield _what_happened(run)
    yield attempts_section(run)
    yield causes_section(run)
    yield duplicates_section(run)
    yield _next_step(run)
    yield tables_section(run)
    yield timeline_section(run, course)
    yield hooks_section(run)
    yield plan_section(run)
    yield events_section(run, course)
    yield _environment(run)
    yield _files(run)
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield element("footer", f"Written {written} by safe-lightning {__version__} from the record of the run.")


def _headline(run: RecordedRun) -> str:
    return str(run.result.outcome or ("still going on" if run.state.startswith("still") else "died"))


def _header(run: RecordedRun) -> Markup:
    result = run.result
    started = datetime.fromtimestamp(result.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    took = None if result.ended_at is None else max(result.ended_at - result.started_at, 0.0)
    task = dict(run.task)
    told = facts(
        (
            ("run", result.run),
            ("started", started),
            ("took", None if took is None else duration(took)),
            ("exit code", "not known" if result.exit_code is None else str(result.exit_code)),
            ("Lightning", " ".join(filter(None, (result.version, _child(result))))),
            ("attempts", f"{result.attempts}" if result.attempts > 1 else None),
            ("target", task.get("target")),
            ("source", task.get("source")),
        )
    )
    tone = outcome_tone(result.outcome)
    meaning = EXPLANATIONS[result.outcome].meaning if result.outcome else run.state
    return element(
        "header",
        element("p", "Import by safe-lightning", class_="soft"),
        element("h1", _headline(run)),
        element("p", meaning, class_="meaning"),
        told,
        class_=tone,
    )


def _child(result: RunResult) -> str:
    if result.outcome is None:
        return ""
    return f"({child_end(result.child_exit_code, result.child_signal)})"


def _what_happened(run: RecordedRun) -> Markup | None:
    result, root = run.result, run.result.root_error
    return section(
        "What happened",
        element("p", lines(result.reason)) if result.reason and result.reason != root else None,
        _root_error(root) if root else None,
        element("p", f"{result.stop.kind}: {result.stop.reason}. {result.stop.drain}") if result.stop else None,
        _engines(result),
        _list([*result.evidence, *result.notes]),
    )


def _root_error(text: str) -> Content:
    # Lightning prints its checks as a table of dashes and bars, which must not be wrapped.
    kind = "verbatim" if "\n" in text.strip() else None
    return element("h3", "Root error"), element("pre", lines(shorten(text, _ERROR_CHARACTERS_MOST)), class_=kind)


def _next_step(run: RecordedRun) -> Markup | None:
    """Say what to do, behind the causes: the sentence speaks of what stands above it."""
    outcome = run.result.outcome
    if outcome is None or outcome is Outcome.SUCCEEDED:
        return None
    told = [one for one in causes_of(run.verdicts) if one.attempt == run.result.attempts]
    # Each table may ask for another step.
    steps = list(dict.fromkeys(next_step(one.causes) for one in told)) if outcome in _CAUSED else []
    text = steps[0] if len(steps) == 1 and steps[0] else EXPLANATIONS[outcome].next_step
    return element("section", element("h2", "Next step"), element("p", text), class_="next")


def _engines(result: RunResult) -> Content:
    engines = result.engines_not_ingested[:_ENGINES_MOST]
    if not engines:
        return None
    rows = [(name_of(e.table), str(e.engine), f"{e.kvs:,}", f"{e.imported:,}") for e in engines]
    names = ("table", "#engine", "#pairs", "#arrived")
    return element("h3", "Engines that Lightning counts as imported though pairs never arrived"), table(names, rows)


def _list(texts: list[str]) -> Content:
    shown = [element("li", lines(text)) for text in dict.fromkeys(texts)]
    more = len(shown) - _LINES_MOST
    return (
        element("ul", shown[:_LINES_MOST], element("li", f"and {more:,} more") if more > 0 else None) if shown else None
    )


def _environment(run: RecordedRun) -> Markup | None:
    call = run.call
    names = sorted(call.environment)
    more = f" and {len(names) - _NAMES_MOST:,} more" if len(names) > _NAMES_MOST else ""
    told = facts(
        (
            *((name, value) for name, value in run.task),
            ("checkpoint", call.checkpoint_location),
            ("working folder", call.cwd),
            ("log", run.log_path),
            *((name, version) for name, version in call.versions),
            ("set in the environment", f"{', '.join(names[:_NAMES_MOST])}{more}"),
        )
    )
    command = " ".join(["tidb-lightning", *run.result.argv])
    return section("Environment", element("pre", shorten(command)), told)


def _files(run: RecordedRun) -> Markup | None:
    rows = [_file_row(file) for file in run.files[:_FILES_MOST]]
    unreadable = [element("p", badge("not readable", "bad"), " ", text) for text in run.unreadable]
    listed = table(("file", "what it holds", "#bytes"), rows) if rows else None
    return section("Files", element("p", element("code", str(run.folder))), unreadable, listed)


def _file_row(file: RecordedFile) -> tuple[Content, ...]:
    size = "–" if file.size_bytes is None else f"{file.size_bytes:,}"
    return element("code", file.name), _FILE_WORDS.get(file.name, ""), size
