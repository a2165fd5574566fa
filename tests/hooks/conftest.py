"""What hook tests share: a context to hand to hooks, a log that remembers, executables made on the spot."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.api import (
    Checkpoint,
    Context,
    CouldNotLook,
    ImportReport,
    Outcome,
    Policy,
    Stage,
    TableBaseline,
    TableName,
    Target,
    Task,
)


@dataclass
class RememberingLog:
    """Keeps every event with its level and fields."""

    events: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def debug(self, event: str, /, **fields: Any) -> None:
        self.events.append(("debug", event, fields))

    def info(self, event: str, /, **fields: Any) -> None:
        self.events.append(("info", event, fields))

    def warning(self, event: str, /, **fields: Any) -> None:
        self.events.append(("warning", event, fields))

    def lines(self) -> list[str]:
        return [fields["line"] for _, event, fields in self.events if event == "hook-output"]


class NoServices:
    """A cluster nobody can look at, with baselines where a test gives some."""

    def __init__(self, baselines: Mapping[TableName, TableBaseline] | None = None) -> None:
        self.known = baselines

    def read_checkpoint(self) -> Checkpoint:
        raise CouldNotLook("no checkpoint here")

    def target(self) -> AbstractContextManager[Target]:
        raise CouldNotLook("no target here")

    def source_tables(self) -> frozenset[TableName]:
        raise CouldNotLook("no source here")

    def baselines(self) -> Mapping[TableName, TableBaseline]:
        if self.known is None:
            raise CouldNotLook("no record here")
        return self.known


@pytest.fixture
def log() -> RememberingLog:
    return RememberingLog()


@pytest.fixture
def report() -> Callable[..., ImportReport]:
    def make(outcome: Outcome = Outcome.SUCCEEDED, **more: Any) -> ImportReport:
        facts: dict[str, Any] = {
            "reason": "because",
            "child_exit_code": 1,
            "child_signal": None,
            "version": "v8.5.4",
            "tables": (),
            "root_error": None,
            "evidence": (),
        }
        return ImportReport(outcome, **{**facts, **more})

    return make


@pytest.fixture
def context(tmp_path: Path) -> Callable[..., Context]:
    def make(**more: Any) -> Context:
        facts: dict[str, Any] = {
            "run": "r1",
            "attempt": 1,
            "stage": Stage.PRE_IMPORT,
            "run_dir": None,
            "argv": ("-d", "/data"),
            "task": Task(argv=("-d", "/data"), cwd=tmp_path),
            "policy": Policy(),
            "services": NoServices(),
        }
        return Context(**{**facts, **more})

    return make


@pytest.fixture
def executable(tmp_path: Path) -> Callable[[str], Path]:
    """Write a script that the kernel can run: Python unless it brings its own first line."""

    def make(body: str, name: str = "hook") -> Path:
        path = tmp_path / name
        first = "" if body.startswith("#!") else f"#!{sys.executable}\nimport json, os, signal, sys, time\n"
        path.write_text(first + body)
        path.chmod(0o755)
        return path

    return make
