#!/usr/bin/env python3
"""A stand-in tidb-lightning: replays one recorded run byte for byte, after checking its argv.

The environment names the plan (a JSON file): expected argv, log file, and a list of
``[stream, base64 bytes]`` in the recorded order, then the exit code (negative: die of that signal).
"""

import base64
import json
import os
import signal
import sys
from pathlib import Path


def main() -> int:
    plan = json.loads(Path(os.environ["REPLAY_PLAN"]).read_text())
    if sys.argv[1:] != plan["argv"]:
        print(f"replay: expected {plan['argv']}, got {sys.argv[1:]}", file=sys.stderr)
        return 99
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    for stream, text in plan["pieces"]:
        write(stream, base64.b64decode(text), plan["log_file"])
    return leave(plan["exit_code"])


def write(stream: str, data: bytes, log_file: str) -> None:
    if stream == "log":
        Path(log_file).parent.mkdir(parents=True, exist_ok=True)
        with Path(log_file).open("ab") as log:
            log.write(data)
        return
    fd = 1 if stream == "stdout" else 2
    while data:
        data = data[os.write(fd, data) :]


def leave(code: int) -> int:
    if code >= 0:
        return code
    if -code != signal.SIGKILL:
        signal.signal(-code, signal.SIG_DFL)
    os.kill(os.getpid(), -code)
    return 1


if __name__ == "__main__":
    sys.exit(main())
