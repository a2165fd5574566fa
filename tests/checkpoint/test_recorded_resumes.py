"""Every recorded start over a leftover checkpoint: what ended well may begin, what lost or doubled rows may not."""

from __future__ import annotations

from pathlib import Path

import pytest
import second_opinion
from look import judge_recorded, recorded_task
from recordings import Recording, recordings

from safe_lightning.api import Status, Verdict
from safe_lightning.core.fingerprint import Fingerprint, Launch, Place
from safe_lightning.explaining import Piece, explain_files


def checkpoint_met(recording: Recording) -> Path | None:
    found = sorted((recording.folder / "before").glob("*checkpoint.pb"))
    return found[0] if found and second_opinion.parse(found[0].read_bytes()) is not None else None


def keeps_checkpoint(recording: Recording) -> bool:
    return recorded_task(recording, Path("x")).checkpoint.enabled


MET = [r for r in recordings() if not r.is_control_tool and checkpoint_met(r) and keeps_checkpoint(r)]


def told_of(recording: Recording, fingerprint: Fingerprint | None = None) -> Verdict:
    path = checkpoint_met(recording)
    assert path is not None
    return judge_recorded(recording, path, fingerprint)


def lost_or_doubled(recording: Recording) -> bool:
    """Tell whether rows went missing or came twice behind an exit 0, or whether the run died of a doubled key."""
    said = recording.case.get("note", "") + recording.case["description"]
    if "silent" in said or "rows twice" in said or recording.outcome in ("nothing-imported", None):
        return True
    return recording.outcome == "data-error" and b"Error 1062" in recording.bytes_of("lightning.log")


#: Tables whose entry was removed by hand: a checkpoint cannot speak of them, the target's own pre-check does.
WITHOUT_ENTRY = ("rerun-after-remove-table",)
#: Bytes that decode to no table: nothing is left behind, so what stands in the target is nobody's leftover.
WITHOUT_TABLES = ("checkpoint-empty-file",)
BAD = [
    r
    for r in MET
    if lost_or_doubled(r) and not any(word in r.name for word in (*WITHOUT_ENTRY, *WITHOUT_TABLES))
]  # fmt: skip
GOOD = [r for r in MET if r.outcome in ("succeeded", "succeeded-with-conflicts") and not lost_or_doubled(r)]
REFUSED = [r for r in MET if r.outcome == "leftover-checkpoint"]


@pytest.mark.parametrize("recording", BAD, ids=lambda r: r.name)
def test_a_start_that_lost_or_doubled_rows_is_refused(recording: Recording) -> None:
    assert told_of(recording).status is Status.BLOCK


@pytest.mark.parametrize("recording", GOOD, ids=lambda r: r.name)
def test_a_start_that_ended_well_may_begin(recording: Recording) -> None:
    verdict = told_of(recording)
    assert verdict.status in (Status.PASS, Status.WARN), verdict.message


@pytest.mark.parametrize("recording", REFUSED, ids=lambda r: r.name)
def test_what_lightning_itself_refused_is_refused_before_it_starts(recording: Recording) -> None:
    assert told_of(recording).status is Status.BLOCK


CODES = {
    "stale-recreated": "stale",
    "stale-truncated": "stale",
    "stale-database-dropped": "stale",
    "stale-deleted": "stale",
    "stale-source-changed": "stale",
    "stale-other-data-dir": "foreign",
    "stale-other-backend": "foreign",
    "stale-unchanged": "finished",
    "leftover-default-path-other-import": "foreign",
    "resume-source-": "stale",
    "resume-after-": "resumable",
}


@pytest.mark.parametrize("recording", MET, ids=lambda r: r.name)
def test_a_recording_gets_the_verdict_that_its_name_describes(recording: Recording) -> None:
    for beginning, verdict in CODES.items():
        if recording.folder.name.startswith(beginning):
            assert told_of(recording).code == f"checkpoint-{verdict}"


def ended(log: Path) -> Fingerprint:
    """Remember an import as the wrapper would have, from the log of its recorded first run."""
    report = explain_files([Piece(str(log))])
    begun = Fingerprint("r1", 0.0, "h", "cp", Place()).begun(Launch("r1", 1, 0.0))
    return begun.ended(report)


PHYSICAL = [r for r in MET if "local-backend" in r.name and (r.folder.name.endswith((".2-rerun", ".2-resume")))]
STOPPED_BEFORE = [
    (r, first)
    for r in PHYSICAL
    for first in r.folder.parent.glob(r.folder.name.rpartition(".")[0] + ".1-*/lightning.log")
]


@pytest.mark.parametrize(("recording", "log"), STOPPED_BEFORE, ids=lambda value: getattr(value, "name", ""))
def test_with_the_record_of_the_first_run_a_physical_resume_is_judged_by_what_that_run_ingested(
    recording: Recording, log: Path
) -> None:
    verdict, fingerprint = told_of(recording, ended(log)), ended(log)
    assert fingerprint.last is not None
    left_empty = bool(fingerprint.last.engines_not_ingested)
    assert any("its ingest was cut short" in finding.message for finding in verdict.findings) is left_empty
    if recording in GOOD:
        assert verdict.status is not Status.BLOCK
    if left_empty:
        assert verdict.status is Status.BLOCK
