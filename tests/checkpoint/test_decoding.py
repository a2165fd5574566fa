"""The file's bytes: decoded as the protobuf library does, encoded as Lightning does, and never half-believed."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path

import pytest
import second_opinion
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.core.checkpoint import UnreadableCheckpoint
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_file import (
    FileCheckpoint,
    FileChunk,
    FileEngine,
    FileTable,
    FileTask,
    decode,
    encode,
    read_summary,
    summarise,
)
from safe_lightning.lightning.wire import WireError

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
UINT64 = st.integers(0, (1 << 64) - 1)
INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
UINT32 = st.integers(0, (1 << 32) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=150)
NAMES = st.builds(TableName, TEXT, TEXT).map(str)
CHUNKS = st.builds(
    FileChunk,
    path=TEXT,
    offset=INT64,
    end_offset=INT64,
    pos=INT64,
    prev_rowid_max=INT64,
    rowid_max=INT64,
    kvc_bytes=UINT64,
    kvc_kvs=UINT64,
    kvc_checksum=UINT64,
    column_permutation=st.lists(INT32, max_size=4).map(tuple),
    timestamp=INT64,
    type=INT32,
    compression=INT32,
    sort_key=TEXT,
    file_size=INT64,
    real_pos=INT64,
)
ENGINES = st.builds(FileEngine, status=UINT32, chunks=st.dictionaries(TEXT, CHUNKS, max_size=3))
TABLES = st.builds(
    FileTable,
    status=UINT32,
    engines=st.dictionaries(INT32, ENGINES, max_size=3),
    hash=st.binary(max_size=32),
    alloc_base=INT64,
    table_id=INT64,
    kv_bytes=UINT64,
    kv_kvs=UINT64,
    kv_checksum=UINT64,
    table_info=st.binary(max_size=40),
    auto_rand_base=INT64,
    auto_incr_base=INT64,
    auto_row_id_base=INT64,
)
TASKS = st.builds(
    FileTask,
    task_id=INT64,
    source_dir=TEXT,
    backend=TEXT,
    importer_addr=TEXT,
    tidb_host=TEXT,
    tidb_port=INT32,
    pd_addr=TEXT,
    sorted_kv_dir=TEXT,
    lightning_ver=TEXT,
)
FILES = st.builds(FileCheckpoint, task=st.none() | TASKS, tables=st.dictionaries(NAMES, TABLES, max_size=3))


@given(FILES)
@settings(max_examples=150, deadline=None)
def test_what_is_encoded_decodes_to_the_same_and_the_protobuf_library_agrees(checkpoint: FileCheckpoint) -> None:
    data = encode(checkpoint)
    assert decode(data) == checkpoint
    assert second_opinion.as_values(second_opinion.parse(data)) == asdict(checkpoint)


@given(FILES)
@settings(max_examples=100, deadline=None)
def test_what_the_protobuf_library_writes_is_decoded(checkpoint: FileCheckpoint) -> None:
    message = second_opinion.parse(encode(checkpoint))
    assert message is not None
    assert decode(message.SerializeToString()) == checkpoint


@given(checkpoint=FILES)
@settings(max_examples=150, deadline=None)
def test_counting_without_building_gives_the_same_as_building(
    checkpoint: FileCheckpoint, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "counted.pb"
    path.write_bytes(encode(checkpoint))
    assert read_summary(path, 1 << 20).tables == summarise(checkpoint)


def example() -> bytes:
    chunks = {
        f"shop.orders.{n}.csv:0": FileChunk(
            f"shop.orders.{n}.csv",
            0,
            2182,
            2182 * (n % 2),
            100 + n * 500,
            500 + n * 500,
            2752,
            100,
            1 << 63,
            (0, 1, 2, -1),
            1795451999,
            4,
            0,
            f"000{n}",
            2182,
        )
        for n in range(3)
    }
    table = FileTable(6, {-1: FileEngine(30), 0: FileEngine(6, chunks)}, table_id=104, table_info=b"{}")
    names = {"`shop`.`orders`": table, "`shop`.`größe ``x``.y`": FileTable(200, {0: FileEngine(120, chunks)})}
    return encode(FileCheckpoint(FileTask(7, "file:///data", "tidb", lightning_ver="v8.5.4"), names))


def damage(data: bytes, chance: random.Random) -> bytes:
    kind = chance.randrange(5)
    at = chance.randrange(len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + chance.randbytes(chance.randrange(1, 12)) + data[at:]
    if kind == 3:
        return data[:at] + data[at + chance.randrange(1, 30) :]
    return data[:at] + data[chance.randrange(len(data)) :]


def test_damaged_files_are_refused_or_read_as_the_protobuf_library_reads_them(tmp_path: Path) -> None:
    chance, whole, path = random.Random(20_000), example(), tmp_path / "checkpoint.pb"
    accepted = 0
    for _ in range(20_000):
        data = damage(whole, chance)
        path.write_bytes(data)
        try:
            summary = read_summary(path, 1 << 20)
        except UnreadableCheckpoint:
            continue
        accepted += 1
        checkpoint = decode(data)
        assert summarise(checkpoint) == summary.tables
        opinion = second_opinion.parse(data)
        assert opinion is not None
        assert second_opinion.as_values(opinion) == asdict(checkpoint)
    assert 500 < accepted < 19_500  # both ways were taken


def test_noise_is_refused_or_holds_nothing(tmp_path: Path) -> None:
    chance, path = random.Random(7), tmp_path / "checkpoint.pb"
    for _ in range(3_000):
        path.write_bytes(chance.randbytes(chance.randrange(1, 200)))
        try:
            summary = read_summary(path, 1 << 20)
        except UnreadableCheckpoint:
            continue
        assert summary.tables == ()


@pytest.mark.parametrize("length", range(1, len(example())))
def test_a_file_cut_anywhere_but_between_two_entries_is_refused(length: int) -> None:
    whole = example()
    try:
        kept = decode(whole[:length])
    except WireError:
        return
    assert encode(kept) == whole[:length]


WRONG = {
    "number of more than 64 bits": (b"\x12\x0b\x08" + b"\xff" * 9 + b"\x02", 3),
    "number that never ends": (b"\x12\x0c\x08" + b"\x80" * 11, 3),
    "text that is not UTF-8": (b"\x12\x04\x12\x02a\xff", 5),
    "field number 0": (b"\x00\x00", 0),
    "group": (b"\x0b", 0),
    "status as text": (b"\x0a\x0a\x0a\x05`a`.b\x12\x03\x1a\x01x", None),
    "value beyond the end": (b"\x0a\x7fabc", 0),
    "table name without back-quotes": (b"\x0a\x07\x0a\x03a.b\x12\x00", None),
    "task as a number": (b"\x10\x05", 0),
}


@pytest.mark.parametrize(("data", "offset"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named_with_its_byte(data: bytes, offset: int | None, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pb"
    path.write_bytes(data)
    with pytest.raises(UnreadableCheckpoint, match=r"byte \d+" if offset is None else f"byte {offset}:"):
        read_summary(path, 1 << 20)


def test_fields_of_a_later_version_are_skipped() -> None:
    later = b"\x12\x0b\x08\x07\xf2\x01\x03new\xf8\x01\x05" + b"\x1a\x02hi"
    assert decode(later) == FileCheckpoint(FileTask(7))


def test_a_task_in_two_parts_is_merged() -> None:
    parts = encode(FileCheckpoint(FileTask(7))) + encode(FileCheckpoint(FileTask(0, "file:///x")))
    assert decode(parts) == FileCheckpoint(FileTask(7, "file:///x"))


def test_a_table_that_comes_twice_is_refused() -> None:
    one = encode(FileCheckpoint(None, {"`a`.`b`": FileTable(30)}))
    with pytest.raises(WireError, match="comes twice"):
        decode(one + one)
