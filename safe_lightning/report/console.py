"""Events for a terminal: one short line each, nothing in it that could steer the terminal."""

from __future__ import annotations

import re
from datetime import datetime

from structlog.dev import Column, ColumnFormatter, ConsoleRenderer, KeyValueColumnFormatter
from structlog.typing import EventDict

_VALUE_CHARACTERS_MOST = 160
_EVENT_CHARACTERS_MOST = 400
#: C0 and C1 controls, DEL, line separators, directional overrides, half surrogates.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_READABLE = {"\t": " ", "\n": "\\n", "\r": "\\r"}
#: Known to whoever sits at the terminal, or shown in another way.
_UNSHOWN = frozenset({"run", "fields", "exception", "message"})
_UNSHOWN_OF_CHILD = _UNSHOWN | {"attempt", "child", "child_time", "source"}
_UNSHOWN_FIELDS = frozenset({"errorVerbose", "stack"})
_DIM, _BOLD, _RESET = "\x1b[2m", "\x1b[1m", "\x1b[0m"
_LEVEL_COLORS = {
    "warning": "\x1b[33m",
    "error": "\x1b[31m",
    "critical": "\x1b[31;1m",
    "debug": _DIM,
    "info": "\x1b[32m",
}
_LEVEL_WORDS = {"warning": "warn ", "critical": "fatal", "info": "info "}


class ConsoleText:
    """Renders events through structlog's console renderer; fields of the child's records stand beside our own."""

    def __init__(self, *, has_colors: bool) -> None:
        dim, bold, reset = (_DIM, _BOLD, _RESET) if has_colors else ("", "", "")
        self._renderer = ConsoleRenderer(
            sort_keys=False,
            columns=[
                Column("timestamp", KeyValueColumnFormatter(None, dim, reset, str)),
                Column("level", _level(has_colors=has_colors)),
                Column("event", KeyValueColumnFormatter(None, bold, reset, str)),
                Column("", KeyValueColumnFormatter(dim, "", reset, str)),
            ],
        )

    def __call__(self, event: EventDict) -> bytes:
        """Render one event with its line break."""
        unshown = _UNSHOWN_OF_CHILD if event.get("child") else _UNSHOWN
        shown = {_text(key): _text(value) for key, value in event.items() if key not in unshown}
        for key, value in (event.get("fields") or {}).items():
            if key not in _UNSHOWN_FIELDS:
                name = _text(key)
                shown[f"child.{name}" if name in shown else name] = _text(value)
        if exception := event.get("exception"):
            # The record holds it whole; its last line says what happened.
            shown["raised"] = _text(str(exception).strip().rpartition("\n")[2])
        shown["timestamp"] = _clock(str(event.get("timestamp", "")))
        said = f"{event.get('event', '')}: {event['message']}" if event.get("message") else event.get("event", "")
        shown["event"] = _text(said, _EVENT_CHARACTERS_MOST)
        return f"{self._renderer(None, '', shown)}\n".encode()


def _level(*, has_colors: bool) -> ColumnFormatter:
    def show(key: str, value: object) -> str:
        level = str(value)
        word = _LEVEL_WORDS.get(level, level)
        return f"{_LEVEL_COLORS.get(level, '')}{word}{_RESET}" if has_colors else word

    return show


def _text(value: object, characters_most: int = _VALUE_CHARACTERS_MOST) -> str:
    """Write a value so that it stays on its line, is not too long, and steers nothing."""
    text = str(value)
    if len(text) > characters_most:
        text = f"{text[:characters_most]}… ({len(text)} characters)"
    return text if text.isprintable() else _UNSAFE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    number = ord(character)
    return _READABLE.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def _clock(timestamp: str) -> str:
    """Tell the time of day where the reader sits."""
    try:
        return datetime.fromisoformat(timestamp).astimezone().strftime("%H:%M:%S")
    except (ValueError, OverflowError):
        return _text(timestamp)
