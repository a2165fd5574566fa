"""Sandboxes whose cluster stays up after the import, so that it can be looked at."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Server
from safe_lightning.rehearsal.cluster import Cluster
from safe_lightning.rehearsal.sandbox import Sandbox, open_sandbox
from safe_lightning.rehearsal.scenario import Ending, Scenario
from safe_lightning.rehearsal.toml_text import write_toml

TABLE = TableName("app", "items")
SOURCE = {
    "app-schema-create.sql": "CREATE DATABASE app;",
    "app.items-schema.sql": "CREATE TABLE items (id bigint PRIMARY KEY, code varchar(9) NOT NULL, UNIQUE KEY (code));",
    "app.items.001.csv": "id,code\n" + "".join(f"{i},c{i}\n" for i in range(1, 41)),
}


@dataclass
class Place:
    """A sandbox and the wrapper in it, as a process of its own."""

    sandbox: Sandbox
    policy_file: Path

    @property
    def server(self) -> Server:
        return Server(port=self.sandbox.ports.mysql)

    def call(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        environ = self.sandbox.environ({"PATH": "/usr/bin:/bin", "SAFE_LIGHTNING_CONFIG": str(self.policy_file)})
        command = [sys.executable, "-m", "safe_lightning", *words]
        return subprocess.run(
            command, cwd=self.sandbox.folder, env=environ, capture_output=True, timeout=120, check=False
        )

    def run(self) -> subprocess.CompletedProcess[bytes]:
        return self.call(*self.sandbox.argv)

    def verify(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return self.call("verify", *words, "--", *self.sandbox.argv)

    def sql(self, statement: str) -> None:
        with Cluster(self.server, self.sandbox.scenario) as cluster:
            cluster.run(statement)


@contextmanager
def sandbox(
    folder: Path,
    ending: Ending = Ending.CLEAN,
    policy: Mapping[str, Any] | None = None,
    backend: str = "local",
    more_files: Mapping[str, str] | None = None,
    **settings: Mapping[str, object],
) -> Iterator[Place]:
    """Open a sandbox for a small import under a policy; each keyword is a section of the task."""
    (folder / "export").mkdir()
    for name, text in {**SOURCE, **(more_files or {})}.items():
        (folder / "export" / name).write_text(text)
    task = {
        "tikv-importer": {"backend": backend, "sorted-kv-dir": str(folder / "sorted")},
        "mydumper": {"data-source-dir": str(folder / "export")},
        "tidb": {"port": 4000},
        **settings,
    }
    (folder / "task.toml").write_text(write_toml(task))
    (folder / "policy.toml").write_text(write_toml({"schema": 1, **(policy or {})}))
    argv = ["--config", str(folder / "task.toml")]
    with open_sandbox(argv, folder, Scenario(ending=ending), folder / "sandbox") as opened:
        yield Place(opened, folder / "policy.toml")
