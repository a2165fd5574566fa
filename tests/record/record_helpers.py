"""What the record's tests share: a state folder, runs made in it, and real processes that can be killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from safe_lightning.core.outcome import Outcome
from safe_lightning.core.verdict import Stage, Verdict
from safe_lightning.record.ledger import Ledger
from safe_lightning.record.result import RunResult
from safe_lightning.record.run_dir import RunDir
from safe_lightning.record.state_dir import state_dir

STARTED_AT = 1_795_536_000.5


@dataclass(frozen=True)
class HookEnd:
    """A hook's result as the engine hands it over."""

    name: str
    stage: Stage
    verdict: Verdict
    duration_seconds: float


MakeRun = Callable[..., Path]
Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return state_dir(str(tmp_path / "state"), {})


@pytest.fixture
def make_run(state: Path, tmp_path: Path) -> MakeRun:
    """Make a whole run: called, and ended with an outcome unless that is None."""

    def make(
        run: str,
        started_at: float = STARTED_AT,
        outcome: Outcome | None = Outcome.SUCCEEDED,
        location: str = "file:///cp.pb",
        is_in_ledger: bool = True,
        **more: object,
    ) -> Path:
        record = RunDir.create(state, run, started_at)
        assert record.path is not None
        record.write_call(["--config", "t.toml"], tmp_path, ["HOME"], {}, location, started_at, run)
        result = RunResult(run, started_at, argv=("--config", "t.toml"), attempts=1)
        if is_in_ledger:
            with Ledger.open(state) as ledger:
                ledger.start(record.path)
        if outcome is not None:
            ended = replace(result, ended_at=started_at + 61, outcome=outcome, exit_code=0, **more)  # type: ignore[arg-type]
            record.finish(ended)
            if is_in_ledger:
                with Ledger.open(state) as ledger:
                    ledger.finish(record.path, ended)
        record.close()
        return record.path

    return make


@contextmanager
def running(code: str, *arguments: str) -> Iterator[Process]:
    """Run Python code in a process of its own, from its first line of output on until the block is left."""
    process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start Python code as a process that says "ready"; it is killed at the end of the test at the latest."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda code, *arguments: stack.enter_context(running(code, *map(str, arguments)))
