"""An import into a real MariaDB by the stand-in importer, the wrapper around it as a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import mariadb
import pytest
from mariadb import MariaDB

from safe_lightning.core.tables import TableName
from safe_lightning.policy.model import DROP_PHRASE
from safe_lightning.rehearsal.scenario import SCENARIO_FILE, VARIABLE, Scenario
from safe_lightning.rehearsal.toml_text import write_toml

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "checkpoint"))

TABLE = TableName("app", "items")
SCHEMA = "id bigint PRIMARY KEY, code varchar(9) NOT NULL, UNIQUE KEY uk (code)"
CHARSET = "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
FIRST, SECOND = range(1, 21), range(21, 41)
ROWS = len(FIRST) + len(SECOND)
QUARANTINE = {"checkpoint": {"on": dict.fromkeys(("failed", "stale", "unsafe"), "quarantine")}}
ALLOW = {"allow": [DROP_PHRASE]}


def csv(ids: Any) -> str:
    return "id,code\n" + "".join(f"{i},c{i}\n" for i in ids)


@dataclass
class Import:
    """A source, a task that imports it into the server, and what the wrapper made of it."""

    folder: Path
    server: MariaDB
    user: str = "root"
    password: str = mariadb.PASSWORD
    store: dict[str, Any] = field(default_factory=dict)
    _had: frozenset[str] = frozenset()

    def prepare(self) -> None:
        export = self.folder / "export"
        export.mkdir()
        (export / "app-schema-create.sql").write_text("CREATE DATABASE app;")
        (export / "app.items-schema.sql").write_text(f"CREATE TABLE items ({SCHEMA}) {CHARSET};")
        (export / "app.items.001.csv").write_text(csv(FIRST))
        self.break_source()
        Scenario().write(self.folder / SCENARIO_FILE)
        launcher = self.folder / "tidb-lightning"
        words = f"{sys.executable} -P -m safe_lightning.rehearsal.importer"
        launcher.write_text(f'#!/bin/sh\n{VARIABLE}={self.folder / SCENARIO_FILE} exec {words} "$@"\n')
        launcher.chmod(0o755)
        self.write_task()

    def write_task(self) -> None:
        task = {
            "lightning": {"file": str(self.folder / "lightning.log")},
            "tikv-importer": {"backend": "tidb"},
            "mydumper": {"data-source-dir": str(self.folder / "export")},
            "tidb": {
                "host": self.server.host, "port": self.server.port, "user": self.user, "password": self.password,
            },
            "checkpoint": self.store or {"driver": "file", "dsn": str(self.folder / "cp" / "checkpoint.pb")},
        }  # fmt: skip
        (self.folder / "cp").mkdir(exist_ok=True)
        (self.folder / "task.toml").write_text(write_toml(task))

    def break_source(self) -> None:
        """Let the second file collide with the first, so that the import fails with the first one's rows there."""
        (self.folder / "export" / "app.items.002.csv").write_text(csv([*SECOND, 1]))

    def mend_source(self) -> None:
        (self.folder / "export" / "app.items.002.csv").write_text(csv(SECOND))

    @property
    def argv(self) -> list[str]:
        return ["--config", str(self.folder / "task.toml")]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def checkpoint(self) -> bytes | None:
        path = self.folder / "cp" / "checkpoint.pb"
        return path.read_bytes() if path.exists() else None

    def policy(self, **keys: Any) -> None:
        base = {"schema": 1, "control_tool": {"clean_with": "direct"}}
        hooks = [{"use": "checkpoint", "stage": "pre-import"}]
        (self.folder / "policy.toml").write_text(write_toml({**base, "hooks": hooks, **keys}))

    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "SAFE_LIGHTNING_CONFIG": str(self.folder / "policy.toml"),
            "SAFE_LIGHTNING_BINARY": str(self.folder / "tidb-lightning"),
            "SAFE_LIGHTNING__STATE_DIR": str(self.state),
        }

    def call(self, *command: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, *command], cwd=self.folder, env=self.environ(), capture_output=True, timeout=120,
            stdin=subprocess.DEVNULL, check=False,
        )  # fmt: skip

    def run(self) -> subprocess.CompletedProcess[bytes]:
        return self.call("-m", "safe_lightning", *self.argv)

    def verb(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return self.call("-m", "safe_lightning", "quarantine", *words, "--", *self.argv)

    def listed(self) -> list[dict[str, Any]]:
        told = self.verb("list", "--json")
        assert told.returncode == 0, told.stderr.decode()
        tables: list[dict[str, Any]] = json.loads(told.stdout)["tables"]
        return tables

    def steps(self) -> list[tuple[str, str]]:
        run = max((self.state / "runs").iterdir())
        remedies = json.loads((run / "result.json").read_text())["remedies"]
        return [(step["action"], step["result"]) for step in remedies]

    def tables(self) -> dict[str, int]:
        """Every table of the schema and its rows."""
        names = [str(name) for (name,) in self.server.run("SHOW TABLES FROM app")]
        return {name: int(str(self.server.run(f"SELECT COUNT(*) FROM app.`{name}`")[0][0])) for name in names}

    def fail(self) -> None:
        """Import once: it fails with rows of the first file in the table and a failure in the checkpoint."""
        self.policy()
        ended = self.run()
        assert ended.returncode == 1, ended.stderr.decode()
        assert self.tables()["items"] >= len(FIRST)
        self.mend_source()


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDB]:
    yield from mariadb.serving()


@pytest.fixture
def made(server: MariaDB, tmp_path: Path) -> Iterator[Import]:
    """An import whose table does not exist yet."""
    kept = {row[0] for row in server.run("SHOW SCHEMAS")}
    found = Import(tmp_path, server)
    found.prepare()
    yield found
    for (schema,) in server.run("SHOW SCHEMAS"):
        if schema not in kept:
            server.run(f"DROP SCHEMA `{schema}`")


@pytest.fixture
def failed(made: Import) -> Import:
    """An import that has failed, its source mended since."""
    made.fail()
    return made
