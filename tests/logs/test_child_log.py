"""The child's log lines as events: the shape of structlog's own, masked, filtered, and all of them digested."""

from __future__ import annotations

import json
from typing import Any

import pytest
from event_ends import Ends
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recordings import recordings

from safe_lightning import logs
from safe_lightning.core.logline import LogRecord, parse_line
from safe_lightning.core.redact import redact_rows
from safe_lightning.log_events import ChildLog
from safe_lightning.policy.model import LogPolicy

HEAD = "[2024/01/02 03:04:05.678 +00:00] [{}] [x.go:1] "
INFO, WARN, ERROR, DEBUG = (HEAD.format(word) for word in ("INFO", "WARN", "ERROR", "DEBUG"))
JSON = LogPolicy(format="json")
EVERYTHING = LogPolicy(format="json", level="debug")


def take(ends: Ends, *lines: str, policy: LogPolicy = JSON, is_terminal: bool = False, **bound: object) -> None:
    ends.configure(policy, is_terminal=is_terminal)
    ChildLog(policy, **bound).take([line.encode() for line in lines])


def test_a_record_becomes_one_json_line(ends: Ends) -> None:
    take(ends, INFO + '["restore file start"] [table=`a`.`b`] [takeTime=1ms] []', run="r1", attempt=2)
    (event,) = ends.kept_events
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "level": "info",
        "event": "restore file start",
        "run": "r1",
        "attempt": 2,
        "child": True,
        "source": "x.go:1",
        "child_time": "2024/01/02 03:04:05.678 +00:00",
        "fields": {"table": "`a`.`b`", "takeTime": "1ms"},
    }
    assert ends.shown == ends.kept


def through_the_chain(ends: Ends, record: LogRecord) -> dict[str, Any]:
    """Render a record by structlog's chain, one at a time."""
    ends.kept_lines.clear()
    log = logs.get_logger(run="r", attempt=1).bind(child=True)
    say = {"debug": log.debug, "info": log.info, "warning": log.warning, "error": log.error}[logs.LEVELS[record.level]]
    say(record.message, source=record.source, child_time=record.time, fields=dict(redact_rows(record.fields)))
    (event,) = ends.kept_events
    return event


def assert_like_the_chain(ends: Ends, lines: list[bytes]) -> None:
    ends.kept_lines.clear()
    ChildLog(EVERYTHING, run="r", attempt=1).take(lines)
    fast = ends.kept_events
    for event, line in zip(fast, lines, strict=True):
        record = parse_line(line)
        assert record is not None
        slow = through_the_chain(ends, record)
        assert list(event) == list(slow)
        assert {**event, "timestamp": ""} == {**slow, "timestamp": ""}


def recorded_lines() -> list[bytes]:
    """One line of every message that was ever recorded."""
    lines: dict[tuple[str, int], bytes] = {}
    for recording in recordings():
        for line in recording.bytes_of("lightning.log").splitlines():
            record = parse_line(line)
            if record and len(line) < 30_000:
                lines.setdefault((record.message, len(record.fields)), line)
    return list(lines.values())


def test_recorded_lines_have_the_shape_that_structlog_gives_them(ends: Ends) -> None:
    ends.configure(EVERYTHING)
    lines = recorded_lines()
    assert len(lines) > 100
    assert_like_the_chain(ends, lines)


FIELD_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    message=FIELD_TEXT,
    fields=st.dictionaries(FIELD_TEXT, FIELD_TEXT, max_size=4),
    bare=st.text('ab=[] "\\\t', max_size=8),
)
def test_any_line_has_the_shape_that_structlog_gives_it(
    ends: Ends, message: str, fields: dict[str, str], bare: str
) -> None:
    ends.configure(JSON)
    quoted = "".join(
        f" [{json.dumps(k, ensure_ascii=False)}={json.dumps(v, ensure_ascii=False)}]" for k, v in fields.items()
    )
    line = f"{INFO}[{json.dumps(message, ensure_ascii=False)}]{quoted} [c={bare}] []"
    assert_like_the_chain(ends, [line.encode()])


@pytest.mark.parametrize(
    ("word", "level"),
    [("DEBUG", "debug"), ("INFO", "info"), ("WARN", "warning"), ("ERROR", "error"), ("DPANIC", "critical"),
     ("PANIC", "critical"), ("FATAL", "critical")],
)  # fmt: skip
def test_levels(ends: Ends, word: str, level: str) -> None:
    take(ends, HEAD.format(word) + "[m]", policy=LogPolicy(format="json", level="debug"))
    assert [event["level"] for event in ends.kept_events] == [level]


@pytest.mark.parametrize(
    ("least", "shown", "kept"),
    [
        ("debug", ["d", "i", "w", "e"], ["d", "i", "w", "e"]),
        ("info", ["i", "w", "e"], ["i", "w", "e"]),
        ("warn", ["w", "e"], ["i", "w", "e"]),
        ("error", ["e"], ["i", "w", "e"]),
    ],
)
def test_the_level_decides_what_is_shown_and_info_is_kept_in_any_case(
    ends: Ends, least: str, shown: list[str], kept: list[str]
) -> None:
    lines = [DEBUG + "[d]", INFO + "[i] [a=1]", WARN + "[w]", ERROR + '[e] [b="x y"]']
    take(ends, *lines, policy=LogPolicy(format="json", level=least))
    assert [event["event"] for event in ends.kept_events] == kept
    assert [json.loads(line)["event"] for line in ends.shown.splitlines()] == shown


@pytest.mark.parametrize("is_terminal", [True, False])
def test_every_record_is_digested_whatever_is_shown(ends: Ends, is_terminal: bool) -> None:
    policy = LogPolicy(level="error")
    ends.configure(policy, is_terminal=is_terminal)
    seen: list[LogRecord] = []
    ChildLog(policy, seen.append).take([line.encode() for line in (DEBUG + "[d]", "text", WARN + '[w] [password="p"]')])
    assert [(record.message, dict(record.fields)) for record in seen] == [("d", {}), ("w", {"password": "p"})]


def test_what_the_digest_raises_is_not_swallowed(ends: Ends) -> None:
    ends.configure(JSON)

    def fail(record: LogRecord) -> None:
        raise ValueError(record.message)

    with pytest.raises(ValueError, match="m"):
        ChildLog(JSON, fail).take([(INFO + "[m]").encode()])


SECRET = "hunter2secret"
SECRET_LINES = [
    f"{INFO}[cfg] [cfg=\"{{\\\"password\\\":\\\"{SECRET}\\\"}}\"]",
    f"{INFO}[m] [password={SECRET}]",
    f"{INFO}[m] [dsn=root:{SECRET}@tcp(h:4000)/]",
    f"{INFO}[m] [a=1] [url=s3://b?secret-access-key={SECRET}]",
    f"{INFO}[\"connect to mysql://root:{SECRET}@h:4000/\"]",
    f"{INFO}[\"a\"] [\"b c\"=\"p\\u0061ssword={SECRET}\"]",
    f"pod/x {INFO}[m] [token=x] [auth-token={SECRET}]",
    f'{{"level":"info","message":"m","tidb":{{"password":"{SECRET}"}}}}',
    f'{{"level":"info","time":"password={SECRET}","message":"password={SECRET}"}}',
    f"panic: cannot open root:{SECRET}@tcp(h)/",
    f"2019/04/19 10:57:24.508 [info] dsn root:{SECRET}@tcp(h:4000)/",
]  # fmt: skip


@pytest.mark.parametrize("line", SECRET_LINES)
@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_secret_is_shown_or_kept(ends: Ends, line: str, is_terminal: bool) -> None:
    take(ends, line, policy=LogPolicy(), is_terminal=is_terminal)
    assert ends.kept_events
    assert SECRET.encode() not in ends.kept + ends.shown
    assert b"***" in ends.kept


ROW_LINES = [
    ERROR + '["execute statement failed"] [rows="[(\'secretrow\',1)]"] [stmt="INSERT INTO `t` VALUES(\'secretrow\')"] '
    "[error=\"Error 1062 (23000): Duplicate entry '1' for key 't.PRIMARY'\"]",
    WARN + "[m] [row=secretrow]",
    WARN + "[m] [a=1] [datums=secretrow] []",
    ERROR + "[\"found data conflict records in table t, primary key is '1', row data is '(secretrow)'\"]",
    '{"level":"error","message":"m","rows":"secretrow"}',
]


@pytest.mark.parametrize("line", ROW_LINES)
def test_row_data_is_shown_by_its_size_only(ends: Ends, line: str) -> None:
    take(ends, line)
    assert b"secretrow" not in ends.kept
    assert b"bytes of row data)" in ends.kept


@pytest.mark.parametrize("line", ROW_LINES)
def test_row_data_is_kept_where_the_policy_says_so(ends: Ends, line: str) -> None:
    take(ends, line, policy=LogPolicy(format="json", row_data="keep"))
    assert b"secretrow" in ends.kept


def test_a_stack_behind_a_record_is_one_event_of_its_level(ends: Ends) -> None:
    take(ends, ERROR + "[m]", "goroutine 1 [running]:", "\tmain.go:1", INFO + "[n]", "tail")
    shape = [(event["event"], event["level"], event["fields"].get("text")) for event in ends.kept_events]
    assert shape == [
        ("m", "error", None),
        ("log-text", "error", "goroutine 1 [running]:\n\tmain.go:1"),
        ("n", "info", None),
        ("log-text", "info", "tail"),
    ]


@pytest.mark.parametrize("field", ["rows", "stmt"])
def test_the_further_lines_of_row_data_are_row_data(ends: Ends, field: str) -> None:
    take(ends, f"{ERROR}[m] [{field}=\"INSERT INTO t VALUES ('a',", "'secretrow')\"] [error=x]")
    assert b"secretrow" not in ends.kept


def test_the_further_lines_of_a_secret_are_secret(ends: Ends) -> None:
    take(ends, f'{INFO}[m] [password="begins', 'hunter2secret"]')
    assert b"hunter2secret" not in ends.kept


def test_an_over_long_value_is_cut_at_a_word(ends: Ends) -> None:
    take(ends, f'{INFO}[m] [error="{"word " * 20_000}"]', f"{INFO}[m] [a={'x' * 100_000}]")
    assert len(ends.kept) < 70_000
    assert "(100000 characters" in ends.kept_events[0]["fields"]["error"]


def test_bytes_that_are_no_text_do_not_break_the_json(ends: Ends) -> None:
    ends.configure(JSON)
    ChildLog(JSON).take([INFO.encode() + b"[m] [a=\xff\x00]", b"\xfe\xed", b""])
    assert [event["event"] for event in ends.kept_events] == ["m", "log-text"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rests=st.lists(st.text(alphabet=' []="ab\\\x00\x1f\x7fµ\u2028é', max_size=20), max_size=6))
def test_whatever_is_logged_every_event_is_valid_json(ends: Ends, rests: list[str]) -> None:
    ends.configure(JSON)
    ends.kept_lines.clear()
    ChildLog(JSON).take([f"{INFO}[m]{rest}".encode() for rest in rests])
    assert len(ends.kept_events) == len(rests)


def test_what_is_remembered_is_bounded(ends: Ends) -> None:
    ends.configure(JSON)
    log = ChildLog(JSON)
    for number in range(10_000):
        log.take([f"2019/04/19 10:57:24.508 [info] message {number}".encode()])
    assert len(log._known) <= 4096


def test_on_a_terminal_a_record_is_one_short_line(ends: Ends) -> None:
    line = WARN + '["write rows exceed conflict threshold"] [table=`a`.`b`] [errorVerbose="a\\nb"]'
    take(ends, line, policy=LogPolicy(), is_terminal=True, run="r1", attempt=1)
    (shown,) = ends.shown.decode().splitlines()
    assert "write rows exceed conflict threshold" in shown
    assert "`a`.`b`" in shown
    assert "x.go" not in shown
    assert "errorVerbose" not in shown
    assert ends.kept_events[0]["fields"]["errorVerbose"] == "a\nb"
