"""One scan of generated files in a process of its own, for scan.py: prints what was found."""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

from safe_lightning.conflicts.engine import scan_table
from safe_lightning.conflicts.scan_model import MEBIBYTE, KeyScan, ScanOptions
from safe_lightning.core.columns import ColumnType, KeyMode
from safe_lightning.core.tables import TableName
from safe_lightning.source.file_rules import Compression, FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.schema_model import ColumnDefinition, KeyDefinition, KeyPart, TableDefinition

TABLE = TableName("bench", "t")


def definition(keys: str, collation: str) -> TableDefinition:
    def text(length: int) -> ColumnType:
        return ColumnType("varchar", length=length, charset="utf8mb4", collation=collation)

    types = {
        "id": text(20) if keys == "text-id" else ColumnType("bigint"),
        "email": text(64),
        "tenant": ColumnType("int"),
        "code": text(32),
        "amount": ColumnType("decimal", length=12, scale=2),
        "created": text(20) if keys == "text-date" else ColumnType("datetime"),
        "note": text(200),
    }
    columns = {"1": ["id"], "3": ["id", "email", "tenant,code"], "text-id": ["id"], "decimal": ["amount,id"]}
    columns |= {"date": ["created,id"], "text-date": ["created,id"]}
    indexes = tuple(
        KeyDefinition(f"k{number}", tuple(map(KeyPart, parts.split(",")))) for number, parts in enumerate(columns[keys])
    )
    return TableDefinition("t", tuple(ColumnDefinition(name, kind) for name, kind in types.items()), indexes)


def source_file(path: Path) -> SourceFile:
    kind = FileType.SQL if ".sql" in path.suffixes else FileType.CSV
    packing = {".gz": Compression.GZIP, ".zst": Compression.ZSTD}.get(path.suffix, Compression.NONE)
    return SourceFile(path, path.name, TABLE, kind, packing, path.stat().st_size)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keys", default="3")
    parser.add_argument("--collation", default="utf8mb4_bin")
    parser.add_argument("--build")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--memory-mib", type=int, default=640)
    options = parser.parse_args()
    table = definition(options.keys, options.collation)
    files = tuple(source_file(path) for path in sorted(options.folder.iterdir()))
    scan = KeyScan(TABLE, files, table, table.indexes, KeyMode())
    limits = ScanOptions(
        memory_bytes=options.memory_mib * MEBIBYTE, threads=options.threads, build=options.build, examples_most=10_000
    )
    result = scan_table(scan, limits)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    found = [(key.duplicate_keys, key.duplicate_rows) for key in result.keys]
    print(f"{result.rows} rows {found} spilled {result.spilled_bytes >> 20} MiB, {memory} MiB, {result.engine}")


if __name__ == "__main__":
    main()
