"""CREATE TABLE as far as a rehearsal needs it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.rehearsal.schema import Key, SchemaError, read_create_table

KEYS = {
    "id int PRIMARY KEY": [Key("PRIMARY", ("id",), True, True)],
    "id int, PRIMARY KEY (id) /*T![clustered_index] CLUSTERED */": [Key("PRIMARY", ("id",), True, True)],
    "a int, b int, KEY k (b), PRIMARY KEY (a, b)": [
        Key("PRIMARY", ("a", "b"), True, True),
        Key("k", ("b",), False),
    ],
    "a int UNIQUE KEY": [Key("a", ("a",), True)],
    "a int, UNIQUE KEY `u``x` (`a`)": [Key("u`x", ("a",), True)],
    "a int, UNIQUE (a), UNIQUE INDEX (a)": [Key("a", ("a",), True), Key("a_2", ("a",), True)],
    "a text, b int, INDEX i (a(10) DESC, b) USING BTREE COMMENT 'x, (y'": [Key("i", ("a", "b"), False)],
    "a int, CONSTRAINT u UNIQUE (a)": [Key("u", ("a",), True)],
    "a int, CONSTRAINT f FOREIGN KEY (a) REFERENCES t (x)": [],
    "a varchar(9) DEFAULT 'PRIMARY KEY', b enum('x,y', 'UNIQUE')": [],
    "a int -- , UNIQUE (a)\n": [],
}


@pytest.mark.parametrize("body", KEYS)
def test_keys(body: str) -> None:
    assert list(read_create_table(f"CREATE TABLE `t` ({body}) ENGINE=InnoDB;").keys) == KEYS[body]


@pytest.mark.parametrize(
    ("type_name", "kind"),
    [("bigint(20) unsigned", "integer"), ("DECIMAL(10,2)", "number"), ("varchar(9)", "text"), ("datetime", "text")],
)
def test_kinds_of_columns(type_name: str, kind: str) -> None:
    assert read_create_table(f"CREATE TABLE t (c {type_name} NOT NULL)").columns[0].kind == kind


@pytest.mark.parametrize("sql", ["", "CREATE DATABASE d", "CREATE TABLE t", "CREATE TABLE t (", "CREATE TABLE t (,)"])
def test_what_cannot_be_read_is_said(sql: str) -> None:
    with pytest.raises(SchemaError):
        read_create_table(sql)


@given(st.text(alphabet="aCREATE TABLE(),`'\"\\\n-/*KEYUNIQ0 ", max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        read_create_table("CREATE TABLE t (" + text)
    except SchemaError:
        return
