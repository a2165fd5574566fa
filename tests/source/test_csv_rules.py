"""[mydumper.csv] as Lightning resolves and refuses it."""

from __future__ import annotations

import tomllib

import pytest

from safe_lightning.source.csv_rules import CsvRules, read_csv_rules
from safe_lightning.source.findings import ConfigProblem


def read(text: str) -> CsvRules:
    return read_csv_rules(tomllib.loads(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", CsvRules()),
        ("[mydumper.csv]\nnull = 'NULL'", CsvRules(null=("NULL",))),
        ("[mydumper.csv]\nnull = ['a', '']", CsvRules(null=("a", ""))),
        ("[mydumper.csv]\nnull = []", CsvRules(null=("",))),
        ("[mydumper.csv]\nbackslash-escape = false", CsvRules(escaped_by="")),
        ("[mydumper.csv]\nescaped-by = '!'\nbackslash-escape = false", CsvRules(escaped_by="!")),
        ("[mydumper.csv]\nescaped-by = ''", CsvRules(escaped_by="")),
        ("[mydumper.csv]\nseparator = '|+|'\ndelimiter = ''", CsvRules(separator="|+|", delimiter="")),
        ("[mydumper.csv]\nheader = false\nnot-null = true", CsvRules(header=False, not_null=True)),
        ("[mydumper.csv]\nheader-schema-match = false", CsvRules(header_schema_match=False)),
        ("[mydumper.csv]\ntrim-last-separator = true", CsvRules(trim_last_separator=True)),
        ("[mydumper]\ndata-character-set = 'GBK'", CsvRules(charset="gbk")),
        ("[mydumper]\ndata-invalid-char-replace = '?'", CsvRules(invalid_char_replacement="?")),
        (
            '[mydumper]\nstrict-format = true\n[mydumper.csv]\nterminator = "\\r\\n"',
            CsvRules(strict_format=True, terminator="\r\n"),
        ),
    ],
)
def test_settings(text: str, expected: CsvRules) -> None:
    assert read(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("separator = ''", "separator` must not be empty"),
        ("separator = '\"\"'\ndelimiter = '\"'", "prefix of each other"),
        ("separator = '|'\ndelimiter = '|+'", "prefix of each other"),
        ("escaped-by = 'ab'", "single character"),
        ("escaped-by = 'é'", "single character"),
        ("separator = '\\'", "escape"),
        ("delimiter = '\\'", "escape"),
        ("terminator = '\\'", "escape"),
        ("null = 1", "null"),
        ("null = ['a', 1]", "null"),
    ],
)
def test_refusals(text: str, words: str) -> None:
    with pytest.raises(ConfigProblem, match=words):
        read(f"[mydumper.csv]\n{text}")


def test_strict_format_needs_a_terminator() -> None:
    with pytest.raises(ConfigProblem, match="terminator"):
        read("[mydumper]\nstrict-format = true")


def test_a_sign_that_the_character_set_lacks_is_refused() -> None:
    with pytest.raises(ConfigProblem, match="latin1"):
        read("[mydumper]\ndata-character-set = 'latin1'\n[mydumper.csv]\nseparator = '中'")


def test_an_unknown_character_set_is_refused() -> None:
    with pytest.raises(ConfigProblem, match="big5"):
        read("[mydumper]\ndata-character-set = 'big5'")
