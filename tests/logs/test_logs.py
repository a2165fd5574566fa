"""Our own events through structlog: shape, masking, levels, and sinks that fail."""

from __future__ import annotations

import json
import os

import pytest
from event_ends import Ends

from safe_lightning import logs
from safe_lightning.policy.model import LogPolicy
from safe_lightning.report import outlet as outlet_module


def test_an_event_is_one_json_line_shown_and_kept(ends: Ends) -> None:
    ends.configure(LogPolicy())
    logs.get_logger(run="r1", stage="pre-import").info("hook-verdict", hook="checkpoint", count=2**70)
    (event,) = ends.kept_events
    assert list(event) == ["timestamp", "level", "event", "run", "stage", "hook", "count"]
    assert (event["level"], event["event"], event["count"]) == ("info", "hook-verdict", 2**70)
    assert ends.shown == ends.kept


@pytest.mark.parametrize(
    ("format_", "is_terminal", "is_json"),
    [("auto", True, False), ("auto", False, True), ("json", True, True), ("console", False, False)],
)
def test_the_form(ends: Ends, format_: str, is_terminal: bool, is_json: bool) -> None:
    ends.configure(LogPolicy(format=format_), is_terminal=is_terminal)
    logs.get_logger().info("e")
    assert ends.shown.startswith(b"{") == is_json


@pytest.mark.parametrize(
    ("is_terminal", "no_color", "has_colors"), [(True, "", True), (True, "1", False), (False, "", False)]
)
def test_colors(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, is_terminal: bool, no_color: str, has_colors: bool
) -> None:
    monkeypatch.setenv("NO_COLOR", no_color)
    ends.configure(LogPolicy(format="console"), is_terminal=is_terminal)
    logs.get_logger().info("e")
    assert (b"\x1b[" in ends.shown) == has_colors


def test_secrets_in_events_are_masked(ends: Ends) -> None:
    ends.configure(LogPolicy())
    logs.get_logger().info("e mysql://u:hunter2@h/", task={"tidb": {"password": "hunter2"}}, argv=["-d", "s3://b?secret-access-key=hunter2"])  # fmt: skip # noqa: E501
    assert b"hunter2" not in ends.kept + ends.shown


def test_debug_is_kept_and_shown_only_on_demand(ends: Ends) -> None:
    ends.configure(LogPolicy(level="info"))
    logs.get_logger().debug("detail")
    assert [event["event"] for event in ends.kept_events] == ["detail"]
    assert ends.shown == b""


def test_our_own_info_is_shown_whatever_level_the_child_is_filtered_by(ends: Ends) -> None:
    ends.configure(LogPolicy(level="error"))
    logs.get_logger().info("retry")
    assert json.loads(ends.shown)["event"] == "retry"


def test_an_exception_is_kept_whole(ends: Ends) -> None:
    ends.configure(LogPolicy())
    try:
        raise ValueError("no")
    except ValueError:
        logs.get_logger().error("failed", exc_info=True)
    assert "ValueError: no" in ends.kept_events[0]["exception"]


def test_a_sink_that_fails_is_given_no_more_and_that_is_said(ends: Ends) -> None:
    output = ends.configure(LogPolicy())
    calls = []

    def fail(line: bytes) -> None:
        calls.append(line)
        raise OSError(28, "No space left on device")

    output.sinks.insert(0, fail)
    logs.get_logger().info("a")
    logs.get_logger().info("b")
    assert len(calls) == 1
    assert {event["event"] for event in ends.kept_events} == {"a", "b", "events-not-kept"}


def test_a_shown_end_that_is_gone_is_said_in_the_record(ends: Ends) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    logs.configure(LogPolicy(), extra_sinks=[ends.kept_lines.append], stderr_fd=write_fd)
    logs.get_logger().info("a")
    logs.flush()
    assert [event["event"] for event in ends.kept_events] == ["a", "events-not-shown"]


def test_lines_that_nobody_took_are_counted_in_the_record(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outlet_module, "_STUCK_SECONDS", 0.1)
    read_fd, write_fd = os.pipe()
    output = logs.configure(LogPolicy(), extra_sinks=[ends.kept_lines.append], stderr_fd=write_fd)
    for _ in range(20):
        output.outlet.write(b"x" * 999_999 + b"\n", may_drop=True)
    logs.flush()
    logs.flush()
    assert [(event["event"], event["lines"]) for event in ends.kept_events] == [("lines-not-shown", 11)]
    os.close(read_fd)
