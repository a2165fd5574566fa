"""A run whose checksum nobody completed, and runs that lose or double rows: what they end as, in real sandboxes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from sandboxes import Place, sandbox

from safe_lightning.rehearsal.scenario import Ending

INVESTIGATE = {"verify": {"investigate": True}}
ROWS = {
    "hooks": [
        {"use": "conflicts"},
        {"use": "checksum", "stage": "post-import"},
        {"use": "rows", "stage": "post-import"},
    ]
}
TWICE = {"app.items.002.csv": "id,code\n3,c3\n4,c4\n"}


def last_result(place: Place) -> dict[str, Any]:
    folder = max((place.sandbox.folder / "state" / "runs").iterdir())
    result: dict[str, Any] = json.loads((folder / "result.json").read_text())
    return result


@pytest.mark.parametrize(
    ("policy", "files", "settings", "code", "outcome", "status"),
    [
        ({}, {}, {}, 1, "checksum-incomplete", "imported, not verified"),
        (INVESTIGATE, {}, {}, 0, "succeeded", "checksum-passed"),
        ({**INVESTIGATE, "exit_codes": "outcome"}, {}, {}, 0, "succeeded", "checksum-passed"),
        (
            {**INVESTIGATE, "hooks": [{"use": "checksum", "stage": "post-import"}]}, TWICE, {}, 1, "checksum-mismatch",
            "checksum-mismatch",
        ),
        (
            INVESTIGATE, {}, {"tikv-importer": {"backend": "local", "add-index-by-sql": True}}, 1,
            "checksum-incomplete", "imported, not verified",
        ),
    ],
    ids=["by-default-nothing-is-proven", "proven", "proven-by-outcome-codes", "disproven", "indexes-still-to-come"],
)  # fmt: skip
def test_a_checksum_that_lightning_did_not_complete(
    tmp_path: Path, policy: dict[str, Any], files: dict[str, str], settings: dict[str, Any], code: int, outcome: str,
    status: str,
) -> None:  # fmt: skip
    if settings:
        settings = {"tikv-importer": {**settings["tikv-importer"], "sorted-kv-dir": str(tmp_path / "sorted")}}
    with sandbox(tmp_path, Ending.CHECKSUM_INCOMPLETE, policy, more_files=files, **settings) as place:
        ended = place.run()
        result = last_result(place)
    assert (ended.returncode, result["outcome"]) == (code, outcome), ended.stderr.decode()
    assert [table["status"] for table in result["tables"]] == [status]
    assert result["child_exit_code"] == 1


def test_a_proven_run_says_what_lightning_left_undone_and_the_next_run_completes_it(tmp_path: Path) -> None:
    with sandbox(tmp_path, Ending.CHECKSUM_INCOMPLETE, INVESTIGATE) as place:
        place.run()
        told = last_result(place)["evidence"]
        assert (place.sandbox.folder / "checkpoint.pb").exists()
        again = place.run()
        assert again.returncode == 0, again.stderr.decode()
        assert not (place.sandbox.folder / "checkpoint.pb").exists()
    assert told[0].startswith("`app`.`items`: proven: 80 pairs, 2,742 bytes")
    assert any("ANALYZE TABLE" in line for line in told)


def test_causes_are_told_of_a_mismatch_that_was_proven_afterwards(tmp_path: Path) -> None:
    policy = {**INVESTIGATE, "hooks": [{"use": "checksum", "stage": "post-import"}]}
    with sandbox(tmp_path, Ending.CHECKSUM_INCOMPLETE, policy, more_files=TWICE) as place:
        place.run()
        (hook,) = last_result(place)["hooks"]
    assert hook["code"] == "checksum-mismatch"


def test_nothing_is_destroyed_for_a_checksum_that_could_not_be_completed(tmp_path: Path) -> None:
    policy = {
        "allow": ["drop tables that this import filled"],
        "remedy": [{"cause": "any", "action": "destroy"}],
    }
    with sandbox(tmp_path, Ending.CHECKSUM_INCOMPLETE, policy) as place:
        place.run()
        result = last_result(place)
    assert [(step["action"], step["result"].partition(":")[0]) for step in result["remedies"]] == [
        ("report", "reported")
    ]


def test_a_success_that_lost_no_row_stays_one(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=ROWS, backend="tidb") as place:
        ended = place.run()
        result = last_result(place)
    assert (ended.returncode, result["outcome"]) == (0, "succeeded"), ended.stderr.decode()
    assert [hook["code"] for hook in result["hooks"]][-1] == "rows-complete"


def test_a_compressed_file_that_ends_too_early_ends_as_damaged(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=ROWS, backend="tidb", more_files={"app.items.002.csv": "id,code\n"}) as place:
        export = tmp_path / "export"
        (export / "app.items.002.csv").unlink()
        rows = "id,code\n" + "".join(f"{i},c{i}\n" for i in range(100, 4000))
        (export / "app.items.002.csv.gz").write_bytes(gzip.compress(rows.encode(), mtime=0)[:-2000])
        ended = place.run()
        result = last_result(place)
    assert (ended.returncode, result["outcome"]) == (86, "damaged"), ended.stderr.decode()
    assert "app.items.002.csv.gz" in result["reason"]


def test_rows_that_are_there_twice_end_as_damaged(tmp_path: Path) -> None:
    keyless = {"app.items-schema.sql": "CREATE TABLE items (id bigint, code varchar(9));"}
    with sandbox(tmp_path, Ending.KILL, ROWS, "tidb", keyless) as place:
        first = place.run()
        assert first.returncode == 137, first.stderr.decode()
        place.sql("INSERT INTO app.items VALUES (1, 'c1'), (2, 'c2')")
        ended = place.run()
        result = last_result(place)
    assert (ended.returncode, result["outcome"]) == (86, "damaged"), ended.stderr.decode()
    assert "2 more than the source holds" in result["reason"]
