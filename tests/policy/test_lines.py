"""On which line each key stands, however it is written, and whatever looks like a key without being one."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.policy.positions import key_lines
from safe_lightning.policy.problem import KeyPath

CASES = [
    ("a = 1\n\nb = 2", {("a",): 1, ("b",): 3}),
    ("[log]\n# level = 1\nlevel = 2", {("log",): 1, ("log", "level"): 3}),
    ("log.level = 1", {("log",): 1, ("log", "level"): 1}),
    ("\n[ a . b ]\nc . d = 1", {("a",): 2, ("a", "b"): 2, ("a", "b", "c"): 3, ("a", "b", "c", "d"): 3}),
    ("'a.b'.\"c\\u0064\" = 1", {("a.b",): 1, ("a.b", "cd"): 1}),
    ('"" = 1\n["x"]', {("",): 1, ("x",): 2}),
    ("a = '''\nb = 1\n[c]\n'''\nd = 2", {("a",): 1, ("d",): 5}),
    ('a = """\nb = "1"\\"""\n\\\\"""\nd = 2', {("a",): 1, ("d",): 4}),
    ('a = """x"""""\nd = 2', {("a",): 1, ("d",): 2}),
    ("a = ''''x'''''\nd = 2", {("a",): 1, ("d",): 2}),
    ('a = ""\nb = \'\'\nc = "\\""', {("a",): 1, ("b",): 2, ("c",): 3}),
    ("a = '#' # ]\nb = \"'\"", {("a",): 1, ("b",): 2}),
    (
        "a = [\n 1, # [\n [2,\n 3],\n]\nb = 1",
        {("a",): 1, ("a", 0): 2, ("a", 1): 3, ("a", 1, 0): 3, ("a", 1, 1): 4, ("b",): 6},
    ),
    ("a = {b = 1, c = {d = '}'}}\ne = 1", {("a",): 1, ("a", "b"): 1, ("a", "c"): 1, ("a", "c", "d"): 1, ("e",): 2}),
    ("a = [{b = 1},\n{c = 1}]", {("a",): 1, ("a", 0): 1, ("a", 0, "b"): 1, ("a", 1): 2, ("a", 1, "c"): 2}),
    (
        "[[h]]\nu = 1\n[[h]]\nu = 2\n[h.s]\nt = 3\n[[h.l]]\n[[h.l]]\nx = 1\n[[h]]\n[[h.l]]\nx = 1",
        {
            ("h",): 1,
            ("h", 0): 1,
            ("h", 0, "u"): 2,
            ("h", 1): 3,
            ("h", 1, "u"): 4,
            ("h", 1, "s"): 5,
            ("h", 1, "s", "t"): 6,
            ("h", 1, "l"): 7,
            ("h", 1, "l", 0): 7,
            ("h", 1, "l", 1): 8,
            ("h", 1, "l", 1, "x"): 9,
            ("h", 2): 10,
            ("h", 2, "l"): 11,
            ("h", 2, "l", 0): 11,
            ("h", 2, "l", 0, "x"): 12,
        },
    ),
    ("a = 1979-05-27 07:32:00Z\nb = [1979-05-27 07:32:00, 07:32:00]", None),
    ("a = -1_0.5e+3\nb = [inf, -nan, 0xff]\nc = {x=1,y=true}", None),
    ("", {}),
    ("# only a comment", {}),
]


@pytest.mark.parametrize(("text", "lines"), CASES)
def test_each_key_is_found_on_its_line(text: str, lines: dict[KeyPath, int] | None) -> None:
    assert set(paths(tomllib.loads(text))) == set(key_lines(text))
    assert lines is None or key_lines(text) == lines


def paths(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in entries:
        yield (*path, name)
        yield from paths(inner, (*path, name))


NAMES = st.sampled_from(["a", "b", "'a.b'", '"c\\"d"', "e-1", '"\\u00e9#"', "''"])
KEYS = st.lists(NAMES, min_size=1, max_size=3).map(" . ".join)
GAPS = st.sampled_from(["", " ", "\t", " # x = [\n", "\n\n"])
SCALARS = st.sampled_from(
    [
        "1",
        "-0.5e1",
        "true",
        "nan",
        "2024-01-01 00:00:00.5+01:00",
        '"]}#"',
        "'\\'",
        '"""\nx = 1\n[y]\n\\""" z"""""',
        "'''\n[[q]]\n'' '''''",
        '""',
        "''",
    ]
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(lambda items, gap: f"[{gap}{f',{gap}'.join(items)}{gap}]", st.lists(inner, max_size=3), GAPS)
        | st.lists(st.tuples(KEYS, inner), max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs) + "}"
        )
    ),
    max_leaves=5,
)
STATEMENTS = st.one_of(
    st.builds("{} = {}".format, KEYS, VALUES),
    KEYS.map("[{}]".format),
    KEYS.map("[[{}]]".format),
    st.sampled_from(["# a = 1", "", "\t"]),
)


@given(st.lists(STATEMENTS, max_size=6).map("\n".join))
def test_the_keys_found_are_those_that_a_parser_finds(text: str) -> None:
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text)
    assert set(lines) == set(paths(data))
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
