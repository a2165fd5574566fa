#!/usr/bin/env python3
"""Writes how the import ended as metrics for the textfile collector of Prometheus' node_exporter.

    [[hooks]]
    run = ["/etc/safe-lightning/metrics.py", "/var/lib/node_exporter/textfile/lightning.prom"]
    stage = "post-import"

Standard library only. The file is replaced by a rename, so the collector never reads half of it; where it cannot be
written the old one stays, its time tells its age, and the verdict is a warning.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

Sample = tuple[Mapping[str, str], float]


def main() -> None:
    """Write the metrics of the run that SAFE_LIGHTNING_CONTEXT describes."""
    if len(sys.argv) != 2 or not sys.argv[1].endswith(".prom"):
        print("give one argument: the file to write, named *.prom (the collector reads no other)", file=sys.stderr)
        sys.exit(2)  # 1 would say that the import is bad
    context = json.loads(Path(os.environ["SAFE_LIGHTNING_CONTEXT"]).read_text(encoding="utf-8"))
    try:
        replace(Path(sys.argv[1]), "".join(metrics(context, time.time())))
    except OSError as error:
        warn(f"the metrics were not written to {sys.argv[1]}: {error.strerror}")
        return
    print(f"metrics written to {sys.argv[1]}")


def metrics(context: dict[str, Any], now: float) -> Iterator[str]:
    """Yield the lines; a total of nobody's table has the empty table name."""
    report = context["report"] or {"outcome": "", "child_exit_code": None, "tables": []}
    yield from gauge("end_timestamp_seconds", "when the last import ended", [({}, now)])
    yield from gauge("attempt", "which attempt of its run it was", [({}, context["attempt"])])
    yield from gauge("outcome", "how it ended", [({"outcome": report["outcome"]}, 1)])
    code = report["child_exit_code"]
    yield from gauge("child_exit_code", "absent where a signal ended it", [] if code is None else [({}, code)])
    counts = Counter(table["status"] for table in report["tables"])
    yield from gauge("tables", "tables by status", [({"status": s}, n) for s, n in sorted(counts.items())])
    yield from gauge("key_value_pairs", "of each table, in the cluster and from the source", list(pairs(report)))


def pairs(report: dict[str, Any]) -> Iterator[Sample]:
    for table in report["tables"]:
        for side, totals in (table["checksum"] or {}).items():
            if totals is not None:
                yield {"table": table["table"] or "", "side": side}, totals["kvs"]


def gauge(name: str, meaning: str, samples: Sequence[Sample]) -> Iterator[str]:
    if samples:
        yield f"# HELP safe_lightning_{name} {meaning}\n# TYPE safe_lightning_{name} gauge\n"
    for labels, value in samples:
        shown = ",".join(f'{key}="{escape(text)}"' for key, text in labels.items())
        yield f"safe_lightning_{name}{{{shown}}} {value}\n" if labels else f"safe_lightning_{name} {value}\n"


def escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink()
        raise


def warn(message: str) -> None:
    verdict = {"schema": 1, "status": "warn", "code": "no-metrics", "message": message[:1000]}
    Path(os.environ["SAFE_LIGHTNING_VERDICT"]).write_text(json.dumps(verdict), encoding="utf-8")


if __name__ == "__main__":
    main()
