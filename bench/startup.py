"""Start-up: how much later a command ends because we stand before it. Peer: the bare child, in the same run.

usage: python bench/startup.py [rounds]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from common import machine, median_seconds, stand_in, wrapper

BODY = """
[ "$1" = -V ] && { echo 'Release Version: v8.5.4'; exit 0; }
echo 'Verbose debug logs will be written to lightning.log'
echo '[2024/01/02 03:04:05.678 +00:00] [INFO] [import.go:519] ["the whole procedure completed"] []' >> lightning.log
echo 'tidb lightning exit successfully'
"""
RUN = ["--backend", "tidb", "-d", ".", "-log-file", "lightning.log"]


def main() -> None:
    """Print medians, differences and ratios for -V and for a trivial run."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    print(f"start-up, median of {rounds}; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binary = stand_in(folder, BODY)
        environ = os.environ | {
            "SAFE_LIGHTNING_BINARY": str(binary),
            "SAFE_LIGHTNING__STATE_DIR": str(folder / "state"),
        }
        for what, words in {"-V": ["-V"], "trivial run": RUN}.items():
            bare = median_seconds(partial(call, [str(binary), *words], folder, environ), rounds)
            ours = median_seconds(partial(call, [wrapper(), *words], folder, environ), rounds)
            print(
                f"  {what:12} ours {ours:.3f} s, bare child {bare:.3f} s: {ours - bare:+.3f} s, {ours / bare:.0f} times"
            )


def call(argv: list[str], folder: Path, environ: dict[str, str]) -> None:
    """Run a command to its end, its output away."""
    subprocess.run(argv, cwd=folder, env=environ, capture_output=True, check=False)


if __name__ == "__main__":
    main()
