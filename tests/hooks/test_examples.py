"""The hooks that we give away, run as a user runs them: as executables, by the engine, also when things go wrong."""

from __future__ import annotations

import re
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.api import (
    Comparison,
    Context,
    Outcome,
    Stage,
    Status,
    TableName,
    TableResult,
    Task,
    Totals,
    Verdict,
)
from safe_lightning.command_hook import CommandHook
from safe_lightning.hooking import ENTRY_POINT_GROUP, load_hooks, run_stage
from safe_lightning.policy.model import HookRule

EXAMPLES = Path(__file__).resolve().parents[2] / "hooks" / "examples"
Make = Callable[..., Any]


def judge(name: str, context: Context, log: Any, *arguments: str) -> Verdict:
    rule = HookRule(run=(str(EXAMPLES / name), *arguments), timeout=30.0)
    return CommandHook(name, rule).judge(context, threading.Event(), log)


@pytest.fixture
def after(context: Make, report: Make) -> Make:
    """Make the context of a post-import hook."""

    def make(outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> Context:
        made: Context = context(stage=Stage.POST_IMPORT, report=report(outcome, **more))
        return made

    return make


def test_every_example_can_be_executed() -> None:
    scripts = [path for path in EXAMPLES.iterdir() if path.suffix in {".sh", ".py"}]
    assert len(scripts) == 4
    assert all(path.stat().st_mode & 0o111 for path in scripts)


@pytest.mark.parametrize("path", sorted(p for p in EXAMPLES.rglob("*") if p.suffix in {".sh", ".py"}), ids=str)
def test_examples_name_no_address_but_those_for_documentation(path: Path) -> None:
    hosts = re.findall(r"(?:https?://|@)([\w.-]+)", path.read_text())
    assert all(host.endswith(("example.com", "127.0.0.1")) for host in hosts)


# notify.sh


@pytest.fixture
def mailbox(executable: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A command that keeps its arguments and what it is told, in place of a mailer."""
    box = tmp_path / "mailbox"
    mailer = executable(f"open({str(box)!r}, 'w').write(repr(sys.argv[1:]) + sys.stdin.read())", "mailer")
    monkeypatch.setenv("NOTIFY_COMMAND", f"{mailer} -s *.log dba@example.com")
    return box


def test_a_message_tells_how_the_import_ended_and_where_its_record_is(after: Make, mailbox: Path, log: Any) -> None:
    verdict = judge("notify.sh", after(Outcome.CHECKSUM_MISMATCH), log)
    told = mailbox.read_text()
    assert verdict.status is Status.PASS
    assert told.startswith("['-s', '*.log', 'dba@example.com']The import on ")
    assert "ended: checksum-mismatch (exit code 1)" in told
    assert "Run r1, attempt 1." in told
    assert "Record: none was kept" in told


def test_a_message_before_the_import_says_that_it_begins(context: Make, mailbox: Path, log: Any) -> None:
    judge("notify.sh", context(), log)
    assert " begins.\n" in mailbox.read_text()


@pytest.mark.parametrize(
    ("command", "why"),
    [("/no/such/command", "was not found"), ("false", "failed"), ("   ", "is blank")],
)
def test_a_message_that_cannot_be_sent_is_a_warning(
    command: str, why: str, after: Make, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_COMMAND", command)
    verdict = judge("notify.sh", after(), log)
    assert (verdict.status, verdict.code) == (Status.WARN, "not-notified")
    assert why in verdict.message


# healthchecks.py


@contextmanager
def health_server(status: int, end: threading.Event | None = None) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Serve on the loopback and keep every ping; with ``end`` no answer comes until it is set."""
    pings: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            pings.append((self.path, self.rfile.read(int(self.headers["Content-Length"])).decode()))
            if end is not None:
                end.wait(30)
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/ping/the-secret-uuid", pings
        finally:
            if end is not None:
                end.set()
            server.shutdown()


@pytest.mark.parametrize(
    ("outcome", "suffix"),
    [(None, "/start"), (Outcome.SUCCEEDED, ""), (Outcome.CANCELED, "/fail"), (Outcome.NOTHING_IMPORTED, "/fail")],
)
def test_a_health_check_is_told_of_start_success_and_failure(
    outcome: Outcome | None, suffix: str, context: Make, after: Make, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with health_server(200) as (url, pings):
        monkeypatch.setenv("HEALTHCHECKS_URL", url)
        verdict = judge("healthchecks.py", after(outcome) if outcome else context(), log)
    assert (verdict.status, verdict.message) == (Status.PASS, "the health check was told")
    assert [path for path, _ in pings] == [f"/ping/the-secret-uuid{suffix}"]
    assert pings[0][1].startswith("run r1, attempt 1" + (f"\n{outcome}: because" if outcome else ""))


def test_a_health_server_that_refuses_is_a_warning_without_the_address(
    context: Make, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with health_server(500) as (url, _):
        monkeypatch.setenv("HEALTHCHECKS_URL", url)
        verdict = judge("healthchecks.py", context(), log)
    assert (verdict.status, verdict.code) == (Status.WARN, "not-pinged")
    assert "500" in verdict.message
    assert "the-secret-uuid" not in verdict.message


def test_a_health_server_that_does_not_answer_holds_no_import(
    context: Make, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTHCHECKS_TIMEOUT_SECONDS", "0.3")
    with health_server(200, threading.Event()) as (url, _):
        monkeypatch.setenv("HEALTHCHECKS_URL", url)
        started = time.monotonic()
        verdict = judge("healthchecks.py", context(), log)
        assert time.monotonic() - started < 10
    assert (verdict.status, verdict.code) == (Status.WARN, "not-pinged")


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "http://127.0.0.1:1/ping"])
def test_a_health_server_that_is_not_there_is_a_warning(
    url: str, context: Make, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALTHCHECKS_URL", url)
    assert judge("healthchecks.py", context(), log).code == "not-pinged"


# metrics.py

SAMPLE = re.compile(r'(\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')


def samples(path: Path) -> dict[str, float]:
    """Read the file as the collector does; fails on a line that is none."""
    found = {}
    for line in path.read_text().splitlines():
        if not line.startswith("#"):
            match = SAMPLE.fullmatch(line)
            assert match, line
            found[f"{match[1]}{{{match[2] or ''}}}"] = float(match[3])
    return found


def test_metrics_tell_the_outcome_and_the_totals_of_each_table(after: Make, log: Any, tmp_path: Path) -> None:
    totals = Comparison(Totals(1, 3004, 5), Totals(2, 3006, 6))
    name = TableName('a"\\', "b\nc")
    tables = (TableResult(name, "checksum-mismatch", totals), TableResult(None, "checksum-mismatch", totals))
    path = tmp_path / "lightning.prom"
    assert judge("metrics.py", after(Outcome.CHECKSUM_MISMATCH, tables=tables), log, str(path)).status is Status.PASS
    told = samples(path)
    assert abs(told.pop("safe_lightning_end_timestamp_seconds{}") - time.time()) < 60
    shown = '`a\\"\\\\`.`b\\nc`'
    assert told == {
        "safe_lightning_attempt{}": 1,
        'safe_lightning_outcome{outcome="checksum-mismatch"}': 1,
        "safe_lightning_child_exit_code{}": 1,
        'safe_lightning_tables{status="checksum-mismatch"}': 2,
        f'safe_lightning_key_value_pairs{{table="{shown}",side="remote"}}': 3004,
        f'safe_lightning_key_value_pairs{{table="{shown}",side="local"}}': 3006,
        'safe_lightning_key_value_pairs{table="",side="remote"}': 3004,
        'safe_lightning_key_value_pairs{table="",side="local"}': 3006,
    }


def test_metrics_replace_the_old_ones_whole_and_are_readable_for_the_collector(
    after: Make, log: Any, tmp_path: Path
) -> None:
    path = tmp_path / "lightning.prom"
    path.write_text("old\n" * 1000)
    old = path.stat().st_ino
    judge("metrics.py", after(child_exit_code=None), log, str(path))
    assert "safe_lightning_child_exit_code{}" not in samples(path)
    assert (path.stat().st_ino != old, path.stat().st_mode & 0o777) == (True, 0o644)
    assert list(tmp_path.glob(".*")) == []


def test_metrics_that_cannot_be_written_are_a_warning(after: Make, log: Any, tmp_path: Path) -> None:
    verdict = judge("metrics.py", after(), log, str(tmp_path / "absent" / "lightning.prom"))
    assert (verdict.status, verdict.code) == (Status.WARN, "no-metrics")
    assert "No such file or directory" in verdict.message


def test_metrics_under_a_name_that_nobody_reads_are_a_broken_hook(after: Make, log: Any, tmp_path: Path) -> None:
    verdict = judge("metrics.py", after(), log, str(tmp_path / "lightning.txt"))
    assert verdict.code == "hook-broke"
    assert "named *.prom" in verdict.message


# window.sh


def window(from_hours: int, to_hours: int) -> str:
    """Name the window between two distances from now."""
    now = time.time()
    return "-".join(time.strftime("%H:%M", time.localtime(now + hours * 3600)) for hours in (from_hours, to_hours))


@pytest.mark.parametrize(
    ("from_hours", "to_hours", "is_open"),
    [(-1, 1, True), (-11, 1, True), (-1, 11, True), (1, 11, False), (-11, -1, False), (1, 23, False)],
)
def test_an_import_begins_inside_its_window_only(
    from_hours: int, to_hours: int, is_open: bool, context: Make, log: Any
) -> None:
    verdict = judge("window.sh", context(), log, window(from_hours, to_hours))
    assert (verdict.status is Status.PASS, verdict.is_soft_stop) == (is_open, not is_open)


@pytest.mark.parametrize(
    "window",
    ["", "22-5", "22:00", "25:00-26:00", "22:00-22:00", "24:00-01:00", "22:60-05:00", "08:00-99:00", "08:00-09:00x"],
)
def test_a_window_that_cannot_be_understood_never_opens(window: str, context: Make, log: Any) -> None:
    verdict = judge("window.sh", context(), log, window)
    assert verdict.code == "hook-broke"
    assert f"the window '{window}' is not" in verdict.message


def test_a_window_may_last_to_the_end_of_the_day_and_come_from_the_environment(
    context: Make, log: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WINDOW", "00:00-24:00")
    assert judge("window.sh", context(), log).message == "inside the window 00:00-24:00"


# python-hook


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install the example package as pip would: its module on the path, its entry points in its metadata."""
    project = tomllib.loads((EXAMPLES / "python-hook" / "pyproject.toml").read_text())["project"]
    info = tmp_path / "site" / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"][ENTRY_POINT_GROUP].items()
    text = "".join(f"{name} = {value}\n" for name, value in points)
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINT_GROUP}]\n{text}")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.syspath_prepend(str(EXAMPLES / "python-hook"))


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("folder", "least", "status", "code"),
    [
        ("", "1000000000", Status.PASS, "no-sorting"),
        ("not/yet/there", "0", Status.PASS, "enough-space"),
        ("sorted", "1000000000", Status.BLOCK, "disk-small"),
        ("sorted", "much", Status.ERROR, "hook-broke"),
    ],
)
def test_the_example_package_is_found_by_its_entry_point_and_judges(
    folder: str,
    least: str,
    status: Status,
    code: str,
    context: Make,
    log: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ACME_FREE_GIB_LEAST", least)
    made = context(task=Task(argv=(), cwd=tmp_path, sorted_kv_dir=folder))
    hooks = load_hooks([HookRule(use="free-space")])
    (result,) = run_stage(
        hooks, Stage.PRE_IMPORT, made, stop_event=threading.Event(), on_verdict=lambda _: None, log=log
    )
    assert (result.verdict.status, result.verdict.code) == (status, code)
