"""A regular expression of Go (RE2 syntax) as one of Python, where the two can say the same."""

from __future__ import annotations

import re
import warnings

_OUTSIDE = {
    "d": "[0-9]",
    "D": "[^0-9]",
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "s": "[\\t\\n\\f\\r ]",
    "S": "[^\\t\\n\\f\\r ]",
    "b": "(?a:\\b)",
    "B": "(?a:\\B)",
    "z": "\\Z",
    "A": "\\A",
}
_INSIDE = {"d": "0-9", "w": "0-9A-Za-z_", "s": "\\t\\n\\f\\r "}
_SAME = "afnrtv"
#: Letters that mean something to Go which Python lacks or reads otherwise; digits are octal or refused.
_NOT_HERE = "xpPQEC01234567"
_PERL_ONLY = ("(?=", "(?!", "(?<=", "(?<!", "(?>", "(?#", "(?(", "(?P=", "(?P>")


class GoRegexError(ValueError):
    """An expression that Go refuses, or (``is_certain`` is False) one whose meaning cannot be told here."""

    def __init__(self, message: str, is_certain: bool) -> None:
        super().__init__(f"error parsing regexp: {message}")
        self.is_certain = is_certain


def compile_go_regex(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compile an expression of Go's regexp package. Raises GoRegexError.

    >>> bool(compile_go_regex("^t[0-9]+$").search("t12")), bool(compile_go_regex("^t[0-9]+$").search("t12x"))
    (True, False)
    """
    translated = _Translator(pattern).translate()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return re.compile(translated, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise GoRegexError(f"{error}: `{pattern}`", is_certain=False) from error


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._is_class = False
        self._after_quantifier = False

    def translate(self) -> str:
        parts = []
        while self._at < len(self._pattern):
            parts.append(self._step())
        return "".join(parts)

    def _step(self) -> str:
        letter = self._pattern[self._at]
        if letter == "\\":
            return self._escape()
        if self._is_class:
            return self._inside(letter)
        return self._outside(letter)

    def _outside(self, letter: str) -> str:
        rest = self._pattern[self._at :]
        if rest.startswith(_PERL_ONLY):
            raise GoRegexError(f"invalid or unsupported Perl syntax: `{rest[:4]}`", is_certain=True)
        if letter == "+" and self._after_quantifier:
            raise GoRegexError("invalid nested repetition operator", is_certain=False)
        self._after_quantifier = letter in "*+?}" and not self._pattern[: self._at].endswith("(")
        self._at += 1
        if letter == "[":
            return self._open_class()
        if letter == "$" and "(?m" not in self._pattern:
            return "\\Z"  # Python's own $ also matches before a line end
        return letter

    def _open_class(self) -> str:
        self._is_class = True
        opened = "["
        if self._pattern.startswith("^", self._at):
            opened, self._at = "[^", self._at + 1
        if self._pattern.startswith("]", self._at):  # a bracket that comes first is a plain one
            opened, self._at = opened + "\\]", self._at + 1
        return opened

    def _inside(self, letter: str) -> str:
        if self._pattern.startswith("[:", self._at):
            raise GoRegexError("named character classes are not understood here", is_certain=False)
        self._is_class = letter != "]"
        self._at += 1
        return f"\\{letter}" if letter in "[&|~" else letter

    def _escape(self) -> str:
        letter = self._pattern[self._at + 1 : self._at + 2]
        self._at += 2
        self._after_quantifier = False
        if not letter:
            raise GoRegexError("trailing backslash at end of expression: ``", is_certain=True)
        known = (_INSIDE if self._is_class else _OUTSIDE).get(letter)
        if known is not None:
            return known
        if letter in _SAME:
            return f"\\{letter}"
        if letter in _NOT_HERE or (self._is_class and letter in _OUTSIDE):
            raise GoRegexError(f"the escape \\{letter} is not understood here", is_certain=False)
        if letter.isalnum() or not letter.isascii():
            raise GoRegexError(f"invalid escape sequence: `\\{letter}`", is_certain=letter.isascii())
        return re.escape(letter)
