"""A record that cannot be written never stops an import; it only forbids what would change anything."""

from __future__ import annotations

import pytest

from .conftest import Place


@pytest.mark.parametrize("what", ["a-file-in-its-place", "a-folder-below-a-file"])
def test_without_a_state_folder_the_import_runs_all_the_same(place: Place, what: str) -> None:
    place.policy("hooks = []\n")
    (place.folder / "occupied").write_text("")
    state = place.folder / "occupied" / ("" if what == "a-file-in-its-place" else "state")
    ended = place.run("--config", "task.toml", SAFE_LIGHTNING__STATE_DIR=str(state))
    assert (ended.returncode, ended.stdout) == (0, b"tidb lightning exit successfully\n"), ended.stderr.decode()
    assert b"record-trouble" in ended.stderr


def test_everything_about_a_run_lies_in_its_folder(place: Place) -> None:
    place.run("--config", "task.toml")
    (folder,) = (place.state / "runs").iterdir()
    names = {path.name for path in folder.iterdir()}
    assert {
        "argv.json", "policy.json", "task.json", "events.jsonl", "stdout", "stderr", "verdicts.jsonl", "phases.jsonl",
        "log.json", "log", "result.json",
    } <= names  # fmt: skip
    assert (folder / "stdout").read_bytes() == b"tidb lightning exit successfully\n"
    assert any(event["event"] == "checksum pass" for event in place.events(folder))
