"""Lightning's own log: zap's text form, as release 8.5 writes it."""

from __future__ import annotations

import json
import re
import time
from typing import TextIO

_PLAIN = re.compile(r'^[^\x00-\x20"=\[\]\\\x7f]+$')


class ZapLog:
    """Writes log lines that a parser of real ones cannot tell apart."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def info(self, source: str, message: str, /, *fields: object) -> None:
        """Write an INFO line; ``fields`` are (key, value) pairs, or None for zap's empty error field."""
        self._write("INFO", source, message, fields)

    def warn(self, source: str, message: str, /, *fields: object) -> None:
        """Write a WARN line."""
        self._write("WARN", source, message, fields)

    def error(self, source: str, message: str, /, *fields: object) -> None:
        """Write an ERROR line."""
        self._write("ERROR", source, message, fields)

    def _write(self, level: str, source: str, message: str, fields: tuple[object, ...]) -> None:
        parts = [f"[{_now()}]", f"[{level}]", f"[{source}]", f"[{_quoted(message)}]"]
        parts += [f"[{_field(field)}]" for field in fields]
        self._stream.write(" ".join(parts) + "\n")
        self._stream.flush()


def _field(field: object) -> str:
    if not isinstance(field, tuple):
        return ""
    key, value = field
    return f"{_quoted(str(key))}={_quoted(_text(value))}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _quoted(text: str) -> str:
    if not text or _PLAIN.match(text):
        return text
    return json.dumps(text, ensure_ascii=False)


def _now() -> str:
    now = time.time()
    local = time.localtime(now)
    zone = time.strftime("%z", local)
    return f"{time.strftime('%Y/%m/%d %H:%M:%S', local)}.{int(now * 1000) % 1000:03d} {zone[:3]}:{zone[3:]}"


def took(started: float) -> tuple[str, str]:
    """Return the takeTime field since a monotonic start, as Go prints a duration."""
    return "takeTime", duration(time.monotonic() - started)


def duration(seconds: float) -> str:
    """Print a duration as Go does.

    >>> duration(0.0123), duration(75), duration(2.5e-05)
    ('12.3ms', '1m15s', '25µs')
    """
    if seconds < 1e-3:
        return f"{round(seconds * 1e6, 3):g}µs"
    if seconds < 1:
        return f"{round(seconds * 1e3, 6):g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    shown = f"{round(rest, 9):g}s"
    return f"{hours}h{minutes}m{shown}" if hours else f"{minutes}m{shown}" if minutes else shown
