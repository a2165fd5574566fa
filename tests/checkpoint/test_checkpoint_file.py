"""The file driver's store on disk: what is there, what is not, and what must not be opened."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from safe_lightning.core.checkpoint import UnreadableCheckpoint
from safe_lightning.lightning.checkpoint_file import (
    FileCheckpoint,
    FileChunk,
    FileEngine,
    FileTable,
    FileTask,
    encode,
    read_summary,
)

LIMIT = 1 << 20


def test_no_file_is_no_checkpoint(tmp_path: Path) -> None:
    found = read_summary(tmp_path / "none.pb", LIMIT)
    assert (found.exists, found.tables, found.modified_at) == (False, (), None)


@pytest.mark.parametrize("content", [b"", b"\x12\x00"])
def test_a_file_without_content_exists_and_holds_no_table(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.pb"
    path.write_bytes(content)
    found = read_summary(path, LIMIT)
    assert (found.exists, found.task, found.tables) == (True, None, ())


def test_an_empty_file_is_remarked_on(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pb"
    path.touch()
    assert "0 bytes" in read_summary(path, LIMIT).notes[0]


def directory(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def loop(path: Path) -> None:
    path.symlink_to(path)


def two_gibibytes(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2 << 30)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(541))


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (directory, "a directory"),
        (pipe, "a pipe"),
        (listening_socket, "a socket"),
        (loop, "cannot be opened"),
        (two_gibibytes, "2147483648 bytes, more than checkpoint.size_most"),
        (zeros, "byte 0"),
        (device, "a device"),
    ],
)
def test_what_is_no_checkpoint_is_unreadable_and_named(
    tmp_path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = tmp_path / "checkpoint.pb"
    make(path)
    with pytest.raises(UnreadableCheckpoint, match=words) as caught:
        read_summary(path, LIMIT)
    assert str(path) in str(caught.value)


def test_a_folder_that_is_a_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnreadableCheckpoint, match="Not a directory"):
        read_summary(tmp_path / "file" / "checkpoint.pb", LIMIT)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_unreadable(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pb"
    path.touch(mode=0)
    with pytest.raises(UnreadableCheckpoint, match="Permission denied"):
        read_summary(path, LIMIT)


def chunk(path: str, pos: int, end: int, first_id: int, last_id: int, kvs: int) -> FileChunk:
    return FileChunk(path, 0, end, pos, first_id, last_id, kvc_kvs=kvs, timestamp=1795451999)


def write(path: Path, table: FileTable) -> Path:
    path.write_bytes(encode(FileCheckpoint(FileTask(7, "s3://b/d?access-key=AK", "local"), {"`a`.`b`": table})))
    return path


def test_a_file_is_done_when_all_its_chunks_are(tmp_path: Path) -> None:
    chunks = {
        "x:0": chunk("x", 100, 100, 10, 50, 20),
        "x:100": chunk("x", 0, 100, 50, 90, 0),
        "y:0": chunk("y", 100, 100, 100, 120, 20),
    }
    [record] = read_summary(write(tmp_path / "cp", FileTable(30, {0: FileEngine(30, chunks)})), LIMIT).tables
    assert (record.chunks_done, record.chunks_total) == (2, 3)
    assert (record.files_done, record.files_total) == (1, 2)
    assert (record.kvs, record.rows, record.created_at) == (40, 20, 1795451999)


def test_a_written_engine_has_all_its_chunks_done(tmp_path: Path) -> None:
    # A compressed file's end is a constant that its position need not reach.
    chunks = {"x.gz:0": chunk("x.gz", 5000, 10995116277760, 10, 50, 10)}
    [record] = read_summary(write(tmp_path / "cp", FileTable(30, {0: FileEngine(60, chunks)})), LIMIT).tables
    assert (record.chunks_done, record.files_done) == (1, 1)


def test_rows_are_unknown_where_row_ids_and_pairs_contradict_each_other(tmp_path: Path) -> None:
    chunks = {"x:0": chunk("x", 100, 100, 1500, 1900, 1503)}  # a parallel import that was given ids from 999 on
    [record] = read_summary(write(tmp_path / "cp", FileTable(30, {0: FileEngine(30, chunks)})), LIMIT).tables
    assert record.rows is None


def test_keys_in_a_stored_source_url_are_not_kept(tmp_path: Path) -> None:
    task = read_summary(write(tmp_path / "cp", FileTable(30)), LIMIT).task
    assert task is not None
    assert task.source_dir == "s3://b/d"
