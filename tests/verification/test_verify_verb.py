"""`verify`: from the record, a log or the checkpoint, and from the source's rows where nothing was summed up."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from sandboxes import Place, sandbox

from safe_lightning.rehearsal.scenario import Ending

SCHEMA = json.loads((files("safe_lightning") / "schemas" / "verify.json").read_bytes())
NO_HOOKS: dict[str, Any] = {"hooks": []}


def verified(place: Place, *words: str) -> tuple[int, dict[str, Any], str]:
    ended = place.verify("--json", *words)
    assert ended.stdout, ended.stderr.decode()
    document = json.loads(ended.stdout)
    assert document["exit_code"] == ended.returncode
    Draft202012Validator(SCHEMA).validate(document)
    return ended.returncode, document, ended.stderr.decode()


def only_table(document: dict[str, Any]) -> tuple[str, str | None, str | None]:
    (table,) = document["tables"]
    return table["proof"], table["basis"], table["origin"]


def test_a_recorded_import_is_proven_by_its_checksum(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=NO_HOOKS) as place:
        place.run()
        code, document, _ = verified(place)
    proof, basis, origin = only_table(document)
    assert (code, proof, basis) == (0, "proven", "checksum")
    assert origin is not None
    assert origin.startswith("the record of run ")
    assert document["tables"][0]["checksum"]["remote"] == document["tables"][0]["checksum"]["local"]


def test_what_was_changed_since_is_a_mismatch_with_its_arithmetic(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=NO_HOOKS) as place:
        place.run()
        place.sql("INSERT INTO app.items VALUES (99, 'c99')")
        code, document, _ = verified(place)
        told = place.verify()
    assert (code, only_table(document)[:2]) == (85, ("mismatch", "checksum"))
    assert "82 pairs in the target, 80 in" in document["tables"][0]["message"]
    assert told.stdout.decode().splitlines()[0] == "`app`.`items`  mismatch, by checksum"


def test_a_checksum_that_was_not_completed_is_proven_from_the_checkpoint(tmp_path: Path) -> None:
    with sandbox(tmp_path, Ending.CHECKSUM_INCOMPLETE, NO_HOOKS) as place:
        assert place.run().returncode == 1
        for run in (place.sandbox.folder / "state").iterdir():
            run.rename(tmp_path / run.name)  # as with a record that is not there any more
        code, document, _ = verified(place)
    proof, basis, origin = only_table(document)
    assert (code, proof, basis) == (0, "proven", "checksum")
    assert origin is not None
    assert origin.startswith("the checkpoint ")


def test_a_log_of_another_place_is_enough(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=NO_HOOKS) as place:
        place.run()
        log = (place.sandbox.folder / "lightning.log").rename(tmp_path / "kept.log")
        code, document, _ = verified(place, "--log", str(log))
        empty = tmp_path / "empty.log"
        empty.write_text("nothing of Lightning\n")
        refused = place.verify("--log", str(empty))
    assert (code, only_table(document)) == (0, ("proven", "checksum", f"the log {log}"))
    assert refused.returncode == 66
    assert "no table's checksum is logged" in refused.stderr.decode()


@pytest.mark.parametrize(
    ("statement", "code", "proof"),
    [
        ("", 0, "proven"),
        ("INSERT INTO app.items VALUES (99, 'c99')", 85, "mismatch"),
    ],
    ids=["as-many", "one-more"],
)
def test_a_logical_import_is_proven_by_its_rows(tmp_path: Path, statement: str, code: int, proof: str) -> None:
    hooks = {"hooks": [{"use": "checkpoint"}]}
    with sandbox(tmp_path, policy=hooks, backend="tidb") as place:
        assert place.run().returncode == 0
        if statement:
            place.sql(statement)
        found, document, _ = verified(place)
    assert (found, only_table(document)) == (code, (proof, "rows", None))


def test_rows_that_nobody_saw_come_prove_nothing(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=NO_HOOKS, backend="tidb") as place:
        assert place.run().returncode == 0
        code, document, _ = verified(place)
    assert (code, only_table(document)) == (69, ("could-not-look", None, None))
    assert "not known whether the table was empty" in document["tables"][0]["message"]


def test_only_the_tables_that_are_asked_for_are_looked_at(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy=NO_HOOKS) as place:
        place.run()
        assert verified(place, "--table", "app.*")[0] == 0
        code, document, _ = verified(place, "--table", "other.*")
        wrong = place.verify("--table", "[")
    assert (code, document["tables"]) == (69, [])
    assert wrong.returncode == 64


def test_a_target_out_of_reach_is_not_a_mismatch(tmp_path: Path) -> None:
    with sandbox(tmp_path, policy={**NO_HOOKS, "verify": {"tries": 1}}) as place:
        place.run()
    code, document, _ = verified(place)
    assert (code, only_table(document)[0]) == (69, "could-not-look")
    assert "cannot be reached" in document["tables"][0]["message"]
