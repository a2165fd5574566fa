"""Rows of a SQL dump: ``INSERT INTO t (columns) VALUES (…), (…);`` and nothing else is looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/"
    r"|(?P<name>`(?:[^`]|``)*`)|(?P<text>'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\")"
    r"|(?P<word>[^\s,()'\"`;]+)|(?P<sign>.)",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "b": "\b", "Z": "\x1a"}
_ESCAPE = re.compile(r"\\(.)|(''|\"\")", re.DOTALL)

Token = tuple[str, str]
Values = tuple[str | None, ...]


class InsertError(ValueError):
    """An INSERT statement cannot be read; the sentence names the byte."""


def read_inserts(sql: str) -> Iterator[tuple[tuple[str, ...] | None, Values]]:
    r"""Yield columns (None where the statement names none) and values of every row. Raises InsertError.

    >>> list(read_inserts("INSERT INTO `t` (`a`,b) VALUES (1,'it''s'),(NULL,'\\\\n');"))
    [(('a', 'b'), ('1', "it's")), (('a', 'b'), (None, '\\n'))]
    """
    tokens = _tokens(sql)
    for kind, text in tokens:
        if kind == "word" and text.upper() in ("INSERT", "REPLACE"):
            yield from _statement(tokens)


def _tokens(sql: str) -> Iterator[Token]:
    for found in _TOKEN.finditer(sql):
        if found.lastgroup == "sign" and found[0] in "'\"`":
            raise InsertError(f"a quote is not closed, opened at character {found.start()}")
        if found.lastgroup:
            yield found.lastgroup, found[0]


def _statement(tokens: Iterator[Token]) -> Iterator[tuple[tuple[str, ...] | None, Values]]:
    columns: tuple[str, ...] | None = None
    is_data = False
    for kind, text in tokens:
        if (kind, text) == ("sign", ";"):
            return
        if kind == "word" and text.upper() == "VALUES":
            is_data = True
        elif (kind, text) == ("sign", "("):
            group = tuple(_group(tokens))
            if is_data:
                yield columns, group
            else:
                columns = tuple(name or "" for name in group)


def _group(tokens: Iterator[Token]) -> Iterator[str | None]:
    parts: list[Token] = []
    for kind, text in tokens:
        if (kind, text) in (("sign", ","), ("sign", ")")):
            yield _value(parts)
            parts = []
            if text == ")":
                return
        else:
            parts.append((kind, text))
    raise InsertError("the statement ends within parentheses")


def _value(parts: list[Token]) -> str | None:
    if len(parts) == 1 and parts[0] == ("word", parts[0][1]) and parts[0][1].upper() == "NULL":
        return None
    return "".join(_plain(kind, text) for kind, text in parts)


def _plain(kind: str, text: str) -> str:
    if kind == "name":
        return text[1:-1].replace("``", "`")
    if kind == "text":
        return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]) if found[1] else found[2][0], text[1:-1])
    return text
