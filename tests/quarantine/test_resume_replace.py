"""A logical import into a real server, stopped half way and resumed with another task: shown, recorded, kept secret."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from safe_lightning.record.run_folder import TASK_OVERRIDE
from safe_lightning.rehearsal.scenario import SCENARIO_FILE, Scenario

from .conftest import ROWS, Import

REPLACE = {"checkpoint": {"on": {"unsafe": "resume-replace"}}}
#: The second file is begun, and some of its rows are there.
MID_FILE = "[fileIndex=1]"


def start(made: Import) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "safe_lightning", *made.argv], cwd=made.folder, env=made.environ(),
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def await_line(made: Import, line: str) -> None:
    log, deadline = made.folder / "lightning.log", time.monotonic() + 30
    while not (log.exists() and line in log.read_text()):
        assert time.monotonic() < deadline, f"never logged: {line}"
        time.sleep(0.02)


def newest(made: Import) -> Path:
    return max((made.state / "runs").iterdir())


@pytest.fixture
def stopped(made: Import) -> Import:
    """An import that a SIGTERM stopped without a drain, rows of it on their way."""
    made.mend_source()
    Scenario(insert_rows=5, insert_seconds=0.2).write(made.folder / SCENARIO_FILE)
    made.policy(supervise={"safe_stop": "off"})
    process = start(made)
    await_line(made, MID_FILE)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    (made.folder / "lightning.log").unlink()
    return made


def test_it_is_whole_afterwards_and_the_override_is_shown_and_recorded(stopped: Import) -> None:
    stopped.policy(**REPLACE)
    given = (stopped.folder / "task.toml").read_text()
    ended = stopped.run()
    assert ended.returncode == 0, ended.stderr.decode()
    assert stopped.tables() == {"items": ROWS}
    assert stopped.steps()[0][0] == "resume-replace"
    run = newest(stopped)
    phases = [json.loads(line) for line in (run / "phases.jsonl").read_text().splitlines()]
    (argv,) = [phase["argv"] for phase in phases if phase["phase"] == "importing"]
    assert argv == [*stopped.argv, f"--config={run / TASK_OVERRIDE}"]
    for event in (b"task-overridden", b"argv-as-started"):
        assert event in ended.stderr
    assert (stopped.folder / "task.toml").read_text() == given


def test_the_changed_task_is_its_owners_alone_and_goes_at_the_end(stopped: Import) -> None:
    stopped.policy(**REPLACE)
    process = start(stopped)
    await_line(stopped, "restore file start")
    made = newest(stopped) / TASK_OVERRIDE
    mode, text = made.stat().st_mode & 0o777, made.read_text()
    _, told = process.communicate(timeout=60)
    assert (mode, 'strategy = "replace"' in text, stopped.password in text) == (0o600, True, True)
    assert not made.exists()
    kept = [path for path in stopped.state.rglob("*") if path.is_file()]
    assert [path for path in kept if stopped.password in path.read_text(errors="replace")] == []
    assert stopped.password.encode() not in told


def test_what_a_killed_run_leaves_of_it_goes_with_the_next(stopped: Import) -> None:
    stopped.policy(**REPLACE)
    process = start(stopped)
    await_line(stopped, "restore file start")
    process.kill()
    process.communicate()
    left = newest(stopped) / TASK_OVERRIDE
    assert left.exists()
    stopped.run()
    assert not left.exists()


def test_a_key_that_the_server_makes_up_is_none(stopped: Import) -> None:
    """The source does not bring the column: rows sent again would get new keys, and be there twice."""
    stopped.server.run(
        "ALTER TABLE app.items DROP PRIMARY KEY, DROP KEY uk, ADD made bigint NOT NULL AUTO_INCREMENT PRIMARY KEY"
    )
    before = stopped.tables()
    stopped.policy(checkpoint={"on": {"unsafe": "resume-replace", "stale": "resume-replace"}})
    assert stopped.run().returncode != 0
    assert stopped.tables() == before
