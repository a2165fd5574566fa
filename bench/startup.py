"""Start-up: how much later a command ends because we stand before it. Peers in the same run: bare child, bare Python.

On a busy machine the CPU time is what compares; most of it is importing, as that of Python itself is.

usage: python bench/startup.py [rounds]
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

from common import machine, stand_in, wrapper

BODY = """
[ "$1" = -V ] && { echo 'Release Version: v8.5.4'; exit 0; }
echo 'Verbose debug logs will be written to lightning.log'
echo '[2024/01/02 03:04:05.678 +00:00] [INFO] [import.go:519] ["the whole procedure completed"] []' >> lightning.log
echo 'tidb lightning exit successfully'
"""
WORDS = {
    "-V": ["-V"],
    "trivial run": ["--backend", "tidb", "-d", "empty", "-log-file", "lightning.log"],
    "tiny source": ["--backend", "tidb", "-d", "tiny", "-log-file", "lightning.log"],
}
TINY = {
    "app-schema-create.sql": "CREATE DATABASE app;\n",
    "app.t-schema.sql": "CREATE TABLE t (id int PRIMARY KEY, name varchar(20) UNIQUE);\n",
    "app.t.csv": "id,name\n1,a\n2,b\n3,c\n",
}


def main() -> None:
    """Print medians and differences for -V, for a run with nothing to import, and for one of a tiny table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    print(f"start-up, median of {rounds}; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binary = stand_in(folder, BODY)
        write_sources(folder)
        environ = os.environ | {
            "SAFE_LIGHTNING_BINARY": str(binary),
            "SAFE_LIGHTNING__STATE_DIR": str(folder / "state"),
        }
        bare_python = measured([sys.executable, "-S", "-c", "pass"], folder, environ, rounds)
        print(f"  bare Python: {bare_python[0]:.3f} s, {bare_python[1]:.3f} s of CPU")
        for what, words in WORDS.items():
            bare, _ = measured([str(binary), *words], folder, environ, rounds)
            ours, cpu = measured([wrapper(), *words], folder, environ, rounds)
            print(f"  {what:12} ours {ours:.3f} s, bare child {bare:.3f} s: {ours - bare:+.3f} s; {cpu:.3f} s of CPU")


def write_sources(folder: Path) -> None:
    """Make a source folder without a file, and one with a table of three rows."""
    (folder / "empty").mkdir()
    (folder / "tiny").mkdir()
    for name, text in TINY.items():
        (folder / "tiny" / name).write_text(text)


def measured(argv: list[str], folder: Path, environ: dict[str, str], rounds: int) -> tuple[float, float]:
    """Return the medians of the time and of the CPU time that a command takes, after one that warms the caches."""
    taken = [call(argv, folder, environ) for _ in range(rounds + 1)][1:]
    return statistics.median(wall for wall, _ in taken), statistics.median(cpu for _, cpu in taken)


def call(argv: list[str], folder: Path, environ: dict[str, str]) -> tuple[float, float]:
    """Run a command to its end, its output away; return the seconds, and those of CPU time."""
    began, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    subprocess.run(argv, cwd=folder, env=environ, capture_output=True, check=False)
    after = getrusage(RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - began, cpu


if __name__ == "__main__":
    main()
