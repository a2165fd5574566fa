"""Any generated table: the scan finds what brute force finds."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_folder import NO_HEADER, csv_text, only_table, scan, sql_text, write

from safe_lightning.scan.fast import FastEngine
from safe_lightning.scan.model import KeyStatus, Limits, ScanOptions
from safe_lightning.scan.reference import ReferenceEngine

CREATE = "create table t(a int{0}, b varchar(8) character set binary{0}, unique ka(a), unique kb(b), unique kab(a, b));"
NUMBERS = st.none() | st.integers(0, 12).map(lambda number: b"%d" % number)
TEXTS = st.none() | st.binary(max_size=2) | st.sampled_from([b'"', b"\\", b",", b"\n", b"\\N", b"'", b"NULL", b"\0"])
ROWS = st.lists(st.tuples(NUMBERS, TEXTS), max_size=40)


def duplicates(keys: list[tuple[bytes | None, ...]]) -> tuple[int, int]:
    counts = Counter(key for key in keys if None not in key)
    many = [count for count in counts.values() if count > 1]
    return len(many), sum(many)


@pytest.mark.parametrize("engine", [ReferenceEngine(), FastEngine()], ids=lambda engine: type(engine).__name__)
@pytest.mark.parametrize(
    ("null", "zero"), [("", (None, None)), (" not null", (b"0", b""))], ids=["nullable", "not-null-and-not-strict"]
)
@settings(max_examples=60, deadline=None)
@given(rows=ROWS, cut=st.integers(0, 40), kind=st.sampled_from(["csv", "sql"]), memory=st.sampled_from([200, 1 << 20]))
def test_the_scan_finds_what_brute_force_finds(
    engine: Any, null: str, zero: tuple[bytes | None, bytes | None], rows: Any, cut: int, kind: str, memory: int
) -> None:
    parts = [part for part in (rows[:cut], rows[cut:]) if part]
    options = ScanOptions(limits=Limits(memory_bytes=memory if isinstance(engine, ReferenceEngine) else 64 << 20))
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name), db_t_schema_sql=CREATE.format(null))
        for number, part in enumerate(parts):
            data = csv_text(part) if kind == "csv" else sql_text("t", part)
            (folder / f"db.t.{number}.{kind}").write_bytes(data)
        keys = {key.name: key for key in only_table(scan(folder, NO_HEADER, options=options, engine=engine)).keys}
    stored = [(zero[0] if a is None else a, zero[1] if b is None else b) for a, b in rows]
    wanted = {
        "ka": duplicates([(a,) for a, _ in stored]),
        "kb": duplicates([(b,) for _, b in stored]),
        "kab": duplicates(stored),
    }
    assert {name: (key.duplicate_keys, key.duplicate_rows) for name, key in keys.items()} == wanted
    assert all((key.status is KeyStatus.CONFLICTS) == bool(key.duplicate_keys) for key in keys.values())
