"""A command line is read as Go's flag package reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.goflags import CONTROL_TOOL_FLAGS, LIGHTNING_FLAGS, Kind, read_flags, read_number

ALL_FLAGS = {**LIGHTNING_FLAGS, **CONTROL_TOOL_FLAGS}


@pytest.mark.parametrize(
    ("argv", "values"),
    [
        ([], {}),
        (["-config", "a.toml"], {"config": "a.toml"}),
        (["--config=a.toml"], {"config": "a.toml"}),
        (["-c", "a.toml", "--config", "b.toml"], {"config": "b.toml"}),
        (["-config", "b.toml", "-c=a.toml"], {"config": "a.toml"}),
        (["-d="], {"d": ""}),
        (["-d", "-x"], {"d": "-x"}),
        (["-d", "a=b"], {"d": "a=b"}),
        (["-d=a=b"], {"d": "a=b"}),
        (["-tidb-port", "4000", "-tidb-port=4001"], {"tidb-port": "4001"}),
        (["--no-schema", "-d", "x"], {"no-schema": "true", "d": "x"}),
        (["-check-requirements=F"], {"check-requirements": "F"}),
        (["-backend", "local"], {"backend": "local"}),
        (["-L="], {"L": ""}),
    ],
)
def test_values(argv: list[str], values: dict[str, str]) -> None:
    flags = read_flags(argv)
    assert (dict(flags.values), flags.problems, flags.stray) == (values, (), ())


@pytest.mark.parametrize(
    ("argv", "stray"),
    [
        (["--enable-checkpoint", "false", "-d", "x"], ("false", "-d", "x")),
        (["x", "-d", "y"], ("x", "-d", "y")),
        (["--", "-d", "y"], ("-d", "y")),
        (["-", "-d", "y"], ("-", "-d", "y")),
        (["", "-d", "y"], ("", "-d", "y")),
    ],
)
def test_what_follows_the_first_other_word_is_not_read(argv: list[str], stray: tuple[str, ...]) -> None:
    flags = read_flags(argv)
    assert flags.stray == stray
    assert flags.text("d") == ""
    assert flags.problems == ()


def test_a_boolean_takes_no_word_so_that_enable_checkpoint_false_leaves_it_on() -> None:
    assert read_flags(["--enable-checkpoint", "false"]).is_set("enable-checkpoint")
    assert read_flags(["--enable-checkpoint=false"]).is_off("enable-checkpoint")


def test_the_filter_flag_adds_up() -> None:
    assert read_flags(["-f", "a.*", "-f=!a.b", "--f", ""]).filters == ("a.*", "!a.b", "")


@pytest.mark.parametrize(
    ("argv", "message", "is_certain"),
    [
        (["-d"], "flag needs an argument: -d", True),
        (["-=x"], "bad flag syntax: -=x", True),
        (["---d"], "bad flag syntax: ---d", True),
        (["-tidb-port", "many"], 'invalid value "many" for flag -tidb-port: parse error', True),
        (["-tidb-port="], 'invalid value "" for flag -tidb-port: parse error', True),
        (["-no-schema=yes"], 'invalid boolean value "yes" for -no-schema: parse error', True),
        (["-L", "loud"], 'invalid value "loud" for flag -L', True),
        (["-checksum", "maybe"], 'invalid value "maybe" for flag -checksum', False),
        (["-checksum"], "flag needs an argument: -checksum", False),
        (["-backend=import-into"], 'invalid value "import-into" for flag -backend', False),
        (["-nosuch"], "flag provided but not defined: -nosuch", False),
    ],
)
def test_what_go_refuses(argv: list[str], message: str, is_certain: bool) -> None:
    (problem,) = read_flags(argv).problems
    assert (problem.message, problem.is_certain) == (message, is_certain)


def test_nothing_is_read_behind_a_flag_that_is_refused() -> None:
    assert read_flags(["-no-schema=yes", "-d", "x"]).text("d") == ""


@pytest.mark.parametrize("unknown", [["-nosuch"], ["-nosuch=1"], ["-nosuch", "1"], ["--nosuch", "-d", "y"]])
def test_what_stands_behind_an_unknown_flag_is_not_lost(unknown: list[str]) -> None:
    flags = read_flags([*unknown, "-d", "x", "-config=a"])
    assert (flags.unknown, flags.text("d"), flags.text("config")) == (("nosuch",), "x", "a")


@pytest.mark.parametrize(
    ("argv", "is_info_only"),
    [
        (["-V"], True),
        (["-V=false"], False),
        (["-V", "-config", "nosuch.toml"], True),
        (["-V", "-tidb-port=x"], False),
        (["-h"], True),
        (["--help=no"], True),
        (["-h", "-tidb-port=x"], True),
        (["-tidb-port=x", "-h"], False),
        (["x", "-V"], False),
        (["-d", "-V"], False),
    ],
)
def test_calls_that_only_ask_for_version_or_usage(argv: list[str], is_info_only: bool) -> None:
    assert read_flags(argv).is_info_only == is_info_only


@pytest.mark.parametrize(
    ("argv", "is_control_tool"),
    [
        (["--checkpoint-remove=all"], True),
        (["-compact"], True),
        (["-checkpoint-dump", "x"], True),
        (["-d", "x"], False),
    ],
)
def test_calls_of_the_control_tool(argv: list[str], is_control_tool: bool) -> None:
    assert read_flags(argv).is_control_tool_call == is_control_tool


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0), ("-7", -7), ("+7", 7), ("0x1F", 31), ("0b11", 3), ("0o17", 15), ("010", 8), ("4_000", 4000),
        ("0_7", 7), ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None), ("08", None), ("_1", None), ("1__0", None), ("1_", None), (" 1", None),
        ("1.0", None), ("", None), ("-", None), ("٣", None), ("1" * 5000, None),
    ],
)  # fmt: skip
def test_numbers(text: str, number: int | None) -> None:
    assert read_number(text) == number


@given(st.lists(st.text() | st.sampled_from([f"-{name}" for name in ALL_FLAGS] + ["--", "-", "=", "-f=a"])))
def test_any_command_line_is_read(argv: list[str]) -> None:
    flags = read_flags(argv)
    assert all(name in ALL_FLAGS for name in flags.values)
    assert all(isinstance(flags.number(name), int) for name, kind in ALL_FLAGS.items() if kind is Kind.NUMBER)
    assert flags.stray == tuple(argv[len(argv) - len(flags.stray) :])
