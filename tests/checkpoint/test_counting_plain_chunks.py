"""The fast count of chunks gives what decoding and counting one by one gives."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from safe_lightning.lightning.checkpoint_file import (
    FileCheckpoint,
    FileChunk,
    FileEngine,
    FileTable,
    encode,
    read_summary,
    summarise,
)

CHUNK = FileChunk(
    path="app.t.0001.csv", offset=1 << 28, end_offset=2 << 28, pos=2 << 28, prev_rowid_max=700, rowid_max=900,
    kvc_bytes=5000, kvc_kvs=1400, kvc_checksum=1 << 63, column_permutation=(0, 1, -1), timestamp=1_795_457_450, type=4,
    sort_key="0001", file_size=5 << 28,
)  # fmt: skip


def checkpoint_of(*chunks: FileChunk, status: int = 30) -> FileCheckpoint:
    by_key = {f"{chunk.path}:{chunk.offset}": chunk for chunk in chunks}
    return FileCheckpoint(None, {"`app`.`t`": FileTable(30, {0: FileEngine(status, by_key)})})


def is_counted_as_decoded(checkpoint: FileCheckpoint, folder: Path) -> bool:
    path = folder / "checkpoint.pb"
    path.write_bytes(encode(checkpoint))
    return read_summary(path, 1 << 30).tables == summarise(checkpoint)


@pytest.mark.parametrize("status", [30, 60, 120])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pos": 1 << 28},
        {"pos": (1 << 28) + 1},
        {"pos": (2 << 28) - 1},
        {"pos": (2 << 28) + 1},
        {"pos": 0},
        {"offset": 0, "pos": 0},
        {"offset": 0, "pos": 0, "end_offset": 0},
        {"end_offset": 0},
        {"offset": 3 << 28, "pos": 3 << 28},
        {"end_offset": 10995116277760},
        {"compression": 2},
        {"timestamp": 0},
        {"timestamp": -5},
        {"sort_key": ""},
        {"column_permutation": ()},
        {"column_permutation": (300, -1)},
        {"prev_rowid_max": 0, "rowid_max": 0, "kvc_kvs": 0},
        {"rowid_max": (1 << 56) - 1},
        {"rowid_max": 1 << 56},
        {"file_size": 0},
        {"real_pos": 1 << 30},
        {"path": "app.t.ü.csv"},
    ],
    ids=str,
)
def test_a_chunk_is_counted_as_it_is_decoded(changes: dict[str, object], status: int, tmp_path: Path) -> None:
    changed = replace(CHUNK, **changes)  # type: ignore[arg-type]
    others = [replace(CHUNK, path=f"app.t.{number:04}.csv") for number in range(2, 5)]
    assert is_counted_as_decoded(checkpoint_of(*others, changed, status=status), tmp_path)


def test_many_engines_of_many_chunks_are_counted_as_they_are_decoded(tmp_path: Path) -> None:
    choose = random.Random(7)
    engines = {}
    for number in range(-1, 12):
        chunks = [
            replace(
                CHUNK, path=f"app.t.{at // 3:05}.csv", offset=at * 100, pos=at * 100 + choose.choice([0, 50, 100]),
                end_offset=at * 100 + 100, rowid_max=choose.randrange(1 << 50), kvc_kvs=choose.randrange(1 << 40),
                file_size=choose.choice([1000, 1 << 40]), timestamp=choose.choice([5, 6]),
            )
            for at in range(choose.choice([1, 3, 4000]))
        ]  # fmt: skip
        choose.shuffle(chunks)  # as Lightning's own map does
        by_key = {f"{chunk.path}:{chunk.offset}": chunk for chunk in chunks}
        engines[number] = FileEngine(choose.choice([30, 60, 120]), by_key)
    assert is_counted_as_decoded(FileCheckpoint(None, {"`app`.`t`": FileTable(30, engines)}), tmp_path)
