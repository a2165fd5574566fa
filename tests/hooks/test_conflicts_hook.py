"""The hook `conflicts`: what blocks, what only warns, and that it never says "fine" of what it could not see."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safe_lightning_hooks.conflicts import look

from safe_lightning.api import Context, Policy, Status, Task
from safe_lightning.ending import stop_code
from safe_lightning.policy.model import ScanPolicy
from safe_lightning.services import EngineServices

CREATE = "create table t(a int primary key, b int);"


@pytest.fixture
def judge(tmp_path: Path, context: Callable[..., Context]) -> Callable[..., Any]:
    """Judge a folder of files under a task and a scan policy."""

    def run(files: dict[str, str], scan: dict[str, Any] | None = None, **task: Any) -> Any:
        for name, text in files.items():
            (tmp_path / name).write_text(text)
        policy = replace(Policy(), scan=ScanPolicy(**(scan or {})))
        made = Task(argv=(), cwd=tmp_path, **{"data_source_dir": str(tmp_path), "backend": "local", **task})
        services = EngineServices(made, policy, state=tmp_path / "state")
        return look(context(task=made, policy=policy, services=services))

    return run


GOOD = {"d.t-schema.sql": CREATE, "d.t.csv": "a,b\n1,1\n2,1\n"}
TWICE = {"d.t-schema.sql": CREATE, "d.t.csv": "a,b\n1,1\n1,2\n3,3\n"}
ODD = {"d.t-schema.sql": CREATE, "d.t.csv": "a,b\n1,1,1\n2,2\n"}
UNKNOWN = {"d.t.csv": "a,b\n1,1\n"}


def test_a_clean_source_passes_with_the_rows_of_each_table(judge: Callable[..., Any]) -> None:
    verdict = judge(GOOD)
    assert (verdict.status, verdict.code) == (Status.PASS, "no-key-conflicts")
    assert json.loads(json.dumps(verdict.data))["tables"] == {"`d`.`t`": {"rows": 2, "files": 1, "status": "clean"}}


@pytest.mark.parametrize(
    ("task", "status"),
    [
        ({"backend": "local"}, Status.BLOCK),
        ({"backend": "local", "conflict_strategy": "none"}, Status.BLOCK),
        ({"backend": "local", "conflict_strategy": "error"}, Status.BLOCK),
        ({"backend": "local", "conflict_strategy": "replace"}, Status.WARN),
        ({"backend": "local", "checksum": "off"}, Status.BLOCK),
        ({"backend": "tidb"}, Status.BLOCK),
        ({"backend": "tidb", "conflict_strategy": "replace"}, Status.WARN),
        ({"backend": "tidb", "conflict_strategy": "ignore"}, Status.WARN),
    ],
)
def test_duplicates_block_where_lightning_has_no_answer_to_them(
    judge: Callable[..., Any], task: dict[str, Any], status: Status
) -> None:
    verdict = judge(TWICE, **task)
    assert (verdict.status, verdict.code) == (status, "key-conflicts")
    assert "1 duplicate key in 2 rows of 1 table" in verdict.message


def test_a_block_ends_the_run_with_65_and_names_the_first_rows(judge: Callable[..., Any]) -> None:
    verdict = judge(TWICE)
    assert stop_code(verdict) == 65
    assert "d.t.csv:2 (byte 4) and d.t.csv:3 (byte 8)" in verdict.findings[0].message


@pytest.mark.parametrize(
    ("files", "scan", "status", "code"),
    [
        (TWICE, {"mode": "off"}, Status.PASS, "scan-off"),
        (TWICE, {"on_conflicts": "warn"}, Status.WARN, "key-conflicts"),
        (TWICE, {"block_rows": 3}, Status.WARN, "key-conflicts"),
        (TWICE, {"block_share": 70.0}, Status.WARN, "key-conflicts"),
        (TWICE, {"block_share": 60.0}, Status.BLOCK, "key-conflicts"),
        (TWICE, {"block_rows": 3, "warn_rows": 3}, Status.PASS, "no-key-conflicts"),
        (ODD, {}, Status.WARN, "source-findings"),
        (ODD, {"on_findings": "block"}, Status.BLOCK, "source-findings"),
        (UNKNOWN, {}, Status.WARN, "keys-not-checked"),
        (UNKNOWN, {"on_not_checked": "block"}, Status.BLOCK, "keys-not-checked"),
        (GOOD, {"mode": "sample"}, Status.PASS, "no-key-conflicts"),
    ],
)
def test_the_policy_decides(
    judge: Callable[..., Any], files: dict[str, str], scan: dict[str, Any], status: Status, code: str
) -> None:
    verdict = judge(files, scan)
    assert (verdict.status, verdict.code) == (status, code)


def test_below_the_warning_nobody_is_told_that_there_is_no_duplicate(judge: Callable[..., Any]) -> None:
    verdict = judge(TWICE, {"block_rows": 3, "warn_rows": 3})
    assert "1 duplicate key in 2 rows" in verdict.message


def test_the_policy_may_block_what_the_task_resolves(judge: Callable[..., Any]) -> None:
    verdict = judge(TWICE, {"on_conflicts": "block"}, conflict_strategy="replace")
    assert verdict.status is Status.BLOCK


@pytest.mark.parametrize("place", ["s3://bucket/dump", "nosuch", ""])
def test_a_source_out_of_reach_is_a_warning_and_never_a_pass(judge: Callable[..., Any], place: str) -> None:
    verdict = judge({}, data_source_dir=place)
    assert (verdict.status, verdict.code) == (Status.WARN, "scan-not-possible")
    assert verdict.message.startswith("the keys of the source were not checked: ")


@pytest.mark.parametrize(("scan", "key"), [({}, None), ({"record_values": True}, ["1"])])
def test_the_record_gets_examples_with_values_only_where_the_policy_says_so(
    judge: Callable[..., Any], scan: dict[str, Any], key: Any
) -> None:
    [example] = json.loads(json.dumps(judge(TWICE, scan).findings[0].data))["examples"]
    assert example == {
        "key": key,
        "why": "same-key",
        "rows": [
            {"file": "d.t.csv", "line": 2, "offset": 4, "row": 1},
            {"file": "d.t.csv", "line": 3, "offset": 8, "row": 2},
        ],
    }


def test_the_record_gets_a_bounded_number_of_examples(judge: Callable[..., Any]) -> None:
    rows = "".join(f"{number},1\n{number},2\n" for number in range(50))
    verdict = judge({"d.t-schema.sql": CREATE, "d.t.csv": f"a,b\n{rows}"})
    assert len(verdict.findings[0].data["examples"]) == 20


def test_a_target_out_of_reach_is_said_where_its_rows_count(judge: Callable[..., Any]) -> None:
    verdict = judge(GOOD, {"include_target": True})
    assert (verdict.status, verdict.code) == (Status.WARN, "keys-not-checked")
    assert "rows in the target were not looked at" in verdict.message


def test_a_sample_that_nobody_asked_for_is_a_warning(judge: Callable[..., Any], tmp_path: Path) -> None:
    create = "create table t(a int primary key, b int unique, c int unique, d int unique);"
    rows = "".join(f"{number},{number},{number},{number}\n" for number in range(600_000))
    scan = {"memory": 16 << 20, "spill_dir": str(tmp_path / "nowhere"), "threads": 1}
    verdict = judge({"d.t-schema.sql": create, "d.t.csv": f"a,b,c,d\n{rows}"}, scan)
    assert (verdict.status, verdict.code) == (Status.WARN, "keys-not-checked")
    assert any("FIT NEITHER INTO scan.memory" in finding.message for finding in verdict.findings)
