"""The key scan of a table: what it finds, where, and what it says of input that cannot be read to the end."""

from __future__ import annotations

import gzip
import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from scan_cases import brute_force, compare, random_case

from safe_lightning.conflicts.engine import scan_table
from safe_lightning.conflicts.kernel.binding import KernelMissing, load_kernel
from safe_lightning.conflicts.scan_model import KeyScan, KeyStatus, ScanOptions, ScanStopped
from safe_lightning.core.columns import ColumnType, KeyMode
from safe_lightning.core.tables import TableName
from safe_lightning.source.csv_rules import CsvRules
from safe_lightning.source.file_rules import Compression, FileType
from safe_lightning.source.files import SourceFile
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema_model import ColumnDefinition, KeyDefinition, KeyPart, TableDefinition

TABLE = TableName("app", "t")
NAME = ColumnType("varchar", length=40, charset="utf8mb4", collation="utf8mb4_general_ci")
COLUMNS = (ColumnDefinition("id", ColumnType("bigint")), ColumnDefinition("name", NAME))
KEYS = (
    KeyDefinition("PRIMARY", (KeyPart("id"),), is_primary=True),
    KeyDefinition("name", (KeyPart("name"),)),
)


def is_built(build: str) -> bool:
    try:
        load_kernel(build)
    except KernelMissing:
        return False
    return True


def runs_here(build: str) -> bool:
    flags = Path("/proc/cpuinfo").read_text().split()
    return {"_kernel_v3": "avx2", "_kernel_v2": "popcnt"}.get(build, "flags") in flags


BUILDS = [name for name in ("_kernel_v3", "_kernel_v2", "_kernel") if is_built(name) and runs_here(name)]
READERS = [*BUILDS, "numpy"]
ENGINES = [*READERS, "none"]


def table(
    folder: Path, *contents: bytes | str, columns: tuple[ColumnDefinition, ...] = COLUMNS, suffix: str = "csv"
) -> KeyScan:
    files = []
    for number, content in enumerate(contents):
        path = folder / f"app.t.{number}.{suffix}"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        kind = FileType.SQL if suffix.startswith("sql") else FileType.CSV
        packing = Compression.GZIP if suffix.endswith("gz") else Compression.NONE
        files.append(SourceFile(path, path.name, TABLE, kind, packing, path.stat().st_size))
    definition = TableDefinition("t", columns, KEYS)
    return KeyScan(TABLE, tuple(files), definition, KEYS, KeyMode(), ReadingRules(CsvRules()))


@pytest.mark.parametrize("engine", ENGINES)
def test_duplicates_are_found_with_their_places(tmp_path: Path, engine: str) -> None:
    scan = table(tmp_path, 'id,name\n1,a\n2,"b\nc"\n', "id,name\n3,x\n01,y\n")
    primary, name = scan_table(scan, ScanOptions(build=engine)).keys
    (conflict,) = primary.examples
    places = [(row.place.file, row.place.line, row.place.offset, row.place.row) for row in conflict.rows]
    assert places == [("app.t.0.csv", 2, 8, 1), ("app.t.1.csv", 3, 12, 2)]
    assert [row.fields for row in conflict.rows] == [(b"1",), (b"01",)]
    assert (primary.status, primary.duplicate_keys, primary.duplicate_rows) == (KeyStatus.CONFLICTS, 1, 2)
    assert (name.status, name.duplicate_keys) == (KeyStatus.CLEAN, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_strings_are_compared_by_the_collation(tmp_path: Path, engine: str) -> None:
    scan = table(tmp_path, "id,name\n1,Straße\n2,STRASE \n3,Ä\n4,a\n5,\\N\n6,\\N\n7,x\n")
    _, name = scan_table(scan, ScanOptions(build=engine)).keys
    assert [[row.place.row for row in conflict.rows] for conflict in name.examples] == [[1, 2], [3, 4]]


@pytest.mark.parametrize("suffix", ["csv", "csv.gz"])
@pytest.mark.parametrize("engine", ENGINES)
def test_rows_with_a_wrong_number_of_fields_are_counted_and_located(tmp_path: Path, engine: str, suffix: str) -> None:
    content = b"id,name\n1,a\n2\n3,c\n4,d,e\n5\n"
    scan = table(tmp_path, gzip.compress(content, mtime=0) if suffix == "csv.gz" else content, suffix=suffix)
    result = scan_table(scan, ScanOptions(build=engine))
    found = {item.finding.code: (item.finding.line, item.finding.offset, item.count) for item in result.findings}
    assert found == {"missing-fields": (3, 12, 2), "surplus-fields": (5, 18, 1)}
    assert result.rows == 5


@pytest.mark.parametrize(
    ("content", "code", "line", "offset"),
    [
        (b'id,name\n1,a\n2,"b\n3,c\n', "unterminated-quote", 3, 14),
        (b'id,name\n1,a\n2,b"c"\n3,c\n', "misplaced-quote", 3, 15),
        (b"id,name\n1,a\n2,b\\", "dangling-escape", 3, 15),
    ],
)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_syntax_error_is_never_clean(
    tmp_path: Path, engine: str, content: bytes, code: str, line: int, offset: int
) -> None:
    result = scan_table(table(tmp_path, content), ScanOptions(build=engine))
    (file,) = result.files
    assert file.error is not None
    assert (file.error.code, file.error.line, file.error.offset) == (code, line, offset)
    assert {key.status for key in result.keys} == {KeyStatus.INPUT_ERROR}
    assert file.rows == 1


@pytest.mark.parametrize("engine", ENGINES)
def test_a_truncated_file_is_an_input_error_and_the_other_files_are_read(tmp_path: Path, engine: str) -> None:
    rows = "".join(f"{number},n{number}\n" for number in range(50_000))
    packed = gzip.compress(b"id,name\n" + rows.encode(), mtime=0)
    scan = table(tmp_path, packed[:-5000], gzip.compress(b"id,name\n60000,x\n60000,y\n", mtime=0), suffix="csv.gz")
    result = scan_table(scan, ScanOptions(build=engine))
    assert result.files[0].error is not None
    assert result.files[0].error.code == "truncated-compression"
    assert result.files[1].rows == 2
    assert [key.status for key in result.keys] == [KeyStatus.CONFLICTS, KeyStatus.INPUT_ERROR]


def test_a_vanished_file_is_an_input_error(tmp_path: Path) -> None:
    scan = table(tmp_path, "id,name\n1,a\n", "id,name\n1,b\n")
    scan.files[0].path.unlink()
    result = scan_table(scan)
    assert result.files[0].error is not None
    assert result.files[0].error.code == "unreadable-file"
    assert {key.status for key in result.keys} == {KeyStatus.INPUT_ERROR}


def test_a_file_that_grows_meanwhile_is_an_input_error(tmp_path: Path) -> None:
    scan = table(tmp_path, "id,name\n" + "".join(f"{number},n{number}\n" for number in range(100)))

    def grow(_bytes: int) -> None:
        with scan.files[0].path.open("ab") as file:
            file.write(b"x")

    result = scan_table(scan, ScanOptions(threads=1), progress=grow)
    assert result.files[0].error is not None
    assert result.files[0].error.code == "changed-file"


@pytest.mark.parametrize("engine", ENGINES)
def test_an_absent_column_that_the_target_numbers_is_not_checked(tmp_path: Path, engine: str) -> None:
    columns = (replace(COLUMNS[0], auto="increment"), COLUMNS[1])
    primary, name = scan_table(table(tmp_path, "name\na\nA\n", columns=columns), ScanOptions(build=engine)).keys
    assert primary.status is KeyStatus.NOT_CHECKED
    assert "id" in primary.reason
    assert name.duplicate_keys == 1


def test_progress_adds_up_to_the_bytes_of_the_rows(tmp_path: Path) -> None:
    scan = table(tmp_path, "id,name\n" + "".join(f"{number},n{number}\n" for number in range(1000)))
    done: list[int] = []
    scan_table(scan, progress=done.append)
    assert sum(done) == scan.files[0].size_bytes - len("id,name\n")


def test_a_set_stop_event_ends_the_scan(tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ScanStopped):
        scan_table(table(tmp_path, "id,name\n1,a\n"), stop=stop)


def many_rows(count: int) -> tuple[str, int]:
    """Rows with every hundredth id twice."""
    numbers = [*range(count), *range(0, count, 100)]
    random.Random(7).shuffle(numbers)
    return "id,name\n" + "".join(f"{number},n{place}\n" for place, number in enumerate(numbers)), count // 100


@pytest.mark.parametrize("engine", ENGINES)
def test_more_words_than_memory_are_spilled_and_all_found(tmp_path: Path, engine: str) -> None:
    content, twice = many_rows(30_000 if engine == "none" else 200_000)
    options = ScanOptions(memory_bytes=1 << 17, threads=2, spill_folder=tmp_path, build=engine, range_bytes=1 << 20)
    result = scan_table(table(tmp_path, content), options)
    assert result.spilled_bytes > 0
    assert (result.keys[0].duplicate_keys, result.keys[0].duplicate_rows) == (twice, 2 * twice)
    assert result.keys[1].status is KeyStatus.CLEAN
    assert [path.name for path in tmp_path.iterdir()] == ["app.t.0.csv"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_table_whose_words_cannot_be_spilled_is_not_checked(tmp_path: Path, engine: str) -> None:
    content, _ = many_rows(30_000 if engine == "none" else 200_000)
    options = ScanOptions(memory_bytes=1 << 17, spill_folder=tmp_path / "absent", build=engine)
    result = scan_table(table(tmp_path, content), options)
    assert {key.status for key in result.keys} == {KeyStatus.NOT_CHECKED}
    assert "disk" in result.keys[0].reason


@pytest.mark.parametrize("engine", ENGINES)
def test_a_sample_keeps_all_rows_of_a_key_or_none(tmp_path: Path, engine: str) -> None:
    content = "id,name\n" + "".join(f"{number % 2000},n{number}\n" for number in range(6000))
    result = scan_table(table(tmp_path, content), ScanOptions(build=engine, sample_fraction=0.25, seed=3))
    assert result.sample_fraction == 0.25
    assert 350 < result.keys[0].duplicate_keys < 650
    assert {conflict.row_count for conflict in result.keys[0].examples} == {3}


def test_very_many_duplicates_are_counted_by_hash_and_said_to_be(tmp_path: Path) -> None:
    content = "id,name\n" + "".join(f"{number % 40_000},n{number}\n" for number in range(80_000))
    primary = scan_table(table(tmp_path, content), ScanOptions(examples_most=10)).keys[0]
    assert primary.is_estimate
    assert (primary.duplicate_keys, primary.duplicate_rows) == (40_000, 80_000)
    assert 5_000 < primary.verified_keys < 40_000
    assert len(primary.examples) == 10


QUOTED_ROWS = '"' + "\n".join(f"{number},looks like a row" for number in range(400)) + '"'


@pytest.mark.parametrize("engine", READERS)
def test_ranges_that_begin_within_quotes_are_read_again(tmp_path: Path, engine: str) -> None:
    content = "id,name\n" + "".join(f"{number},{QUOTED_ROWS}\n" for number in [*range(40), 7])
    columns = (COLUMNS[0], ColumnDefinition("name", ColumnType("longtext", charset="utf8mb4", collation="utf8mb4_bin")))
    scan = table(tmp_path, content, columns=columns)
    whole = scan_table(scan, ScanOptions(build=engine, range_bytes=1 << 30))
    cut = scan_table(scan, ScanOptions(build=engine, range_bytes=5000, chunk_bytes=1024))
    assert whole.rows == cut.rows == 41
    assert [key.examples for key in cut.keys] == [key.examples for key in whole.keys]
    assert [[row.place.row for row in conflict.rows] for conflict in cut.keys[0].examples] == [[8, 41]]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("block", range(8))
def test_any_table_is_found_as_by_brute_force(tmp_path: Path, engine: str, block: int) -> None:
    for seed in range(block * 25, block * 25 + 25):
        case, r = random_case(seed, tmp_path), random.Random(seed)
        options = ScanOptions(
            memory_bytes=1 << 20,
            threads=r.choice([1, 2]),
            chunk_bytes=r.choice([64, 128, 320, 1024, 1 << 16]),
            range_bytes=r.choice([100, 1000, 1 << 20]),
            build=engine,
            examples_most=100_000,
        )
        compare(brute_force(case.scan), scan_table(case.scan, options))
