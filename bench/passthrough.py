"""Byte pass-through: the child's stdout through us into a pipe. Peer: the same through cat, in the same run.

usage: python bench/passthrough.py [MiB]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine, median_seconds, recorded_lines, stand_in, wrapper

ROUNDS = 3


def main() -> None:
    """Print both rates and their ratio, the start-up included."""
    mib = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    print(f"pass-through of {mib} MiB, median of {ROUNDS}; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        source.write_bytes(text(mib << 20))
        binary = stand_in(folder, f"exec cat {source}")
        environ = os.environ | {
            "SAFE_LIGHTNING_BINARY": str(binary),
            "SAFE_LIGHTNING__STATE_DIR": str(folder / "state"),
        }
        size = source.stat().st_size
        cat = size / median_seconds(lambda: pipe(f"{binary} | cat", environ, size), ROUNDS)
        ours = size / median_seconds(lambda: pipe(f"{wrapper()} -V 2>/dev/null", environ, size), ROUNDS)
        print(f"  cat {cat / 1e6:,.0f} MB/s, ours {ours / 1e6:,.0f} MB/s: {ours / cat:.2f} of cat's rate")


def text(size_bytes: int) -> bytes:
    """Make text such as a log on stdout is."""
    block = b"\n".join(recorded_lines()) + b"\n"
    return block * (size_bytes // len(block) + 1)


def pipe(command: str, environ: dict[str, str], size_bytes: int) -> None:
    """Run a command into `wc -c` and see that all bytes came."""
    done = subprocess.run(f"{command} | wc -c", shell=True, env=environ, capture_output=True, check=True)
    assert int(done.stdout) == size_bytes, done


if __name__ == "__main__":
    main()
