"""Executables as hooks: what they are told, what their end means, and that none of them harms the run."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from safe_lightning.api import Comparison, Context, Outcome, Stage, Status, TableName, TableResult, Totals, Verdict
from safe_lightning.command_hook import CommandHook
from safe_lightning.policy.model import HookRule

Make = Callable[..., Any]


def judge(
    path: Path, context: Context, log: Any, timeout: float = 20.0, stop: threading.Event | None = None
) -> Verdict:
    return CommandHook("page", HookRule(run=(str(path),), timeout=timeout)).judge(
        context, stop or threading.Event(), log
    )


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ("print('all well')", Status.PASS, "pass", "all well"),
        ("pass", Status.PASS, "pass", "exit code 0"),
        ("print('disk is full', file=sys.stderr); sys.exit(1)", Status.BLOCK, "blocked", "disk is full"),
        ("sys.exit(1)", Status.BLOCK, "blocked", "exit code 1, without a word why"),
        ("print('until 22:00'); sys.exit(75)", Status.BLOCK, "try-later", "until 22:00"),
        ("print('oops'); sys.exit(2)", Status.ERROR, "hook-broke", "ended with exit code 2: oops"),
        ("os.kill(os.getpid(), signal.SIGKILL)", Status.ERROR, "hook-broke", "was killed by signal 9"),
    ],
)
def test_the_exit_code_is_the_verdict(
    body: str, status: Status, code: str, message: str, executable: Make, context: Make, log: Any
) -> None:
    verdict = judge(executable(body), context(), log)
    assert (verdict.status, verdict.code, verdict.message) == (status, code, message)


WRITE = "open(os.environ['SAFE_LIGHTNING_VERDICT'], 'w').write({text!r}); sys.exit({code})"


def verdict_text(status: str) -> str:
    return json.dumps({"schema": 1, "status": status, "code": "my-code", "message": "my words"})


@pytest.mark.parametrize(
    ("text", "exit_code", "status", "code"),
    [
        (verdict_text("pass"), 0, Status.PASS, "my-code"),
        (verdict_text("warn"), 0, Status.WARN, "my-code"),
        (verdict_text("block"), 1, Status.BLOCK, "my-code"),
        (verdict_text("error"), 1, Status.ERROR, "my-code"),
        (verdict_text("block"), 0, Status.ERROR, "hook-broke"),
        (verdict_text("pass"), 1, Status.ERROR, "hook-broke"),
        (verdict_text("pass"), 3, Status.ERROR, "hook-broke"),
        (verdict_text("pass"), 75, Status.BLOCK, "try-later"),
        ("rubbish", 0, Status.ERROR, "hook-broke"),
        ("", 0, Status.PASS, "pass"),
    ],
)
def test_a_written_verdict_refines_the_exit_code_but_never_contradicts_it(
    text: str, exit_code: int, status: Status, code: str, executable: Make, context: Make, log: Any
) -> None:
    verdict = judge(executable(WRITE.format(text=text, code=exit_code)), context(), log)
    assert (verdict.status, verdict.code) == (status, code)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("os.symlink('/etc/passwd', path)", "the verdict cannot be read: Too many levels of symbolic links"),
        ("os.mkfifo(path)", "the verdict is not a regular file"),
        ("os.mkdir(path)", "the verdict is not a regular file"),
        ("open(path, 'wb').truncate(1 << 40)", "the verdict is larger than 1048576 bytes"),
    ],
)
def test_a_verdict_that_is_no_small_file_is_never_waited_for(
    body: str, complaint: str, executable: Make, context: Make, log: Any
) -> None:
    verdict = judge(executable("path = os.environ['SAFE_LIGHTNING_VERDICT']\n" + body), context(), log)
    assert (verdict.code, verdict.message) == ("hook-broke", complaint)


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_hook_that_hangs_is_killed_with_all_its_children(
    executable: Make, context: Make, log: Any, tmp_path: Path
) -> None:
    daemon = (
        "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        f"        open({str(tmp_path / 'new')!r}, 'w').write(str(os.getpid()))\n"
        f"        os.rename({str(tmp_path / 'new')!r}, {str(tmp_path / 'pid')!r})\n"
        "        signal.pause()\n    os._exit(0)\nsignal.pause()"
    )
    verdict = judge(executable(daemon), context(), log, timeout=1.5)
    assert verdict.message == "did not end within 1.5 s and was killed"
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_much_output_is_logged_up_to_a_bound_and_does_not_change_the_verdict(
    executable: Make, context: Make, log: Any
) -> None:
    verdict = judge(executable("for _ in range(4096): print('x' * 8000)"), context(), log)
    assert verdict.status is Status.PASS
    assert sum(map(len, log.lines())) < 2 << 20
    assert [event for level, event, _ in log.events if level == "warning"] == ["hook-output-cut"]


def test_what_a_hook_prints_is_logged_line_by_line_under_its_name(executable: Make, context: Make, log: Any) -> None:
    body = "print('one'); sys.stdout.buffer.write(b'tw\\xffo\\n'); sys.stdout.flush(); sys.stderr.write('three')"
    judge(executable(body), context(), log)
    assert sorted(log.lines()) == ["one", "three", "tw\ufffdo"]
    assert {fields["hook"] for _, _, fields in log.events} == {"page"}


def test_a_password_that_a_hook_prints_is_masked(executable: Make, context: Make, log: Any) -> None:
    verdict = judge(executable("print('mysql://root:geheim@db:4000/'); sys.exit(1)"), context(), log)
    assert "geheim" not in verdict.message + "".join(log.lines())


def test_a_stop_of_the_run_stops_the_hook(executable: Make, context: Make, log: Any) -> None:
    stop = threading.Event()
    log.info = lambda event, /, **fields: stop.set()
    verdict = judge(executable("print('begun', flush=True); signal.pause()"), context(), log, stop=stop)
    assert verdict.code == "interrupted"


def test_an_executable_that_is_not_there_is_a_broken_hook(context: Make, log: Any, tmp_path: Path) -> None:
    verdict = judge(tmp_path / "absent", context(), log)
    assert verdict.code == "hook-broke"
    assert "absent" in verdict.message


def told(executable: Make, context: Context, log: Any) -> dict[str, str]:
    body = "print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('SAFE_LIGHTNING_')}))"
    judge(executable(body), context, log)
    facts: dict[str, str] = json.loads(log.lines()[0])
    return {name: value for name, value in facts.items() if name not in os.environ}


def test_before_the_import_the_outcome_is_empty(executable: Make, context: Make, log: Any, tmp_path: Path) -> None:
    facts = told(executable, context(run_dir=tmp_path, dry_run=True, attempt=2), log)
    question = json.loads(Path(facts.pop("SAFE_LIGHTNING_CONTEXT")).read_text())
    answer = Path(facts.pop("SAFE_LIGHTNING_VERDICT"))
    assert facts.pop("SAFE_LIGHTNING_COMMAND_ID")
    assert answer.parent.parent == tmp_path / "hooks"
    assert facts == {
        "SAFE_LIGHTNING_HOOK": "page",
        "SAFE_LIGHTNING_STAGE": "pre-import",
        "SAFE_LIGHTNING_RUN_ID": "r1",
        "SAFE_LIGHTNING_RUN_DIR": str(tmp_path),
        "SAFE_LIGHTNING_OUTCOME": "",
        "SAFE_LIGHTNING_CHILD_EXIT_CODE": "",
        "SAFE_LIGHTNING_DRY_RUN": "1",
        "SAFE_LIGHTNING_ATTEMPT": "2",
    }
    assert (question["schema"], question["report"], question["argv"]) == (1, None, ["-d", "/data"])


def test_after_the_import_the_report_is_told_with_exact_integers(
    executable: Make, context: Make, report: Make, log: Any, tmp_path: Path
) -> None:
    totals = Comparison(Totals(2**64 - 1, 3, 4), None)
    end = report(Outcome.CHECKSUM_MISMATCH, tables=(TableResult(TableName("a", "b`c"), "checksum-mismatch", totals),))
    facts = told(executable, context(stage=Stage.POST_IMPORT, report=end, run_dir=tmp_path), log)
    assert (facts["SAFE_LIGHTNING_OUTCOME"], facts["SAFE_LIGHTNING_CHILD_EXIT_CODE"]) == ("checksum-mismatch", "1")
    (table,) = json.loads(Path(facts["SAFE_LIGHTNING_CONTEXT"]).read_text())["report"]["tables"]
    assert table["table"] == "`a`.`b``c`"
    assert table["checksum"] == {"remote": {"checksum": 2**64 - 1, "kvs": 3, "bytes": 4}, "local": None}


def test_without_a_record_the_folder_is_private_and_goes_again(executable: Make, context: Make, log: Any) -> None:
    folder = Path(told(executable, context(), log)["SAFE_LIGHTNING_CONTEXT"]).parent
    assert not folder.exists()


def test_a_record_that_cannot_be_written_does_not_stop_a_hook(
    executable: Make, context: Make, log: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    assert judge(executable("pass"), context(run_dir=tmp_path / "file"), log).status is Status.PASS


def test_no_secret_reaches_the_context(executable: Make, context: Make, report: Make, log: Any, tmp_path: Path) -> None:
    end = report(root_error="cannot connect to mysql://root:geheim@db:4000/")
    told(executable, context(report=end, stage=Stage.POST_IMPORT, run_dir=tmp_path), log)
    (question,) = (tmp_path / "hooks").glob("*/context.json")
    assert "geheim" not in question.read_text()
    assert question.parent.stat().st_mode & 0o77 == 0
