"""DDL beyond the recorded definitions: what defaults say, what ALTER TABLE does, and what is never guessed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.core.columns import ColumnType
from safe_lightning.source.schema import Schema
from safe_lightning.source.schema_model import Default, DefaultKind, KeyPart, TableDefinition
from safe_lightning.source.schema_tokens import SchemaError

NONE, LITERAL, NOW, EXPRESSION = DefaultKind.NONE, DefaultKind.LITERAL, DefaultKind.NOW, DefaultKind.EXPRESSION


def table(*statements: str, sql_mode: frozenset[str] = frozenset()) -> TableDefinition:
    schema = Schema(sql_mode=sql_mode)
    for statement in statements:
        schema.apply(statement)
    (found,) = schema.tables.values()
    return found


def keys(*statements: str) -> dict[str, list[tuple[str | None, int | None]]]:
    return {key.name: [(part.column, part.prefix) for part in key.parts] for key in table(*statements).unique_keys}


TYPES: list[tuple[str, ColumnType]] = [
    ("int(11) unsigned", ColumnType("int", unsigned=True)),
    ("bigint zerofill", ColumnType("bigint", unsigned=True)),
    ("int signed", ColumnType("int")),
    ("bool", ColumnType("tinyint")),
    ("middleint", ColumnType("mediumint")),
    ("int8", ColumnType("bigint")),
    ("decimal", ColumnType("decimal", 10, 0)),
    ("dec(5,2) unsigned", ColumnType("decimal", 5, 2, unsigned=True)),
    ("numeric(0)", ColumnType("decimal", 10, 0)),
    ("float(24)", ColumnType("float")),
    ("float(25)", ColumnType("double")),
    ("float(7,3)", ColumnType("float", 7, 3)),
    ("double precision(8,2)", ColumnType("double", 8, 2)),
    ("bit", ColumnType("bit", 1)),
    ("year(4)", ColumnType("year")),
    ("datetime(3)", ColumnType("datetime", fsp=3)),
    ("timestamp", ColumnType("timestamp")),
    ("json", ColumnType("json")),
    ("char", ColumnType("char", 1, charset="utf8mb4", collation="utf8mb4_bin")),
    ("varchar(9) charset gbk", ColumnType("varchar", 9, charset="gbk", collation="gbk_chinese_ci")),
    ("varchar(9) charset utf8mb3", ColumnType("varchar", 9, charset="utf8", collation="utf8_bin")),
    ("varchar(9) charset binary", ColumnType("varbinary", 9, charset="binary", collation="binary")),
    ("text(10)", ColumnType("tinytext", 255, charset="utf8mb4", collation="utf8mb4_bin")),
    ("text(100)", ColumnType("text", 65535, charset="utf8mb4", collation="utf8mb4_bin")),
    ("text charset binary", ColumnType("blob", 65535, charset="binary", collation="binary")),
    ("blob(300)", ColumnType("blob", 65535, charset="binary", collation="binary")),
    ("long varchar", ColumnType("mediumtext", 16777215, charset="utf8mb4", collation="utf8mb4_bin")),
    ("long varbinary", ColumnType("mediumblob", 16777215, charset="binary", collation="binary")),
    ("binary(3)", ColumnType("binary", 3, charset="binary", collation="binary")),
    ("char(3) ascii", ColumnType("char", 3, charset="latin1", collation="latin1_bin")),
    (
        "enum('a ','b''c') collate utf8mb4_general_ci",
        ColumnType("enum", charset="utf8mb4", collation="utf8mb4_general_ci", members=("a", "b'c")),
    ),
]


@pytest.mark.parametrize(("written", "expected"), TYPES)
def test_types(written: str, expected: ColumnType) -> None:
    assert table(f"create table t (c {written} not null)").columns[0].type == expected


DEFAULTS: list[tuple[str, Default]] = [
    ("int", Default()),
    ("int default null", Default(LITERAL, None)),
    ("int default -5", Default(LITERAL, "-5")),
    ("int default +5", Default(LITERAL, "5")),
    ("int default true", Default(LITERAL, "1")),
    ("varchar(9) default 'it''s \\n'", Default(LITERAL, "it's \n")),
    ("varchar(9) default _utf8mb4'x'", Default(LITERAL, "x")),
    ("varchar(9) default x'4142'", Default(LITERAL, b"AB")),
    ("bit(3) default b'101'", Default(LITERAL, b"\x05")),
    ("datetime default current_timestamp on update current_timestamp", Default(NOW, "current_timestamp")),
    ("datetime(3) default now(3)", Default(NOW, "now")),
    ("varchar(36) default (uuid())", Default(EXPRESSION, "uuid ( )")),
    ("bigint default nextval(s)", Default(EXPRESSION, "nextval(s)")),
]


@pytest.mark.parametrize(("written", "expected"), DEFAULTS)
def test_defaults(written: str, expected: Default) -> None:
    assert table(f"create table t (c {written})").columns[0].default == expected


@pytest.mark.parametrize(
    ("column", "auto"),
    [("int auto_increment key", "increment"), ("bigint auto_random(5) key", "random"), ("serial", "increment")],
)
def test_automatic_values(column: str, auto: str) -> None:
    assert table(f"create table t (c {column})").columns[0].auto == auto


A, B = ("a", None), ("b", None)
ALTERED: list[tuple[list[str], dict[str, list[tuple[str | None, int | None]]]]] = [
    (["create table t (a int, b int)", "alter table t add unique (a), add unique (a, b)"], {"a": [A], "a_2": [A, B]}),
    (["create table t (a int, b int, key a (a))", "alter table t add unique (a)"], {"a_2": [A]}),
    (["create table t (a int)", "create unique index if not exists u on t (a)"], {"u": [A]}),
    (["create table t (a int unique)", "drop index a on t"], {}),
    (["create table t (a int unique, b int)", "alter table t drop column a"], {}),
    (["create table t (a int unique)", "alter table t drop index if exists x"], {"a": [A]}),
    (["create table t (a int)", "alter table t add column (b int, c int), add index (a)"], {}),
    (["create table t (a int unique)", "alter table t rename to u, auto_increment = 5"], {"a": [A]}),
    (["create table t (a varchar(9) unique)", "alter table t modify a varchar(20) not null"], {"a": [A]}),
    (["create table t (a int, primary key (a) nonclustered)", "alter table t drop primary key"], {}),
    (["create table t (a int unique) comment 'x' engine = innodb", "alter table t comment = 'unique (b)'"], {"a": [A]}),
    (["create table t (a text, unique (a(10)))"], {"a": [("a", 10)]}),
    (["create table t (a varchar(10), unique (a(10)))"], {"a": [A]}),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "expected"), ALTERED)
def test_keys_after_alterations(statements: list[str], expected: dict[str, object]) -> None:
    assert keys(*statements) == expected


def test_columns_are_placed_where_alter_table_puts_them() -> None:
    found = table(
        "create table t (a int, b int)",
        "alter table t add column c int first, add column d int after a, modify b bigint first, drop column c",
    )
    assert [(column.name, column.type.name) for column in found.columns] == [
        ("b", "bigint"),
        ("a", "int"),
        ("d", "int"),
    ]


def test_alter_column_and_alter_index() -> None:
    found = table(
        "create table t (a int default 1, b int, unique u (a))",
        "alter table t alter a set default 5, alter column b set default (uuid()), alter index u invisible",
        "alter table t alter column b drop default",
    )
    assert [column.default for column in found.columns] == [Default(LITERAL, "5"), Default()]
    assert [key.is_visible for key in found.unique_keys] == [False]


def test_words_that_may_begin_a_key_may_name_a_column_too() -> None:
    found = table("create table t (vector int, columnar int unique, vector index v ((vec_cosine_distance(e))))")
    assert [column.name for column in found.columns] == ["vector", "columnar"]
    assert keys("create table t (a int)", "alter table t add vector int", "alter table t add unique (vector)")


def test_a_column_may_be_primary_and_unique_at_once() -> None:
    assert keys("create table t (a int primary key unique)") == {"PRIMARY": [A], "a": [A]}


NOT_CHECKED: list[tuple[str, str]] = [
    ("create table t (a int, unique u ((a + 1)))", "expression"),
    ("create table t (j json, unique u ((cast(j as unsigned array))))", "expression"),
    ("create table t (a int, g int as (a + 1) stored, unique u (g))", "generated"),
    ("create table t (a int, b int, unique u (b, a) where a > 1)", "condition"),
]


@pytest.mark.parametrize(("statement", "words"), NOT_CHECKED)
def test_keys_whose_values_no_file_holds_are_not_checked(statement: str, words: str) -> None:
    (key,) = table(statement).unique_keys
    assert key.not_checked is not None
    assert words in key.not_checked


REFUSED = [
    "create table t like u",
    "create table t (a int) select 1",
    "create table t as select 1",
    "create table t (a int, a int)",
    "create table t (a varchar, unique (a))",
    "create table t (a varchar(20000))",
    "create table t (a varchar(1000) unique)",
    "create table t (a char(300))",
    "create table t (a decimal(66))",
    "create table t (a bit(65))",
    "create table t (a float(54))",
    "create table t (a int",
    "create table t (a int))",
    "create table t ()",
    "create table t (unique (a))",
    "create table t (a int, unique (b))",
    "create table t (a int, unique PRIMARY (a))",
    "create table t (a int) charset nonsense",
    "create table t (a int frobnicate)",
    "create table t (a int /* open",
    "create table t (a int /*! open",
    "create table t (a int comment 'open)",
    "create table t (`a int)",
    "create temporary table t (a int)",
    "create table t (a int); create table t (b int)",
    "alter table missing add unique (a)",
    "create table t (a int); alter table t frobnicate",
    "create table t (a int unique); alter table t convert to charset utf8mb4 and more",
    "create table t (a varchar(9) unique); alter table t convert to charset latin1",
    "create table t (a int, b int, unique u (a, b)); alter table t drop column a",
    "create table t (a int primary key); alter table t drop primary key",
    "drop table missing",
    "frobnicate",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_or_not_understood(text: str) -> None:
    with pytest.raises(SchemaError):
        Schema().apply(text)


@pytest.mark.parametrize(
    ("sql_mode", "text", "name"),
    [
        ("ANSI_QUOTES", 'create table t ("a b" int unique)', "a b"),
        ("NO_BACKSLASH_ESCAPES", "create table t (a int comment '\\', b int unique)", "b"),
    ],
)
def test_sql_mode_decides_how_quotes_are_read(sql_mode: str, text: str, name: str) -> None:
    (key,) = table(text, sql_mode=frozenset({sql_mode})).unique_keys
    assert key.parts == (KeyPart(name),)


def test_statements_that_define_nothing_are_passed_over() -> None:
    found = table(
        "/*!40101 SET NAMES utf8mb4*/; USE `x`; SET @a = 1; LOCK TABLES t WRITE;"
        "DROP TABLE IF EXISTS `t`; CREATE TABLE t (a int unique); INSERT INTO t VALUES (1); UNLOCK TABLES;"
        "CREATE VIEW v AS SELECT 1;"
    )
    assert [key.name for key in found.unique_keys] == ["a"]


def test_a_table_knows_whether_its_rows_have_an_id_of_their_own() -> None:
    assert table("create table t (a int)").has_row_id
    assert table("create table t (a int, primary key (a) nonclustered)").has_row_id
    assert not table("create table t (a int primary key)").has_row_id


WORDS = ["create table t (", "a int", "unique", "primary key", "(", ")", ",", "'x'", "`b`", "/*!", "*/", "/*T![ttl]"]
WORDS += [
    "-- c\n",
    "default",
    "not null",
    "collate",
    "utf8mb4_bin",
    ";",
    "alter table t",
    "add",
    "drop",
    "=",
    "\\",
    "'",
]


@settings(max_examples=400, deadline=None)
@given(text=st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    schema = Schema()
    with contextlib.suppress(SchemaError):
        schema.apply(text)
    assert all(found.columns for found in schema.tables.values())


def test_deep_parentheses_are_read_without_deep_calls() -> None:
    depth = 50_000
    found = table("create table t (a int, unique u ((" + "(" * depth + "a" + ")" * depth + " + 1)))")
    assert found.unique_keys[0].not_checked is not None
