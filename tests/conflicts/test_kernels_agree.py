"""The compiled kernel, NumPy and plain Python on the same bytes: rows, places, findings and duplicates are the same."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from safe_lightning.conflicts.engine import scan_table
from safe_lightning.conflicts.kernel.choice import PORTABLE, VECTORISED, choose_kernel
from safe_lightning.conflicts.scan_model import Conflict, KeyScan, ScanOptions, TableResult
from safe_lightning.core.columns import ColumnType, KeyMode
from safe_lightning.core.tables import TableName
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.file_rules import FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema_model import ColumnDefinition, KeyDefinition, KeyPart, TableDefinition

TABLE = TableName("app", "t")
ROWS = 1700
EXAMPLES = 30  # of each kind of file, by all kernels: more than 10^5 rows
TYPES = (
    ColumnType("bigint"),
    ColumnType("varchar", 20, charset="utf8mb4", collation="utf8mb4_bin"),
    ColumnType("varchar", 20, charset="utf8mb4", collation="utf8mb4_general_ci"),
    ColumnType("decimal", 10, 2),
    ColumnType("datetime"),
    ColumnType("varbinary", 12, charset="binary", collation="binary"),
)
PAIR = KeyDefinition("pair", (KeyPart("c0"), KeyPart("c2")))
KINDS = st.lists(st.sampled_from(TYPES), min_size=3, max_size=3)
FIELDS: dict[str, Callable[[random.Random], bytes]] = {
    "bigint": lambda r: b"%d" % r.randrange(-5000, 5000),
    "varchar": lambda r: bytes(r.choice(b"abAB ") for _ in range(r.randrange(1, 8))),
    "decimal": lambda r: b"%d.%02d" % (r.randrange(-99, 99), r.randrange(100)),
    "datetime": lambda r: b"20%02d-%02d-%02d 12:00:%02d" % tuple(r.randrange(1, most) for most in (99, 14, 32, 60)),
    "varbinary": lambda r: r.randbytes(2).hex().encode(),
}
ODD_FIELDS = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.sampled_from([b"", b"NULL", b"\\N", b'"', b'""', b'"a""b"', b'"a\\"b"', b"'x'", b"'it''s'", b"0x41", b" 1"]),
        st.text(max_size=6).map(str.encode),
    ),
    max_size=8,
)


def kernels() -> list[str | None]:
    compiled = [None] if choose_kernel().name.startswith("compiled") else []
    return [*compiled, VECTORISED, PORTABLE]


def quoted(text: bytes, quote: bytes) -> bytes:
    return quote + text.replace(b"\\", b"\\\\").replace(quote, b"\\" + quote) + quote


def csv_of(r: random.Random, kinds: Sequence[ColumnType], odd: Sequence[bytes]) -> bytes:
    """Write rows of mostly plain fields, among them odd ones as they are, and as many quoted as not."""
    lines = []
    for _ in range(ROWS):
        fields = [FIELDS[kind.name](r) for kind in kinds]
        fields = [quoted(field, b'"') if r.random() < 0.5 else field for field in fields]
        if odd and r.random() < 0.02:
            chosen = r.choice(odd)
            fields[r.randrange(len(fields))] = chosen if r.random() < 0.2 else quoted(chosen, b'"')
        lines.append(b",".join(fields))
    return r.choice([b"\n", b"\r\n"]).join(lines) + b"\n"


def sql_of(r: random.Random, kinds: Sequence[ColumnType], odd: Sequence[bytes]) -> bytes:
    statements, each = [], r.choice([1, 40, 700])
    for start in range(0, ROWS, each):
        values = []
        for _ in range(min(each, ROWS - start)):
            fields = [FIELDS[kind.name](r) for kind in kinds]
            fields = [
                field if kind.name in ("bigint", "decimal") else quoted(field, b"'")
                for field, kind in zip(fields, kinds, strict=True)
            ]
            if r.random() < 0.02:
                chosen = r.choice([b"", *odd])
                fields[r.randrange(len(fields))] = chosen if r.random() < 0.1 else quoted(chosen, b"'")
            values.append(b"(" + b",".join(fields) + b")")
        statements.append(b"INSERT INTO `t` VALUES\n" + b",\n".join(values) + b";\n")
    return b"/*!40101 SET NAMES binary*/;\n" + b"".join(statements)


def scan_all(content: bytes, kind: FileType, kinds: Sequence[ColumnType], chunk_bytes: int) -> list[TableResult]:
    """Scan the same file with each kernel."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"app.t.{kind.value}"
        path.write_bytes(content)
        file = SourceFile(path, path.name, TABLE, kind, size_bytes=len(content))
        columns = tuple(ColumnDefinition(f"c{place}", kind) for place, kind in enumerate(kinds))
        keys = (*(KeyDefinition(column.name, (KeyPart(column.name),)) for column in columns), PAIR)
        definition = TableDefinition("t", columns, keys)
        scan = KeyScan(TABLE, (file,), definition, keys, KeyMode(), ReadingRules(CsvRules(header=False)))
        options = [ScanOptions(threads=1, chunk_bytes=chunk_bytes, build=build) for build in kernels()]
        return [comparable(scan_table(scan, each)) for each in options]


def comparable(result: TableResult) -> TableResult:
    """Take out what is a kernel's own: its name, the order of findings, and digests (of bytes or of fields)."""
    keys = tuple(replace(key, examples=tuple(map(without_digests, key.examples))) for key in result.keys)
    if any(file.error for file in result.files):  # then rows behind the error were read or not
        keys = tuple(replace(key, entries=0) for key in keys)
    findings = tuple(sorted(result.findings, key=str))
    return replace(result, engine="", keys=keys, findings=findings)


def without_digests(conflict: Conflict) -> Conflict:
    return replace(conflict, rows=tuple(replace(row, row_digest=b"") for row in conflict.rows))


@pytest.mark.parametrize(("kind", "write"), [(FileType.CSV, csv_of), (FileType.SQL, sql_of)], ids=["csv", "sql"])
@settings(deadline=None, max_examples=EXAMPLES, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    seed=st.integers(0, 2**32),
    kinds=KINDS,
    odd=ODD_FIELDS,
    chunk_bytes=st.sampled_from([1 << 13, 1 << 18]),
    noise=st.binary(max_size=3),
)
def test_all_kernels_find_the_same(
    kind: FileType,
    write: Callable[[random.Random, Sequence[ColumnType], Sequence[bytes]], bytes],
    seed: int,
    kinds: list[ColumnType],
    odd: list[bytes],
    chunk_bytes: int,
    noise: bytes,
) -> None:
    r = random.Random(seed)
    content = write(r, kinds, odd)
    at = r.randrange(len(content))
    first, *others = scan_all(content[:at] + noise + content[at:], kind, kinds, chunk_bytes)
    for other in others:
        assert other == first


@pytest.mark.parametrize("kind", [FileType.CSV, FileType.SQL])
@settings(deadline=None)
@given(content=st.binary(max_size=400), kinds=KINDS, chunk_bytes=st.sampled_from([64, 200]))
def test_all_kernels_say_the_same_of_any_bytes(
    kind: FileType, content: bytes, kinds: list[ColumnType], chunk_bytes: int
) -> None:
    first, *others = scan_all(content, kind, kinds, chunk_bytes)
    for other in others:
        assert other == first
