"""What keeps a scan fast and its answer the same: plain forms, meanings learnt once, SQL in ranges, huge groups."""

from __future__ import annotations

import gzip
import random
import struct
import threading
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.conflicts.canonicaliser import canonicalise
from safe_lightning.conflicts.engine import scan_table
from safe_lightning.conflicts.kernel.binding import KernelMissing, Known, Status
from safe_lightning.conflicts.kernel.compiled import CompiledKernel
from safe_lightning.conflicts.prepared_files import prepare_file
from safe_lightning.conflicts.scan_model import KeyScan, KeyStatus, ScanOptions
from safe_lightning.conflicts.scan_plan import make_plan
from safe_lightning.conflicts.segments import RangeJob
from safe_lightning.conflicts.worker import Worker
from safe_lightning.core.columns import ColumnType, KeyMode
from safe_lightning.core.tables import TableName
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.file_rules import Compression, FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema_model import ColumnDefinition, KeyDefinition, KeyPart, TableDefinition

TABLE = TableName("app", "t")
BIGINT = ColumnType("bigint")
TEXT = ColumnType("varchar", length=80, charset="utf8mb4", collation="utf8mb4_bin")
SIZES = ColumnType("enum", charset="utf8mb4", collation="utf8mb4_general_ci", members=("small", "Large"))
MODE = KeyMode()
ENGINES = ["numpy", "none"]


def has_kernel() -> bool:
    try:
        CompiledKernel()
    except KernelMissing:
        return False
    return True


needs_kernel = pytest.mark.skipif(not has_kernel(), reason="no compiler built the kernel")
KERNELS = [pytest.param(None, marks=needs_kernel, id="compiled"), *ENGINES]


def table(path: Path, content: bytes, *types: ColumnType) -> KeyScan:
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    kind = FileType.SQL if ".sql" in path.suffixes else FileType.CSV
    packing = Compression.GZIP if path.suffix == ".gz" else Compression.NONE
    file = SourceFile(path, path.name, TABLE, kind, packing, path.stat().st_size)
    columns = tuple(ColumnDefinition(f"c{number}", type_) for number, type_ in enumerate(types))
    keys = (KeyDefinition("k", (KeyPart("c0"),)),)
    rules = ReadingRules(CsvRules(header=False))
    return KeyScan(TABLE, (file,), TableDefinition("t", columns, keys), keys, MODE, rules)


def groups_of(scan: KeyScan, build: str | None) -> set[frozenset[int]]:
    (key,) = scan_table(scan, ScanOptions(build=build, examples_most=100_000)).keys
    return {frozenset(row.place.row for row in conflict.rows) for conflict in key.examples}


def expected_groups(texts: list[str], kind: ColumnType) -> set[frozenset[int]]:
    cast, rows = canonicalise(kind, MODE), defaultdict(set)
    for number, text in enumerate(texts, 1):
        rows[cast(text.encode()).key].add(number)
    return {frozenset(numbers) for numbers in rows.values() if len(numbers) > 1}


def numbers() -> st.SearchStrategy[str]:
    doubles = st.floats(allow_nan=False, allow_infinity=False)
    spelled = st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,12})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
    odd = st.from_regex(r"[+-]?[0-9]*\.?[0-9]*([eE][+-]?)?", fullmatch=True)
    return doubles.map(repr) | doubles.map("{:.3f}".format) | spelled | odd


FLOATS = [ColumnType("double"), ColumnType("float"), ColumnType("float", unsigned=True), ColumnType("double", 9, 2)]


@pytest.mark.parametrize("kind", FLOATS, ids=str)
@settings(max_examples=60, deadline=None)
@given(texts=st.lists(numbers(), min_size=1, max_size=40))
def test_floats_are_equal_as_their_casts_are(
    tmp_path_factory: pytest.TempPathFactory, kind: ColumnType, texts: list[str]
) -> None:
    texts += [repr(struct.unpack(">d", canonicalise(kind, MODE)(text.encode()).key or b"")[0]) for text in texts]
    content = "".join(f'"{text}",{number}\n' for number, text in enumerate(texts)).encode()
    scan = table(tmp_path_factory.mktemp("floats") / "app.t.csv", content, kind, BIGINT)
    assert groups_of(scan, None if has_kernel() else "numpy") == expected_groups(texts, kind)


TIMES = ["12:34:56", "123456", "12:34:56.0", "23:59:59", "24:00:00", "12:34:56.004", "12:34:60", "0", "00:00:00", "x"]


@pytest.mark.parametrize("kind", [ColumnType("time"), ColumnType("time", fsp=2), ColumnType("year"), SIZES], ids=str)
@pytest.mark.parametrize("build", KERNELS)
def test_values_of_other_kinds_are_equal_as_their_casts_are(
    tmp_path: Path, kind: ColumnType, build: str | None
) -> None:
    texts = [*TIMES, "2024", "24", "02024", "small", "SMALL", "Large", "2", "large "] * 3
    content = "".join(f'"{text}",{number}\n' for number, text in enumerate(texts)).encode()
    assert groups_of(table(tmp_path / "app.t.csv", content, kind, BIGINT), build) == expected_groups(texts, kind)


@pytest.mark.parametrize("build", KERNELS)
def test_hexadecimal_literals_are_the_bytes_they_spell(tmp_path: Path, build: str | None) -> None:
    literals = ["0x4142", "x'4142'", "X'4142'", "'AB'", "0x142", "0x0142", "x'C3A4'", "'ä'", "'x4142'"]
    content = "INSERT INTO t VALUES " + ",".join(f"({text},1)" for text in literals) + ";"
    scan = table(tmp_path / "app.t.sql", content.encode(), TEXT, BIGINT)
    assert groups_of(scan, build) == {frozenset({1, 2, 3, 4}), frozenset({5, 6}), frozenset({7, 8})}


@needs_kernel
def test_a_meaning_is_asked_for_once(tmp_path: Path) -> None:
    scan = table(tmp_path / "app.t.csv", b"small,1\n", SIZES, BIGINT)
    plan = make_plan(scan, ScanOptions())
    worker = Worker(0, plan, -1, threading.Event(), lambda _bytes: None)
    try:
        worker.read(prepare_file(scan, 0, scan.files[0]), _whole_file())
        plan.kernel.begin(worker.handle, -1, 0, 1 << 60, 1 << 60)
        assert plan.reader.push(worker.handle, b"small,2\nlarge,3\n", True) == (Status.DONE, 16)
        assert plan.kernel.where(worker.handle).hard_bytes > 0
        kernel = plan.reader
        assert isinstance(kernel, CompiledKernel)
        assert kernel.learn(worker.handle, 0, Known.TEXT, b"large", 42)
        plan.kernel.begin(worker.handle, -1, 0, 1 << 60, 1 << 60)
        kernel.push(worker.handle, b"small,2\nlarge,3\n", True)
        assert plan.kernel.where(worker.handle).hard_bytes == 0
    finally:
        worker.close()


def _whole_file() -> RangeJob:
    return RangeJob(0, 0, 0, 1 << 60)


def dump(rows: int) -> str:
    """A dump with everything in its texts that looks like the end of a text, a row or a statement."""
    r = random.Random(11)
    texts = [
        "it\\'s",
        "a''b",
        "(1,''x''),\\n(2,\\'y\\')",
        "); INSERT INTO t VALUES (",
        "/* \\'",
        "-- \\'",
        "\\\\",
        "x" * 300,
    ]
    out = ["/*!40101 SET NAMES binary*/;\n"]
    for number in range(rows):
        if number % 50 == 0:
            out.append((";\n" if number else "") + "INSERT INTO `t` (`c0`,`c1`) VALUES\n")
        out.append(("" if number % 50 == 0 else ",\n") + f"({number % (rows - 7)},'{r.choice(texts)}{number}')")
    return "".join(out) + ";\n"


@pytest.mark.parametrize("build", KERNELS)
@pytest.mark.parametrize("range_bytes", [97, 1000, 20_000])
def test_a_dump_is_read_in_ranges_as_if_it_were_whole(tmp_path: Path, build: str | None, range_bytes: int) -> None:
    scan = table(tmp_path / "app.t.sql", dump(900).encode(), BIGINT, TEXT)
    whole = scan_table(scan, ScanOptions(build=build, range_bytes=1 << 30))
    cut = scan_table(scan, ScanOptions(build=build, range_bytes=range_bytes, chunk_bytes=2048))
    assert whole.rows == cut.rows == 900
    assert [key.examples for key in cut.keys] == [key.examples for key in whole.keys]
    assert cut.keys[0].duplicate_keys == 7


@needs_kernel
def test_in_a_plain_dump_the_next_row_is_guessed_right_everywhere(tmp_path: Path) -> None:
    content = "".join(
        f"INSERT INTO `t` (`c0`,`c1`) VALUES ({first},'it''s'),\n ({first + 1},'(a, b)');\n"
        for first in range(0, 400, 2)
    ).encode()
    scan = table(tmp_path / "app.t.sql", content, BIGINT, TEXT)
    worker = Worker(0, make_plan(scan, ScanOptions()), -1, threading.Event(), lambda _bytes: None)
    file = prepare_file(scan, 0, scan.files[0])
    starts = [at for at in range(len(content)) if content[at : at + 1] == b"(" and content[at + 1 : at + 2].isdigit()]
    try:
        for place in range(200, len(content) - 400, 7):
            assert worker.guess(file, place) == next(start for start in starts if start >= place)
    finally:
        worker.close()


@pytest.mark.parametrize("build", KERNELS)
def test_what_stands_behind_a_row_that_is_an_error_does_not_count(tmp_path: Path, build: str | None) -> None:
    content = b"INSERT INTO t VALUES (1,'a'),(1,'b'),\n(2,x'414'),(3,'c'),(3,'d'),(1,'e');"
    result = scan_table(table(tmp_path / "app.t.sql", content, BIGINT, TEXT), ScanOptions(build=build))
    (file,), (key,) = result.files, result.keys
    assert file.error is not None
    assert (file.error.code, file.error.line, file.rows) == ("bad-literal", 2, 2)
    assert [[row.place.row for row in conflict.rows] for conflict in key.examples] == [[1, 2]]


@pytest.mark.parametrize("build", KERNELS)
def test_a_key_that_nearly_all_rows_share_is_a_conflict_with_an_example(tmp_path: Path, build: str | None) -> None:
    scan = table(tmp_path / "app.t.csv", b"7,x\n" * 60_000, BIGINT, TEXT)
    (key,) = scan_table(scan, ScanOptions(build=build)).keys
    assert (key.status, key.duplicate_keys, key.duplicate_rows) == (KeyStatus.CONFLICTS, 1, 60_000)
    assert key.is_estimate
    assert len(key.examples) == 1


@pytest.mark.parametrize("suffix", ["csv.gz", "sql.gz"])
@pytest.mark.parametrize("build", KERNELS)
def test_progress_of_a_compressed_file_is_told_in_its_own_bytes(tmp_path: Path, build: str | None, suffix: str) -> None:
    rows = ",".join(f"({number},'{random.Random(number).random()}')" for number in range(3000))
    content = f"INSERT INTO t VALUES {rows};" if suffix == "sql.gz" else rows[1:-1].replace("),(", "\n")
    scan = table(tmp_path / f"app.t.{suffix}", content.encode(), BIGINT, TEXT)
    told: list[int] = []
    scan_table(scan, ScanOptions(build=build), told.append)
    assert sum(told) == scan.files[0].size_bytes
