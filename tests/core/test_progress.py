"""Progress lines of every era, quoted from public issues, and what counts as the import having moved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.logline import LogRecord, parse_line
from safe_lightning.core.progress import (
    Progress,
    ProgressMeter,
    counters,
    parse_duration_seconds,
    parse_progress,
    parse_size_bytes,
)

MIB = 1 << 20
GIB = 1 << 30


def record(line: str) -> LogRecord:
    read = parse_line(line)
    assert read is not None
    return read


def progress_of(line: str) -> Progress:
    progress = parse_progress(record(line))
    assert progress is not None
    return progress


def lightning(fields: str) -> str:
    return f"[2023/05/04 01:04:31.581 +00:00] [INFO] [import.go:1325] [progress] {fields}"


ERAS = [
    (
        "2019/04/19 10:57:24.508  [info] progress: 288/314 chunks (91.7%), 0/1 tables (0.0%), speed 59.42 MiB/s, "
        "remaining 1m48s",
        Progress(percent=91.7, chunks_done=288, chunks_total=314, tables_done=0, tables_total=1,
                 rate_bytes_per_second=59.42 * MIB, remaining_seconds=108.0),
    ),
    (
        lightning('[files="135/9559 (1.4%)"] [tables="2/14 (14.3%)"] [speed(MiB/s)=66.5] [state=writing] '
                  "[remaining=10h27m18s]"),
        Progress(percent=1.4, chunks_done=135, chunks_total=9559, tables_done=2, tables_total=14,
                 rate_bytes_per_second=66.5 * MIB, state="writing", remaining_seconds=37638.0),
    ),
    (
        lightning('[files="4193/4033 (104.0%)"] [tables="6/10 (60.0%)"] [speed(MiB/s)=90.5] [state=done] []'),
        Progress(percent=104.0, chunks_done=4193, chunks_total=4033, tables_done=6, tables_total=10,
                 rate_bytes_per_second=90.5 * MIB, state="done"),
    ),
    (
        lightning('[total=27.6%] [tables="40048/61207 (65.4%)"] [chunks="40140/145481 (27.6%)"] '
                  '[engines="80098/116207 (68.9%)"] [speed(MiB/s)=11.5] [state=writing] [remaining=56h12m21s]'),
        Progress(percent=27.6, tables_done=40048, tables_total=61207, chunks_done=40140, chunks_total=145481,
                 engines_done=80098, engines_total=116207, rate_bytes_per_second=11.5 * MIB, state="writing",
                 remaining_seconds=202341.0),
    ),
    (
        lightning('[total=100.0%] [tables="0/1 (0.0%)"] [chunks="8993/8993 (100.0%)"] [engines="35/36 (97.2%)"] '
                  '[restore-bytes=1.5GiB/3GiB] [import-bytes=4.5GiB/1.915TiB(estimated)] '
                  '["encode speed(MiB/s)"=68.5] [state=importing] []'),
        Progress(percent=100.0, tables_done=0, tables_total=1, chunks_done=8993, chunks_total=8993, engines_done=35,
                 engines_total=36, bytes_done=3 * GIB // 2, bytes_total=3 * GIB, imported_bytes=9 * GIB // 2,
                 rate_bytes_per_second=68.5 * MIB, state="importing"),
    ),
    (
        lightning('[total=0.0%] [tables="0/1 (0.0%)"] [chunks=0/0] [engines="0/28 (0.0%)"] [] [] [] [state=x] []'),
        Progress(percent=0.0, tables_done=0, tables_total=1, chunks_done=0, chunks_total=0, engines_done=0,
                 engines_total=28, state="x"),
    ),
    (
        lightning('[total=50.0%] [tables="0/1 (0.0%)"] [chunks="1/2 (50.0%)"] [restore-bytes=0B/0B] '
                  '[restore-rows=1000/2000(estimated)] [] ["encode speed(MiB/s)"=NaN] [state=w] [remaining=unknown]'),
        Progress(percent=50.0, tables_done=0, tables_total=1, chunks_done=1, chunks_total=2, bytes_done=0,
                 bytes_total=0, rows_done=1000, state="w"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("line", "progress"), ERAS, ids=range(len(ERAS)))
def test_every_era_is_read(line: str, progress: Progress) -> None:
    assert progress_of(line) == progress


def test_other_records_are_no_progress() -> None:
    assert parse_progress(record('[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] ["in progress"] [total=1%]')) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1m48s", 108.0), ("56h12m21s", 202341.0), ("1.5ms", 0.0015), ("135.577µs", 0.000135577), ("", None),
     ("unknown", None), ("1m-3s", None), ("+Inf", None)],
)  # fmt: skip
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0B", 0), ("5B", 5), ("1.5KiB", 1536), ("144MiB", 144 * MIB), ("1.928TiB", round(1.928 * (1 << 40))), ("x", None),
     ("", None), ("12", None)],
)  # fmt: skip
def test_sizes(text: str, size: int | None) -> None:
    assert parse_size_bytes(text) == size


def step(message: str) -> LogRecord:
    return record(f'[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] ["{message}"] [table=`a`.`b`]')


def test_a_repeated_line_with_the_same_counters_is_no_progress() -> None:
    # pingcap/tidb-lightning#463: a full disk, the same counters for hours, only speed and remaining differ.
    meter = ProgressMeter()
    line = lightning('[files="24/100 (24.0%)"] [tables="0/1 (0.0%)"] [chunks=24/100] [speed(MiB/s)={}] [remaining={}]')
    assert meter.note(record(line.format(41.08, "47m30s")))
    assert not meter.note(record(line.format(30.81, "1h3m20s")))
    assert not meter.note(record(line.format(20.1, "1h30m")))
    assert meter.note(record(line.format(20.1, "1h").replace("24/100", "25/100")))


def test_the_first_line_is_progress_even_with_everything_at_zero() -> None:
    assert ProgressMeter().note(record(lightning("[total=0.0%] [chunks=0/0] [state=preparing]")))


@pytest.mark.parametrize("message", ["restore file completed", "import engine success", "checksum pass"])
def test_steps_done_are_progress(message: str) -> None:
    assert ProgressMeter().note(step(message))


@pytest.mark.parametrize(
    ("message", "phase"),
    [("restore file start", "writing"), ("start import engine", "importing"), ("remote checksum start", "checksum"),
     ("analyze start", "analyzing"), ("restore all schema start", "creating tables")],
)  # fmt: skip
def test_a_beginning_changes_the_phase_and_is_no_progress(message: str, phase: str) -> None:
    meter = ProgressMeter()
    assert not meter.note(step(message))
    assert meter.phase == phase


@pytest.mark.parametrize(
    "message", ["switch tikv mode", "pause pd scheduler of table scope", "cancel periodic actions"]
)
def test_housekeeping_is_no_progress(message: str) -> None:
    assert not ProgressMeter().note(step(message))


def test_adding_an_index_is_progress_as_far_as_its_numbers_move() -> None:
    meter, line = ProgressMeter(), '[2024/01/02 03:04:05.678 +00:00] [INFO] [x.go:1] ["add index progress"] [done={}]'
    assert [meter.note(record(line.format(n))) for n in (1, 1, 2)] == [True, False, True]


@given(st.text(alphabet='0123456789/.%()"[]= MiBGTspeedchunkrmaing,NaInf', max_size=80))
def test_no_text_breaks_the_reading(text: str) -> None:
    for line in (lightning(f"[total={text}]"), lightning(text), f"2019/04/19 10:57:24  [info] progress: {text}"):
        read = parse_line(line)
        if read is not None and (progress := parse_progress(read)):
            counters(progress)
