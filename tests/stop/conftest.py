"""An import in a sandbox, the wrapper around it as a real process, and a stop at a chosen moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.core.tables import TableName
from safe_lightning.rehearsal.sandbox import Sandbox, count_rows, open_sandbox
from safe_lightning.rehearsal.scenario import Scenario
from safe_lightning.rehearsal.toml_text import write_toml

TABLE = TableName("app", "items")
ROWS_PER_FILE, FILES = 20, 4
ROWS = ROWS_PER_FILE * FILES
POLICY = {
    "schema": 1,
    "hooks": [],
    "supervise": {"safe_stop": "always", "quiet_logical": "500ms", "quiet_physical": "500ms", "drain_timeout": "20s"},
}


@dataclass
class Import:
    """A sandbox, and the wrapper as a real process in it."""

    sandbox: Sandbox
    folder: Path

    def policy(self, **supervise: str) -> None:
        settings = {**POLICY, "supervise": {**POLICY["supervise"], **supervise}}  # type: ignore[dict-item]
        (self.folder / "policy.toml").write_text(write_toml(settings))

    def start(self) -> subprocess.Popen[bytes]:
        environ = self.sandbox.environ({**os.environ, "SAFE_LIGHTNING_CONFIG": str(self.folder / "policy.toml")})
        return subprocess.Popen(
            [sys.executable, "-m", "safe_lightning", *self.sandbox.argv], cwd=self.folder, env=environ,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def run(self) -> int:
        process = self.start()
        _, stderr = process.communicate(timeout=60)
        self.stderr = stderr
        return process.returncode

    def stop_at(self, line: str, *more: signal.Signals) -> int:
        """Signal the wrapper once its child has logged a line; further signals follow once it drains."""
        process = self.start()
        self.await_line(line)
        process.send_signal(signal.SIGTERM)
        for number in more:
            self.await_line('"progress paused"')
            process.send_signal(number)
        process.communicate(timeout=60)
        return process.returncode

    def await_line(self, line: str) -> None:
        log, deadline = self.sandbox.folder / "lightning.log", time.monotonic() + 30
        while not (log.exists() and line in log.read_text()):
            assert time.monotonic() < deadline, f"never logged: {line}"
            time.sleep(0.02)

    @property
    def rows(self) -> int | None:
        return count_rows(self.sandbox, TABLE)

    @property
    def result(self) -> dict[str, Any]:
        newest = max((self.sandbox.folder / "state" / "runs").iterdir())
        found: dict[str, Any] = json.loads((newest / "result.json").read_text())
        return found


Open = Callable[..., Import]


@pytest.fixture
def import_of(tmp_path: Path) -> Iterator[Open]:
    """Open an import of four files that takes its time over batches and engines."""
    with ExitStack() as stack:

        def opened(backend: str, **scenario: float) -> Import:
            source = tmp_path / "export"
            source.mkdir()
            (source / "app-schema-create.sql").write_text("CREATE DATABASE app;")
            (source / "app.items-schema.sql").write_text(
                "CREATE TABLE items (id bigint PRIMARY KEY, n int, KEY k (n));"
            )
            for number in range(FILES):
                ids = range(number * ROWS_PER_FILE + 1, (number + 1) * ROWS_PER_FILE + 1)
                (source / f"app.items.{number:03}.csv").write_text("id,n\n" + "".join(f"{i},{i % 7}\n" for i in ids))
            task = {
                "tikv-importer": {"backend": backend, "sorted-kv-dir": str(tmp_path / "sorted")},
                "mydumper": {"data-source-dir": str(source)},
                "tidb": {"port": 4000},
            }
            (tmp_path / "task.toml").write_text(write_toml(task))
            argv = ["--config", str(tmp_path / "task.toml")]
            played = Scenario(**scenario)  # type: ignore[arg-type]
            made = Import(stack.enter_context(open_sandbox(argv, tmp_path, played, tmp_path / "sandbox")), tmp_path)
            made.policy()
            return made

        yield opened


MID_FILE = "[fileIndex=1]"
MID_INGEST = '"start import engine"'
SLOW_ROWS = {"insert_rows": 5, "insert_seconds": 0.2}
SLOW_INGEST = {"ingest_seconds": 1.5}
