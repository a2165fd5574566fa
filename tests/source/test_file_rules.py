"""Which file is what: default names, run through Lightning's own router, and [[mydumper.files]]."""

from __future__ import annotations

import tomllib
from pathlib import PurePosixPath

import pytest

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.file_rules import (
    Compression,
    FileRule,
    FileType,
    Route,
    RouteError,
    default_rules,
    path_unescape,
    read_file_rules,
)
from safe_lightning.source.findings import ConfigProblem

CSV, SQL, PARQUET = FileType.CSV, FileType.SQL, FileType.PARQUET


def route(name: str, rules: tuple[FileRule, ...] | None = None) -> Route | None:
    for rule in default_rules() if rules is None else rules:
        if (found := rule.route(name)) is not None:
            return found
    return None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.b.sql", Route(SQL, "a", "b")),
        ("a.b.1.sql", Route(SQL, "a", "b", "1")),
        ("a.b.0001.csv.gz", Route(CSV, "a", "b", "0001", Compression.GZIP)),
        ("a.b.csv.GZ", Route(CSV, "a", "b", "", Compression.GZIP)),
        ("a.b.csv.zst", Route(CSV, "a", "b", "", Compression.ZSTD)),
        ("a.b.csv.zstd", Route(CSV, "a", "b", "", Compression.ZSTD)),
        ("a.b.sql.snappy", Route(SQL, "a", "b", "", Compression.SNAPPY)),
        ("a.b.csv.lz4", Route(CSV, "a", "b", "", Compression.LZ4)),
        ("A.B.SQL", Route(SQL, "A", "B")),
        ("a.b.c.001.sql", Route(SQL, "a", "b.c", "001")),
        ("a.b.1.2.csv", Route(CSV, "a", "b.1", "2")),
        ("a.b.snappy.parquet", Route(PARQUET, "a", "b.snappy")),
        ("a..csv", Route(CSV, "a", "")),
        ("a/b.c/d.csv", Route(CSV, "b", "c/d")),
        ("x/y/a.b.csv", Route(CSV, "a", "b")),
        ("a%2Eb.c%2F.csv", Route(CSV, "a.b", "c/")),
        ("a%zz.b.csv", Route(CSV, "a%zz", "b")),
        ("x.a-schema-create.sql", Route(SQL, "x", "a-schema-create")),
        ("a.b-schema-sequence.sql", Route(SQL, "a", "b-schema-sequence")),
        ("a-schema-create.sql", Route(FileType.DATABASE_SCHEMA, "a")),
        ("a.b-schema.sql", Route(FileType.TABLE_SCHEMA, "a", "b")),
        ("a.b-schema.sql.gz", Route(FileType.TABLE_SCHEMA, "a", "b", "", Compression.GZIP)),
        ("a.b-schema-view.sql", Route(FileType.VIEW_SCHEMA, "a", "b")),
        ("a.b.csv.bak", Route(FileType.IGNORE)),
        ("a.b.csv.gz.bak", Route(FileType.IGNORE)),
        ("a.b-schema-trigger.sql", Route(FileType.IGNORE)),
        ("a.b-schema-post.sql", Route(FileType.IGNORE)),
    ],
)
def test_default_names(name: str, expected: Route) -> None:
    assert route(name) == expected


@pytest.mark.parametrize(
    "name",
    ["metadata", "a.csv", ".a.b.csv", "._a.b.csv", "a.b.csv~", "a.b.tsv", "a.b.txt", "a.b.00001", "a.b.sql.gz.part"],
)
def test_names_that_no_rule_matches(name: str) -> None:
    assert route(name) is None


@pytest.mark.parametrize("name", ["db.t.csv.1.gz", "a/b/c.csv", "p-placement-policy-create.sql"])
def test_names_that_look_as_if_a_rule_matched(name: str) -> None:
    assert route(name) is None


@pytest.mark.parametrize("name", ["a.b.sql.bz2", "a.b.csv.old", "a.b.csv.1", "a.b-schema.sql.sql", "a.b.parquet.gz"])
def test_names_that_end_the_whole_run(name: str) -> None:
    with pytest.raises(RouteError):
        route(name)


@pytest.mark.parametrize(
    ("version", "name", "expected"),
    [
        ((6, 1), "a.b.csv.gz", None),
        ((6, 1), "a.b.csv.bak", None),
        ((6, 1), "a%2Eb.c.csv", Route(CSV, "a.b", "c")),
        ((5, 3), "a%2Eb.c.csv", Route(CSV, "a%2Eb", "c")),
    ],
)
def test_older_versions_know_fewer_names(version: tuple[int, int], name: str, expected: Route | None) -> None:
    assert route(name, default_rules(version)) == expected


@pytest.mark.parametrize(("text", "expected"), [("%e4%b8%ad", "中"), ("a+b", "a+b"), ("%", "%"), ("%4", "%4")])
def test_percent_decoding(text: str, expected: str) -> None:
    assert path_unescape(text) == expected


def user_rules(text: str) -> tuple[FileRule, ...]:
    return read_file_rules(tomllib.loads(text), PurePosixPath("/data"))


RULE = "[[mydumper.files]]\npattern = '{pattern}'\nschema = '{schema}'\ntable = '{table}'\ntype = '{type}'\n"


def rule(pattern: str, schema: str = "s", table: str = "t", type: str = "csv", more: str = "") -> str:
    return RULE.format(pattern=pattern, schema=schema, table=table, type=type) + more


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (rule(r"^(\w+)/(\w+)\.(\d+)\.csv$", "$1", "${2}x", more="key = '$3'"), "a/b.7.csv", Route(CSV, "a", "bx", "7")),
        (rule(r"(?P<db>\w+)_(\w+)\.dat", "$db", "$2"), "x/shop_orders.dat.1", Route(CSV, "shop", "orders")),
        (rule("x", "a$$b", "t"), "x", Route(CSV, "a$b", "t")),
        (rule(r"(a)|(b)", "s$1", "t$2"), "b", Route(CSV, "s", "tb")),
        (rule(r"\.(csv|sql)$", type="$1"), "q.SQL", None),
        (rule(r"(?i)\.(csv|sql)$", type=" $1 "), "q.SQL", Route(SQL, "s", "t")),
        (rule(r"x.csv.gz"), "x.csv.gz", Route(CSV, "s", "t")),
        (rule(r"x\.(gz)$", more="compression = '$1'"), "x.gz", Route(CSV, "s", "t", "", Compression.GZIP)),
        (rule(r"%41"), "%41", Route(CSV, "s", "t")),
        ("[[mydumper.files]]\npattern='old'\ntype='ignore'", "a.old.csv", Route(FileType.IGNORE)),
        ("[[mydumper.files]]\npath='x/a.b'\nschema='s$1'\ntable='t'\ntype='csv'", "q/x/a.b.z", Route(CSV, "s$1", "t")),
        ("[[mydumper.files]]\npath='/data/a.b'\nschema='s'\ntable='t'\ntype='csv'", "a.b", Route(CSV, "s", "t")),
    ],
)
def test_own_rules(text: str, name: str, expected: Route | None) -> None:
    assert route(name, user_rules(text)) == expected


def test_own_rules_replace_the_default_ones_unless_these_are_asked_for() -> None:
    text = rule("nothing")
    assert route("a.b.csv", user_rules(text)) is None
    both = "[mydumper]\ndefault-file-rules = true\n" + text
    assert route("a.b.csv", user_rules(both)) == Route(CSV, "a", "b")
    assert route("a.b.csv", user_rules("")) == Route(CSV, "a", "b")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[mydumper.files]]\ntype='csv'", "exactly one"),
        ("[[mydumper.files]]\npattern='a'\npath='b'\ntype='csv'", "exactly one"),
        (rule("a", schema=""), "'schema' match pattern can't be empty"),
        (rule("a", table=""), "'table' match pattern can't be empty"),
        (rule("a", type=""), "'type' match pattern can't be empty"),
        (rule("(a)", table="$2"), "sub pattern capture"),
        (rule("(a)", table="$1x"), "sub pattern capture"),
        (rule("(?=a)"), "Perl"),
        ("[[mydumper.files]]\npath='/other/a'\nschema='s'\ntable='t'\ntype='csv'", "not in source dir"),
        ("[mydumper]\nfiles = 1", "list of tables"),
    ],
)
def test_rules_that_lightning_refuses(text: str, words: str) -> None:
    with pytest.raises(ConfigProblem, match=words.replace("(", r"\(")):
        user_rules(text)


def test_a_pattern_that_cannot_be_reproduced_is_not_guessed() -> None:
    with pytest.raises(CouldNotLook, match="cannot be reproduced"):
        user_rules(rule(r"\pL+"))


@pytest.mark.parametrize(("type_name", "words"), [("csv2", "unknown source type"), ("", "can't be empty")])
def test_an_unknown_type(type_name: str, words: str) -> None:
    with pytest.raises((RouteError, ConfigProblem), match=words):
        route("a", user_rules(rule("a", type=type_name)))
