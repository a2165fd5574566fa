"""What follows a failed import in a sandbox of real stand-ins: causes, the configured remedy, another attempt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.policy.model import DROP_PHRASE
from safe_lightning.rehearsal.toml_text import write_toml

ROWS = "".join(f"{i},c{i}\n" for i in range(1, 41))
SOURCE = {
    "app-schema-create.sql": "CREATE DATABASE app;",
    "app.items-schema.sql": "CREATE TABLE items (id bigint PRIMARY KEY, code varchar(9) NOT NULL, UNIQUE KEY (code));",
    "app.items.001.csv": "id,code\n" + ROWS,
}
ALLOW = [DROP_PHRASE]
DESTROY_FAILED = {"allow": ALLOW, "checkpoint": {"on": {"failed": "destroy"}}}


def rehearse(folder: Path, policy: dict[str, Any], ending: str) -> tuple[subprocess.CompletedProcess[bytes], Path]:
    """Rehearse an import under a policy in a kept sandbox; return its end and the sandbox."""
    (folder / "export").mkdir(exist_ok=True)
    for name, text in SOURCE.items():
        (folder / "export" / name).write_text(text)
    task = {
        "tikv-importer": {"backend": "local", "sorted-kv-dir": str(folder / "sorted")},
        "mydumper": {"data-source-dir": str(folder / "export")},
        "tidb": {"port": 4000},
    }
    (folder / "task.toml").write_text(write_toml(task))
    (folder / "safe-lightning.toml").write_text(write_toml({"schema": 1, **policy}))
    command = [
        sys.executable,
        "-m",
        "safe_lightning",
        "rehearse",
        "--ending",
        ending,
        "--keep",
        str(folder / "sandbox"),
    ]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    ended = subprocess.run(
        [*command, "--", "--config", "task.toml"],
        cwd=folder,
        env=environ,
        capture_output=True,
        timeout=120,
        check=False,
    )
    return ended, folder / "sandbox"


def last_result(sandbox: Path) -> dict[str, Any]:
    folder = max((sandbox / "state" / "runs").iterdir())
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


def remedy(action: str, then: str = "stop", cause: str = "any") -> dict[str, Any]:
    allowed = {"allow": ALLOW} if action == "destroy" else {}
    return {**allowed, "remedy": [{"cause": cause, "action": action, "then": then}]}


@pytest.mark.parametrize(
    ("policy", "ending", "code", "outcome", "attempts", "results"),
    [
        ({}, "duplicate-keys", 1, "checksum-mismatch", 1, [("report", "reported")]),
        (remedy("destroy"), "duplicate-keys", 1, "checksum-mismatch", 1, [("destroy", "done")]),
        (remedy("remove"), "duplicate-keys", 1, "checksum-mismatch", 1, [("remove", "done")]),
        (remedy("ignore"), "duplicate-keys", 1, "checksum-mismatch", 1, [("ignore", "done")]),
        (remedy("destroy", "retry"), "checksum-mismatch", 0, "succeeded", 2, [("destroy", "done")]),
        (remedy("quarantine"), "duplicate-keys", 1, "checksum-mismatch", 1, [("quarantine", "done")]),
        (remedy("quarantine", "retry"), "checksum-mismatch", 0, "succeeded", 2, [("quarantine", "done")]),
        (
            remedy("destroy", "retry"), "duplicate-keys", 1, "checksum-mismatch", 2,
            [("destroy", "done"), ("destroy", "done")],
        ),
        (
            {**remedy("destroy", "retry"), "dry_run": True}, "checksum-mismatch", 1, "checksum-mismatch", 1,
            [("destroy", "planned")],
        ),
        (remedy("destroy", cause="rows-before"), "duplicate-keys", 1, "checksum-mismatch", 1, [("report", "reported")]),
    ],
    ids=[
        "by-default-it-reports", "destroy", "remove", "ignore", "destroy-and-retry-succeeds", "quarantine",
        "quarantine-and-retry-succeeds", "a-lasting-cause-ends-it",
        "a-dry-run-changes-nothing", "a-remedy-for-another-cause",
    ],
)  # fmt: skip
def test_a_mismatch_is_treated_as_configured(
    tmp_path: Path, policy: dict[str, Any], ending: str, code: int, outcome: str, attempts: int,
    results: list[tuple[str, str]],
) -> None:  # fmt: skip
    ended, sandbox = rehearse(tmp_path, policy, ending)
    result = last_result(sandbox)
    assert (ended.returncode, result["outcome"], result["attempts"]) == (code, outcome, attempts), ended.stderr.decode()
    assert [(step["action"], step["result"].partition(":")[0]) for step in result["remedies"]] == results


def test_a_leftover_failure_is_refused_and_what_the_policy_answers_is_done_before_the_import(tmp_path: Path) -> None:
    rehearse(tmp_path, {}, "checksum-mismatch")
    refused, _ = rehearse(tmp_path, {}, "checksum-mismatch")
    assert refused.returncode == 80, refused.stderr.decode()
    answered, sandbox = rehearse(tmp_path, DESTROY_FAILED, "checksum-mismatch")
    assert answered.returncode == 0, answered.stderr.decode()
    assert [step["result"].partition(":")[0] for step in last_result(sandbox)["remedies"]] == ["done"]


def test_a_table_with_rows_from_before_is_never_dropped(tmp_path: Path) -> None:
    rehearse(tmp_path, {"hooks": []}, "checksum-mismatch")
    ended, sandbox = rehearse(tmp_path, DESTROY_FAILED, "checksum-mismatch")
    assert ended.returncode == 88, ended.stderr.decode()
    (step,) = last_result(sandbox)["remedies"]
    assert step["result"].startswith("refused: safety law 1")


def test_a_child_that_stands_still_is_stopped_where_the_policy_says_so(tmp_path: Path) -> None:
    watch = {"interval": "100ms", "stall_after": "1s", "on_stall": "stop"}
    ended, sandbox = rehearse(tmp_path, {"watch": watch}, "hang")
    assert (ended.returncode, last_result(sandbox)["outcome"]) == (83, "hung"), ended.stderr.decode()


def test_a_failed_import_is_remembered_until_it_has_succeeded(tmp_path: Path) -> None:
    _, sandbox = rehearse(tmp_path, {}, "checksum-mismatch")
    kept = sandbox / "state" / "fingerprints"
    (launches,) = kept.glob("*.launches.json")
    (launch,) = json.loads(launches.read_text())["launches"]
    assert launch["outcome"] == "checksum-mismatch"
    (run,) = (sandbox / "state" / "runs").iterdir()
    (table,) = json.loads((run / "fingerprint.json").read_text())["source"]
    assert [name for name, _, _ in table["files"]] == ["app.items.001.csv"]
    rehearse(tmp_path, DESTROY_FAILED, "checksum-mismatch")
    assert list(kept.glob("*.json")) == []
