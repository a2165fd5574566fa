"""What a run did when: its own phases, the child's phases within them, and the events that a reader looks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.progress import PHASE_MESSAGES, parse_duration_seconds, phase_of
from safe_lightning.record.clock import seconds_of
from safe_lightning.record.trail import IMPORTING, Phase

#: Read of each end of the events; what lies between them is a child's long middle.
_EVENTS_BYTES_MOST = 8 << 20
_NOTES_MOST = 60
_NOTE_CHARACTERS_MOST = 400
_EVENT = re.compile(rb'"level":"(\w+)","event":"((?:[^"\\]|\\.)*)"')
_PHASE_EVENTS = frozenset(message.encode() for message in PHASE_MESSAGES)
_LOUD = frozenset({b"warning", b"error", b"critical"})
#: Told by the page elsewhere, and whole.
_TOLD_ELSEWHERE = frozenset({"hook-verdict", "finding", "run-ended", "plan-step", "task-problem"})
#: Of our own events below a warning, what changes the course of a run.
_TURNS = frozenset({b"retry", b"stop", b"draining", b"drain-ended", b"checkpoint-backed-up"})
_HEAD_KEYS = frozenset({"timestamp", "level", "event", "run", "attempt", "child", "source", "child_time", "fields"})


@dataclass(frozen=True)
class Span:
    """A stretch of time: a phase of ours, or one of the child's (``is_child``), from its first to its last piece.

    ``end`` is None where it is not known. ``is_open``: a piece of it was begun and not ended.
    """

    name: str
    start: float
    end: float | None
    attempt: int
    is_child: bool = False
    is_open: bool = False


@dataclass(frozen=True)
class Note:
    """An event worth a line; the child's own where ``is_child``. ``count``: how many of its kind there were."""

    at: float
    level: str
    text: str
    attempt: int | None
    is_child: bool
    count: int = 1


@dataclass(frozen=True)
class Timeline:
    """All spans by their start, the notes in their order; ``left_out`` bytes of events were not looked at."""

    spans: tuple[Span, ...]
    notes: tuple[Note, ...]
    left_out_bytes: int = 0


@dataclass
class _Work:
    """One phase of the child while its events are read."""

    first: float
    last: float | None = None
    begun: int = 0
    ended: int = 0


@dataclass
class _Heard:
    work: dict[tuple[int, str], _Work] = field(default_factory=dict)
    notes: dict[tuple[bool, str], Note] = field(default_factory=dict)


def read_timeline(folder: Path, phases: Sequence[Phase], ended_at: float | None) -> Timeline:
    """Put a run's phases and events in order; of long events only both ends are read. Raises OSError."""
    own = list(_own_spans(phases, ended_at))
    heard = _Heard()
    data, left_out_bytes = _events(folder)
    for event in _wanted(data):
        _hear(event, heard)
    ends = {span.attempt: span.end for span in own if span.name == IMPORTING}
    spans = [*own, *(_child_span(*key, work, ends.get(key[0])) for key, work in heard.work.items())]
    order = sorted(spans, key=lambda span: (span.attempt, span.start, span.is_child))
    notes = sorted(heard.notes.values(), key=lambda note: note.at)
    return Timeline(tuple(order), tuple(notes), left_out_bytes)


def _own_spans(phases: Sequence[Phase], ended_at: float | None) -> Iterator[Span]:
    attempt = 0
    for number, phase in enumerate(phases):
        attempt += phase.name == IMPORTING
        end = phases[number + 1].at if number + 1 < len(phases) else ended_at
        # A clock that was set back must not draw a phase that ends before it began.
        yield Span(phase.name, phase.at, end if end is None else max(end, phase.at), max(attempt, 1))


def _events(folder: Path) -> tuple[bytes, int]:
    pieces, left_out = list[bytes](), 0
    for name in ("events.jsonl", "events.jsonl.tail.old", "events.jsonl.tail"):
        with suppress(FileNotFoundError), (folder / name).open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            pieces.append(file.read(_EVENTS_BYTES_MOST))
            if size > 2 * _EVENTS_BYTES_MOST:
                left_out += size - 2 * _EVENTS_BYTES_MOST
                file.seek(size - _EVENTS_BYTES_MOST)
            pieces.append(file.read(_EVENTS_BYTES_MOST))
    return b"\n".join(pieces), left_out


def _wanted(data: bytes) -> Iterator[dict[str, Any]]:
    """Parse the few lines that matter, found by their first bytes: of a busy log most lines are not ours to read."""
    start = 0
    for found in _EVENT.finditer(data):
        level, name = found[1], found[2]
        if found.start() < start or not (name in _PHASE_EVENTS or level in _LOUD or name in _TURNS):
            continue
        begin, end = data.rfind(b"\n", 0, found.start()) + 1, data.find(b"\n", found.end())
        start = len(data) if end < 0 else end
        with suppress(ValueError, RecursionError):
            event = json.loads(data[begin:start])
            if isinstance(event, dict):
                yield event


def _hear(event: Mapping[str, Any], heard: _Heard) -> None:
    name, attempt, is_child = str(event.get("event", "")), event.get("attempt"), event.get("child") is True
    at = _time(event)
    if at is None:
        return
    number = attempt if isinstance(attempt, int) else 1
    if is_child and (phase := phase_of(name)):
        _hear_work(heard.work, (number, phase[0]), at, event if phase[1] else None)
    elif str(event.get("level")) != "info" or name.encode() in _TURNS:
        _hear_note(heard.notes, event, at)


def _hear_work(
    work: dict[tuple[int, str], _Work], key: tuple[int, str], at: float, ending: Mapping[str, Any] | None
) -> None:
    fields = ending.get("fields") if ending else None
    took = str(fields.get("takeTime", "")) if isinstance(fields, Mapping) else ""
    began = at - (parse_duration_seconds(took) or 0.0)
    known = work.setdefault(key, _Work(began))
    known.first = min(known.first, began)
    if ending is None:
        known.begun += 1
    else:
        known.ended += 1
        known.last = max(at, known.last or at)


def _child_span(attempt: int, name: str, work: _Work, attempt_end: float | None) -> Span:
    is_open = work.begun > work.ended
    end = attempt_end if is_open else work.last
    return Span(name, work.first, end if end is None else max(end, work.first), attempt, True, is_open)


def _hear_note(notes: dict[tuple[bool, str], Note], event: Mapping[str, Any], at: float) -> None:
    name, is_child = str(event.get("event", "")), event.get("child") is True
    if name in _TOLD_ELSEWHERE and not is_child:
        return
    said = name if name == "note" or is_child else f"{name}: {_words(event)}"
    said = str(event.get("message", "")) if name == "note" and not is_child else said
    key = (is_child, said)
    if known := notes.get(key):
        notes[key] = replace(known, count=known.count + 1)
    elif len(notes) < _NOTES_MOST:
        level, attempt = str(event.get("level", "")), event.get("attempt")
        text = f"{said}{_detail(event)}" if is_child else said
        notes[key] = Note(at, level, _short(text), attempt if isinstance(attempt, int) else None, is_child)


def _words(event: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in event.items() if key not in _HEAD_KEYS}
    message = rest.pop("message", "")
    return "; ".join([*([str(message)] if message else []), *(f"{key}: {value}" for key, value in rest.items())])


def _detail(event: Mapping[str, Any]) -> str:
    fields = event.get("fields")
    told = [f"{key}={fields[key]}" for key in ("table", "error") if fields.get(key)] if isinstance(fields, dict) else []
    return f" ({', '.join(told)})" if told else ""


def _short(text: str) -> str:
    return text if len(text) <= _NOTE_CHARACTERS_MOST else f"{text[:_NOTE_CHARACTERS_MOST]}…"


def _time(event: Mapping[str, Any]) -> float | None:
    """Tell when it happened: the child's own time where it has a zone, else when we heard of it."""
    with suppress(ValueError, OverflowError):
        return datetime.strptime(str(event.get("child_time", "")), "%Y/%m/%d %H:%M:%S.%f %z").timestamp()
    with suppress(ValueError, OverflowError):
        return seconds_of(str(event.get("timestamp", "")))
    return None
