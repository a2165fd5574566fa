"""``explain`` on a big log. Peer: grep -c of one word over the same file, in the same run.

usage: python bench/explain.py [megabytes]    (1000 for the figures in docs/performance.md)
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import psutil
from common import machine, recorded_lines

from safe_lightning.explaining import Piece, explain_files

HEAD = b"""\
[2026/11/23 16:36:54.763 +00:00] [INFO] [info.go:53] ["Welcome to TiDB-Lightning"] [release-version=v8.5.4]
[2026/11/23 16:36:54.764 +00:00] [INFO] [lightning.go:437] [cfg] [cfg="{}"]
"""
TAIL = b"""\
[2026/11/23 18:36:54.763 +00:00] [INFO] [import.go:583] ["the whole procedure completed"] [takeTime=2h] []
[2026/11/23 18:36:54.764 +00:00] [INFO] [main.go:110] ["tidb lightning exit"] [finished=true]
"""
WORD = "checksum pass"


def main() -> None:
    """Print seconds of CPU for both, their ratio, and how much memory explaining took."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    lines = recorded_lines()
    start = next(i for i, line in enumerate(lines) if b'"import start"' in line)
    end = next(i for i, line in enumerate(lines) if b'"import engine success"' in line)
    print(f"explain of {megabytes} MB; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        log = Path(name) / "lightning.log"
        for what, block in (("large tables", lines[start:end]), ("many small tables", lines)):
            write(log, b"\n".join(block) + b"\n", megabytes * 1_000_000)
            grep_seconds = cpu_seconds(lambda: grep(log), resource.RUSAGE_CHILDREN)
            seconds = cpu_seconds(lambda: explain(log), resource.RUSAGE_SELF)
            size = psutil.Process().memory_info().rss / 1e6
            print(f"  {what}: {seconds:.2f} s of CPU, {megabytes / seconds:,.0f} MB/s; grep -c {grep_seconds:.2f} s: "
                  f"{seconds / grep_seconds:.1f} times; memory {size:.0f} MB")  # fmt: skip


def write(log: Path, block: bytes, size: int) -> None:
    """Write a log of one run that repeats what an import logs."""
    many = block * max(1, (1 << 20) // len(block))
    with log.open("wb") as file:
        file.write(HEAD)
        while file.tell() < size:
            file.write(many)
        file.write(TAIL)


def grep(log: Path) -> None:
    """Count the lines that hold a word."""
    # Into a pipe: with nothing to write to it would stop at the first line.
    subprocess.run(["grep", "-c", WORD, str(log)], capture_output=True, check=False)


def explain(log: Path) -> None:
    """Explain the log."""
    report = explain_files([Piece(str(log))])
    assert report.outcome in ("succeeded", "nothing-imported"), report


def cpu_seconds(work: Callable[[], None], whose: int) -> float:
    """Return the CPU time of one call, the best of three: what other work costs is not ours."""
    found = []
    for _ in range(3):
        before = resource.getrusage(whose)
        work()
        after = resource.getrusage(whose)
        found.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(found)


if __name__ == "__main__":
    main()
