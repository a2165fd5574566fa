"""Which engine scans a table: the fast one where it vouches for the table, else the exact reference."""

from __future__ import annotations

from safe_lightning.scan.model import Engine, Limits, TableScanRequest

_TINY_BYTES = 256 << 10
"""Below this the reference has ended before the kernel is loaded."""


def choose_engine(request: TableScanRequest, limits: Limits) -> Engine:
    """Choose an engine for a table, and load it only then. Reads the head of the table's files where that decides."""
    from safe_lightning.scan.reference import ReferenceEngine

    if sum(file.size_bytes for file in request.files) <= _TINY_BYTES:
        return ReferenceEngine()
    from safe_lightning.scan.fast import FastEngine, needs_reference

    return ReferenceEngine() if needs_reference(request) else FastEngine()
