"""Fuzz the scan against brute force, for as long as wanted; with --sanitize the C runs under ASan and UBSan.

    python bench/fuzz_scan.py CASES [FIRST_SEED] [BUILD...]
    python bench/fuzz_scan.py --sanitize CASES [FIRST_SEED]

A build is _kernel_v3, _kernel_v2, _kernel (plain C), numpy or none (Python alone); without any it is one of each
kind. Each case is a random table: types, keys, dialect, compression, damage; read with tiny chunks and ranges. The
first difference is printed with its seed.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KERNEL = ROOT / "safe_lightning" / "conflicts" / "kernel"
sys.path.insert(0, str(ROOT / "tests"))

from scan_cases import brute_force, compare, random_case  # noqa: E402

from safe_lightning.conflicts.engine import scan_table  # noqa: E402
from safe_lightning.conflicts.scan_model import ScanOptions  # noqa: E402

SANITIZED = "_kernel_sanitized"


def sanitize(words: list[str]) -> int:
    """Build the kernel with sanitizers, run this script on it in a process that has them, remove the build."""
    target = KERNEL / f"{SANITIZED}.so"
    flags = ["-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-shared", "-fPIC"]
    flags += ["-fno-sanitize=alignment", "-march=x86-64-v3", "-maes", "-mpclmul"]
    subprocess.run(["gcc", *flags, str(KERNEL / "kernel.c"), "-o", str(target)], check=True)
    found = subprocess.run(["gcc", "-print-file-name=libasan.so"], check=True, capture_output=True, text=True)
    environ = os.environ | {"LD_PRELOAD": found.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0"}
    first = words[1] if len(words) > 1 else "0"
    try:
        command = [sys.executable, __file__, words[0], first, SANITIZED]
        return subprocess.run(command, env=environ, check=False).returncode
    finally:
        target.unlink()


def fuzz(cases: int, first: int, builds: list[str]) -> int:
    rows = 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(first, first + cases):
            case, r = random_case(seed, Path(folder)), random.Random(seed)
            answer = brute_force(case.scan)
            rows += sum(answer.rows.values())
            for build in builds:
                options = ScanOptions(
                    memory_bytes=1 << 20,
                    threads=r.choice([1, 1, 2]),
                    chunk_bytes=r.choice([64, 128, 320, 1024, 1 << 16]),
                    range_bytes=r.choice([100, 1000, 1 << 20]),
                    build=build,
                    seed=seed,
                    examples_most=1_000_000,
                )
                try:
                    compare(answer, scan_table(case.scan, options))
                except Exception:
                    print(f"seed {seed}, {build}, {options}")
                    raise
    print(f"{cases} cases from seed {first}, {rows} rows, on {', '.join(builds)}: no difference")
    return 0


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[:1] == ["--sanitize"]:
        sys.exit(sanitize(words[1:]))
    sys.exit(fuzz(int(words[0]), int(words[1]) if len(words) > 1 else 0, words[2:] or ["_kernel_v3", "numpy", "none"]))
