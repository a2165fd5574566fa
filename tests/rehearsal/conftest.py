"""What the rehearsal's tests share: a shop to import, a sandbox around it, and its tools to call."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from safe_lightning.core.tables import TableName
from safe_lightning.rehearsal.checkpoints import CheckpointBook, load
from safe_lightning.rehearsal.sandbox import Sandbox, count_rows, open_sandbox
from safe_lightning.rehearsal.scenario import Ending, Scenario
from safe_lightning.rehearsal.toml_text import write_toml
from safe_lightning.supervise.command import CommandEnd, run_command

TABLE = TableName("app", "items")
SCHEMA = "CREATE TABLE items (id bigint PRIMARY KEY, code varchar(9) NOT NULL, n int, UNIQUE KEY uk (code), KEY k (n));"
CLEAN = {
    "app-schema-create.sql": "CREATE DATABASE app;",
    "app.items-schema.sql": SCHEMA,
    "app.items.001.csv": "id,code,n\n" + "".join(f"{i},c{i},{i % 5}\n" for i in range(1, 21)),
    "app.items.002.csv": "id,code,n\n" + "".join(f"{i},c{i},{i % 5}\n" for i in range(21, 41)),
}


@dataclass
class Shop:
    """A sandbox with one small table; its tools are called bare, without the wrapper."""

    sandbox: Sandbox

    def tool(self, name: str, *flags: str) -> CommandEnd:
        argv = [str(self.sandbox.folder / "bin" / name), *self.sandbox.argv, *flags]
        return run_command(argv, timeout_seconds=60, env=os.environ, cwd=self.sandbox.folder)

    def run(self, *flags: str) -> CommandEnd:
        return self.tool("tidb-lightning", *flags)

    def ctl(self, *flags: str) -> CommandEnd:
        return self.tool("tidb-lightning-ctl", *flags)

    @property
    def checkpoint_file(self) -> Path:
        return self.sandbox.folder / "checkpoint.pb"

    @property
    def checkpoint(self) -> CheckpointBook:
        return load(self.checkpoint_file)

    @property
    def rows(self) -> int | None:
        return count_rows(self.sandbox, TABLE)

    @property
    def log(self) -> str:
        return (self.sandbox.folder / "lightning.log").read_text()


OpenShop = Callable[..., Shop]


@pytest.fixture
def open_shop(tmp_path: Path) -> Iterator[OpenShop]:
    """Open a shop: backend, ending, files of the source, further settings of the task."""
    with contextlib.ExitStack() as stack:

        def opened(
            backend: str = "local",
            ending: Ending = Ending.CLEAN,
            files: Mapping[str, str] = CLEAN,
            **settings: Mapping[str, object],
        ) -> Shop:
            source = tmp_path / "export"
            source.mkdir()
            for name, text in files.items():
                (source / name).write_text(text)
            importer = {"backend": backend, "sorted-kv-dir": str(tmp_path / "sorted")}
            task = {
                "tikv-importer": importer,
                "mydumper": {"data-source-dir": str(source)},
                "tidb": {"port": 4000},
                **settings,
            }
            (tmp_path / "task.toml").write_text(write_toml(task))
            scenario = Scenario(ending=ending, hang_seconds=0.2, pd_tries=2)
            argv = ["--config", str(tmp_path / "task.toml")]
            return Shop(stack.enter_context(open_sandbox(argv, tmp_path, scenario, tmp_path / "sandbox")))

        yield opened


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path, str], Path]:
    """Copy a recording's source and config to where they can be used, its recorded folder replaced by ours."""

    def copy(recording: Path, recorded_folder: str) -> Path:
        shutil.copytree(recording / "data", tmp_path / "data")
        text = (recording / "config.toml").read_text().replace(recorded_folder, str(tmp_path))
        (tmp_path / "config.toml").write_text(text)
        return tmp_path

    return copy
