"""SQL dumps as Lightning reads them: a tokenizer and four states, no parser of SQL.

What Lightning skips, mis-reads or refuses is skipped, mis-read or refused here. Source: pkg/lightning/mydump/parser.rl
(the tokens), parser.go (ReadRow, unescape), the same in all versions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto
from functools import cache

from safe_lightning.source.charset import go_lower
from safe_lightning.source.cursor import Cursor
from safe_lightning.source.findings import InputError
from safe_lightning.source.rows import FIELDS_MOST, ROW_BYTES_MOST, BinaryLiteral, Field, Row
from safe_lightning.source.sql_literals import Kind, bits_value, integer_value, plain_row, run_kind


class _State(Enum):
    VALUES = auto()
    TABLE_NAME = auto()
    COLUMNS = auto()
    ROW = auto()


_NAMES = (Kind.UNQUOTED, Kind.DOUBLE_QUOTED, Kind.BACK_QUOTED)
_EXPECTED = {
    _State.VALUES: "start of row",
    _State.TABLE_NAME: "table name",
    _State.COLUMNS: "column list",
    _State.ROW: "data literal",
}
_SKIPPED = re.compile(rb"[\t\n\v\f\r ,;]+")
_RUN = re.compile(rb"[^\t\n\v\f\r ,;()'\"`/*]+")
_HEX_QUOTED = re.compile(rb"'[0-9a-fA-F]*'")
_BITS_QUOTED = re.compile(rb"'[01]*'")
_LINE_END = re.compile(rb"[\r\n]")
_USING = b" utf8mb4)"
_QUOTED_KINDS = {b"'": Kind.SINGLE_QUOTED, b'"': Kind.DOUBLE_QUOTED, b"`": Kind.BACK_QUOTED}
_ESCAPES = {b"0": b"\0", b"b": b"\b", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"Z": b"\x1a"}
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)


class SqlReader:
    """Reads the rows of one file. Iterate over it once.

    ``columns`` are the names of the statement that the last row stands in, in lower case, None where it has no
    list. Raises InputError, and nothing else, for whatever stands in the file.
    """

    def __init__(
        self,
        blocks: Iterable[bytes],
        file: str = "",
        has_escapes: bool = True,
        row_bytes_most: int = ROW_BYTES_MOST,
    ) -> None:
        self.columns: tuple[str, ...] | None = None
        self._cursor = Cursor(blocks, file, row_bytes_most)
        self._has_escapes = has_escapes
        self._plain_row = plain_row(has_escapes)
        self._stops = {quote: _quote_stop(quote, has_escapes and quote != b"`") for quote in _QUOTED_KINDS}

    def __iter__(self) -> Iterator[Row]:
        number, state, columns = 0, _State.VALUES, list[str]()
        self._cursor.begin()
        while (token := self._token(state)) is not None:
            kind, text = token
            if state is _State.VALUES and kind is Kind.ROW_BEGIN:
                number += 1
                yield self._simple_row(number) or self._row(number)
            elif state is _State.VALUES and kind in _NAMES:
                self.columns, columns, state = None, [], _State.TABLE_NAME
            elif state is _State.COLUMNS and kind in _NAMES:
                self._add_column(columns, text)
            elif state is _State.COLUMNS and kind is Kind.ROW_END:
                self.columns, state = tuple(columns) or None, _State.VALUES
            elif state is _State.TABLE_NAME and kind is Kind.ROW_BEGIN:
                state = _State.COLUMNS
            elif state is _State.TABLE_NAME and kind is Kind.VALUES:
                state = _State.VALUES
            elif not self._may_stand(state, kind):
                raise self._unexpected(kind, text, state)
        if state is not _State.VALUES:
            raise self._cursor.error("premature-end", "syntax error: premature EOF")

    @staticmethod
    def _may_stand(state: _State, kind: Kind) -> bool:
        if state is _State.TABLE_NAME:
            return kind in _NAMES
        return state is _State.VALUES and kind is Kind.VALUES

    def _add_column(self, columns: list[str], text: bytes) -> None:
        if len(columns) >= FIELDS_MOST:
            raise self._cursor.error("too-many-fields", f"a list of more than {FIELDS_MOST} columns")
        columns.append(go_lower(self._unescaped(text).decode("utf-8", "replace")))

    def _simple_row(self, number: int) -> Row | None:
        """Read a row of plain literals at one stroke, if all of it is loaded; else take nothing."""
        cursor = self._cursor
        begin = cursor.keep
        found = self._plain_row.row.match(cursor.data, begin)
        if found is None:
            return None
        fields = [self._plain_value(text) for text in self._plain_row.value.findall(found[0])]
        if len(fields) > FIELDS_MOST:
            raise cursor.error("too-many-fields", f"a row of more than {FIELDS_MOST} values", begin)
        cursor.at = found.end()
        return Row(cursor.offset_of(begin), cursor.line_of(begin), number, fields)

    def _plain_value(self, text: bytes) -> Field:
        if text[:1] == b"'":
            return self._unescaped(text)
        if text == b"NULL":
            return None
        return text if b"." in text else int(text)

    def _row(self, number: int) -> Row:
        cursor = self._cursor
        begin = cursor.keep
        offset, line = cursor.offset_of(begin), cursor.line_of(begin)
        fields: list[Field] = []
        while (token := self._token(_State.ROW)) is not None:
            kind, text = token
            if kind is Kind.ROW_END:
                return Row(offset, line, number, fields)
            if len(fields) >= FIELDS_MOST:
                raise cursor.error("too-many-fields", f"a row of more than {FIELDS_MOST} values", begin)
            fields.append(self._value(kind, text))
        raise cursor.error("premature-end", "syntax error: premature EOF")

    def _value(self, kind: Kind, text: bytes) -> Field:
        if kind in (Kind.SINGLE_QUOTED, Kind.DOUBLE_QUOTED):
            return self._unescaped(text)
        if kind is Kind.INTEGER:
            return integer_value(text)
        if kind is Kind.NULL:
            return None
        if kind is Kind.UNQUOTED:
            return text
        if kind in (Kind.TRUE, Kind.FALSE):
            return 1 if kind is Kind.TRUE else 0
        if kind is Kind.HEX:
            return self._hex(text)
        if kind is Kind.BITS:
            return bits_value(text)
        raise self._unexpected(kind, text, _State.ROW)

    def _hex(self, text: bytes) -> BinaryLiteral:
        digits = text[2:] if text[:1] == b"0" else text[2:-1]
        if len(digits) % 2:
            if text[:1] != b"0":
                raise self._cursor.error("bad-literal", f"invalid hexadecimal format, must even numbers, {len(digits)}")
            digits = b"0" + digits
        return BinaryLiteral(bytes.fromhex(digits.decode("ascii")))

    def _unescaped(self, text: bytes) -> bytes:
        quote = text[:1]
        if quote not in _QUOTED_KINDS:
            return text
        inner = text[1:-1].replace(quote + quote, quote)
        if quote != b"`" and self._has_escapes and b"\\" in inner:
            return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), inner)
        return inner

    def _unexpected(self, kind: Kind, text: bytes, state: _State) -> InputError:
        reason = f"syntax error: unexpected {kind.value} of {len(text)} bytes, expecting {_EXPECTED[state]}"
        return self._cursor.error("sql-syntax", reason)

    def _token(self, state: _State) -> tuple[Kind, bytes] | None:
        """Take the next token that is no comment; None at the end of the file."""
        cursor = self._cursor
        while cursor.need(1):
            if state is not _State.ROW:
                cursor.begin()
            sign = cursor.data[cursor.at : cursor.at + 1]
            if skipped := _SKIPPED.match(cursor.data, cursor.at):
                cursor.at = skipped.end()
            elif sign in b"()":
                cursor.at += 1
                return (Kind.ROW_BEGIN if sign == b"(" else Kind.ROW_END), sign
            elif sign in _QUOTED_KINDS:
                return _QUOTED_KINDS[sign], self._quoted(sign)
            elif sign in b"/*":
                self._skip_block_comment()
            elif (token := self._run()) is not None:
                return token
        return None

    def _quoted(self, quote: bytes) -> bytes:
        cursor, stop = self._cursor, self._stops[quote]
        opened_at = cursor.at
        cursor.at += 1
        while cursor.run(stop) is not None:
            if cursor.data[cursor.at] == 0x5C:
                if not cursor.need(2):
                    break
                cursor.at += 2
            elif cursor.starts_with(quote + quote):
                cursor.at += 2
            else:
                cursor.at += 1
                return cursor.data[opened_at : cursor.at]
        raise cursor.error("unterminated-quote", "syntax error: unexpected EOF within a quoted text", opened_at)

    def _skip_block_comment(self) -> None:
        cursor = self._cursor
        opened_at = cursor.at
        if not cursor.starts_with(b"/*"):
            raise cursor.error("sql-syntax", "syntax error")
        cursor.at += 2
        while cursor.run(_STAR) is not None:
            if cursor.starts_with(b"*/"):
                cursor.at += 2
                return
            cursor.at += 1
        raise cursor.error("unterminated-comment", "syntax error: unexpected EOF within a comment", opened_at)

    def _run(self) -> tuple[Kind, bytes] | None:
        """Take an unquoted run and tell what it is; None for what counts as a comment. The longest token wins."""
        cursor = self._cursor
        if cursor.starts_with(b"--"):
            if cursor.run(_LINE_END) is None:
                cursor.rest()
            return None
        text = cursor.run(_RUN_END)
        text = cursor.rest() if text is None else text
        lowered = text.lower()
        if lowered == b"convert" and cursor.starts_with(b"("):
            cursor.at += 1
            return None
        if lowered == b"using" and cursor.need(len(_USING)) and self._ahead(len(_USING)).lower() == _USING:
            cursor.at += len(_USING)
            return None
        return self._prefixed(text, lowered) or (run_kind(text, lowered), text)

    def _ahead(self, count: int) -> bytes:
        return self._cursor.data[self._cursor.at : self._cursor.at + count]

    def _prefixed(self, text: bytes, lowered: bytes) -> tuple[Kind, bytes] | None:
        """Take what makes a hexadecimal or bit literal of a lone x or b; None where nothing does."""
        if lowered not in (b"x", b"b") or not self._cursor.starts_with(b"'"):
            return None
        pattern, kind = (_HEX_QUOTED, Kind.HEX) if lowered == b"x" else (_BITS_QUOTED, Kind.BITS)
        cursor, start = self._cursor, self._cursor.at
        cursor.at += 1
        body = cursor.run(_NO_HEX)
        cursor.at = start
        if body is None:
            return None
        found = pattern.match(cursor.data, start)
        if found is None:
            return None
        cursor.at = found.end()
        return kind, text + found[0]


_STAR = re.compile(rb"\*")
_RUN_END = re.compile(rb"[\t\n\v\f\r ,;()'\"`/*]")
_NO_HEX = re.compile(rb"[^0-9a-fA-F]")


@cache
def _quote_stop(quote: bytes, has_escapes: bool) -> re.Pattern[bytes]:
    return re.compile(b"[" + quote + (rb"\\" if has_escapes else b"") + b"]")
