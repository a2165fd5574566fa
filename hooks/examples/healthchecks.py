#!/usr/bin/env python3
"""Tells a Healthchecks server (or any that takes /start and /fail) that an import begins and how it ended.

    [[hooks]]
    run = ["/etc/safe-lightning/healthchecks.py"]
    on_error = "warn"

    [[hooks]]
    run = ["/etc/safe-lightning/healthchecks.py"]
    stage = "post-import"

HEALTHCHECKS_URL              the check's address, such as https://hc.example.com/ping/UUID
HEALTHCHECKS_TIMEOUT_SECONDS  for the whole ping; default 10

Standard library only. No import waits for the server, or fails for it: a ping that was not taken is a warning.
"""

import json
import os
import sys
import threading
import urllib.request
from pathlib import Path

SUCCESSES = {"succeeded", "succeeded-with-conflicts", "version-info"}


def main() -> None:
    """Ping in a thread of its own: a name that does not resolve or a server that drips must not hold the import."""
    problems = ["no answer in time"]
    ping = threading.Thread(target=send, args=(problems,), daemon=True)
    ping.start()
    ping.join(timeout_seconds())
    if problems:
        answer("warn", "not-pinged", f"the health check was not told: {problems[-1]}")
    else:
        print("the health check was told")
    sys.stdout.flush()
    os._exit(0)  # the thread may still be waiting


def timeout_seconds() -> float:
    try:
        return min(300.0, max(0.1, float(os.environ.get("HEALTHCHECKS_TIMEOUT_SECONDS", "10"))))
    except ValueError:
        return 10.0


def send(problems: list[str]) -> None:
    base = os.environ.get("HEALTHCHECKS_URL", "").rstrip("/")
    try:
        if not base.startswith(("http://", "https://")):
            raise ValueError("HEALTHCHECKS_URL is not set to an http or https address")
        request = urllib.request.Request(base + suffix(), data=body(), method="POST")  # noqa: S310 - checked above
        with urllib.request.urlopen(request, timeout=timeout_seconds()) as response:  # noqa: S310
            response.read(1)
        problems.clear()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a warning
        problems.append(f"{type(error).__name__}: {error}".replace(base or "\0", "HEALTHCHECKS_URL"))


def suffix() -> str:
    if os.environ["SAFE_LIGHTNING_STAGE"] == "pre-import":
        return "/start"
    return "" if os.environ["SAFE_LIGHTNING_OUTCOME"] in SUCCESSES else "/fail"


def body() -> bytes:
    context = json.loads(Path(os.environ["SAFE_LIGHTNING_CONTEXT"]).read_text(encoding="utf-8"))
    lines = [f"run {context['run']}, attempt {context['attempt']}"]
    if report := context["report"]:
        lines += [f"{report['outcome']}: {report['reason']}", report["root_error"] or ""]
    return "\n".join(lines).encode()[:10_000]


def answer(status: str, code: str, message: str) -> None:
    verdict = {"schema": 1, "status": status, "code": code, "message": message[:1000]}
    Path(os.environ["SAFE_LIGHTNING_VERDICT"]).write_text(json.dumps(verdict), encoding="utf-8")


if __name__ == "__main__":
    main()
