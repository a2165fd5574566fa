"""Every recorded run's task, resolved, against what the real binary made of it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from recordings import Recording, lay_out, recordings

from safe_lightning.lightning.task import Task, resolve_task

CFG = re.compile(rb'\[cfg="((?:[^"\\]|\\.)*)"\]')


def resolve(recording: Recording, folder: Path) -> Task:
    stage = lay_out(recording, folder)
    return resolve_task(stage.argv, folder, stage.environ)


def logged_config(recording: Recording) -> dict[str, Any] | None:
    """Return the effective config that Lightning itself wrote to its log."""
    found = CFG.search(recording.bytes_of("lightning.log") or recording.bytes_of("stdout"))
    return json.loads(json.loads(b'"' + found[1] + b'"')) if found else None


def seen_checkpoint_files(recording: Recording) -> set[str]:
    """Return the checkpoint files that stood in the run's folder before or after it."""
    cwd = recording.case["cwd"] + "/"
    lines: list[str] = []
    for when in ("before", "after"):
        lines += recording.bytes_of(f"{when}/files.tsv").decode().splitlines()
        lines += recording.bytes_of(f"{when}/checkpoint-files.txt").decode().splitlines()
    paths = (line.split("\t")[0].removeprefix(cwd) for line in lines)
    return {path for path in paths if path.endswith(".pb") and not path.startswith("/")}


def seen_checkpoint_schemas(recording: Recording) -> set[str]:
    dumps = [dump for when in ("before", "after") for dump in recording.folder.glob(f"{when}/tables/*.task_v*.tsv")]
    return {dump.name.partition(".")[0] for dump in dumps}


def has_checkpoint(recording: Recording, driver: str) -> bool:
    """Whether the run reads a config file that turns the checkpoint on and says where it is."""
    if recording.outcome == "version-info":
        return False
    said = tomllib.loads(recording.bytes_of("config.toml").decode()).get("checkpoint", {})
    return said.get("enable", False) and said.get("driver", "file") == driver and "dsn" in said


def name_of(recording: Recording) -> str:
    return recording.name


@pytest.mark.parametrize("recording", recordings(), ids=name_of)
def test_only_a_task_that_lightning_refused_has_a_problem_for_certain(recording: Recording, tmp_path: Path) -> None:
    task = resolve(recording, tmp_path)
    certain = [problem for problem in task.problems if problem.is_certain]
    if recording.outcome == "config-error":
        assert task.problems
    elif recording.outcome != "environment-error":
        assert certain == []


@pytest.mark.parametrize("recording", [r for r in recordings() if logged_config(r)], ids=name_of)
def test_the_task_is_the_one_that_lightning_logged(recording: Recording, tmp_path: Path) -> None:
    cfg = logged_config(recording)
    assert cfg is not None
    task = resolve(recording, tmp_path)
    target, store = task.target, task.checkpoint
    tidb, importer, restore = cfg["tidb"], cfg["tikv-importer"], cfg["post-restore"]
    old = recording.case["cwd"]
    assert (target.host, target.port, target.user) == (tidb["host"], tidb["port"], tidb["user"])
    assert (target.status_port, target.pd_addr) == (tidb["status-port"], tidb["pd-addr"])
    assert {"schema": store.schema, "driver": store.driver, "enable": store.enabled} | {
        "keep-after-success": store.keep_after_success
    } == cfg["checkpoint"]
    assert (task.backend, task.sorted_kv_dir.replace(str(tmp_path), old)) == (
        importer["backend"],
        importer["sorted-kv-dir"],
    )
    assert task.parallel_import == importer["parallel-import"]
    assert (task.checksum, task.analyze) == (restore["checksum"], restore["analyze"])
    assert (task.conflict_strategy or cfg["conflict"]["strategy"]) == cfg["conflict"]["strategy"]
    assert list(task.table_filter) == cfg["mydumper"]["filter"]
    assert f"file://{task.cwd / task.data_source_dir}".replace(str(tmp_path), old) == cfg["mydumper"]["data-source-dir"]
    assert task.check_requirements == cfg["lightning"]["check-requirements"]
    assert (task.has_routes, task.has_file_rules) == (bool(cfg["routes"]), bool(cfg["mydumper"]["files"]))


@pytest.mark.parametrize(
    "recording", [r for r in recordings() if has_checkpoint(r, "file") and seen_checkpoint_files(r)], ids=name_of
)
def test_the_checkpoint_file_is_where_it_was_seen(recording: Recording, tmp_path: Path) -> None:
    store = resolve(recording, tmp_path).checkpoint
    assert store.path is not None
    assert str(store.path.relative_to(tmp_path)) in seen_checkpoint_files(recording)


@pytest.mark.parametrize(
    "recording", [r for r in recordings() if has_checkpoint(r, "mysql") and seen_checkpoint_schemas(r)], ids=name_of
)
def test_the_checkpoint_schema_is_the_one_that_was_seen(recording: Recording, tmp_path: Path) -> None:
    store = resolve(recording, tmp_path).checkpoint
    assert store.server is not None
    assert (store.schema in seen_checkpoint_schemas(recording), store.server.host) == (True, "127.0.0.1")


@pytest.mark.parametrize(
    "recording",
    [r for r in recordings() if (r.folder / "after" / "tidb_lightning_checkpoint.pb").exists()],
    ids=name_of,
)
def test_a_task_that_names_no_checkpoint_shares_the_one_under_tmp(recording: Recording, tmp_path: Path) -> None:
    store = resolve(recording, tmp_path).checkpoint
    assert (store.location, store.is_default_path) == ("/tmp/tidb_lightning_checkpoint.pb", True)


@pytest.mark.parametrize(
    "recording",
    [r for r in recordings() if r.outcome == "config-error" and "one-component" not in r.name],
    ids=name_of,
)
def test_a_refusal_is_told_in_lightnings_own_words(recording: Recording, tmp_path: Path) -> None:
    said = (recording.bytes_of("stdout") + recording.bytes_of("stderr")).decode()
    said = said.replace(recording.case["cwd"], str(tmp_path))
    message = resolve(recording, tmp_path).problems[0].message.partition(" (pattern")[0]
    assert all(part in said for part in message.replace("tidb.port: ", "").split(": "))
