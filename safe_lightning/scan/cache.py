"""Results of earlier scans, so that a retry of the same import does not read everything again."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safe_lightning import __version__
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.scan.model import (
    Example,
    KeyScan,
    KeyStatus,
    Place,
    Scan,
    ScanMode,
    ScanOptions,
    TableScan,
    Why,
)
from safe_lightning.scan.plan import ScanPlan
from safe_lightning.source.findings import Level, SourceFinding

KEPT_MOST = 20
WORTH_SECONDS = 2.0
"""A scan that took less is made again: nothing is gained, and nothing can be out of date."""


def fingerprint(plan: ScanPlan, options: ScanOptions) -> str:
    """Sum up everything that decides a scan: files with sizes and times, definitions, modes, limits, our version."""
    parts: list[object] = [__version__, options.mode, options.sample_fraction, options.limits, plan.notes]
    parts += [plan.is_collation_assumed, options.max_duration_seconds, plan.source.folder, plan.source.findings]
    for table in plan.tables:
        parts += [table.request, table.unknown, table.findings]
        for file in table.source.files:
            parts += [file, *_times(file.path)]
    return hashlib.sha256("\0".join(map(_plain, parts)).encode("utf-8", "surrogateescape")).hexdigest()


def _times(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return (0,)
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


def _plain(part: object) -> str:
    """Write a value so that equal ones are equal texts in every process: sets have no order."""
    if isinstance(part, frozenset | set):
        return repr(sorted(map(repr, part)))
    if hasattr(part, "__dataclass_fields__"):
        inner = [f"{name}={_plain(getattr(part, name))}" for name in part.__dataclass_fields__]
        return f"{type(part).__name__}({', '.join(inner)})"
    if isinstance(part, tuple | list):
        return f"({', '.join(map(_plain, part))})"
    return repr(part)


@dataclass(frozen=True)
class ScanCache:
    """A folder of results. What cannot be read or written is as if it were not there: the scan is made."""

    folder: Path

    def find(self, print_of_plan: str) -> Scan | None:
        """Return an earlier result for the very same plan."""
        try:
            return read_scan(json.loads(self._path(print_of_plan).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, print_of_plan: str, scan: Scan, duration_seconds: float) -> None:
        """Keep a result that was worth its time, and let go of the oldest beyond a handful."""
        if duration_seconds < WORTH_SECONDS:
            return
        path = self._path(print_of_plan)
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_text(json.dumps(asdict(scan)), "utf-8")
            draft.replace(path)
            self._tidy_up()
        except OSError:
            draft.unlink(missing_ok=True)

    def _path(self, print_of_plan: str) -> Path:
        return self.folder / f"{print_of_plan}.json"

    def _tidy_up(self) -> None:
        kept = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in kept[KEPT_MOST:]:
            path.unlink(missing_ok=True)


def read_scan(data: Mapping[str, Any]) -> Scan:
    """Build a result from plain data. Raises KeyError, TypeError or ValueError for anything else."""
    tables = tuple(_table(table) for table in data["tables"])
    findings = tuple(_finding(finding) for finding in data["findings"])
    return Scan(ScanMode(data["mode"]), tables, findings, tuple(data["notes"]))


def _table(data: Mapping[str, Any]) -> TableScan:
    keys = tuple(_key(key) for key in data["keys"])
    findings = tuple(_finding(finding) for finding in data["findings"])
    return TableScan(**{**data, "table": TableName(**data["table"]), "keys": keys, "findings": findings})


def _finding(data: Mapping[str, Any]) -> SourceFinding:
    table = TableName(**data["table"]) if data["table"] else None
    return SourceFinding(**{**data, "level": Level(data["level"]), "table": table})


def _key(data: Mapping[str, Any]) -> KeyScan:
    examples = tuple(
        Example(tuple(one["key"]), Why(one["why"]), tuple(Place(**place) for place in one["rows"]))
        for one in data["examples"]
    )
    status, columns = KeyStatus(data["status"]), tuple(data["columns"])
    return KeyScan(**{**data, "status": status, "columns": columns, "examples": examples})
