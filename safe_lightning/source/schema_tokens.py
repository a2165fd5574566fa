"""DDL cut into tokens as TiDB's lexer cuts it, executable comments included."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import NoReturn

from safe_lightning.core.lean_dataclass import dataclass


class SchemaError(ValueError):
    """A definition that the server would refuse, or that is not understood: nothing may be concluded from it."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement: `kind` is word, name (quoted), text (a string), number, bits, sign or end."""

    kind: str
    text: str
    raw: str
    at: int

    def is_word(self, *words: str) -> bool:
        """Tell whether it is one of these words, written without quotes (given in lower case)."""
        return self.kind == "word" and self.text.lower() in words

    def is_sign(self, sign: str) -> bool:
        """Tell whether it is this sign."""
        return self.kind == "sign" and self.text == sign


# Features that TiDB 8.5 executes within /*T![feature] … */; any other makes the comment a comment.
# Source: pkg/parser/tidb/features.go.
FEATURES = frozenset(
    {
        "auto_id_cache",
        "auto_inc",
        "auto_rand",
        "auto_rand_base",
        "clustered_index",
        "force_inc",
        "global_index",
        "placement",
        "pre_split",
        "resource_group",
        "ttl",
    }
)

_TOKENS_MOST = 500_000
_SPACE = r"[\s\x00]+|\#[^\n]*|--(?=[\s\x00]|$)[^\n]*"
_EXECUTED = r"/\*!(?:[0-9]{5,6})?|/\*T!(?:\[(?P<features>[a-z_, ]*)\])?"
_COMMENT = r"/\*(?:.*?)\*/"
_QUOTED_NAME = r"`(?:[^`]|``)*`"
_STRING = {
    True: r"'(?:[^'\\]|\\.|'')*'|\"(?:[^\"\\]|\\.|\"\")*\"",
    False: r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"",
}
_BITS = r"0x[0-9a-fA-F]+|[xX]'[0-9a-fA-F]*'|0b[01]+|[bB]'[01]*'"
_NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_$\u0080-\U0010ffff])"
_WORD = r"@{0,2}[A-Za-z0-9_$\u0080-\U0010ffff]+"


@cache
def _pattern(has_escapes: bool) -> re.Pattern[str]:
    return re.compile(
        f"(?P<space>{_SPACE})|(?P<executed>{_EXECUTED})|(?P<comment>{_COMMENT})|(?P<close>\\*/)"
        f"|(?P<name>{_QUOTED_NAME})|(?P<text>{_STRING[has_escapes]})|(?P<bits>{_BITS})|(?P<number>{_NUMBER})"
        f"|(?P<word>{_WORD})|(?P<sign>[^\ufeff])",
        re.DOTALL,
    )


_ESCAPES = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a", "%": "\\%", "_": "\\_"}


def tokens_of(sql: str, sql_mode: frozenset[str] = frozenset()) -> Iterator[Token]:
    """Cut a text into tokens. Raises SchemaError for what no token begins with, and for an open quote or comment."""
    has_escapes = "NO_BACKSLASH_ESCAPES" not in sql_mode
    has_quoted_names = bool({"ANSI_QUOTES", "ANSI"} & sql_mode)
    pattern, at, is_executing = _pattern(has_escapes), 0, False
    while at < len(sql):
        found = pattern.match(sql, at)
        if found is None:
            raise SchemaError(f"an unexpected character {sql[at]!r}")
        kind = found.lastgroup or ""
        if kind == "features":
            kind = "executed"
        if kind == "executed" and not _knows(found["features"]):
            at = _end_of_comment(sql, at)
            continue
        if kind == "close" and not is_executing:
            kind = "sign"
        if kind in ("executed", "close"):
            is_executing = kind == "executed"
        elif kind not in ("space", "comment"):
            yield _token(kind, found[0], at, has_escapes, has_quoted_names)
        at = found.end()
    if is_executing:
        raise SchemaError("a comment is not closed")


def _knows(features: str | None) -> bool:
    return features is None or all(name.strip() in FEATURES for name in features.split(","))


def _end_of_comment(sql: str, at: int) -> int:
    end = sql.find("*/", at)
    if end < 0:
        raise SchemaError("a comment is not closed")
    return end + 2


def _token(kind: str, raw: str, at: int, has_escapes: bool, has_quoted_names: bool) -> Token:
    if kind == "name":
        return Token("name", raw[1:-1].replace("``", "`"), raw, at)
    if kind == "text" and raw[0] == '"' and has_quoted_names:
        return Token("name", raw[1:-1].replace('""', '"'), raw, at)
    if kind == "text":
        return Token("text", _string_value(raw, has_escapes), raw, at)
    if kind == "sign" and (raw in "'\"`" or raw == "/"):
        _refuse_open(raw)
    return Token(kind, raw, raw, at)


def _refuse_open(raw: str) -> None:
    if raw != "/":
        raise SchemaError(f"a quote {raw} is not closed")


def _string_value(raw: str, has_escapes: bool) -> str:
    body = raw[1:-1].replace(raw[0] * 2, raw[0])
    if not has_escapes or "\\" not in raw:
        return body
    quote = re.escape(raw[0])
    return re.sub(
        rf"\\(.)|{quote}{quote}",
        lambda found: raw[0] if found[1] is None else _ESCAPES.get(found[1], found[1]),
        raw[1:-1],
        flags=re.DOTALL,
    )


class TokenStream:
    """The tokens of one statement, read from left to right."""

    def __init__(self, tokens: list[Token], source: str) -> None:
        self._tokens = tokens
        self._source = source
        self._next = 0
        self._end = Token("end", "", "", len(source))

    def peek(self, ahead: int = 0) -> Token:
        """Look at a token without taking it."""
        place = self._next + ahead
        return self._tokens[place] if place < len(self._tokens) else self._end

    def take(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self._next += 1
        return token

    def takes(self, *words: str) -> bool:
        """Take the given words, one after another, if they all come next; words are lower case, signs themselves."""
        for ahead, word in enumerate(words):
            token = self.peek(ahead)
            if not (token.is_word(word) or token.is_sign(word)):
                return False
        self._next += len(words)
        return True

    def takes_any(self, *words: str) -> str | None:
        """Take one of the words if one comes next, and return it in lower case."""
        token = self.peek()
        if not (token.is_word(*words) or (token.kind == "sign" and token.text in words)):
            return None
        self._next += 1
        return token.text.lower()

    def expect(self, *words: str) -> None:
        """Take the given words. Raises SchemaError where something else stands."""
        if not self.takes(*words):
            self.fail(f"expected {' '.join(words).upper()}")

    def fail(self, reason: str) -> NoReturn:
        """Raise SchemaError at the next token."""
        raise self.error(reason)

    def error(self, reason: str) -> SchemaError:
        """Build the error for the next token."""
        token = self.peek()
        near = self._source[token.at : token.at + 40].split("\n")[0]
        return SchemaError(f"{reason} near {near!r}" if token.kind != "end" else f"{reason} at the end")

    def mark(self) -> int:
        """Remember this place, for `back_to`."""
        return self._next

    def back_to(self, place: int) -> None:
        """Go back to a place that was marked."""
        self._next = place

    @property
    def is_at_end(self) -> bool:
        """Whether nothing is left."""
        return self.peek().kind == "end"

    def name(self) -> str:
        """Take an identifier, quoted or not."""
        if self.peek().kind not in ("word", "name"):
            self.fail("expected a name")
        return self.take().text

    def table_name(self) -> tuple[str, str]:
        """Take `[schema.]table`; the schema is "" where it is not given."""
        first = self.name()
        return (first, self.name()) if self.takes(".") else ("", first)

    def text(self) -> str:
        """Take a string."""
        if self.peek().kind != "text":
            self.fail("expected a string")
        return self.take().text

    def word_or_text(self) -> str:
        """Take a name or a string, as character sets and collations are written."""
        return self.take().text if self.peek().kind == "text" else self.name()

    def integer(self) -> int:
        """Take a whole number."""
        if self.peek().kind != "number" or not self.peek().text.isdigit():
            self.fail("expected a number")
        return int(self.take().text)

    def in_parentheses(self) -> list[Token]:
        """Take a balanced pair of parentheses; return the tokens within."""
        self.expect("(")
        inner, depth = list[Token](), 1
        while not self.is_at_end:
            token = self.take()
            depth += token.is_sign("(") - token.is_sign(")")
            if depth == 0:
                return inner
            inner.append(token)
        raise self.error("a parenthesis is not closed")


def statements_of(sql: str, sql_mode: frozenset[str] = frozenset()) -> Iterator[TokenStream]:
    """Split a text into statements at its semicolons. Raises SchemaError for a text that cannot be cut into tokens."""
    pending: list[Token] = []
    for number, token in enumerate(tokens_of(sql, sql_mode)):
        if number > _TOKENS_MOST:
            raise SchemaError(f"more than {_TOKENS_MOST} words are no definition")
        if not token.is_sign(";"):
            pending.append(token)
        elif pending:
            yield TokenStream(pending, sql)
            pending = []
    if pending:
        yield TokenStream(pending, sql)
