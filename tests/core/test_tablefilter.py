"""Lightning's table filter; the cases were checked against its documentation and its own rules."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.go_regex import GoRegexError, compile_go_regex
from safe_lightning.core.tablefilter import FilterError, TableFilter, parse_filter
from safe_lightning.core.tables import TableName


def chosen(patterns: list[str], tables: str, is_case_sensitive: bool = False) -> str:
    chosen_by = parse_filter(patterns, is_case_sensitive=is_case_sensitive)
    return " ".join(name for name in tables.split() if chosen_by.matches(TableName(*name.split("|"))))


@pytest.mark.parametrize(
    ("patterns", "tables", "accepted"),
    [
        ([], "a|b", ""),
        (["*.*"], "a|b", "a|b"),
        (["app.*"], "app|x app1|x ap|x", "app|x"),
        (["*.*", "!app.tmp_*"], "app|tmp_1 app|orders log|tmp_1", "app|orders log|tmp_1"),
        (["!app.*", "app.orders"], "app|orders app|x", "app|orders"),
        (["app.orders", "!app.*"], "app|orders", ""),
        (["*.*", "!*.cfg*", "*.cfgsample"], "d|t d|cfg1 d|cfgsample", "d|t d|cfgsample"),
        (["app.t?"], "app|t app|t1 app|t12 app|tü", "app|t1 app|tü"),
        (["app.t[0-9]"], "app|t1 app|tx app|t12", "app|t1"),
        (["app.t[!0-9]"], "app|t1 app|tx", "app|tx"),
        (["app.[^a]"], "app|^ app|a app|b", "app|^ app|a"),
        (["app.[a-]"], "app|a app|- app|b", "app|a app|-"),
        (["app.[\\]x]"], "app|] app|x app|\\", "app|] app|x"),
        (["a*b*c.t"], "abc|t a1b2c|t acb|t abcbc|t", "abc|t a1b2c|t abcbc|t"),
        (["/^app\\d+$/./^t/"], "app12|t1 app|t1 app12x|t app1|xt", "app12|t1"),
        (["/app/.*"], "myapp2|t", "myapp2|t"),
        (["/a\\/b/.*"], "a/b|t ab|t", "a/b|t"),
        (['"a.b"."c""d"'], 'a.b|c"d a.b|c""d', 'a.b|c"d'),
        (["`a*`.`b``c`"], "a*|b`c ax|b`c", "a*|b`c"),
        (["a\\.b.c\\*"], "a.b|c* a.b|cx", "a.b|c*"),
        (["\t app.t \t", "  ", "# app.x"], "app|t app|x", "app|t"),
        (["p_1$.45", "表.名"], "p_1$|45 p_1|45 表|名", "p_1$|45 表|名"),
    ],
)
def test_the_last_pattern_that_matches_decides(patterns: list[str], tables: str, accepted: str) -> None:
    assert chosen(patterns, tables) == accepted


@pytest.mark.parametrize(
    ("pattern", "table", "is_sensitive_match"),
    [
        ("APP.t", "app|T", False),
        ("a[A-C].t", "ab|t", False),
        ("a[!A-C].t", "ab|t", True),
        ("/^APP/.t", "app1|t", False),
        ('"APP".t', "app|t", False),
        ("app.T*", "app|T1", True),
    ],
)
def test_case_counts_only_when_the_task_says_so(pattern: str, table: str, is_sensitive_match: bool) -> None:
    assert (chosen([pattern], table, is_case_sensitive=True) != "") == is_sensitive_match
    assert (chosen([pattern], table) != "") == (not pattern.startswith("a[!"))


@pytest.mark.parametrize(
    ("pattern", "said", "position"),
    [
        ("shop.[", "syntax error: failed to parse character class", 5),
        ("[].*", "syntax error: failed to parse character class", 0),
        ("[\\d\\D].*", "syntax error: failed to parse character class", 0),
        ("[!].*", "invalid pattern", 0),
        ("[z-a].*", "invalid pattern", 0),
        ("db", "wrong table pattern", 2),
        ("db.", "syntax error: missing pattern", 3),
        ("!", "syntax error: missing pattern", 1),
        ("`db`*.*", "syntax error: missing '.' between schema and table patterns", 4),
        ("a.b.c", "syntax error: stray characters after table pattern", 3),
        ("a%b.c", "unexpected special character '%'", 1),
        ("db.tbl#no", "unexpected special character '#'", 6),
        ("a\\tb.c", "cannot escape a letter or number (\\t)", 1),
        ("db\\", "syntax error: cannot place \\ at end of line", 2),
        ("/db.*", "syntax error: incomplete regexp", 0),
        ("//.*", "syntax error: incomplete regexp", 0),
        ("`db.*", "syntax error: incomplete quoted identifier", 0),
        ('"db.*', "syntax error: incomplete quoted identifier", 0),
        ("  /^t((?!_copy).)*$/.*", "invalid or unsupported Perl syntax", 2),
    ],
)
def test_a_bad_pattern_is_named_with_its_place(pattern: str, said: str, position: int) -> None:
    with pytest.raises(FilterError, match=re.escape(said)) as caught:
        parse_filter(["*.*", pattern])
    assert (caught.value.pattern, caught.value.position, caught.value.is_certain) == (pattern, position, True)
    assert f"(pattern {pattern!r}, character {position + 1})" in str(caught.value)


def test_a_file_is_imported_through_the_reader_that_is_given() -> None:
    lines = {"extra.txt": ["# comment", "", "  app.a ", "!app.b"]}
    both = parse_filter(["app.b", "@extra.txt", "log.*"], read_file=lines.__getitem__)
    names = [TableName("app", "a"), TableName("app", "b"), TableName("log", "x")]
    assert [both.matches(name) for name in names] == [True, False, True]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["app.a", "@other.txt"], "at extra.txt:2: importing filter files recursively is not allowed"),
        (["app.a", "", "app"], "at extra.txt:3: wrong table pattern"),
    ],
)
def test_a_mistake_in_an_imported_file_is_named_with_its_line(lines: list[str], said: str) -> None:
    with pytest.raises(FilterError, match=re.escape(said)):
        parse_filter(["@extra.txt"], read_file=lambda name: lines)


def test_a_file_that_cannot_be_read_is_an_error_but_not_for_certain() -> None:
    def refuse(name: str) -> list[str]:
        raise FileNotFoundError(2, "No such file or directory", name)

    with pytest.raises(FilterError, match="cannot open filter file") as caught:
        parse_filter(["@extra.txt"], read_file=refuse)
    assert not caught.value.is_certain
    with pytest.raises(FilterError, match="cannot be imported here"):
        TableFilter.parse(["@extra.txt"])


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^a$", "a\n", False),
        ("\\d", "٣", False),
        ("\\w", "ü", False),
        ("[\\d_]", "7", True),
        ("[]a]", "]", True),
        ("[^]a]", "]", False),
        ("a{2}", "aa", True),
        ("a*?b", "aab", True),
        ("\\.", ".", True),
        ("(?i)A", "a", True),
        ("[a&&b]", "&", True),
        ("\\bx\\b", "a x b", True),
        ("x\\z", "x", True),
    ],
)
def test_regular_expressions_mean_what_they_mean_to_go(pattern: str, text: str, matches: bool) -> None:
    assert bool(compile_go_regex(pattern).search(text)) == matches


@pytest.mark.parametrize(
    ("pattern", "is_certain"),
    [
        ("a(?=b)", True), ("(?<!a)b", True), ("(?P=x)", True), ("a\\", True), ("\\y", True),
        ("\\pL", False), ("[[:alpha:]]", False), ("a++", False), ("(", False), ("\\1", False), ("[\\D]", False),
        ("x{99999999999}", False),
    ],
)  # fmt: skip
def test_regular_expressions_that_are_refused(pattern: str, is_certain: bool) -> None:
    with pytest.raises(GoRegexError) as caught:
        compile_go_regex(pattern)
    assert caught.value.is_certain == is_certain


def test_wildcards_are_never_slow() -> None:
    assert not parse_filter(["*a" * 40 + ".t"]).matches(TableName("a" * 39 + "b" * 4000, "t"))


PATTERN = st.text(alphabet='ab.*?[]!-^\\/"`@#é \t$(){}|+x1', max_size=20)


def refusal(patterns: list[str]) -> FilterError | None:
    try:
        parse_filter(patterns)
    except FilterError as error:
        return error
    return None


@given(st.lists(PATTERN))
def test_any_pattern_is_read_or_refused(patterns: list[str]) -> None:
    refused = refusal(patterns)
    if refused is None:
        name = TableName("some", "table")
        assert parse_filter([*patterns, f"{name}"]).matches(name)
        assert not parse_filter([*patterns, f"!{name}"]).matches(name)
    else:
        assert refused.pattern in patterns
        assert 0 <= refused.position <= len(refused.pattern)


@given(st.text(min_size=1, max_size=8), st.text(min_size=1, max_size=8))
def test_a_quoted_name_matches_itself(schema: str, table: str) -> None:
    pattern = f"{TableName(schema, table)}"
    assert parse_filter([pattern], is_case_sensitive=True).matches(TableName(schema, table))
