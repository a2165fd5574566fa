"""One short line per event on a terminal, and nothing in it that could steer the terminal."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.report.console import ConsoleText

EVENT = {"timestamp": "2024-01-02T03:04:05.678Z", "level": "info", "event": "child-started", "run": "r1"}


@pytest.fixture(autouse=True)
def _zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def plain(**fields: Any) -> str:
    return ConsoleText(has_colors=False)({**EVENT, **fields}).decode()


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "info  child-started"),
        ({"level": "warning", "pid": 7}, "warn  child-started pid=7"),
        ({"level": "error", "error": "it is gone"}, "error child-started error=it is gone"),
        ({"level": "critical"}, "fatal child-started"),
        ({"message": "it began", "a": 1}, "info  child-started: it began a=1"),
        ({"attempt": 2}, "info  child-started attempt=2"),
        ({"none": None, "list": ["a", 1]}, "info  child-started none=None list=['a', 1]"),
        ({"z": 1, "a": 2}, "info  child-started z=1 a=2"),
        ({"child": True, "attempt": 2, "source": "x.go:1", "child_time": "t"}, "info  child-started"),
        ({"child": True, "fields": {"table": "`a`.`b`", "stack": "s", "errorVerbose": "e"}},
         "info  child-started table=`a`.`b`"),
        ({"child": True, "fields": {"event": "x", "level": "y"}}, "info  child-started child.event=x child.level=y"),
        ({"exception": "Traceback:\n  File x\nValueError: no"}, "info  child-started raised=ValueError: no"),
    ],
)  # fmt: skip
def test_lines(fields: dict[str, Any], line: str) -> None:
    assert re.fullmatch(rf"\d\d:\d\d:05 {re.escape(line)}\n", plain(**fields))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb\tc\rd", r"a\nb c\rd"),
        ("\x9b2J\x07", r"\x9b2J\x07"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\ud83d", r"\ud83d"),
        ("größe 表", "größe 表"),
    ],
)
def test_what_could_steer_the_terminal_is_written_out(value: str, shown: str) -> None:
    assert f"value={shown}\n" in plain(value=value)
    assert f" {shown}\n" in plain(event=value)
    assert f"{shown}=1" in plain(**{value: 1})


def test_long_values_are_cut() -> None:
    line = plain(value="x" * 1000, fields={"other": "y" * 1000})
    assert line.count("x") == 160
    assert line.count("y") == 160
    assert "(1000 characters)" in line


def test_colors_only_where_there_are_any() -> None:
    assert "\x1b" not in plain(level="error", a=1)
    assert "\x1b[31merror\x1b[0m" in ConsoleText(has_colors=True)({**EVENT, "level": "error"}).decode()


@given(
    st.dictionaries(st.text(), st.one_of(st.text(), st.integers(), st.none())), st.dictionaries(st.text(), st.text())
)
def test_any_event_is_one_line_of_printable_text(event: dict[str, Any], fields: dict[str, str]) -> None:
    line = ConsoleText(has_colors=False)({**EVENT, **event, "fields": fields}).decode()
    assert line.endswith("\n")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028\u2029]", line[:-1])
