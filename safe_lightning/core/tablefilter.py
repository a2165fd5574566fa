"""Lightning's table filter: patterns like ``app.*`` and ``!app.tmp_*``, of which the last that matches decides.

The rules are those of pkg/util/table-filter in pingcap/tidb: ``*``, ``?``, ``[a-z]`` and ``[!a-z]``, ``/regex/``,
"quoted" and back-quoted names, back-slash escapes, ``!`` excludes, ``#`` begins a comment, ``@file`` imports.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from safe_lightning.core.go_regex import GoRegexError, compile_go_regex
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName

#: The filter that holds where neither file nor flags give one: everything but the server's own schemas.
DEFAULT_FILTER = (
    "*.*",
    "!mysql.*",
    "!sys.*",
    "!INFORMATION_SCHEMA.*",
    "!PERFORMANCE_SCHEMA.*",
    "!METRICS_SCHEMA.*",
    "!INSPECTION_SCHEMA.*",
)
#: Returns the lines of an imported file. May raise OSError or ValueError.
ReadFile = Callable[[str], Iterable[str]]

Matcher = Callable[[str], bool]


class FilterError(ValueError):
    """A pattern that Lightning refuses, or that cannot be understood here (``is_certain`` is False then)."""

    def __init__(self, place: str, message: str, pattern: str, position: int, is_certain: bool = True) -> None:
        super().__init__(f"at {place}: {message} (pattern {pattern!r}, character {position + 1})")
        self.pattern = pattern
        self.position = position
        self.is_certain = is_certain


@dataclass(frozen=True)
class _Rule:
    schema: Matcher
    table: Matcher
    accepts: bool


@dataclass(frozen=True)
class TableFilter:
    """Patterns, read. A table that no pattern matches is not accepted."""

    rules: tuple[_Rule, ...] = ()
    is_case_sensitive: bool = False

    @classmethod
    def parse(cls, patterns: Sequence[str]) -> TableFilter:
        """Read patterns without ``@file``; see parse_filter."""
        return parse_filter(patterns)

    def matches(self, name: TableName) -> bool:
        """Whether the last pattern that matches the table accepts it."""
        schema, table = name.schema, name.table
        if not self.is_case_sensitive:
            schema, table = schema.lower(), table.lower()
        for rule in reversed(self.rules):
            if rule.schema(schema) and rule.table(table):
                return rule.accepts
        return False


def parse_filter(
    patterns: Sequence[str], *, is_case_sensitive: bool = False, read_file: ReadFile | None = None
) -> TableFilter:
    """Read patterns in their order. Raises FilterError naming the pattern and the character.

    Lightning compares without regard to case unless ``mydumper.case-sensitive`` is set. ``@file`` needs
    ``read_file``; without it, and inside an imported file, it is refused.

    >>> chosen = parse_filter(["app.*", "!app.tmp_?"])
    >>> chosen.matches(TableName("APP", "orders")), chosen.matches(TableName("app", "tmp_1"))
    (True, False)
    """
    rules = []
    for pattern in patterns:
        rules += _read_line(_Reader(pattern, is_case_sensitive, "<cmdline>:1"), read_file)
    return TableFilter(tuple(rules), is_case_sensitive)


def _read_line(reader: _Reader, read_file: ReadFile | None) -> list[_Rule]:
    text = reader.pattern.strip(" \t")
    if not text or text[0] == "#":
        return []
    reader.at = len(reader.pattern) - len(reader.pattern.lstrip(" \t"))
    reader.end = reader.at + len(text)
    if text[0] == "@":
        return _import(reader, text[1:], read_file)
    return [reader.read_rule()]


def _import(reader: _Reader, name: str, read_file: ReadFile | None) -> list[_Rule]:
    if not reader.place.startswith("<cmdline>"):
        raise reader.error("importing filter files recursively is not allowed")
    if read_file is None:
        raise reader.error("a filter file cannot be imported here", is_certain=False)
    try:
        lines = list(read_file(name))
    except (OSError, ValueError) as error:
        raise reader.error(f"cannot open filter file: {error}", is_certain=False) from error
    rules = []
    for number, line in enumerate(lines, 1):
        rules += _read_line(_Reader(line, reader.is_case_sensitive, f"{name}:{number}"), None)
    return rules


@dataclass
class _Reader:
    pattern: str
    is_case_sensitive: bool
    place: str
    at: int = 0
    end: int = 0

    def error(self, message: str, is_certain: bool = True) -> FilterError:
        return FilterError(self.place, message, self.pattern, self.at, is_certain)

    @property
    def rest(self) -> str:
        return self.pattern[self.at : self.end]

    def read_rule(self) -> _Rule:
        accepts = self.pattern[self.at] != "!"
        self.at += not accepts
        schema = self._read_part()
        if self.at == self.end:
            raise self.error("wrong table pattern")
        if self.pattern[self.at] != ".":
            raise self.error("syntax error: missing '.' between schema and table patterns")
        self.at += 1
        table = self._read_part()
        if self.at < self.end:
            raise self.error("syntax error: stray characters after table pattern")
        return _Rule(schema, table, accepts)

    def _read_part(self) -> Matcher:
        if self.at == self.end:
            raise self.error("syntax error: missing pattern")
        first = self.pattern[self.at]
        if first == "/":
            return self._read_regex()
        if first in '"`':
            return self._read_quoted(first)
        return self._read_wildcards()

    def _read_regex(self) -> Matcher:
        text, at = self.rest, 1
        while at < len(text) and text[at] != "/":
            at += 2 if text[at] == "\\" else 1
        if at >= len(text) or at == 1:
            raise self.error("syntax error: incomplete regexp")
        try:
            compiled = compile_go_regex(text[1:at], ignore_case=not self.is_case_sensitive)
        except GoRegexError as error:
            raise self.error(f"invalid pattern: {error}", error.is_certain) from error
        self.at += at + 1
        return lambda name: compiled.search(name) is not None

    def _read_quoted(self, mark: str) -> Matcher:
        found = re.match(rf"{mark}((?:{mark}{mark}|[^{mark}])+){mark}", self.rest)
        if not found:
            raise self.error("syntax error: incomplete quoted identifier")
        self.at += found.end()
        wanted = found[1].replace(mark * 2, mark)
        wanted = wanted if self.is_case_sensitive else wanted.lower()
        return lambda name: name == wanted

    def _read_wildcards(self) -> Matcher:
        steps: list[_Step] = []
        while self.at < self.end and self.pattern[self.at] != ".":
            steps.append(self._read_step())
        if not self.is_case_sensitive:
            steps = [step.ignoring_case() for step in steps]
        return lambda name: _fits(steps, name)

    def _read_step(self) -> _Step:
        letter = self.pattern[self.at]
        if letter == "[":
            return self._read_class()
        if letter == "\\":
            return self._read_escape()
        if not (letter in "*?$_" or ord(letter) >= 0x80 or letter.isalnum()):
            raise self.error(f"unexpected special character '{letter}'")
        self.at += 1
        if letter in "*?":
            return _Step(is_any=True, repeats=letter == "*")
        return _Step(((letter, letter),))

    def _read_escape(self) -> _Step:
        if self.at + 1 == self.end:
            raise self.error("syntax error: cannot place \\ at end of line")
        letter = self.pattern[self.at + 1]
        if letter.isascii() and letter.isalnum():
            raise self.error(f"cannot escape a letter or number (\\{letter}), it is reserved for future extension")
        self.at += 2
        return _Step(((letter, letter),))

    def _read_class(self) -> _Step:
        found = _CLASS.match(self.rest)
        if not found:
            raise self.error("syntax error: failed to parse character class")
        inside = found[0][1:-1]
        is_negated = inside.startswith("!")
        ranges = _read_ranges(inside[is_negated:])
        if not ranges or any(first > last for first, last in ranges):
            raise self.error("invalid pattern: error parsing regexp: invalid character class")
        self.at += found.end()
        return _Step(ranges, is_negated=is_negated)


_CLASS = re.compile(r"\[!?(?:\\[^0-9a-zA-Z]|[^\\\]])+\]")


def _read_ranges(text: str) -> tuple[tuple[str, str], ...]:
    letters = re.findall(r"\\(.)|(.)", text, re.DOTALL)
    plain = [(escaped or bare, bool(bare)) for escaped, bare in letters]
    ranges, at = [], 0
    while at < len(plain):
        is_range = at + 2 < len(plain) and plain[at + 1] == ("-", True)
        ranges.append((plain[at][0], plain[at + 2 if is_range else at][0]))
        at += 3 if is_range else 1
    return tuple(ranges)


@dataclass(frozen=True)
class _Step:
    """What one character of a name must be; ``*`` is any of them, as often as need be."""

    ranges: tuple[tuple[str, str], ...] = ()
    is_negated: bool = False
    is_any: bool = False
    repeats: bool = False
    is_case_ignored: bool = False

    def ignoring_case(self) -> _Step:
        return replace(self, is_case_ignored=True)

    def fits(self, letter: str) -> bool:
        forms = {letter, letter.lower(), letter.upper()} if self.is_case_ignored else {letter}
        return self.is_any or self.is_negated != any(a <= form <= b for form in forms for a, b in self.ranges)


def _fits(steps: Sequence[_Step], name: str) -> bool:
    """Match greedily, going back to the last ``*`` only: enough for wildcards, and never slow."""
    step = at = 0
    star, tried = -1, 0
    while at < len(name):
        if step < len(steps) and steps[step].repeats:
            star, tried, step = step, at, step + 1
        elif step < len(steps) and steps[step].fits(name[at]):
            step, at = step + 1, at + 1
        elif star >= 0:
            step, tried = star + 1, tried + 1
            at = tried
        else:
            return False
    return all(left.repeats for left in steps[step:])
