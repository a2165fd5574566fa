"""A result is used again exactly while nothing that decides it has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from source_folder import no_target, scan, write

from safe_lightning.scan.cache import KEPT_MOST, ScanCache, fingerprint
from safe_lightning.scan.model import ScanMode, ScanOptions
from safe_lightning.scan.plan import ScanPlan, plan_scan
from safe_lightning.source.settings import SourceSettings

OPTIONS = ScanOptions(new_collation=True, time_zone="UTC")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    create = "create table t(a int primary key, b varchar(9), unique b (b));"
    return write(tmp_path / "data", db_t_schema_sql=create, db_t_csv="a,b\n1,x\n1,y\n")


def plan(folder: Path, config: dict[str, Any] | None = None, options: ScanOptions = OPTIONS) -> ScanPlan:
    return plan_scan(SourceSettings(str(folder), folder, config or {}), options, no_target)


def test_what_is_kept_comes_back_whole(source: Path, tmp_path: Path) -> None:
    cache = ScanCache(tmp_path / "cache")
    found = scan(source)
    cache.keep("a" * 64, found, duration_seconds=60)
    assert cache.find("a" * 64) == found
    assert cache.find("b" * 64) is None


def test_a_quick_scan_is_not_kept(source: Path, tmp_path: Path) -> None:
    cache = ScanCache(tmp_path / "cache")
    cache.keep("a" * 64, scan(source), duration_seconds=0.1)
    assert cache.find("a" * 64) is None


def test_only_a_handful_is_kept(source: Path, tmp_path: Path) -> None:
    cache, found = ScanCache(tmp_path / "cache"), scan(source)
    for number in range(KEPT_MOST + 3):
        cache.keep(f"{number:064x}", found, duration_seconds=60)
    assert len(list((tmp_path / "cache").iterdir())) == KEPT_MOST


@pytest.mark.parametrize("text", ["", "{}", "[]", "nothing", '{"mode": "exact", "tables": [{}]}'])
def test_a_broken_entry_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / f"{'a' * 64}.json").write_text(text)
    assert ScanCache(tmp_path).find("a" * 64) is None


def test_the_same_source_is_the_same(source: Path) -> None:
    assert fingerprint(plan(source), OPTIONS) == fingerprint(plan(source), OPTIONS)


CHANGES: list[Callable[[Path], object]] = [
    lambda folder: (folder / "db.t.csv").write_text("a,b\n1,x\n2,yy\n"),
    lambda folder: os.utime(folder / "db.t.csv", ns=(1, 1)),
    lambda folder: (folder / "db.t.2.csv").write_text("a,b\n"),
    lambda folder: (folder / "db.t-schema.sql").write_text("create table t(a int, b varchar(9) unique);"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_the_source_is_another_scan(source: Path, change: Callable[[Path], object]) -> None:
    before = fingerprint(plan(source), OPTIONS)
    change(source)
    assert fingerprint(plan(source), OPTIONS) != before


@pytest.mark.parametrize(
    ("config", "options"),
    [
        ({"tidb": {"sql-mode": "STRICT_TRANS_TABLES"}}, OPTIONS),
        ({"mydumper": {"csv": {"header": False}}}, OPTIONS),
        ({}, replace(OPTIONS, new_collation=False)),
        ({}, replace(OPTIONS, new_collation=None)),
        ({}, replace(OPTIONS, mode=ScanMode.SAMPLE)),
        ({}, replace(OPTIONS, time_zone="Asia/Shanghai")),
    ],
)
def test_another_task_or_policy_is_another_scan(source: Path, config: dict[str, Any], options: ScanOptions) -> None:
    assert fingerprint(plan(source, config, options), options) != fingerprint(plan(source), OPTIONS)
