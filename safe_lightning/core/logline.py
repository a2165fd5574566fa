"""One line of Lightning's log, of any era, as a record.

The unified format since 3.0 (pingcap/log, zap_text_encoder.go) is
``[time] [LEVEL] [file:line] [message] [key=value]…``; zap JSON and the plain lines of 2.1 are read as well.
Prefixes of containers and CI systems, ANSI colours and carriage returns are tolerated, and so is a line that
was cut in the middle of a quoted value. Every pattern is linear in the length of the line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_QUOTED = r'"([^"\\]*+(?:\\.[^"\\]*+)*+)'
_CUT = r"(?:\]|\\?$)"
_HEAD = (
    r"\[(\d{4}/\d\d/\d\d[ T][\d:.,+\-Z ]{1,40})\] \[([A-Z]{1,8})\]"
    r"(?: \[[^\]\s\":=]{1,80}\](?= \[[\w.@/<>+-]{1,200}(?::\d+)?\]))?"
    r"(?: \[([\w.@/+-]{1,200}:\d+|<unknown>)\])?"
    rf"(?: \[(?:{_QUOTED}\"?+{_CUT}|([^\[\]\"=\s\\]++){_CUT}))?(.*)"
)
#: The usual line: a message that needs no unescaping.
_USUAL = re.compile(
    r'\[(\d{4}/\d\d/\d\d [\d:.,+\-Z ]{1,40})\] \[([A-Z]{1,8})\] \[([^\]" ]{1,200}:\d+)\] '
    r'\[(?:"([^"\\]*+)"|([^"\[\]\\ =]++))\](.*)',
    re.DOTALL,
)
_UNIFIED = re.compile(_HEAD, re.DOTALL)
_PREFIXED = re.compile(r".{1,256}?" + _HEAD, re.DOTALL)
_EXCERPT = re.compile(
    rf"\s*+(?:\[([A-Z]{{4,6}})\] )?(?:\[([\w.-]{{1,100}}\.go:\d+)\] )?\[(?:{_QUOTED}\"|([\w-]+))\]((?: \[.*)?)$",
    re.DOTALL,
)
_PLAIN = re.compile(
    r"\s*+(?:(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?)\s+)?(?:([\w.]{1,100}\.go:\d+): )?\[(\w+)\] (.*)$", re.DOTALL
)
_FIELD = re.compile(
    rf"\[(?:{_QUOTED}\"|([^\[\]=\"\s]*+))=(?:{_QUOTED}(?:\"(?:\]|$)|\\?$)|([^\]\"][^\]]*+|)(?:\]|$))", re.DOTALL
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
#: Escapes that mean the same in JSON, whose reader is ten times as fast.
_USUAL_ESCAPES = re.compile(r'[^"\\]*+(?:\\["\\/nrt][^"\\]*+)*+')
_JSON = json.JSONDecoder(strict=False)
_ANSI = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z]|)")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}
_LEVELS = ("debug", "info", "warn", "error", "dpanic", "panic", "fatal")
_LEVEL_WORDS = {level: level for level in _LEVELS} | {"warning": "warn", "err": "error", "trace": "debug"}
_LEVEL_OF = {level.upper(): level for level in _LEVELS}
_JSON_HEAD_KEYS = frozenset({"level", "time", "ts", "caller", "message", "msg"})


class Origin:
    """A place in Lightning's source and what it says there; the same object for all records of one `LogReader`.

    ``level`` is one of debug, info, warn, error, dpanic, panic, fatal.
    """

    __slots__ = ("level", "message", "source")

    def __init__(self, level: str, source: str, message: str) -> None:
        self.level = level
        self.source = source
        self.message = message


class LogRecord:
    """A record of the log; ``fields`` are parsed when they are first asked for.

    ``rest`` is the part of the line behind the message as it was written; ``is_bare`` tells that it is nothing but
    ``[name=value]`` parts in which nothing is quoted, escaped or in need of it.
    """

    __slots__ = ("_fields", "is_bare", "level", "message", "origin", "rest", "time")

    def __init__(
        self, time: str, origin: Origin, rest: str, is_bare: bool = False, fields: Mapping[str, str] | None = None
    ) -> None:
        self.time = time
        self.origin = origin
        self.level = origin.level
        self.message = origin.message
        self.rest = rest
        self.is_bare = is_bare
        self._fields = fields

    @property
    def source(self) -> str:
        """File and line in Lightning's source, which change with every release; may be empty."""
        return self.origin.source

    @property
    def fields(self) -> Mapping[str, str]:
        """The record's fields, unescaped."""
        if self._fields is None:
            self._fields = parse_fields(self.rest) if self.rest else {}
        return self._fields

    def __repr__(self) -> str:
        return f"LogRecord({self.level}, {self.message!r}, {dict(self.fields)!r})"


def parse_line(line: bytes | str) -> LogRecord | None:
    r"""Read one line; None for anything that is no log record. Never raises.

    >>> record = parse_line(b'[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] ["a b"] [k="v\\"w"] []\n')
    >>> record.message, record.level, dict(record.fields)
    ('a b', 'info', {'k': 'v"w'})
    """
    text = line.decode("utf-8", "replace") if isinstance(line, bytes) else line
    text = text.rstrip("\r\n")
    if found := _USUAL.match(text):
        time, word, source, quoted, bare, rest = found.groups()
        if level := _LEVEL_OF.get(word):
            return LogRecord(time, Origin(level, source, bare if quoted is None else quoted), rest)
    return _parse_unusual(text)


def _parse_unusual(text: str) -> LogRecord | None:
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    if text.lstrip().startswith("{"):
        return _parse_json(text)
    if found := _UNIFIED.match(text) or _PREFIXED.match(text):
        return _from_unified(found)
    if found := _EXCERPT.match(text):
        return _from_excerpt(found)
    if (found := _PLAIN.match(text)) and (found[1] or found[2]) and (level := _LEVEL_WORDS.get(found[3].lower())):
        return LogRecord(found[1] or "", Origin(level, found[2] or "", found[4]), "")
    return _parse_json(text[text.index("{") :]) if "{" in text[:256] else None


def _from_unified(found: re.Match[str]) -> LogRecord:
    time, level, source, quoted, bare, rest = found.groups()
    message = bare if quoted is None else unescape(quoted)
    return LogRecord(time, Origin(_LEVEL_OF.get(level, "info"), source or "", message or ""), rest)


def _from_excerpt(found: re.Match[str]) -> LogRecord | None:
    # People paste lines into tickets without their time; a bracket alone proves nothing.
    level, source, quoted, bare, rest = found.groups()
    is_record = bool(level or source or (rest and "=" in rest))
    if not is_record or (level and level not in _LEVEL_OF):
        return None
    message = unescape(quoted) if quoted is not None else bare
    return LogRecord("", Origin(_LEVEL_OF.get(level, "info"), source or "", message), rest)


def _parse_json(text: str) -> LogRecord | None:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict):
        return None
    if isinstance(inner := data.get("log"), str) and "level" not in data:
        # A container runtime wraps each line it takes from a stream.
        return parse_line(inner)
    return _from_json(data) if "level" in data else None


def _from_json(data: dict[str, Any]) -> LogRecord:
    level = _LEVEL_WORDS.get(str(data["level"]).lower(), "info")
    message, time = data.get("message", data.get("msg", "")), data.get("time", data.get("ts", ""))
    fields = {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in data.items()
        if key not in _JSON_HEAD_KEYS
    }
    return LogRecord(str(time), Origin(level, str(data.get("caller", "")), str(message)), "", fields=fields)


def parse_fields(rest: str) -> dict[str, str]:
    """Read the fields behind the message; an empty ``[]`` is a field that was left out.

    >>> parse_fields(' [a=1] [] ["b c"="d]e"] [cut="no end')
    {'a': '1', 'b c': 'd]e', 'cut': 'no end'}
    """
    if '"' not in rest and rest.endswith("]"):
        # Without quotes nothing inside a field can look like a bracket or a separator.
        return {key: value for key, sign, value in [part.partition("=") for part in rest[2:-1].split("] [")] if sign}
    if "\\" not in rest and (plain := _plainly_quoted(rest)) is not None:
        return plain
    fields = {}
    for quoted_key, key, quoted, value in _FIELD.findall(rest):
        name = unescape(quoted_key) if quoted_key else key
        fields[name] = unescape(quoted) if quoted else value
    return fields


def _plainly_quoted(rest: str) -> dict[str, str] | None:
    """Read fields whose quotes only enclose whole values; None where a quote stands elsewhere."""
    fields = {}
    if rest[-1:] != "]":
        return None
    for part in rest[2:-1].split("] ["):
        key, sign, value = part.partition("=")
        if '"' in part:
            if not (part.count('"') == 2 and value[:1] == '"' == value[-1:]) or len(value) < 2:
                return None
            value = value[1:-1]
        if sign:
            fields[key] = value
    return fields


def unescape(text: str) -> str:
    """Undo the log's escapes: backslash, quote, line breaks, tab and four-digit code points."""
    if "\\" not in text:
        return text
    if _USUAL_ESCAPES.fullmatch(text):
        return str(_JSON.raw_decode(f'"{text}"')[0])
    return _ESCAPE.sub(_unescape_one, text)


def _unescape_one(found: re.Match[str]) -> str:
    code = found[1]
    if len(code) < 5:
        return _ESCAPED.get(code, code)
    number = int(code[1:], 16)
    # Half a surrogate pair is no character: it could not be written as UTF-8 again.
    return "\ufffd" if 0xD800 <= number <= 0xDFFF else chr(number)
