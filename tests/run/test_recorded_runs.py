"""Every recorded run, replayed through the whole wrapper by a real child process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from recordings import Recording, lay_out, recordings

from safe_lightning.record.lookup import newest_first

POLICY = 'schema = 1\nhooks = []\nstate_dir = "{state}"\n'


def run_wrapper(
    recording: Recording, folder: Path
) -> tuple[subprocess.CompletedProcess[bytes], dict[str, object], bytes]:
    """Replay one recording; return the wrapper's end, its entry in the history, and the expected stdout."""
    work = folder / "work"
    work.mkdir()
    stage = lay_out(recording, work)
    policy = folder / "policy.toml"
    policy.write_text(POLICY.format(state=folder / "state"))
    environ = {**os.environ, **stage.environ, "SAFE_LIGHTNING_CONFIG": str(policy)}
    command = [sys.executable, "-m", "safe_lightning"]
    ended = subprocess.run(
        [*command, *stage.argv], cwd=work, env=environ, capture_output=True, stdin=subprocess.DEVNULL
    )
    ((_, result),), trouble = newest_first(folder / "state")
    assert trouble == ""
    return ended, result.to_entry(), stage.stdout


@pytest.mark.parametrize("recording", [r for r in recordings() if r.outcome], ids=lambda r: r.name)
def test_a_recorded_run_is_told_truthfully_and_passed_through(recording: Recording, tmp_path: Path) -> None:
    ended, entry, stdout = run_wrapper(recording, tmp_path)
    assert entry["outcome"] == recording.outcome, ended.stderr.decode()
    assert ended.stdout == stdout
    code = recording.case["exit_code"]
    assert (entry["child_exit_code"], entry["child_signal"]) == ((code, None) if code >= 0 else (None, -code))
    assert entry["exit_code"] == ended.returncode
    fine = {"succeeded", "succeeded-with-conflicts", "version-info"}
    assert (ended.returncode == 0) == (recording.outcome in fine)
