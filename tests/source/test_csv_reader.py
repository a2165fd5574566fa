"""CSV as Lightning's own parser reads it: each line of these tables was run through that parser."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.source.csv_reader import CsvReader
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.findings import InputError
from safe_lightning.source.rows import Field, Row

BARE = {"header": False}


def rows(data: bytes, **options: object) -> list[list[Field]]:
    return [row.fields for row in CsvReader([data], CsvRules(**(BARE | options)))]  # type: ignore[arg-type]


QUOTES: list[tuple[bytes, dict[str, object], list[bytes]]] = [
    (b'"a""b","c,d","e\nf"', {}, [b'a"b', b"c,d", b"e\nf"]),
    (b'"a\\"b",c', {}, [b'a"b', b"c"]),
    (b'"a\\\\",c', {}, [b"a\\", b"c"]),
    (b'a"b,c"', {"delimiter": ""}, [b'a"b', b'c"']),
    (b"'it''s',x", {"delimiter": "'"}, [b"it's", b"x"]),
    (b"a||||b", {"separator": "||"}, [b"a", b"", b"b"]),
    (b"a|||b", {"separator": "||"}, [b"a", b"|b"]),
    (b"a|b|+|c", {"separator": "|+|"}, [b"a|b", b"c"]),
    (b"##a##,##b####c##", {"delimiter": "##"}, [b"a", b"b##c"]),
    (b"a ,  b", {}, [b"a ", b"  b"]),
]


@pytest.mark.parametrize(("data", "options", "expected"), QUOTES)
def test_one_row(data: bytes, options: dict[str, object], expected: list[bytes]) -> None:
    assert rows(data, **options) == [expected]


LINES: list[tuple[bytes, dict[str, object], list[list[bytes]]]] = [
    (b"1,2\r\n3,4\r5,6\n\n\n7,8", {}, [[b"1", b"2"], [b"3", b"4"], [b"5", b"6"], [b"7", b"8"]]),
    (b"1,2\r\n", {"terminator": "\n"}, [[b"1", b"2\r"]]),
    (b"1,2\n3,4\r\n", {"terminator": "\r\n"}, [[b"1", b"2\n3", b"4"]]),
    (b"1,2,\n3,4,\n", {"terminator": ",\n"}, [[b"1", b"2"], [b"3", b"4"]]),
    (b"1,2|+|\n3,4|+|\n", {"terminator": "|+|\n"}, [[b"1", b"2"], [b"3", b"4"]]),
    (b"1,2\n   ", {}, [[b"1", b"2"], [b"   "]]),
    (b"1,2\n   \n", {}, [[b"1", b"2"], [b""]]),
    (b"1,2\n \xe3\x80\x80\xc2\xa0\n3,4\n", {}, [[b"1", b"2"], [b"3", b"4"]]),
    (b"1,2\n \xa0\n3,4\n", {}, [[b"1", b"2"], [b" \xa0"], [b"3", b"4"]]),
    (b",\n", {}, [[b"", b""]]),
    (b'""\n', {}, [[b""]]),
    (b"", {}, []),
    (b"\n\n\n", {}, []),
    (b"a\\\nb", {}, [[b"a\nb"]]),
    (b"a\\\r\nb,c", {}, [[b"a\r"], [b"b", b"c"]]),
    (b"\xef\xbb\xbf1,2\n", {}, [[b"1", b"2"]]),
    (b"1,2,\n3,4,\n5,,\n", {"trim_last_separator": True}, [[b"1", b"2"], [b"3", b"4"], [b"5", b""]]),
    (b'1,""\n', {"trim_last_separator": True}, [[b"1"]]),
]


@pytest.mark.parametrize(("data", "options", "expected"), LINES)
def test_lines(data: bytes, options: dict[str, object], expected: list[list[bytes]]) -> None:
    assert rows(data, **options) == expected


ESCAPES: list[tuple[bytes, bytes]] = [
    (b"\\0", b"\0"),
    (b"\\b\\n\\r\\t\\Z", b"\b\n\r\t\x1a"),
    (b"\\%\\_\\x41\\'", b"%_x41'"),
    ("\\é".encode(), "é".encode()),
    (b"a\\,b", b"a,b"),
    (b'"\\n"', b"\n"),
]


@pytest.mark.parametrize(("data", "expected"), ESCAPES)
def test_escapes(data: bytes, expected: bytes) -> None:
    assert rows(data) == [[expected]]


NULLS: list[tuple[dict[str, object], bytes, list[bytes | None]]] = [
    ({}, rb'\N,"\N",\\N,N,NULL,"NULL",', [None, None, b"\\N", b"N", b"NULL", b"NULL", b""]),
    ({"null": ("NULL",)}, rb'NULL,"NULL",\N,,""', [None, None, b"N", b"", b""]),
    ({"null": ("NULL", "")}, rb'NULL,"NULL",\N,,""', [None, None, b"N", None, None]),
    ({"null": ("NULL", "\\N")}, rb'NULL,\N,,""', [None, None, b"", b""]),
    ({"null": ("NULL",)}, rb"NU\LL", [None]),
    ({"not_null": True}, rb'\N,,""', [b"N", b"", b""]),
    ({"escaped_by": ""}, rb'\N,,""', [None, b"", b""]),
    ({"null": ("",)}, b',""', [None, None]),
    ({"null": ("",)}, rb'\N,"\N",x', [b"N", b"N", b"x"]),
    ({"null": ("!N",), "escaped_by": "!"}, b"!N,a!nb,\\N", [None, b"a\nb", b"\\N"]),
    ({"null": ("\\N",), "escaped_by": "!"}, b"!N,\\N", [b"N", None]),
]


@pytest.mark.parametrize(("options", "data", "expected"), NULLS)
def test_null(options: dict[str, object], data: bytes, expected: list[bytes | None]) -> None:
    assert rows(data, **options) == [expected]


CHARSETS: list[tuple[str, dict[str, object], bytes, list[str | bytes]]] = [
    ("gbk", {}, b"\xd6\xd0,a", ["中", "a"]),
    ("gbk", {}, b"\x81\x5c,a", ["乗,a"]),
    ("gbk", {"escaped_by": ""}, b"\x81\x5c,a", ["乗", "a"]),
    ("gbk", {"separator": "|"}, b"\x81\x7c\x7ca", ["\ufffd", "", "a"]),
    ("gbk", {}, b"\xff,a", ["\ufffd", "a"]),
    ("latin1", {}, b"\xff,\x80", ["ÿ", "€"]),
    ("latin1", {"invalid_char_replacement": "?"}, b"\x81,a", ["?", "a"]),
    ("utf8mb4", {}, b"\xff,a", [b"\xff", "a"]),
    ("binary", {}, b"\xff,a", [b"\xff", "a"]),
    ("gb18030", {}, b"\x81\x30\x81\x30,a", ["\x80", "a"]),
]


@pytest.mark.parametrize(("charset", "options", "data", "expected"), CHARSETS)
def test_fields_are_split_before_they_are_decoded(
    charset: str, options: dict[str, object], data: bytes, expected: list[str | bytes]
) -> None:
    texts = [text if isinstance(text, bytes) else text.encode() for text in expected]
    assert rows(data, charset=charset, **options) == [texts]


ERRORS: list[tuple[bytes, dict[str, object], str, int, int]] = [
    (b'x\n"a"b,c', {}, "misplaced-quote", 2, 5),
    (b'a"b,c', {}, "misplaced-quote", 1, 1),
    (b' "a",b', {}, "misplaced-quote", 1, 1),
    (b'"a" ,b', {}, "misplaced-quote", 1, 3),
    (b'"a"\\n,b', {}, "misplaced-quote", 1, 3),
    (b'a\nb,"c\nd', {}, "unterminated-quote", 2, 4),
    (b"a,b\\", {}, "dangling-escape", 1, 3),
    (b'"a\\', {}, "dangling-escape", 1, 2),
    (b"\xa8\xbc,a", {"charset": "gb18030"}, "charset", 1, 0),
    (b"\n\xa8\xbc,a", {"charset": "gb18030", "header": True}, "charset", 2, 1),
]


@pytest.mark.parametrize(("data", "options", "code", "line", "offset"), ERRORS)
def test_input_errors_name_line_and_byte(
    data: bytes, options: dict[str, object], code: str, line: int, offset: int
) -> None:
    with pytest.raises(InputError) as caught:
        rows(data, **options)
    assert (caught.value.code, caught.value.line, caught.value.offset) == (code, line, offset)


def test_rows_before_an_error_are_delivered() -> None:
    reader = iter(CsvReader([b'1\n2\n"x'], CsvRules(header=False)))
    assert [next(reader).fields, next(reader).fields] == [[b"1"], [b"2"]]
    with pytest.raises(InputError):
        next(reader)


def test_a_row_knows_where_it_starts() -> None:
    data = b'\xef\xbb\xbfid,t\n1,"a\nb"\n\n  \n2,c\r\n3,d'
    found = [(row.number, row.line, row.offset) for row in CsvReader([data], CsvRules())]
    assert found == [(1, 2, 8), (2, 6, 20), (3, 7, 25)]
    assert [data[offset : offset + 1] for _number, _line, offset in found] == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (b"ID,Name\n", ("id", "name")),
        (b'"A""b",\\n\n', ('a"b', "\n")),
        (b"\xef\xbb\xbfid,b \n", ("id", "b ")),
        ("Σ,É\n".encode(), ("σ", "é")),
        (b"id,\n", ("id", "")),
    ],
)
def test_header(header: bytes, columns: tuple[str, ...]) -> None:
    reader = CsvReader([header, b"1,2\n"], CsvRules())
    assert [row.fields for row in reader] == [[b"1", b"2"]]
    assert reader.columns == columns


def test_a_header_that_is_not_matched_is_read_and_forgotten() -> None:
    reader = CsvReader([b"x,y\n1,2\n"], CsvRules(header_schema_match=False))
    assert [row.fields for row in reader] == [[b"1", b"2"]]
    assert reader.columns is None


@pytest.mark.parametrize("data", [b"", b"id,name", b"id,name\n"])
def test_a_file_without_rows(data: bytes) -> None:
    assert list(CsvReader([data], CsvRules())) == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'1,a\n2,"b\nc"\n3,"d\n"\n', (2, 4)),
        (b"1,a\n2,b\\\nc\n", (2, 4)),
        (b'1,a\n2,"b"\n', None),
    ],
)
def test_with_strict_format_a_hidden_terminator_is_noted(data: bytes, expected: tuple[int, int] | None) -> None:
    reader = CsvReader([data], CsvRules(header=False, terminator="\n", strict_format=True))
    list(reader)
    assert reader.hidden_line_end == expected


def test_an_empty_block_is_not_the_end() -> None:
    assert [row.fields for row in CsvReader([b"", b"1,", b"", b"2\n"], CsvRules(header=False))] == [[b"1", b"2"]]


def endless(piece: bytes, bytes_most: int) -> Iterable[bytes]:
    """Deliver more than any reader should take; fail the test where it is all taken."""
    for _ in range(bytes_most // len(piece)):
        yield piece
    raise AssertionError("the reader did not stop")


@pytest.mark.parametrize("start", [b'1,"', b"1,", b"1,\\a"])
def test_a_field_without_end_is_refused_within_bounded_memory(start: bytes) -> None:
    def blocks() -> Iterable[bytes]:
        yield start
        yield from endless(b"x" * 65536, 16 << 20)

    with pytest.raises(InputError, match="a row of more than 1048576 bytes"):
        list(CsvReader(blocks(), CsvRules(header=False), "t.csv", 1 << 20))


@pytest.mark.parametrize("delimiter", ['"', ","])
def test_a_header_of_a_billion_columns_is_refused(delimiter: str) -> None:
    rules = CsvRules(separator=",") if delimiter == '"' else CsvRules(separator=",,", delimiter='"')
    reader = CsvReader(endless(rules.separator.encode() * 65536, 512 << 20), rules, "t.csv", 1 << 20)
    with pytest.raises(InputError, match=r"a row of more than"):
        list(reader)


def test_more_fields_than_any_table_has_columns_are_refused() -> None:
    with pytest.raises(InputError, match="more than 65536 fields"):
        rows(b"," * 65_536 + b"\n")


def test_4000_columns_are_read() -> None:
    (row,) = rows(b",".join(b"%d" % n for n in range(4000)) + b"\n")
    assert len(row) == 4000
    assert row[3999] == b"3999"


SIGNS = [b"a", b",", b'"', b"\\", b"\n", b"\r", b" ", b"N", b"|", b"\xef\xbb\xbf", b"\xe3\x80\x80", b"\x81", b"\0"]
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=40).map(b"".join)
DIALECTS = st.sampled_from(
    [
        CsvRules(),
        CsvRules(header=False),
        CsvRules(header=False, escaped_by=""),
        CsvRules(header=False, terminator="\n", null=("", "N")),
        CsvRules(header=False, separator="|", delimiter="", terminator="\r\n"),
        CsvRules(header=False, separator="||", delimiter='""', terminator=",\n", trim_last_separator=True),
        CsvRules(header=False, separator="aN", terminator="aa"),
        CsvRules(header=False, separator="\n", terminator="\r"),
        CsvRules(header=False, separator="\n"),
        CsvRules(header=False, delimiter="N", escaped_by="a", terminator=" \n"),
        CsvRules(header=False, charset="gbk"),
        CsvRules(header=False, charset="gb18030", escaped_by="|"),
        CsvRules(header=False, charset="latin1"),
    ]
)


def read_all(blocks: Iterable[bytes], rules: CsvRules) -> tuple[list[Row], tuple[str, int | None, int | None] | None]:
    found: list[Row] = []
    try:
        found += iter(CsvReader(blocks, rules))
    except InputError as error:
        return found, (error.code, error.line, error.offset)
    return found, None


@settings(max_examples=400, deadline=None)
@given(data=TEXTS | st.binary(max_size=60), rules=DIALECTS, cuts=st.lists(st.integers(0, 60), max_size=6))
def test_how_the_bytes_arrive_makes_no_difference(data: bytes, rules: CsvRules, cuts: list[int]) -> None:
    borders = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    pieces = [data[a:b] for a, b in pairwise(borders) if a < b]
    assert read_all(pieces, rules) == read_all([data] if data else [], rules)


@settings(max_examples=300, deadline=None)
@given(data=TEXTS | st.binary(max_size=60), rules=DIALECTS)
def test_the_shortcuts_for_plain_rows_read_what_the_long_way_reads(data: bytes, rules: CsvRules) -> None:
    def slowly() -> tuple[list[Row], object]:
        reader = CsvReader([data], rules)
        reader._is_plain_dialect, reader._quoted_row, reader._inside_quotes = False, None, None
        found: list[Row] = []
        try:
            found += iter(reader)
        except InputError as error:
            return found, (error.code, error.line, error.offset)
        return found, None

    assert read_all([data], rules) == slowly()


@settings(max_examples=200, deadline=None)
@given(
    table=st.lists(
        st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=6), min_size=2, max_size=3),
        max_size=5,
    )
)
def test_what_is_written_is_read(table: list[list[str | None]]) -> None:
    def written(field: str | None) -> str:
        if field is None:
            return "\\N"
        return '"' + field.replace("\\", "\\\\").replace('"', '""') + '"'

    data = "".join(",".join(map(written, row)) + "\n" for row in table).encode()
    assert rows(data) == [[None if f is None else f.encode() for f in row] for row in table]
