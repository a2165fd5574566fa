"""Just enough of CREATE TABLE for a rehearsal: names, kinds of columns, and keys."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from safe_lightning.core.lean_dataclass import dataclass

_TOKEN = re.compile(
    r"""\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/|(?P<name>`(?:[^`]|``)*`)|(?P<text>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*")"""
    r"|(?P<word>[A-Za-z0-9_$.\u0080-\U0010ffff]+)|(?P<sign>.)",
    re.DOTALL,
)
_INTEGERS = {"TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT", "YEAR", "BIT", "BOOL", "BOOLEAN"}
_NUMBERS = {"DECIMAL", "NUMERIC", "DEC", "FIXED", "FLOAT", "DOUBLE", "REAL"}
_KEY_WORDS = {"KEY", "INDEX"}
_GRAMMAR = {"CONSTRAINT", "PRIMARY", "UNIQUE", "USING", "BTREE", *_KEY_WORDS}
_SKIPPED_KEYS = {"FULLTEXT", "SPATIAL", "VECTOR", "FOREIGN", "CHECK"}


@dataclass(frozen=True)
class Column:
    """A column: its kind ("integer", "number" or "text"), whether it counts by itself, whether its keys fold case."""

    name: str
    kind: str
    type_name: str
    is_auto_increment: bool = False
    folds_case: bool = False


@dataclass(frozen=True)
class Key:
    """A primary, unique or plain key over named columns."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool
    is_primary: bool = False


@dataclass(frozen=True)
class TableSchema:
    """What a rehearsal knows of a table; the primary key, if any, comes first."""

    columns: tuple[Column, ...]
    keys: tuple[Key, ...]

    def position(self, name: str) -> int:
        """Return the place of a column, found without regard to case. Raises KeyError."""
        for place, column in enumerate(self.columns):
            if column.name.casefold() == name.casefold():
                return place
        raise KeyError(name)

    @property
    def integer_primary(self) -> str | None:
        """Name the column whose value is the row's handle in TiDB, if there is one."""
        for key in self.keys:
            if key.is_primary and len(key.columns) == 1:
                column = self.columns[self.position(key.columns[0])]
                return column.name if column.kind == "integer" else None
        return None


class SchemaError(ValueError):
    """A CREATE TABLE statement cannot be read."""


def read_create_table(sql: str) -> TableSchema:
    """Read the first CREATE TABLE statement of a text. Raises SchemaError.

    >>> read_create_table("CREATE TABLE `t` (id int PRIMARY KEY, `c` varchar(9) UNIQUE, KEY k (`c`(3)))").keys[1]
    Key(name='c', columns=('c',), is_unique=True, is_primary=False)
    """
    items = list(_items(list(_tokens(sql))))
    columns = [_column(item) for item in items if not _is_key(item)]
    if not columns:
        raise SchemaError("no column is defined")
    keys = [key for item in items for key in (_table_keys(item) if _is_key(item) else _column_keys(item))]
    return TableSchema(tuple(columns), tuple(sorted(_named(keys), key=lambda key: not key.is_primary)))


def _tokens(sql: str) -> Iterator[str]:
    for found in _TOKEN.finditer(sql):
        if found.lastgroup:
            yield found[0]


def _items(tokens: list[str]) -> Iterator[list[str]]:
    """Cut the part between the outer parentheses at its commas."""
    words = [lexeme.upper() for lexeme in tokens]
    try:
        start = tokens.index("(", words.index("TABLE", words.index("CREATE")))
    except ValueError as error:
        raise SchemaError("no CREATE TABLE with columns was found") from error
    depth, item = 0, list[str]()
    for lexeme in tokens[start:]:
        depth += (lexeme == "(") - (lexeme == ")")
        if depth == 0 or (lexeme == "," and depth == 1):
            yield item
            item = []
        elif lexeme != "(" or depth > 1:
            item.append(lexeme)
        if depth == 0:
            return
    raise SchemaError("the parentheses of CREATE TABLE are not closed")


def _is_key(item: Sequence[str]) -> bool:
    first = item[0].upper() if item else ""
    return first in {"PRIMARY", "UNIQUE", "CONSTRAINT", *_KEY_WORDS, *_SKIPPED_KEYS}


def _column(item: Sequence[str]) -> Column:
    if len(item) < 2:
        raise SchemaError(f"not a column: {' '.join(item) or 'an empty item'}")
    type_name = item[1].upper()
    kind = "integer" if type_name in _INTEGERS else "number" if type_name in _NUMBERS else "text"
    words = [lexeme.upper() for lexeme in item[2:]]
    folds_case = any(word.endswith("_CI") and before == "COLLATE" for before, word in pairwise(words))
    return Column(_plain(item[0]), kind, type_name.lower(), "AUTO_INCREMENT" in words, folds_case)


def _column_keys(item: Sequence[str]) -> list[Key]:
    name, words = _plain(item[0]), [lexeme.upper() for lexeme in item]
    keys = []
    if "PRIMARY" in words[2:]:
        keys.append(Key("PRIMARY", (name,), True, True))
    if "UNIQUE" in words[2:]:
        keys.append(Key(name, (name,), True))
    return keys


def _table_keys(item: Sequence[str]) -> list[Key]:
    words = [lexeme.upper() for lexeme in item]
    if "(" not in item or set(words[: item.index("(")]) & _SKIPPED_KEYS:
        return []
    opening = item.index("(")
    before = words[:opening]
    names = [_plain(item[i]) for i, word in enumerate(before) if word not in _GRAMMAR]
    columns = tuple(_key_columns(item[opening:]))
    is_primary = "PRIMARY" in before
    name = "PRIMARY" if is_primary else names[-1] if names else columns[0]
    return [Key(name, columns, is_primary or "UNIQUE" in before, is_primary)] if columns else []


def _key_columns(tokens: Sequence[str]) -> Iterator[str]:
    depth = 0
    for before, lexeme in pairwise(tokens):
        depth += (before == "(") - (before == ")")
        if depth == 0:
            return
        if depth == 1 and before in ("(", ",") and lexeme != "(":
            yield _plain(lexeme)


def _named(keys: Sequence[Key]) -> Iterator[Key]:
    """Give keys of the same name a number, as TiDB does for those without a name."""
    seen: dict[str, int] = {}
    for key in keys:
        count = seen[key.name] = seen.get(key.name, 0) + 1
        yield key if count == 1 else Key(f"{key.name}_{count}", key.columns, key.is_unique, key.is_primary)


def _plain(lexeme: str) -> str:
    return lexeme[1:-1].replace("``", "`") if lexeme.startswith("`") else lexeme
