"""A failed import with all its leavings on a real MariaDB, and the verb as a process."""

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
from rehearsal.conftest import TABLE
from remedy.conftest import Scene, scene_in

from safe_lightning.core.verdict import TableBaseline
from safe_lightning.policy.model import DROP_PHRASE
from safe_lightning.record.baselines import baseline_key, remember
from safe_lightning.record.state_dir import state_dir
from safe_lightning.rehearsal.toml_text import write_toml

from .filling import DONE, FAILED, HALF, NOTHING_BEFORE, SCHEMAS, fill_server, write_files

MAY_DROP = {"allow": [DROP_PHRASE]}
MODULE = ("-m", "safe_lightning")


@pytest.fixture(scope="session")
def server() -> Iterator[MariaDB]:
    yield from mariadb.serving()


@dataclass
class Leavings:
    """A failed physical import: one table failed, one is half done, one is finished; and what belongs to each.

    There is no PD and no control tool, so all acts are our own.
    """

    server: MariaDB
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        return ["--config", str(self.folder / "task.toml")]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def sorted(self) -> Path:
        return self.folder / "sorted"

    @property
    def location(self) -> str:
        return f"mysql://root@127.0.0.1:{self.server.port}/cp"

    @property
    def baseline_key(self) -> str:
        return baseline_key(self.location, f"127.0.0.1:{self.server.port}")

    def policy(self, **settings: Any) -> None:
        quick = {"timeout": "10s", "probe_timeout": "300ms"}
        document = {"schema": 1, "state_dir": str(self.state), "control_tool": quick, **self.settings, **settings}
        (self.folder / "policy.toml").write_text(write_toml(document))

    def process(
        self, *words: str, script: tuple[str, ...] = ("-m", "safe_lightning")
    ) -> subprocess.CompletedProcess[bytes]:
        names = ("SAFE_LIGHTNING_CONFIG", "PATH", "TMPDIR")
        values = (str(self.folder / "policy.toml"), str(self.folder / "no-tools"), str(self.folder / "tmp"))
        environ = {**os.environ, **dict(zip(names, values, strict=True))}
        argv = [sys.executable, *script, *words, "--", *self.argv]
        return subprocess.run(argv, cwd=self.folder, env=environ, capture_output=True, timeout=60, check=False)

    def plan(self, *options: str) -> dict[str, Any]:
        """Make a plan, save it as plan.json, and return what was printed."""
        ended = self.process("clean", "--plan", "--json", "--out", str(self.plan_file), *options)
        assert ended.stdout, ended.stderr.decode()
        found: dict[str, Any] = json.loads(ended.stdout)
        return {**found, "code": ended.returncode}

    def plan_notes(self) -> list[str]:
        """Return what a new plan, which is not saved, notes."""
        found: list[str] = json.loads(self.process("clean", "--json").stdout)["notes"]
        return found

    @property
    def plan_file(self) -> Path:
        return self.folder / "plan.json"

    def apply(self) -> subprocess.CompletedProcess[bytes]:
        return self.process("clean", "--apply", str(self.plan_file))

    def acts(self, *options: str) -> dict[str, str]:
        """Return what a plan would do, by item."""
        return acts_of(self.plan(*options))

    def count(self, place: str, where: str = "1 = 1") -> int | None:
        """Count rows; None where there is no such table."""
        schema, _, table = place.partition(".")
        if not self.has_schema(schema) or not self.server.run(f"SHOW TABLES FROM {schema} LIKE '{table}'"):
            return None
        return int(str(self.server.run(f"SELECT COUNT(*) FROM {place} WHERE {where}")[0][0]))

    def has_schema(self, name: str) -> bool:
        return bool(self.server.run(f"SHOW SCHEMAS LIKE '{name}'"))

    @property
    def entries(self) -> set[str]:
        return {str(row[0]) for row in self.server.run("SELECT table_name FROM cp.table_v10")}

    def facts(self) -> dict[str, Any]:
        """Return everything that a clean-up may change."""
        places = {f"app.{table.table}": self.count(f"app.{table.table}") for table in (FAILED, HALF, DONE)}
        rows = {name: self.count(name) for name in ("lightning_metadata.table_meta", "lightning_metadata.task_meta_v2")}
        info = {name: self.count(f"lightning_task_info.{name}") for name in ("conflict_error_v4", "type_error_v2")}
        entries = sorted(self.entries) if self.has_schema("cp") else None
        folders = sorted(path.name for path in self.sorted.iterdir())
        return {**places, **rows, **info, "entries": entries, "folders": folders}


def acts_of(document: dict[str, Any]) -> dict[str, str]:
    return {item["key"]: item["action"] for item in document["items"] if item["action"] not in ("none", "keep")}


@pytest.fixture
def leavings(server: MariaDB, tmp_path: Path) -> Iterator[Leavings]:
    made = Leavings(server, tmp_path)
    fill(made)
    made.policy(**MAY_DROP)
    yield made
    server.run(*(f"DROP SCHEMA IF EXISTS {schema}" for schema in SCHEMAS))


def fill(made: Leavings) -> None:
    """Write everything; may be called again to have it all back."""
    write_files(made.server, made.folder)
    fill_server(made.server, made.folder)
    remember(state_dir(str(made.state), {}), made.baseline_key, NOTHING_BEFORE)


@dataclass
class Sandboxed:
    """A failed import in a sandbox, whose control tool can be made to do otherwise."""

    scene: Scene

    @property
    def folder(self) -> Path:
        return self.scene.folder

    def clean(self, *words: str, tool: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        more = {"SAFE_LIGHTNING_CONFIG": str(self.folder / "policy.toml")}
        more |= {"SAFE_LIGHTNING__CONTROL_TOOL__PATH": str(tool)} if tool is not None else {}
        environ = {**self.scene.shop.sandbox.environ(os.environ), **more}
        argv = [sys.executable, "-m", "safe_lightning", "clean", *words, "--", *self.scene.shop.sandbox.argv]
        return subprocess.run(argv, cwd=self.folder, env=environ, capture_output=True, timeout=60, check=False)

    def plan(self) -> dict[str, Any]:
        ended = self.clean("--json", "--out", str(self.folder / "plan.json"))
        assert ended.stdout, ended.stderr.decode()
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def killer(self, deed: str) -> Path:
        """Write a control tool that does something and kills whoever called it, where it is to change an entry."""
        is_asked = "any(word.startswith('--checkpoint-') for word in sys.argv)"
        other = f"if not {is_asked}: os.execv(REAL, [REAL, *sys.argv[1:]])"
        return self.scene.tool(f"{other}\n{deed}\nos.kill(os.getppid(), signal.SIGKILL)")

    def apply(self, tool: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        return self.clean("--apply", str(self.folder / "plan.json"), tool=tool)


@pytest.fixture
def sandboxed(tmp_path: Path) -> Iterator[Sandboxed]:
    with scene_in(tmp_path) as scene:
        (tmp_path / "policy.toml").write_text(write_toml({"schema": 1, "allow": [DROP_PHRASE]}))
        task, state = scene.task, scene.shop.sandbox.folder / "state"
        key = baseline_key(task.checkpoint.location, f"{task.target.host}:{task.target.port}")
        remember(state_dir(str(state), {}), key, [TableBaseline(TABLE, False, None, 1.0, "r1")])
        yield Sandboxed(scene)
