"""Scans of a folder whose keys are held against the rows of a real server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from source_folder import NO_HEADER, csv_text

from safe_lightning.core.columns import Backend
from safe_lightning.lightning.task import Server
from safe_lightning.scan.existing_rows import RowsOfTarget
from safe_lightning.scan.fast import FastEngine
from safe_lightning.scan.model import Engine, Place, Scan, ScanOptions
from safe_lightning.scan.plan import plan_scan
from safe_lightning.scan.reference import ReferenceEngine
from safe_lightning.scan.run import ScanWatch, run_scan
from safe_lightning.scan.target import ask_target
from safe_lightning.source.settings import SourceSettings

engines = pytest.mark.parametrize("engine", [ReferenceEngine(), FastEngine()], ids=lambda engine: type(engine).__name__)
OPTIONS = ScanOptions(new_collation=True, time_zone="UTC")
STRICT = {
    "mydumper": {"csv": {"header": False}},
    "tidb": {"sql-mode": "STRICT_TRANS_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE"},
}
IN_TARGET = Place("target `inc`.`t`")


def compare(
    at: Server,
    folder: Path,
    config: dict[str, Any] | None = None,
    *,
    engine: Engine | None = None,
    options: ScanOptions = OPTIONS,
    target: RowsOfTarget | None = None,
    backend: Backend = Backend.PHYSICAL,
    watch: ScanWatch | None = None,
) -> Scan:
    """Scan a folder with the rows of the target."""
    settings = SourceSettings(str(folder), folder, config or NO_HEADER, (), backend)
    plan = plan_scan(settings, options, lambda tables: ask_target(at, tables, 5))
    plan = replace(plan, target=target or RowsOfTarget(at, 5, plan.unreachable))
    choose = {} if engine is None else {"choose": lambda _request, _limits: engine}
    return run_scan(plan, options, watch or ScanWatch(plan.bytes), **choose)


def source(folder: Path, *rows: Sequence[bytes | None]) -> Path:
    (folder / "inc.t.csv").write_bytes(csv_text(rows))
    return folder
