"""Bad input: each a finding with its place, the other tables finished, never clean for what was not read."""

from __future__ import annotations

import gzip
import os
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from source_folder import NO_HEADER, only_key, only_table, scan, write

from safe_lightning.core.tables import TableName
from safe_lightning.scan import key_store
from safe_lightning.scan.fast import FastEngine
from safe_lightning.scan.model import KeyStatus, Limits, Scan, ScanMode, ScanOptions, ScanStopped, TableScan
from safe_lightning.scan.reference import ReferenceEngine
from safe_lightning.scan.run import ScanWatch

engine = pytest.mark.parametrize("engine", [ReferenceEngine(), FastEngine()], ids=lambda engine: type(engine).__name__)
CREATE = "create table t(a int primary key, b varchar(100));"
ROWS = "".join(f"{number},x{number}\n" for number in range(3000))


def with_good_table(folder: Path) -> Path:
    return write(folder, db_good_schema_sql="create table good(a int primary key);", db_good_csv="1\n1\n")


def by_name(found: Scan) -> dict[str, TableScan]:
    return {table.table.table: table for table in found.tables}


@engine
@pytest.mark.parametrize(
    ("name", "data", "code", "line"),
    [
        ("db.t.csv", b'1,x\n2,"y\n3,z\n', "unterminated-quote", 2),
        ("db.t.csv", b'1,x\n2,"y"z\n3,z\n', "misplaced-quote", 2),
        ("db.t.csv", b"1,x\n2,y\\", "dangling-escape", 2),
        ("db.t.sql", b"INSERT INTO t VALUES (1,'x'),\n(2,'y", "unterminated-quote", 2),
        ("db.t.sql", b"INSERT INTO t VALUES (1,'x'),\n(2", "premature-end", 2),
        ("db.t.csv.gz", gzip.compress(ROWS.encode(), mtime=0)[:-100], "truncated-compression", None),
        ("db.t.csv.gz", b"no gzip at all", "damaged-compression", None),
        ("db.t.csv", ",".join("a" * 10 for _ in range(4000)).encode() + b"\n", "surplus-fields", 1),
    ],
)
def test_a_file_that_breaks_is_named_with_its_line(
    tmp_path: Path, engine: Any, name: str, data: bytes, code: str, line: int | None
) -> None:
    with_good_table(tmp_path)
    write(tmp_path, db_t_schema_sql=CREATE)
    (tmp_path / name).write_bytes(data)
    found = by_name(scan(tmp_path, NO_HEADER, engine=engine))
    finding = next(finding for finding in found["t"].findings if finding.code == code)
    assert (finding.file, finding.line) == (name, line)
    assert finding.offset is not None
    wanted = KeyStatus.CLEAN if code == "surplus-fields" else KeyStatus.INPUT_ERROR
    assert found["t"].keys[0].status is wanted
    assert found["good"].keys[0].duplicate_rows == 2


@engine
def test_conflicts_before_the_break_are_told_with_the_break(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql=CREATE, db_t_csv='1,x\n1,y\n2,"z\n')
    key = only_key(scan(tmp_path, NO_HEADER, engine=engine))
    assert (key.status, key.duplicate_rows) == (KeyStatus.CONFLICTS, 2)
    assert "unterminated" in str(key.reason)


@engine
def test_a_file_that_vanishes_is_an_input_error(tmp_path: Path, engine: Any) -> None:
    with_good_table(tmp_path)
    write(tmp_path, db_t_schema_sql=CREATE, db_t_csv=ROWS)

    def vanish(table: TableName, _read: int, _to_read: int) -> None:
        (tmp_path / "db.t.csv").unlink(missing_ok=True)

    # The smaller table comes first, so the larger one is gone when its turn comes.
    found = by_name(scan(tmp_path, NO_HEADER, watch=ScanWatch(1, vanish), engine=engine))
    assert found["t"].keys[0].status is KeyStatus.INPUT_ERROR
    assert found["t"].findings[-1].file == "db.t.csv"
    assert found["good"].keys[0].status is KeyStatus.CONFLICTS


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert [finding.code for finding in scan(tmp_path).findings][:1] == ["unreadable-folder"]


@engine
def test_a_stop_leaves_nothing_clean_that_was_not_read(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql=CREATE, db_t_csv=ROWS)
    watch = ScanWatch(1, stop=threading.Event())
    watch.stop.set()
    key = only_key(scan(tmp_path, NO_HEADER, watch=watch, engine=engine))
    assert (key.status, key.reason) == (KeyStatus.NOT_CHECKED, "the scan was stopped")


@engine
def test_when_the_time_is_over_that_is_said_loudly_and_nothing_is_called_clean(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql=CREATE, db_t_csv=ROWS)
    found = scan(tmp_path, NO_HEADER, watch=ScanWatch(1, deadline=1e-9), engine=engine)
    assert found.mode is ScanMode.SAMPLE
    assert found.notes[0].startswith("THE TIME FOR THE SCAN WAS OVER")
    assert only_key(found).status is KeyStatus.NOT_CHECKED


class HalfTime(ScanWatch):
    """A watch whose time is over at the first word of progress."""

    def check(self) -> None:
        if self.bytes_read:
            raise ScanStopped("the time for the scan was over", is_time_over=True)


@engine
def test_conflicts_in_what_was_read_in_time_are_told(tmp_path: Path, engine: Any) -> None:
    create = "create table t(a int primary key, b varchar(100), unique ab (a, b));"
    write(tmp_path, db_t_schema_sql=create, db_t_1_csv=f"1,x1\n{ROWS}", db_t_2_csv=ROWS)
    found = scan(tmp_path, NO_HEADER, watch=HalfTime(1), engine=engine)
    table = only_table(found)
    assert (found.mode, found.notes[0][:30]) == (ScanMode.SAMPLE, "THE TIME FOR THE SCAN WAS OVER")
    assert 0 < table.rows <= 6002
    assert [key.status for key in table.keys] == [KeyStatus.CONFLICTS] * 2
    assert all("the time for the scan was over" in str(key.reason) for key in table.keys)


def test_the_part_that_was_read_says_what_it_is_worth(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql=CREATE, db_t_1_csv=ROWS, db_t_2_csv=ROWS.replace("1", "7"))
    key = only_key(scan(tmp_path, NO_HEADER, watch=HalfTime(1), engine=ReferenceEngine()))
    assert key.status is KeyStatus.CONFLICTS or "with a chance of" in str(key.reason)
    assert re.search(r"\d+ % of this table was read", str(key.reason))


def test_keys_that_fit_nowhere_are_sampled_and_that_is_said_loudly(tmp_path: Path) -> None:
    write(tmp_path, db_t_schema_sql=CREATE, db_t_csv=ROWS + ROWS)
    limits = Limits(memory_bytes=80_000, spill_dir=tmp_path / "nowhere")
    options = ScanOptions(limits=limits, sample_fraction=0.1)
    found = scan(tmp_path, NO_HEADER, options=options, engine=ReferenceEngine())
    key = only_key(found)
    assert (found.mode, key.status) == (ScanMode.SAMPLE, KeyStatus.CONFLICTS)
    assert "FIT NEITHER INTO scan.memory NOR INTO scan.spill_dir" in found.notes[0]
    assert 0 < key.duplicate_keys < 1000
    assert "a sample of 10 % of the keys" in str(key.reason)


def test_a_full_disk_leaves_the_keys_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, db_t_schema_sql=CREATE, db_t_csv=ROWS)
    limits = Limits(memory_bytes=1000, spill_dir=tmp_path / "nowhere")
    key = only_key(scan(tmp_path, NO_HEADER, options=ScanOptions(limits=limits), engine=ReferenceEngine()))
    assert key.status is KeyStatus.NOT_CHECKED
    assert "do not fit on the disk" in str(key.reason)


def test_keys_beyond_the_memory_are_found_all_the_same(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    spill.mkdir()
    write(tmp_path / "data", db_t_schema_sql=CREATE, db_t_1_csv=ROWS, db_t_2_csv=ROWS)
    options = ScanOptions(limits=Limits(memory_bytes=20_000, spill_dir=spill, examples_most=7))
    key = only_key(scan(tmp_path / "data", NO_HEADER, options=options, engine=ReferenceEngine()))
    assert (key.duplicate_keys, key.duplicate_rows, len(key.examples)) == (3000, 6000, 7)
    assert [example.key for example in key.examples] == [(str(number),) for number in range(7)]
    assert list(spill.iterdir()) == []


def test_a_key_store_counts_a_key_that_never_ends(tmp_path: Path) -> None:
    store = key_store.KeyStore(1 << 20, tmp_path)
    for row in range(100_000):
        store.add(b"same", 0, row, row, row)
    found = store.duplicates(examples_most=10, rows_most=3)
    store.close()
    assert (found.keys, found.rows, len(found.groups[0].places)) == (1, 100_000, 3)


@engine
def test_a_row_of_many_bytes_is_no_harm(tmp_path: Path, engine: Any) -> None:
    write(tmp_path, db_t_schema_sql="create table t(a int primary key, b longtext);")
    (tmp_path / "db.t.csv").write_bytes(b"1," + b"x" * (8 << 20) + b"\n1,y\n")
    table = only_table(scan(tmp_path, NO_HEADER, engine=engine))
    assert (table.rows, table.keys[0].duplicate_rows) == (2, 2)
