"""CSV as Lightning reads it: the reference reader, on bytes, with bounded memory.

Exact rather than fast: what another reader makes of a file is right where it agrees with this one.
Source: pkg/lightning/mydump/csv_parser.go (readRecord, readQuotedField, unescapeString), the same from 7.1 to 8.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import Enum, auto

from safe_lightning.source.charset import go_lower
from safe_lightning.source.csv_fields import field_decoder, quoted_row, quoted_run
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.cursor import Cursor
from safe_lightning.source.findings import InputError
from safe_lightning.source.rows import FIELDS_MOST, ROW_BYTES_MOST, Field, Row

# What Go's bytes.TrimSpace takes for white space, in UTF-8; other bytes than these make a line a row.
_BLANKS = re.compile(
    rb"(?:[\t\n\v\f\r ]|\xc2[\x85\xa0]|\xe1\x9a\x80|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe2\x81\x9f|\xe3\x80\x80)*"
)


class _Token(Enum):
    SEPARATOR = auto()
    QUOTE = auto()
    LINE_END = auto()
    OTHER = auto()


class CsvReader:
    """Reads the rows of one file. Iterate over it once; ``columns`` is known from the first row on.

    ``columns`` are the header's names in lower case, None where the run maps fields by position. Raises InputError,
    and nothing else, for whatever stands in the file; the rows before the error have been delivered.
    ``hidden_line_end`` is the line and byte of the first row that holds a terminator within quotes or behind an
    escape: with strict-format Lightning would cut a large file there.
    """

    def __init__(
        self, blocks: Iterable[bytes], rules: CsvRules, file: str = "", row_bytes_most: int = ROW_BYTES_MOST
    ) -> None:
        self.columns: tuple[str, ...] | None = None
        self.hidden_line_end: tuple[int, int] | None = None
        self._rules = rules
        self._cursor = Cursor(blocks, file, row_bytes_most)
        self._separator = rules.encoded(rules.separator)
        self._quote = rules.encoded(rules.delimiter)
        self._line_end = rules.encoded(rules.terminator)
        self._escape = rules.escaped_by.encode()
        self._unquoted_stop = _one_of(self._separator[:1], self._line_starts, self._quote[:1], self._escape)
        self._quoted_stop = _one_of(self._quote[:1], self._escape)
        self._empty_lines = re.compile(b"(?:" + (re.escape(self._line_end) or b"[\r\n]") + b")++")
        self._inside_quotes = quoted_run(self._quote, self._escape)
        self._line_stop = _one_of(self._line_starts, self._quote[:1], self._escape)
        self._is_plain_dialect = self._line_stop.search(self._separator) is None
        self._quoted_row = quoted_row(self._separator, self._quote, self._escape, self._line_end)
        self._decode = field_decoder(rules)
        self._is_header_read = False
        self._row_at = 0

    @property
    def _line_starts(self) -> bytes:
        return self._line_end[:1] or b"\r\n"

    def __iter__(self) -> Iterator[Row]:
        self.read_header()
        number = 0
        while (record := self._record()) is not None:
            number += 1
            offset, line = self._cursor.offset_of(self._row_at), self._cursor.line_of(self._row_at)
            if self._rules.trim_last_separator and not record[-1]:
                record.pop()
            yield Row(offset, line, number, self._decoded(record))

    def read_header(self) -> tuple[str, ...] | None:
        """Read the header if the dialect has one and it is still unread; return the names to map by."""
        if self._rules.header and not self._is_header_read:
            self._is_header_read = True
            record = self._record()
            if record is not None and self._rules.header_schema_match:
                self.columns = tuple(self._column_name(field) for field in record)
        return self.columns

    def _column_name(self, field: bytes) -> str:
        (decoded,) = self._decoded([field])
        text = decoded if isinstance(decoded, bytes) else field
        return go_lower(text.decode("utf-8", "replace"))

    def _decoded(self, record: list[bytes]) -> list[Field]:
        try:
            return [self._decode(field) for field in record]
        except ValueError as error:
            raise self._cursor.error("charset", str(error), self._row_at) from error

    def _record(self) -> list[bytes] | None:
        """Read the raw fields of the next row; None at the end of the file."""
        self._skip_line()
        while self._cursor.need(1) and (empty := self._empty_lines.match(self._cursor.data, self._cursor.at)):
            self._cursor.at = empty.end()
            self._skip_line()
        record = self._plain_record() if self._is_plain_dialect else None
        if record is None:
            record = self._any_record()
        self._note_hidden_line_end()
        return record

    def _note_hidden_line_end(self) -> None:
        cursor, line_end = self._cursor, self._line_end
        if self._rules.strict_format and self.hidden_line_end is None:
            end = cursor.at - len(line_end)
            if line_end in cursor.data[self._row_at : end]:
                self.hidden_line_end = cursor.line_of(self._row_at), cursor.offset_of(self._row_at)

    def _plain_record(self) -> list[bytes] | None:
        """Read a row without quotes and escapes at one stroke; None with nothing taken where it is not that simple."""
        cursor = self._cursor
        content = cursor.run(self._line_stop)
        if content is None or not self._takes_line_end():
            cursor.at = self._row_at
            return self._quoted_record() if content is not None else None
        if not content:
            cursor.at = self._row_at
            return None
        if content.count(self._separator) >= FIELDS_MOST:
            raise self._too_many_fields()
        fields = content.split(self._separator)
        if len(fields) == 1 and _BLANKS.fullmatch(content):
            cursor.at = self._row_at
            return None
        return fields

    def _quoted_record(self) -> list[bytes] | None:
        """Read a row with quotes and without escapes at one stroke, if all of it is loaded; else take nothing."""
        found = self._quoted_row.row.match(self._cursor.data, self._row_at) if self._quoted_row else None
        if found is None or self._quoted_row is None:
            return None
        content = found[0][: -(len(self._line_end) or 1)]
        fields: list[bytes] = self._quoted_row.field.findall(content + self._separator)
        if len(fields) > FIELDS_MOST:
            raise self._too_many_fields()
        self._cursor.at = found.end()
        quote = self._quote
        return [field[1:-1].replace(quote + quote, quote) if field[:1] == quote else field for field in fields]

    def _any_record(self) -> list[bytes] | None:
        cursor, fields, text = self._cursor, list[bytes](), bytearray()
        previous, is_empty, is_blank = _Token.LINE_END, True, True
        while True:
            content = cursor.run(self._unquoted_stop)
            is_at_end = content is None
            content = cursor.rest() if content is None else content
            if content:
                self._refuse_after_quote(previous, content)
                text += content
                previous, is_empty = _Token.OTHER, False
            if is_at_end and is_empty:
                return None
            token, taken = (_Token.LINE_END, b"") if is_at_end else self._unquoted_token()
            if token is _Token.LINE_END:
                if is_empty or (not is_at_end and is_blank and _BLANKS.fullmatch(text)):
                    # A line of white space is skipped, but the end of the file right behind it makes a row of it.
                    text.clear()
                    previous = token
                    self._skip_line()
                    continue
                fields.append(bytes(text))
                return fields
            if token is _Token.SEPARATOR:
                self._add_field(fields, text)
            elif token is _Token.QUOTE:
                self._read_quoted(text, previous)
            else:
                self._refuse_after_quote(previous, taken)
                text += taken
            is_blank = is_blank and token is _Token.OTHER
            previous, is_empty = token, False

    def _skip_line(self) -> None:
        self._cursor.begin()
        self._row_at = self._cursor.at

    def _add_field(self, fields: list[bytes], text: bytearray) -> None:
        if len(fields) >= FIELDS_MOST:
            raise self._too_many_fields()
        fields.append(bytes(text))
        text.clear()

    def _too_many_fields(self) -> InputError:
        return self._cursor.error("too-many-fields", f"a row of more than {FIELDS_MOST} fields", self._row_at)

    def _takes_line_end(self) -> bool:
        cursor = self._cursor
        if self._line_end:
            found = cursor.starts_with(self._line_end)
            cursor.at += len(self._line_end) if found else 0
            return found
        found = cursor.need(1) and cursor.data[cursor.at] in b"\r\n"
        cursor.at += 1 if found else 0
        return found

    def _takes(self, token: bytes) -> bool:
        found = bool(token) and self._cursor.starts_with(token)
        self._cursor.at += len(token) if found else 0
        return found

    def _unquoted_token(self) -> tuple[_Token, bytes]:
        # The order decides: a line end that begins with the separator wins.
        if self._takes_line_end():
            return _Token.LINE_END, b""
        if self._takes(self._separator):
            return _Token.SEPARATOR, b""
        if self._takes(self._quote):
            return _Token.QUOTE, b""
        return _Token.OTHER, self._byte_or_escape()

    def _byte_or_escape(self) -> bytes:
        cursor = self._cursor
        length = 2 if self._escape and cursor.data[cursor.at : cursor.at + 1] == self._escape else 1
        if not cursor.need(length):
            raise cursor.error("dangling-escape", "syntax error: no character after backslash")
        cursor.at += length
        return cursor.data[cursor.at - length : cursor.at]

    def _refuse_after_quote(self, previous: _Token, taken: bytes) -> None:
        if previous is _Token.QUOTE:
            raise self._misplaced_quote(taken)

    def _misplaced_quote(self, taken: bytes) -> InputError:
        reason = "syntax error: cannot have consecutive fields without separator"
        return self._cursor.error("misplaced-quote", reason, self._cursor.at - len(taken))

    def _quoted_content(self) -> bytes | None:
        """Take what lies before the next sign that needs a closer look; None where the file ends before it."""
        cursor, content = self._cursor, b""
        found = self._inside_quotes.run.match(cursor.data, cursor.at) if self._inside_quotes else None
        if found is not None and self._inside_quotes is not None:
            cursor.at = found.end()
            content = self._inside_quotes.halve(found[0])
        rest = cursor.run(self._quoted_stop)
        return None if rest is None else content + rest

    def _read_quoted(self, text: bytearray, previous: _Token) -> None:
        """Read on from behind an opening quote to behind the closing one."""
        cursor = self._cursor
        if previous not in (_Token.SEPARATOR, _Token.LINE_END):
            raise self._misplaced_quote(self._quote)
        opened_at = cursor.at - len(self._quote)
        while (content := self._quoted_content()) is not None:
            text += content
            if not self._takes(self._quote):
                text += self._byte_or_escape()
            elif self._takes(self._quote):
                text += self._quote
            else:
                return
        raise cursor.error("unterminated-quote", "syntax error: unterminated quoted field", opened_at)


def _one_of(*signs: bytes) -> re.Pattern[bytes]:
    letters = b"".join(signs)
    return re.compile(b"[" + re.escape(letters) + b"]") if letters else re.compile(rb"(?!)")
