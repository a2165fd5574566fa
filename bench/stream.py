"""The log stream: follow, parse, digest, render as JSON lines, show and keep. Peer: structlog, one event at a time.

usage: python bench/stream.py [lines]    (10000000 for the memory figure)
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from common import machine, recorded_lines

from safe_lightning import logs
from safe_lightning.core.log_digest import LogDigest
from safe_lightning.core.logline import LogRecord, parse_line
from safe_lightning.core.progress import ProgressMeter
from safe_lightning.log_events import ChildLog
from safe_lightning.policy.model import LogPolicy
from safe_lightning.record.run_dir import RunDir
from safe_lightning.supervise.follow import LogFollower, LogMark, mark_end

PART_LINES = 100_000
PEER_LINES = 20_000
SLOW_LINES_PER_SECOND = 1000
SLOW_SECONDS = 20
WRITER = """
import sys, time
lines = open(sys.argv[1], 'rb').read().splitlines(keepends=True)
rate, seconds, started, count = int(sys.argv[3]), int(sys.argv[4]), time.time(), 0
with open(sys.argv[2], 'ab', buffering=0) as log:
    while time.time() < started + seconds:
        while count < (time.time() - started) * rate:
            log.write(lines[count % len(lines)])
            count += 1
        time.sleep(0.005)
"""


class Listener:
    """What a run does with the child's log: evidence, progress, events."""

    def __init__(self) -> None:
        self.digest = LogDigest(split_tasks=True)
        self.meter = ProgressMeter()
        self.log = ChildLog(LogPolicy(format="json"), self.take, run="bench", attempt=1)

    def take(self, record: LogRecord) -> None:
        """Take one record."""
        self.digest.add(record)
        self.meter.note(record)


def main() -> None:
    """Print lines per second, the share of a core at 1,000 lines/s, and how memory grew."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    lines = recorded_lines()
    size = sum(map(len, lines)) / len(lines)
    print(f"log stream of {count:,} lines ({len(lines)} recorded ones repeated, {size:.0f} bytes each); {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record = RunDir.create(folder / "state", "bench", time.time())
        output = logs.configure(LogPolicy(format="json"), stderr_fd=os.open(os.devnull, os.O_WRONLY))
        output.sinks.append(record.events.write)
        rate = fast(folder, lines, count)
        peer = one_at_a_time(lines)
        print(f"  {rate:,.0f} lines per second of CPU; structlog one at a time {peer:,.0f}: {rate / peer:.1f} times")
        print(f"  at {SLOW_LINES_PER_SECOND} lines/s: {slow(folder, lines):.2%} of one core")
        record.close()


def fast(folder: Path, lines: list[bytes], count: int) -> float:
    """Follow logs that are there already, part by part; return the median part's lines per second of CPU time."""
    listener, part = Listener(), folder / "part.log"
    rates: list[float] = []
    sizes: list[int] = []
    for part_lines in parts(count):
        whole, rest = divmod(part_lines, len(lines))
        part.write_bytes((b"\n".join(lines) + b"\n") * whole + b"".join(line + b"\n" for line in lines[:rest]))
        used = time.process_time()
        follower = LogFollower(listener.log.take, lambda event, **fields: print(event, fields))
        follower.set_path(LogMark(part))
        follower.start()
        follower.stop(drain_seconds=3600)
        logs.flush()
        rates.append(part_lines / (time.process_time() - used))
        sizes.append(psutil.Process().memory_info().rss)
    assert listener.digest.records == count
    print(f"  best of {len(rates)} parts {max(rates):,.0f} lines/s, worst {min(rates):,.0f}")
    print(f"  memory {sizes[0] / 1e6:.1f} MB after the first part, {max(sizes) / 1e6:.1f} MB at most")
    return statistics.median(rates)


def parts(count: int) -> Iterator[int]:
    """Cut a number of lines into parts that fit on any disk."""
    yield from [PART_LINES] * (count // PART_LINES)
    if count % PART_LINES:
        yield count % PART_LINES


def one_at_a_time(lines: list[bytes]) -> float:
    """Do the same work without batches: parse_line, and one structlog call per record."""
    log, digest, meter = logs.get_logger(run="bench", attempt=1).bind(child=True), LogDigest(), ProgressMeter()
    started = time.process_time()
    for number in range(PEER_LINES):
        record = parse_line(lines[number % len(lines)])
        assert record is not None
        digest.add(record)
        meter.note(record)
        log.info(record.message, source=record.source, child_time=record.time, fields=record.fields)
    logs.flush()
    return PEER_LINES / (time.process_time() - started)


def slow(folder: Path, lines: list[bytes]) -> float:
    """Follow a log while it is written at a steady pace; return our share of one core."""
    source, log = folder / "source", folder / "slow.log"
    source.write_bytes(b"\n".join(lines) + b"\n")
    listener = Listener()
    follower = LogFollower(listener.log.take, lambda event, **fields: print(event, fields))
    follower.set_path(mark_end(log))
    follower.start()
    numbers = [str(SLOW_LINES_PER_SECOND), str(SLOW_SECONDS)]
    with subprocess.Popen([sys.executable, "-c", WRITER, str(source), str(log), *numbers]) as writer:
        used, started = time.process_time(), time.perf_counter()
        writer.wait()
        share = (time.process_time() - used) / (time.perf_counter() - started)
    follower.stop()
    assert listener.digest.records >= SLOW_LINES_PER_SECOND * SLOW_SECONDS * 0.99
    return share


if __name__ == "__main__":
    main()
