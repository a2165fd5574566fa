"""On which line of a TOML text each key and each element of a list stands; the parsers do not tell.

Reads only what a TOML parser has accepted before, so it need not know what is wrong, only where things end.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping

from safe_lightning.policy.problem import KeyPath

_BLANKS = re.compile(r"[ \t]*")
#: Between statements, and between the elements of a list or an inline table.
_SPACE = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_KEY_PART = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_DOT = re.compile(r"[ \t]*\.[ \t]*")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
#: A number, a boolean or a date; the blank between a date and its time is the only one that can be inside.
_BARE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[^\s,\]}#]*|[^\s,\]}#]+")


def key_lines(text: str) -> Mapping[KeyPath, int]:
    """Map each key and element of a valid TOML text to the line on which it begins, counted from 1.

    ``hooks[2].use`` is ``("hooks", 2, "use")`` however it is written: under ``[[hooks]]``, in an inline table, dotted.
    A table that only its parts name stands where the first of them does. Line ends are plain newlines.
    """
    scan = _Scan(text)
    scan.statements()
    return scan.lines


class _Scan:
    def __init__(self, text: str) -> None:
        self.lines: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._counts: dict[KeyPath, int] = {}

    def statements(self) -> None:
        """Read the whole text."""
        table: KeyPath = ()
        self._skip(_SPACE)
        while self._at < len(self._text):
            if self._next("["):
                table = self._header()
            else:
                self._key_and_value(table)
            self._skip(_SPACE)

    def _header(self) -> KeyPath:
        line = self._line()
        is_element = self._text.startswith("[[", self._at)
        self._at += 2 if is_element else 1
        names = self._key()
        self._at += 2 if is_element else 1
        path = self._enter(names[:-1], line)
        if not is_element:
            return self._enter_one(path, names[-1], line)
        path = self._note((*path, names[-1]), line)
        self._counts[path] = self._counts.get(path, 0) + 1
        return self._note((*path, self._counts[path] - 1), line)

    def _enter(self, names: KeyPath, line: int) -> KeyPath:
        path: KeyPath = ()
        for name in names:
            path = self._enter_one(path, name, line)
        return path

    def _enter_one(self, path: KeyPath, name: str | int, line: int) -> KeyPath:
        """Step into a table; into the newest element where the name is that of a list of tables."""
        path = self._note((*path, name), line)
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def _key_and_value(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for name in self._key():
            path = self._note((*path, name), line)
        self._at += 1  # the equals sign
        self._skip(_BLANKS)
        self._value(path)

    def _key(self) -> KeyPath:
        names: list[str] = []
        while True:
            self._skip(_BLANKS)
            names.append(self._name())
            if not _DOT.match(self._text, self._at):
                self._skip(_BLANKS)
                return tuple(names)
            self._skip(_DOT)

    def _name(self) -> str:
        found = self._skip(_KEY_PART)
        if found.startswith('"'):
            return str(tomllib.loads(f"name = {found}")["name"])
        return found.strip("'")

    def _value(self, path: KeyPath) -> None:
        if self._next("["):
            self._list(path)
        elif self._next("{"):
            self._inline_table(path)
        else:
            self._skip(_STRING if self._next('"') or self._next("'") else _BARE)

    def _list(self, path: KeyPath) -> None:
        self._step()
        count = 0
        while not self._next("]"):
            self._value(self._note((*path, count), self._line()))
            count += 1
            self._skip_separator()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._step()
        while not self._next("}"):
            self._key_and_value(path)
            self._skip_separator()
        self._at += 1

    def _skip_separator(self) -> None:
        self._skip(_SPACE)
        if self._next(","):
            self._step()

    def _step(self) -> None:
        self._at += 1
        self._skip(_SPACE)

    def _next(self, sign: str) -> bool:
        return self._text.startswith(sign, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        assert found is not None, "a parser has accepted this text"
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_right(self._starts, self._at)

    def _note(self, path: KeyPath, line: int) -> KeyPath:
        self.lines.setdefault(path, line)
        return path
