"""The smallest wrapper: takes signals, supervises one child, tells events on a pipe and the end in a file."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from safe_lightning.supervise import child
from safe_lightning.supervise.child import Watchers, supervise
from safe_lightning.supervise.signals import StopControl, signals_taken_by


def fail(data: bytes) -> None:
    raise RuntimeError("this listener is broken")


def main(folder: Path, options: dict[str, Any], argv: list[str]) -> None:
    started = time.monotonic()

    def tell(name: str, **fields: object) -> None:
        line = json.dumps({"event": name, "after": time.monotonic() - started, **fields})
        os.write(options["events_fd"], line.encode() + b"\n")

    child._DRAIN_SECONDS = options["drain_seconds"]
    control = StopControl()

    def on_started(pid: int) -> None:
        nonlocal started
        started = time.monotonic()
        tell("started", pid=pid)
        if options["signal_when_started"]:
            os.kill(os.getpid(), signal.SIGTERM)

    with signals_taken_by(control):
        if options["signal_before"]:
            os.kill(os.getpid(), signal.SIGTERM)
        end = supervise(
            argv,
            env=os.environ,
            cwd=folder,
            grace_seconds=options["grace_seconds"],
            die_with_parent=options["die_with_parent"],
            control=control,
            watchers=Watchers(fail if options["broken_tap"] else None, None, on_started, tell),
        )
    told = {k: v for k, v in dataclasses.asdict(end).items() if not isinstance(v, bytes)}
    (folder / "end.json").write_text(json.dumps({**told, "tail": end.tail_stdout.decode("latin-1")}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:])
