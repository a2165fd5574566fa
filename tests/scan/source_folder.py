"""Folders with schema files and data files, and scans of them without a target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safe_lightning.core.columns import Backend
from safe_lightning.scan.engines import choose_engine
from safe_lightning.scan.model import Engine, KeyScan, Scan, ScanOptions, TableScan
from safe_lightning.scan.plan import AskTarget, plan_scan
from safe_lightning.scan.run import ScanWatch, run_scan
from safe_lightning.scan.target import TargetFacts
from safe_lightning.source.settings import SourceSettings

CsvRow = Sequence[bytes | None]


def no_target(tables: Sequence[Any]) -> TargetFacts:
    return TargetFacts(unreachable="there is none")


def csv_text(rows: Sequence[CsvRow]) -> bytes:
    """Write rows in Lightning's default dialect, every byte kept."""
    return b"".join(b",".join(map(_csv_field, row)) + b"\n" for row in rows)


def _csv_field(field: bytes | None) -> bytes:
    if field is None:
        return b"\\N"
    return b'"' + field.replace(b"\\", b"\\\\").replace(b'"', b'""') + b'"'


def sql_text(table: str, rows: Sequence[CsvRow]) -> bytes:
    """Write rows as a dump of quoted texts."""
    values = b",\n".join(b"(" + b",".join(map(_sql_field, row)) + b")" for row in rows)
    return f"INSERT INTO `{table}` VALUES\n".encode() + values + b";\n"


def _sql_field(field: bytes | None) -> bytes:
    if field is None:
        return b"NULL"
    return b"'" + field.replace(b"\\", b"\\\\").replace(b"'", b"\\'") + b"'"


def write(folder: Path, **files: str | bytes) -> Path:
    """Write files; `db_t_1_csv` stands for `db.t.1.csv`, so that names can be keywords."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name.replace("_", ".").replace(".schema.", "-schema.")).write_bytes(data)
    return folder


def scan(
    folder: Path,
    config: dict[str, Any] | None = None,
    *,
    backend: Backend = Backend.PHYSICAL,
    ask: AskTarget = no_target,
    options: ScanOptions | None = None,
    watch: ScanWatch | None = None,
    engine: Engine | None = None,
) -> Scan:
    settings = SourceSettings(str(folder), folder, config or {}, (), backend)
    options = options or ScanOptions(new_collation=True, time_zone="UTC")
    plan = plan_scan(settings, options, ask)
    choose = choose_engine if engine is None else lambda _request, _limits: engine
    return run_scan(plan, options, watch or ScanWatch(plan.bytes), choose)


def only_table(found: Scan) -> TableScan:
    [table] = found.tables
    return table


def only_key(found: Scan) -> KeyScan:
    [key] = only_table(found).keys
    return key


NO_HEADER: dict[str, Any] = {"mydumper": {"csv": {"header": False}}}
