"""SQL dumps as Lightning's own parser reads them: each line of these tables was run through that parser."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.source.findings import InputError
from safe_lightning.source.rows import BinaryLiteral, Field, Row
from safe_lightning.source.sql_reader import SqlReader

DUMPLING = b"""/*!40014 SET FOREIGN_KEY_CHECKS=0*/;
/*!40101 SET NAMES binary*/;
INSERT INTO `t` VALUES
(1,'a\\'b',NULL,x'00ff'),
(2,'c',3.50,x'');
INSERT INTO `t` VALUES
(3,'d',1e10,x'01');
"""
MYSQLDUMP = b"""-- MySQL dump 10.13
SET NAMES utf8mb4;
/*!40000 ALTER TABLE `t` DISABLE KEYS */;
INSERT INTO `t` (`Id`, `na``me`) VALUES (1,'x'),(2,_binary 'y');
/*!40000 ALTER TABLE `t` ENABLE KEYS */;
"""


def rows(data: bytes, has_escapes: bool = True) -> list[list[Field]]:
    return [row.fields for row in SqlReader([data], has_escapes=has_escapes)]


def test_a_dump_of_dumpling() -> None:
    reader = SqlReader([DUMPLING])
    found = list(reader)
    assert [row.fields for row in found] == [
        [1, b"a'b", None, BinaryLiteral(b"\x00\xff")],
        [2, b"c", b"3.50", BinaryLiteral(b"")],
        [3, b"d", b"1e10", BinaryLiteral(b"\x01")],
    ]
    assert [(row.number, row.line) for row in found] == [(1, 4), (2, 5), (3, 7)]
    assert [DUMPLING[row.offset : row.offset + 2] for row in found] == [b"(1", b"(2", b"(3"]
    assert reader.columns is None


def test_a_dump_of_mysqldump_shifts_where_a_charset_stands_before_a_text() -> None:
    reader = SqlReader([MYSQLDUMP])
    assert [(row.fields, reader.columns) for row in reader] == [
        ([1, b"x"], ("id", "na`me")),
        ([2, b"_binary", b"y"], ("id", "na`me")),
    ]


VALUES: list[tuple[bytes, Field]] = [
    (b"7", 7),
    (b"00123", 123),
    (b"-0", 0),
    (b"-007", -7),
    (b"18446744073709551615", 18446744073709551615),
    (b"18446744073709551616", b"18446744073709551616"),
    (b"-9223372036854775808", -9223372036854775808),
    (b"-9223372036854775809", b"-9223372036854775809"),
    (b"0" * 5000 + b"1", 1),
    (b"1.50", b"1.50"),
    (b"1e3", b"1e3"),
    (b"+1", b"+1"),
    (b"1--2", b"1--2"),
    (b"12abc", b"12abc"),
    (b"0X1F", b"0X1F"),
    (b"0x", b"0x"),
    (b"0b2", b"0b2"),
    (b"DEFAULT", b"DEFAULT"),
    (b"\\N", b"\\N"),
    (b"0x1F", BinaryLiteral(b"\x1f")),
    (b"0x1f5", BinaryLiteral(b"\x01\xf5")),
    (b"x'1f'", BinaryLiteral(b"\x1f")),
    (b"X'1F'", BinaryLiteral(b"\x1f")),
    (b"b'101'", BinaryLiteral(b"\x05")),
    (b"0b101", BinaryLiteral(b"\x05")),
    (b"B'000000001'", BinaryLiteral(b"\x00\x01")),
    (b"b''", BinaryLiteral(b"")),
    (b"TRUE", 1),
    (b"False", 0),
    (b"nUll", None),
    (b"'a''b'", b"a'b"),
    (b'"a""b\'"', b"a\"b'"),
    (b"'\\N\\%\\n'", b"N%\n"),
    (b"'a\nb'", b"a\nb"),
    (b"convert('{}' using utf8mb4)", b"{}"),
    (b"CONVERT(0x41 USING UTF8MB4)", BinaryLiteral(b"A")),
    (b"/* x */ 1 -- y\n", 1),
]


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_values(text: bytes, expected: Field) -> None:
    assert rows(b"(" + text + b")") == [[expected]]


STATEMENTS: list[tuple[bytes, list[list[Field]]]] = [
    (b"INSERT INTO t VALUES(1),(2);", [[1], [2]]),
    (b"REPLACE INTO db.t VALUES (1)", [[1]]),
    (b"INSERT IGNORE INTO `db`.`t` VALUES (1);", [[1]]),
    (b"insert into values values (1)", [[1]]),
    (b"(1,2),(3,4)", [[1, 2], [3, 4]]),
    (b"INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a=VALUES(a);", [[1]]),
    (b"LOCK TABLES t WRITE;\nINSERT INTO t VALUES (1);", [[1]]),
    (b"CREATE TABLE t (id int primary key); INSERT INTO t VALUES (1)", [[1]]),
    (b"()", [[]]),
    (b"(1,,2,)", [[1, 2]]),
    (b"(_utf8mb4'a', DATE '2020-01-01')", [[b"_utf8mb4", b"a", b"DATE", b"2020-01-01"]]),
    (b"\xef\xbb\xbf(1)", [[1]]),
    (b"", []),
    (b"-- only a comment", []),
]


@pytest.mark.parametrize(("data", "expected"), STATEMENTS)
def test_statements(data: bytes, expected: list[list[Field]]) -> None:
    assert rows(data) == expected


REFUSED: list[tuple[bytes, str, int]] = [
    (b"SET x = 0;", "sql-syntax", 0),
    (b"# comment 5", "sql-syntax", 0),
    (b"CREATE TABLE t (id varchar(20));", "sql-syntax", 0),
    (b"(1);COMMIT;", "premature-end", 1),
    (b"(1);\0", "premature-end", 1),
    (b"(1))", "sql-syntax", 1),
    (b"(now())", "sql-syntax", 0),
    (b"(`a`)", "sql-syntax", 0),
    (b"(a/b)", "sql-syntax", 0),
    (b"INSERT INTO t SELECT 1", "sql-syntax", 0),
    (b"INSERT INTO t SET a=1", "premature-end", 0),
    (b"(x'123')", "bad-literal", 0),
    (b"(1),('a", "unterminated-quote", 1),
    (b"('a\\')", "unterminated-quote", 0),
    (b"(1", "premature-end", 0),
    (b"/* x", "unterminated-comment", 0),
    (b"(1) *", "sql-syntax", 1),
]


@pytest.mark.parametrize(("data", "code", "rows_before"), REFUSED)
def test_refusals(data: bytes, code: str, rows_before: int) -> None:
    found: list[Row] = []
    with pytest.raises(InputError) as caught:
        found += iter(SqlReader([data], "t.sql"))
    assert (caught.value.code, len(found), caught.value.file) == (code, rows_before, "t.sql")


def test_without_backslash_escapes_a_text_ends_at_its_quote() -> None:
    assert rows(b"('b\\')", has_escapes=False) == [[b"b\\"]]


def test_column_lists_belong_to_their_statement() -> None:
    reader = SqlReader([b"INSERT INTO t (a,B) VALUES (1,2); INSERT INTO t VALUES (3,4);"])
    assert [(row.fields, reader.columns) for row in reader] == [([1, 2], ("a", "b")), ([3, 4], None)]


def test_a_row_without_end_is_refused_within_bounded_memory() -> None:
    def blocks() -> Iterable[bytes]:
        yield b"INSERT INTO t VALUES ('"
        for _ in range(256):
            yield b"x" * 65536
        raise AssertionError("the reader did not stop")

    with pytest.raises(InputError, match="a row of more than 1048576 bytes"):
        list(SqlReader(blocks(), row_bytes_most=1 << 20))


def test_a_row_of_a_million_values_is_refused() -> None:
    with pytest.raises(InputError, match="more than 65536 values"):
        rows(b"(" + b"1," * 1_000_000 + b"1)")


SIGNS = [b"(", b")", b",", b"'", b'"', b"`", b"\\", b" ", b"\n", b"1", b"-", b"--", b"/*", b"*/", b"x'", b"0x", b"b'"]
SIGNS += [b"values", b"NULL", b"convert(", b"using utf8mb4)", b";", b"a", b"\xff", b"\0"]
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=30).map(b"".join) | st.binary(max_size=50)


def read_all(blocks: Iterable[bytes]) -> tuple[list[Row], tuple[str, int | None, int | None] | None]:
    found: list[Row] = []
    try:
        found += iter(SqlReader(blocks))
    except InputError as error:
        return found, (error.code, error.line, error.offset)
    return found, None


@settings(max_examples=500, deadline=None)
@given(data=TEXTS, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_how_the_bytes_arrive_makes_no_difference(data: bytes, cuts: list[int]) -> None:
    borders = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[a:b] for a, b in pairwise(borders) if a < b]
    assert read_all(pieces) == read_all([data] if data else [])


@settings(max_examples=500, deadline=None)
@given(data=TEXTS)
def test_the_shortcut_for_plain_rows_reads_what_the_long_way_reads(data: bytes) -> None:
    reader = SqlReader([b"(" + data])
    reader._plain_row = replace(reader._plain_row, row=re.compile(rb"(?!)"))
    found: list[Row] = []
    error: tuple[str, int | None, int | None] | None = None
    try:
        found += iter(reader)
    except InputError as caught:
        error = caught.code, caught.line, caught.offset
    assert read_all([b"(" + data]) == (found, error)


@settings(max_examples=200, deadline=None)
@given(table=st.lists(st.lists(st.none() | st.integers(-(1 << 63), (1 << 64) - 1) | st.binary(max_size=8)), max_size=4))
def test_what_is_written_is_read(table: list[list[int | bytes | None]]) -> None:
    def written(value: int | bytes | None) -> bytes:
        if isinstance(value, bytes):
            return b"'" + value.replace(b"\\", b"\\\\").replace(b"'", b"\\'").replace(b"\0", b"\\0") + b"'"
        return b"NULL" if value is None else str(value).encode()

    lines = [b"(" + b",".join(map(written, row)) + b")" for row in table]
    assert rows(b"INSERT INTO t VALUES\n" + b",\n".join(lines) + b";\n" if table else b"") == table
