"""Which engine scans a table: the fast one where it vouches for the table, else the exact reference."""

from __future__ import annotations

from safe_lightning.scan.model import Engine, Limits, TableScanRequest
from safe_lightning.scan.reference import ReferenceEngine


def choose_engine(request: TableScanRequest, limits: Limits) -> Engine:
    """Choose an engine for a table."""
    return ReferenceEngine()
