"""What the benchmarks share: the machine, a tiny stand-in child, recorded log lines, medians."""

from __future__ import annotations

import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RECORDED_LOG = ROOT / "tests" / "recordings" / "v8.5.4-local-backend" / "40-rewind-one-engine.2-rerun-after-rewind"


def wrapper() -> str:
    """Name our command: of the environment that runs this benchmark."""
    return str(Path(sys.executable).with_name("safe-lightning"))


def machine() -> str:
    """Say what this was measured on."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    models = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    name = models[0] if models else platform.machine()
    return f"{os.cpu_count()} cores ({name}), Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def stand_in(folder: Path, body: str) -> Path:
    """Make a tiny executable in the place of tidb-lightning."""
    path = folder / "tidb-lightning"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    """Time a call several times, after one that warms the caches."""
    work()
    return statistics.median(seconds(work) for _ in range(rounds))


def recorded_lines() -> list[bytes]:
    """Return what a recorded import logged while it imported; what comes once per run is left out."""
    lines = (RECORDED_LOG / "lightning.log").read_bytes().splitlines()
    start = next(i for i, line in enumerate(lines) if b"restore all tables data start" in line)
    end = next(i for i, line in enumerate(lines) if b"restore all tables data completed" in line)
    return lines[start : end + 1]
