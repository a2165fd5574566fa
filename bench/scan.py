"""The key scan against `wc -l`, three `sort | uniq -d`, and DuckDB merely scanning the columns, in one interleaved run.

    python bench/scan.py [--rows 1_000_000] [--rounds 3] [--folder FOLDER] [--all]

Before each timed run the files are read and as much memory is touched and freed as the scan will need: on a virtual
machine the first touch of memory is slow, and without this every figure is noise. Each run is a process of its own,
so that the start of the interpreter counts. DuckDB takes part where it is installed. --all adds collations, types,
compressed files and the engine without any kernel.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from common import machine
from generate import generate

WARM_BYTES = 1300 << 20
DUCKDB = """
import duckdb, sys
files, wanted = sys.argv[1], sys.argv[2].split(",")
names = "id email tenant code amount created note".split()
columns = "{" + ",".join(f"'{name}':'VARCHAR'" for name in names) + "}"
connection = duckdb.connect()
connection.execute("set threads=2")
counts = ",".join(f"count({name})" for name in wanted)
connection.execute(f"select {counts} from read_csv('{files}', header=true, delim=',', quote='\\"', escape='\\\\',"
                   f" columns={columns}, auto_detect=false)").fetchall()
"""


@dataclass(frozen=True)
class Run:
    """A command to time, and what it reads."""

    name: str
    command: list[str]
    folder: Path


@dataclass
class Measured:
    """Seconds, those of processors too, and peak memory of the rounds of one command."""

    wall: list[float]
    cpu: list[float]
    memory_mib: list[int]
    last_line: str = ""


def ours(name: str, folder: Path, *words: str) -> Run:
    return Run(name, [sys.executable, str(Path(__file__).with_name("scan_once.py")), str(folder), *words], folder)


def shell(name: str, folder: Path, command: str) -> Run:
    return Run(name, ["bash", "-c", command], folder)


def runs(folder: Path, everything: bool) -> list[Run]:
    csv, sql = folder / "csv", folder / "sql"
    sort = "LC_ALL=C sort -S512M --parallel=2 | uniq -d | wc -l"
    three = "; ".join(f"cut -d, -f{fields} {csv}/*.csv | {sort}" for fields in ("1", "2", "3,4"))
    found = [
        shell("wc -l", csv, f"wc -l {csv}/*.csv"),
        ours("3 keys", csv, "--keys", "3"),
        ours("PRIMARY KEY", csv, "--keys", "1"),
        ours("3 keys, SQL", sql, "--keys", "3"),
        ours("3 keys, NumPy", csv, "--keys", "3", "--build", "numpy"),
        ours("3 keys, SQL, NumPy", sql, "--keys", "3", "--build", "numpy"),
        shell("3 x sort | uniq -d", csv, three),
    ]
    if find_spec("duckdb"):
        scan = [sys.executable, "-c", DUCKDB, f"{csv}/*.csv"]
        found += [Run("DuckDB, 4 columns", [*scan, "id,email,tenant,code"], csv)]
    return found + (more_runs(folder, csv) if everything else [])


def more_runs(folder: Path, csv: Path) -> list[Run]:
    found = [
        ours(f"3 keys, {collation}", csv, "--keys", "3", "--collation", f"utf8mb4_{collation}")
        for collation in ("general_ci", "unicode_ci", "0900_ai_ci")
    ]
    found += [ours(f"a {kind} key", csv, "--keys", kind) for kind in ("text-id", "decimal", "date", "text-date")]
    found += [ours("3 keys, one SQL file", one_file(folder), "--keys", "3")]
    for name, tool in (("gz", "gzip"), ("zst", "zstd")):
        if shutil.which(tool):
            files = packed(folder, csv, name, tool)
            found += [
                ours(f"3 keys, {name}", files, "--keys", "3"),
                ours(f"no conflict, {name}", files, "--keys", "decimal"),
                shell(f"{tool} -dc alone", files, f"{tool} -dc {files}/* > /dev/null"),
            ]
    return [*found, ours("3 keys, Python alone", csv, "--keys", "3", "--build", "none")]


def packed(folder: Path, csv: Path, name: str, tool: str) -> Path:
    """Compress each file, once."""
    into = folder / name
    into.mkdir(exist_ok=True)
    for path in sorted(csv.glob("*.csv")):
        target = into / f"{path.name}.{name}"
        if not target.exists():
            with target.open("wb") as out:
                subprocess.run([tool, "-4", "-c", str(path)], stdout=out, check=True)
    return into


def one_file(folder: Path) -> Path:
    """Put the dumps of all files into one, once."""
    into = folder / "sql-one"
    into.mkdir(exist_ok=True)
    target = into / "bench.t.sql"
    if not target.exists():
        with target.open("wb") as out:
            for path in sorted((folder / "sql").iterdir()):
                out.write(path.read_bytes())
    return into


def warm(run: Run) -> None:
    for path in run.folder.iterdir():
        with path.open("rb") as file:
            while file.read(1 << 22):
                pass
    # In another process: a child's peak memory begins with what its parent had.
    subprocess.run(
        [sys.executable, "-c", f"m = bytearray({WARM_BYTES}); m[::4096] = b'1' * {WARM_BYTES // 4096}"], check=True
    )


def measure(run: Run, into: Measured) -> None:
    warm(run)
    started = time.perf_counter()
    with subprocess.Popen(run.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    into.wall.append(time.perf_counter() - started)
    into.cpu.append(usage.ru_utime + usage.ru_stime)
    into.memory_mib.append(usage.ru_maxrss >> 10)
    into.last_line = output.decode("utf-8", "replace").strip().splitlines()[-1] if output.strip() else ""
    if child.returncode:
        sys.exit(f"{run.name}: {output.decode('utf-8', 'replace')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=lambda text: int(text.replace("_", "")), default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.gettempdir()) / f"safe-lightning-bench-{options.rows}"
    folder.mkdir(parents=True, exist_ok=True)
    truth = generate(folder, options.rows)
    print(f"{machine()}; {options.rows:,} rows; injected {truth}")
    todo = runs(folder, options.all)
    measured = {run.name: Measured([], [], []) for run in todo}
    for _ in range(options.rounds):
        for run in todo:
            measure(run, measured[run.name])
    base = statistics.median(measured["wc -l"].wall)
    for name, result in measured.items():
        median = statistics.median(result.wall)
        figures = f"{median:8.2f} s  min {min(result.wall):8.2f}  {median / base:7.1f} x wc -l"
        print(f"{name:28}{figures}  {max(result.memory_mib):5} MiB  {result.last_line[:60]}")
    for name in ("3 keys", "3 keys, SQL"):
        compiled, vectorised = measured[name], measured[f"{name}, NumPy"]
        wall, cpu = (median_ratio(vectorised.wall, compiled.wall), median_ratio(vectorised.cpu, compiled.cpu))
        print(f"{name}: NumPy takes {wall:.1f} x the time of the compiled kernel, {cpu:.1f} x the time of processors")


def median_ratio(seconds: list[float], others: list[float]) -> float:
    return statistics.median(seconds) / statistics.median(others)


if __name__ == "__main__":
    main()
