"""INSERT statements of a dump."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.rehearsal.insert_dump import InsertError, read_inserts

STATEMENTS: dict[str, list[tuple[tuple[str, ...] | None, tuple[str | None, ...]]]] = {
    "INSERT INTO t VALUES (1,'a'),(2,NULL);": [(None, ("1", "a")), (None, ("2", None))],
    "INSERT INTO `t` (`a``b`) VALUES ('x');": [(("a`b",), ("x",))],
    r"INSERT INTO t VALUES ('it\'s', 'it''s', '\\N', 'a\nb');": [(None, ("it's", "it's", "\\N", "a\nb"))],
    "INSERT INTO t VALUES (-1.5, 0xFF, 'NULL');": [(None, ("-1.5", "0xFF", "NULL"))],
    "/*!40101 SET NAMES binary*/;\nINSERT INTO t VALUES\n(1);\nINSERT INTO t VALUES (2);": [
        (None, ("1",)),
        (None, ("2",)),
    ],
    "-- INSERT INTO t VALUES (1);\n": [],
    "INSERT INTO t VALUES ('a;b),(c');": [(None, ("a;b),(c",))],
}


@pytest.mark.parametrize("sql", STATEMENTS)
def test_rows_of_a_statement(sql: str) -> None:
    assert list(read_inserts(sql)) == STATEMENTS[sql]


@pytest.mark.parametrize("sql", ["INSERT INTO t VALUES (1", "INSERT INTO t VALUES ('a"])
def test_a_cut_statement_is_said(sql: str) -> None:
    with pytest.raises(InsertError):
        list(read_inserts(sql))


@given(st.text(max_size=60))
def test_any_quoted_text_comes_back(text: str) -> None:
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    assert list(read_inserts(f"INSERT INTO t VALUES ('{quoted}');")) == [(None, (text,))]


@given(st.text(alphabet="INSERTVALUES (),;'\"`\\-/*\n1a", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        list(read_inserts(text))
    except InsertError:
        return
