"""The part of a run's page that tells its course: timeline, attempts, hooks, plan and steps, events."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from safe_lightning.core.outcome import Outcome
from safe_lightning.record.result import AttemptEnd
from safe_lightning.record.trail import IMPORTING, TrailVerdict
from safe_lightning.report.markup import Content, Markup, element, join, lines, section, table
from safe_lightning.report.page_evidence import badge, left_out, name_of
from safe_lightning.report.run_model import RecordedRun
from safe_lightning.report.timeline import Note, Span, Timeline

_VERDICTS_MOST = 100
_FINDINGS_MOST = 30
_STEPS_MOST = 500
_SPANS_MOST = 200
_PHASES = {
    "looking": "hooks before the import",
    IMPORTING: "import",
    "judging": "hooks after the import",
    "remedying": "plan",
    "finishing": "end",
}
_TONES = {"pass": "good", "warn": "open", "block": "bad", "error": "bad"}
_STEP_TONES = {"done": "good", "reported": "plain", "planned": "plain", "refused": "bad", "failed": "bad"}
_GOOD = frozenset({Outcome.SUCCEEDED, Outcome.VERSION_INFO})
_OPEN = frozenset({Outcome.SUCCEEDED_WITH_CONFLICTS, Outcome.CANCELED, Outcome.BLOCKED})


def outcome_tone(outcome: Outcome | None) -> str:
    """Return the colour of a run's end."""
    return "plain" if outcome is None else "good" if outcome in _GOOD else "open" if outcome in _OPEN else "bad"


def clock(at: float) -> str:
    """Write the time of day, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def duration(seconds: float) -> str:
    """Write how long something took, as exactly as a reader wants it.

    >>> [duration(seconds) for seconds in (0.0031, 2.34, 61, 7322, 180000)]
    ['3 ms', '2.3 s', '1 min 1 s', '2 h 02 min', '50 h 00 min']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def timeline_section(run: RecordedRun, course: Timeline) -> Markup | None:
    """Draw the phases as bars over the time of the run."""
    spans = course.spans
    if not spans:
        return None
    start = min(span.start for span in spans)
    end = max(span.end or span.start for span in spans)
    whole = max(end - start, 1e-6)
    rows = [_span_row(span, start, whole) for span in spans[:_SPANS_MOST]]
    note = "Times are UTC. Lightning's phases lie inside the import, each from its first to its last piece of work."
    return section(
        "Timeline", element("div", rows, class_="timeline"), left_out(_SPANS_MOST, len(spans), "phases"), note=note
    )


def _span_row(span: Span, start: float, whole: float) -> Markup:
    end = span.end if span.end is not None else start + whole
    left, width = (span.start - start) / whole, (end - span.start) / whole
    left = min(max(left, 0.0), 0.995)
    width = min(max(width, 0.004), 1 - left)
    kind = "child" if span.is_child else "own"
    bar = element("i", style=f"left:{left:.2%};width:{width:.2%}", class_=f"{kind}{' cut' if span.is_open else ''}")
    took = "not known" if span.end is None else duration(span.end - span.start)
    cut = element("span", " not completed", class_="error") if span.is_open else None
    return element(
        "div",
        element("span", _span_name(span), cut, class_=f"what {kind}"),
        element("span", bar, class_="track"),
        element("span", f"{clock(span.start)} · {took}", class_="took"),
        class_="span",
    )


def _span_name(span: Span) -> str:
    name = span.name if span.is_child else _PHASES.get(span.name, span.name)
    return f"{name}, attempt {span.attempt}" if span.attempt > 1 and not span.is_child else name


def attempts_section(run: RecordedRun) -> Markup | None:
    """Write how each attempt ended, where there was more than one."""
    rows = [(str(number), *_attempt(end)) for number, end in enumerate(run.attempts, 1)]
    return section("Attempts", table(("attempt", "outcome", "child", "reason"), rows)) if rows else None


def _attempt(end: AttemptEnd) -> Iterator[Content]:
    yield badge(str(end.outcome), outcome_tone(end.outcome))
    yield child_end(end.child_exit_code, end.child_signal)
    yield lines(end.reason)


def child_end(exit_code: int | None, signal: int | None) -> str:
    """Say how the child ended."""
    return f"signal {signal}" if signal else "not started" if exit_code is None else f"exit code {exit_code}"


def hooks_section(run: RecordedRun) -> Markup | None:
    """Write what every hook said, with its findings."""
    if not run.verdicts:
        return None
    rows = (_verdict_row(verdict) for verdict in run.verdicts[:_VERDICTS_MOST])
    names = ("hook", "verdict", "what it said", "#took")
    return section("Hooks", table(names, rows), left_out(_VERDICTS_MOST, len(run.verdicts), "verdicts"))


def _verdict_row(verdict: TrailVerdict) -> Iterator[Content]:
    entry = verdict.entry
    attempt = f", attempt {entry.attempt}" if entry.attempt > 1 else ""
    yield element("strong", entry.name), element("div", f"{entry.stage}{attempt}", class_="soft")
    yield badge(entry.status, _TONES.get(entry.status, "plain")), element("div", entry.code, class_="soft")
    # What carries its causes as data is told under Causes, and better.
    told = [finding for finding in verdict.findings if not finding.data.get("causes")]
    findings = [element("li", lines(finding.message)) for finding in told[:_FINDINGS_MOST]]
    yield (
        lines(entry.message),
        element("ul", findings) if findings else None,
        left_out(_FINDINGS_MOST, len(told), "findings"),
    )
    yield "–" if verdict.duration_seconds is None else duration(verdict.duration_seconds)


def plan_section(run: RecordedRun) -> Markup | None:
    """Write what was planned, and what came of every step."""
    parts: list[Content] = []
    if run.plan is not None:
        rows = [
            (badge(str(s.action), "plain"), name_of(s.table), lines(s.reason)) for s in run.plan.steps[:_STEPS_MOST]
        ]
        then = element("p", run.plan.reason) if run.plan.reason else None
        parts += [
            table(("action", "table", "why"), rows) if rows else None,
            left_out(_STEPS_MOST, len(run.plan.steps), "steps"),
            then,
        ]
    if steps := list(_step_rows(run)):
        shown = table(("step", "table", "what came of it"), steps[:_STEPS_MOST])
        parts += [element("h3", "What was done"), shown, left_out(_STEPS_MOST, len(steps), "steps")]
    return section("Plan and steps", parts)


def _step_rows(run: RecordedRun) -> Iterator[tuple[Content, ...]]:
    told = [step.to_entry() for step in run.steps] or list(run.result.remedies)
    for entry in told:
        status, _, message = entry.result.partition(":")
        known = status in _STEP_TONES or status == "not-reached"
        word = badge(status, _STEP_TONES.get(status, "open")) if known else badge("not known", "open")
        yield (
            element("strong", str(entry.action)),
            name_of(entry.table),
            (word, " ", lines(message if known else entry.result)),
        )


def events_section(run: RecordedRun, course: Timeline) -> Markup | None:
    """Write the warnings and errors of the run in their order, each kind once."""
    rows = [_event_row(note, run) for note in course.notes]
    note = "Each kind once, with the time of the first; all of them are in events.jsonl."
    if course.left_out_bytes:
        note += f" {course.left_out_bytes:,} bytes in the middle of it were not looked at."
    return section("Warnings and errors", table(("time", "who", "what"), rows), note=note) if rows else None


def _event_row(note: Note, run: RecordedRun) -> tuple[Content, ...]:
    text = _without_root(note.text, run.result.root_error or "")
    times = element("span", f" {note.count:,} times", class_="soft") if note.count > 1 else None
    kind = "bad" if note.level in {"error", "critical"} else "open" if note.level == "warning" else "plain"
    who = "Lightning" if note.is_child else "safe-lightning"
    return clock(note.at), (badge(note.level, kind), element("div", who, class_="soft")), join((lines(text), times))


def _without_root(text: str, root: str) -> str:
    """Name the root error where an event repeats it, whole or by its first line."""
    for words in (root, root.partition("\n")[0]):
        text = text.replace(words, "the root error") if words.strip() else text
    return text
