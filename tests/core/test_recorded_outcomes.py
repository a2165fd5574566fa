"""Every recorded run is judged as what it was, by its own evidence."""

from __future__ import annotations

import pytest
from recordings import Recording, recordings

from safe_lightning.core.classification import End, Evidence, judge
from safe_lightning.core.log_digest import LogDigest
from safe_lightning.core.logline import parse_line
from safe_lightning.core.stream_digest import StreamDigest

JUDGED = [r for r in recordings() if r.outcome]


def gather(recording: Recording) -> Evidence:
    log, streams = LogDigest(split_tasks=True), StreamDigest()
    stdout, written = recording.bytes_of("stdout"), recording.bytes_of("lightning.log")
    streams.feed("stdout", stdout)
    streams.feed("stderr", recording.bytes_of("stderr"))
    streams.close()
    for line in (*written.split(b"\n"), *stdout.split(b"\n")):
        if record := parse_line(line):
            log.add(record)
    return Evidence(
        task=log.task,
        streams=streams.evidence,
        signal_seen=log.signal,
        has_log=log.records > 0,
        log_is_cut=bool(written) and not written.endswith(b"\n"),
        is_control_tool=recording.is_control_tool,
    )


def end_of(code: int) -> End:
    return End(exit_code=code) if code >= 0 else End(signal=-code)


@pytest.mark.parametrize("recording", JUDGED, ids=lambda r: r.name)
def test_the_outcome_is_told_from_the_evidence(recording: Recording) -> None:
    judgement = judge(end_of(recording.case["exit_code"]), gather(recording))
    assert (judgement.outcome, bool(judgement.reason)) == (recording.outcome, True)


@pytest.mark.parametrize("recording", JUDGED, ids=lambda r: r.name)
def test_without_the_exit_code_nothing_is_called_better_than_it_was(recording: Recording) -> None:
    fine = {"succeeded", "succeeded-with-conflicts"}
    told = judge(End(is_known=False), gather(recording)).outcome
    assert told not in fine or recording.outcome in fine
