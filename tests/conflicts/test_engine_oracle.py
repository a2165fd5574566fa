"""Every record of the oracle as a CSV file through the scan: the same groups as a real TiDB had."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import key_oracle
import pytest

from safe_lightning.conflicts.canonical import NotReproducible
from safe_lightning.conflicts.engine import scan_table
from safe_lightning.conflicts.kernel.choice import VECTORISED
from safe_lightning.conflicts.literals import canonicalise_field
from safe_lightning.conflicts.scan_model import KeyScan, KeyStatus, ScanOptions
from safe_lightning.core.columns import Backend
from safe_lightning.core.tables import TableName
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema_model import ColumnDefinition, KeyDefinition, KeyPart, TableDefinition

TABLE = TableName("app", "t")
FAMILIES = sorted({record.identity.split("-")[0] for record in key_oracle.records()})
OPTIONS = ScanOptions(memory_bytes=1 << 20, threads=1, chunk_bytes=1 << 12)


def written(field: bytes | None) -> bytes:
    if field is None:
        return b"\\N"
    return b'"' + field.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def scan_of(record: key_oracle.Record, folder: Path) -> KeyScan:
    """Write the rows of a record twice: the second time the kernel has learnt the weights of their characters."""
    columns = tuple(ColumnDefinition(f"c{place}", column) for place, column in enumerate(record.columns))
    key = KeyDefinition("k", tuple(KeyPart(f"c{place}", prefix) for place, prefix in record.parts))
    path = folder / "app.t.csv"
    path.write_bytes(b"".join(b",".join(map(written, row)) + b"\n" for row in record.rows * 2))
    file = SourceFile(path, path.name, TABLE, FileType.CSV, size_bytes=path.stat().st_size)
    definition = TableDefinition("t", columns, (key,))
    rules = ReadingRules(CsvRules(header=False))
    return KeyScan(TABLE, (file,), definition, (key,), record.mode(Backend.PHYSICAL), rules)


def expected(record: key_oracle.Record) -> set[frozenset[int]]:
    """Group the rows by their exact keys, which test_oracle.py holds against the server."""
    mode = record.mode(Backend.PHYSICAL)
    casts = [canonicalise_field(record.columns[place], mode, prefix) for place, prefix in record.parts]
    groups: dict[tuple[bytes, ...], set[int]] = defaultdict(set)
    for number, row in enumerate(record.rows * 2, 1):
        parts = [cast(row[place]) for cast, (place, _) in zip(casts, record.parts, strict=True)]
        key = tuple(part.key for part in parts if part.key is not None)
        if len(key) == len(parts):
            groups[key].add(number)
    return {frozenset(rows) for rows in groups.values() if len(rows) > 1}


@pytest.mark.parametrize(("build", "first"), [(None, 0), (VECTORISED, 1)], ids=["best", "numpy"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_scan_groups_the_rows_of_each_record_as_the_exact_keys_do(
    family: str, build: str | None, first: int, tmp_path: Path
) -> None:
    """Every third record by each kernel; which ones differs."""
    for record in list(key_oracle.records_of(family))[first::3]:
        (key,) = scan_table(scan_of(record, tmp_path), replace(OPTIONS, build=build)).keys
        try:
            groups = expected(record)
        except NotReproducible:
            assert key.status is KeyStatus.NOT_CHECKED, record.identity
            continue
        found = {frozenset(row.place.row for row in conflict.rows) for conflict in key.examples}
        assert found == groups, record.identity
