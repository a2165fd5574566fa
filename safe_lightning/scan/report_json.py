"""A scan as the JSON that `scan --json` prints; the shape is a contract."""

from __future__ import annotations

from typing import Any

from safe_lightning.scan.model import Example, KeyScan, Place, Scan, TableScan
from safe_lightning.source.findings import SourceFinding

SCHEMA = 1


def to_json(scan: Scan) -> dict[str, Any]:
    """Return the document. Unknown is null and nothing is ever left out."""
    return {
        "schema": SCHEMA,
        "mode": str(scan.mode),
        "tables": [_table(table) for table in scan.tables],
        "findings": [_finding(finding) for finding in scan.findings],
        "notes": list(scan.notes),
    }


def _table(table: TableScan) -> dict[str, Any]:
    return {
        "table": str(table.table),
        "rows": table.rows,
        "bytes": table.bytes,
        "files": table.files,
        "findings": [_finding(finding) for finding in table.findings],
        "keys": [_key(key) for key in table.keys],
    }


def _finding(finding: SourceFinding) -> dict[str, Any]:
    return {
        "code": finding.code,
        "file": finding.file,
        "line": finding.line,
        "offset": finding.offset,
        "message": finding.message,
    }


def _key(key: KeyScan) -> dict[str, Any]:
    return {
        "name": key.name,
        "columns": list(key.columns),
        "status": str(key.status),
        "reason": key.reason,
        "duplicate_keys": key.duplicate_keys,
        "duplicate_rows": key.duplicate_rows,
        "examples": [_example(example) for example in key.examples],
    }


def _example(example: Example) -> dict[str, Any]:
    return {"key": list(example.key), "why": str(example.why), "rows": [_place(place) for place in example.rows]}


def _place(place: Place) -> dict[str, Any]:
    return {"file": place.file, "line": place.line, "offset": place.offset, "row": place.row}
