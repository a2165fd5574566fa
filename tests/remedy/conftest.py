"""A failed import in a sandbox, and everything that a plan is performed in, ready to be turned bad one by one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rehearsal.conftest import CLEAN, TABLE, Shop

from safe_lightning.acts.remedy_engine import PlanResult, StepResult, Surroundings, perform
from safe_lightning.api import Action, Plan, Policy, Step, TableBaseline, TableName, Task
from safe_lightning.lightning.checkpoint_backup import back_up
from safe_lightning.lightning.task import resolve_task
from safe_lightning.policy.model import DROP_PHRASE, ControlToolPolicy
from safe_lightning.rehearsal.sandbox import open_sandbox
from safe_lightning.rehearsal.scenario import Ending, Scenario
from safe_lightning.rehearsal.toml_text import write_toml
from safe_lightning.services import EngineServices

CAREFREE = Policy(allow=(DROP_PHRASE,), control_tool=ControlToolPolicy(timeout=60, probe_timeout=5))
OTHER = TableName("app", "others")
TWO_TABLES = {
    **CLEAN,
    "app.others-schema.sql": "CREATE TABLE others (id bigint PRIMARY KEY, n int);",
    "app.others.csv": "id,n\n1,1\n2,2\n",
}


def empty_before(*tables: TableName) -> dict[TableName, TableBaseline]:
    return {table: TableBaseline(table, True, True, 1.0, "r1") for table in tables or (TABLE, OTHER)}


@dataclass
class Scene:
    """A failed import; ``journal`` holds what was done in which order, the control tool's calls among it."""

    shop: Shop
    folder: Path
    journal: list[str] = field(default_factory=list)

    @property
    def task(self) -> Task:
        return resolve_task(self.shop.sandbox.argv, self.shop.sandbox.folder, {})

    @property
    def real_tool(self) -> Path:
        return self.shop.sandbox.folder / "bin" / "tidb-lightning-ctl"

    def tool(self, body: str = "") -> Path:
        """Write a control tool that notes its call and does ``body``; the stand-in's work where there is none."""
        path = self.folder / "ctl"
        body = body or f"os.execv({str(self.real_tool)!r}, sys.argv)"
        calls = self.folder / "calls"
        path.write_text(
            f"#!{sys.executable}\nimport os, signal, subprocess, sys\n"
            f"open({str(calls)!r}, 'a').write(repr(sys.argv[1:]) + '\\n')\nREAL = {str(self.real_tool)!r}\n{body}\n"
        )
        path.chmod(0o755)
        return path

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def surroundings(self, **more: Any) -> Surroundings:
        task = more.get("task", self.task)
        policy = more.get("policy", CAREFREE)
        backups = self.folder / "backups"
        backups.mkdir(exist_ok=True)

        def copy() -> None:
            back_up(task.checkpoint, backups, policy.checkpoint)
            self.journal.append("backed up")

        def intend(step: Step) -> None:
            self.journal.append(f"to {step.action} {step.table}, {len(self.calls)} calls so far")

        def note(step: Step, result: StepResult) -> None:
            self.journal.append(f"{result.status}, {len(self.calls)} calls so far")

        facts: dict[str, Any] = {
            "task": task,
            "policy": policy,
            "services": EngineServices(task, policy, empty_before),
            "control_tool": None if "control_tool" in more else self.tool(),
            "environ": os.environ,
            "back_up": copy,
            "others_alive": lambda: False,
            "record_intent": intend,
            "record_result": note,
            "is_record_trustworthy": lambda: True,
        }
        return Surroundings(**(facts | more))

    def perform(self, *steps: tuple[Action, TableName], **more: Any) -> PlanResult:
        plan = Plan(tuple(Step(action, table, "per policy") for action, table in steps), "because")
        return perform(plan, self.surroundings(**more))

    def act(self, action: Action, table: TableName = TABLE, **more: Any) -> StepResult:
        """Perform a single step."""
        (result,) = self.perform((action, table), **more).steps
        return result

    @property
    def state(self) -> tuple[bytes | None, int | None]:
        """The checkpoint file byte for byte, and the table's rows."""
        path = self.shop.checkpoint_file
        return path.read_bytes() if path.exists() else None, self.shop.rows

    @property
    def entries(self) -> dict[str, int]:
        return {str(name): table.status for name, table in self.shop.checkpoint.tables.items()}


@contextmanager
def scene_in(
    folder: Path,
    ending: Ending = Ending.DUPLICATE_KEYS,
    files: Mapping[str, str] = CLEAN,
    backend: str = "local",
) -> Iterator[Scene]:
    source = folder / "export"
    source.mkdir(parents=True)
    for name, text in files.items():
        (source / name).write_text(text)
    importer = {"backend": backend, "sorted-kv-dir": str(folder / "sorted")}
    task = {"tikv-importer": importer, "mydumper": {"data-source-dir": str(source)}, "tidb": {"port": 4000}}
    (folder / "task.toml").write_text(write_toml(task))
    argv = ["--config", str(folder / "task.toml")]
    with open_sandbox(argv, folder, Scenario(ending=ending, pd_tries=2), folder / "sandbox") as sandbox:
        shop = Shop(sandbox)
        shop.run()
        yield Scene(shop, folder)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene_in(tmp_path_factory.mktemp("shared"), files=TWO_TABLES) as scene:
        yield scene


@pytest.fixture
def untouched(shared: Scene) -> Iterator[Scene]:
    """A failed import that a test must leave as it is, byte for byte, without a call of the control tool."""
    shared.journal.clear()
    before = shared.state
    assert before[0]
    yield shared
    assert (shared.state, shared.calls) == (before, [])


@pytest.fixture
def open_scene(tmp_path: Path) -> Iterator[Callable[..., Scene]]:
    """Open a failed import of the test's own: ending, files, backend."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(scene_in(tmp_path, **more))


@pytest.fixture
def failed(open_scene: Callable[..., Scene]) -> Scene:
    return open_scene()


@pytest.fixture
def stopped() -> threading.Event:
    event = threading.Event()
    event.set()
    return event
