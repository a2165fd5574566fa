"""Compressed files: every piece of them, and every way in which they can break off."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import random
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source import compression
from safe_lightning.source.compression import read_blocks
from safe_lightning.source.file_rules import Compression
from safe_lightning.source.findings import InputError

RANDOM = random.Random(7)
TEXT = b"".join(b"%d,%d\n" % (n, RANDOM.randrange(10**9)) for n in range(40_000))
IDENTIFIER = b"\xff\x06\x00\x00sNaPpY"
SKIPPABLE_FRAME = b"\x50\x2a\x4d\x18\x04\x00\x00\x00abcd"


def snappy(data: bytes) -> bytes:
    return bytes(pytest.importorskip("cramjam").snappy.compress(data))


def zstd(data: bytes, **options: object) -> bytes:
    return bytes(pytest.importorskip("zstandard").ZstdCompressor(**options).compress(data))


def written(folder: Path, data: bytes) -> Path:
    path = folder / "t.bin"
    path.write_bytes(data)
    return path


def read(folder: Path, data: bytes, kind: Compression) -> bytes:
    return b"".join(read_blocks(written(folder, data), kind, "t"))


PACKERS = {
    Compression.NONE: bytes,
    Compression.GZIP: gzip.compress,
    Compression.ZSTD: zstd,
    Compression.SNAPPY: snappy,
}


@pytest.mark.parametrize("kind", PACKERS)
def test_content_is_read_whole(tmp_path: Path, kind: Compression) -> None:
    assert read(tmp_path, PACKERS[kind](TEXT), kind) == TEXT


@pytest.mark.parametrize("kind", PACKERS)
def test_files_written_one_after_another_are_one(tmp_path: Path, kind: Compression) -> None:
    assert read(tmp_path, PACKERS[kind](TEXT) + PACKERS[kind](b"last\n"), kind) == TEXT + b"last\n"


def test_zstd_frames_that_hold_no_data_are_skipped(tmp_path: Path) -> None:
    assert read(tmp_path, SKIPPABLE_FRAME + zstd(b"a\n") + SKIPPABLE_FRAME, Compression.ZSTD) == b"a\n"


@pytest.mark.parametrize(
    ("kind", "code", "is_silent"),
    [
        (Compression.GZIP, "truncated-compression", True),
        (Compression.ZSTD, "truncated-compression", True),
        (Compression.SNAPPY, "damaged-compression", False),
    ],
)
@pytest.mark.parametrize("missing", [1, 5, 1000, 200_000])
def test_a_file_that_breaks_off(tmp_path: Path, kind: Compression, code: str, is_silent: bool, missing: int) -> None:
    packed = PACKERS[kind](TEXT)[:-missing]
    found: list[bytes] = []
    with pytest.raises(InputError) as caught:
        found += read_blocks(written(tmp_path, packed), kind, "t.csv")
    assert TEXT.startswith(b"".join(found))
    assert (caught.value.code, caught.value.is_silent) == (code, is_silent)
    assert caught.value.file_offset == (len(packed) if is_silent else caught.value.file_offset)
    assert "t.csv" in str(caught.value)


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZSTD, Compression.SNAPPY])
def test_a_damaged_file_is_an_error_that_lightning_reports_too(tmp_path: Path, kind: Compression) -> None:
    packed = bytearray(PACKERS[kind](TEXT))
    packed[len(packed) // 2] ^= 0xFF
    with pytest.raises(InputError) as caught:
        read(tmp_path, bytes(packed), kind)
    assert (caught.value.code, caught.value.is_silent) == ("damaged-compression", False)


@pytest.mark.parametrize("data", [b"plain,text\n", gzip.compress(b"a\n", mtime=0) + b"garbage", b""])
def test_what_is_no_gzip(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(InputError, match="not valid gzip"):
        read(tmp_path, data, Compression.GZIP)


@pytest.mark.parametrize(
    "data",
    [b"", b"sNaPpY", IDENTIFIER + b"\x02\x01\x00\x00x", IDENTIFIER + b"\x00\xff\xff\xff", IDENTIFIER + b"\x01\x00"],
)
def test_what_is_no_snappy_stream(tmp_path: Path, data: bytes) -> None:
    pytest.importorskip("cramjam")
    with pytest.raises(InputError, match="not valid snappy"):
        read(tmp_path, data, Compression.SNAPPY)


def test_snappy_padding_is_skipped(tmp_path: Path) -> None:
    padded = snappy(b"a\n") + b"\xfe\x03\x00\x00abc" + snappy(b"b\n")
    assert read(tmp_path, padded, Compression.SNAPPY) == b"a\nb\n"


@pytest.mark.parametrize("kind", [Compression.LZ4, Compression.XZ, Compression.LZO])
def test_what_lightning_recognises_and_cannot_read(tmp_path: Path, kind: Compression) -> None:
    with pytest.raises(InputError, match=f"cannot read {kind}"):
        read(tmp_path, b"x", kind)


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZSTD])
def test_a_decompression_bomb_is_read_in_small_pieces(tmp_path: Path, kind: Compression) -> None:
    zeros = bytes(1 << 24)
    packed = PACKERS[kind](zeros) * 32
    path = written(tmp_path, packed)
    assert len(packed) < 1 << 20
    tracemalloc.start()
    try:
        size = sum(len(block) for block in read_blocks(path, kind))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size == len(zeros) * 32
    assert peak < 200 << 20


def test_a_zstd_window_that_would_take_all_memory_is_refused(tmp_path: Path) -> None:
    # A frame header that asks for a window of 3.75 GiB.
    huge = b"\x28\xb5\x2f\xfd\x00\xaf" + b"\x01\x00\x00"
    pytest.importorskip("zstandard")
    with pytest.raises(CouldNotLook, match="window"):
        read(tmp_path, huge, Compression.ZSTD)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        list(read_blocks(tmp_path / "none.csv"))


def test_a_file_that_grows_while_it_is_read_is_not_believed(tmp_path: Path) -> None:
    path = written(tmp_path, b"a\n" * compression.BLOCK_BYTES)
    blocks = read_blocks(path, name="t.csv")
    next(blocks)
    with path.open("ab") as file:
        file.write(b"b\n")
    with pytest.raises(InputError, match="changed"):
        list(blocks)


@pytest.mark.parametrize(("kind", "module"), [(Compression.ZSTD, "zstandard"), (Compression.SNAPPY, "cramjam")])
def test_without_its_library_a_file_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Compression, module: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(CouldNotLook, match=module):
        read(tmp_path, b"x", kind)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=60), kind=st.sampled_from([Compression.GZIP, Compression.ZSTD, Compression.SNAPPY]))
def test_any_bytes_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, kind: Compression
) -> None:
    heads = {
        Compression.GZIP: gzip.compress(b"abc", mtime=0)[:14],
        Compression.ZSTD: b"\x28\xb5\x2f\xfd",
        Compression.SNAPPY: IDENTIFIER,
    }
    path = tmp_path_factory.mktemp("any") / "t"
    path.write_bytes(heads[kind] + data)
    with contextlib.suppress(InputError, CouldNotLook):
        assert all(isinstance(block, bytes) for block in read_blocks(path, kind))


def test_another_format_under_the_name_of_gzip(tmp_path: Path) -> None:
    for data in (bz2.compress(b"x"), zlib.compress(b"x")):
        with pytest.raises(InputError, match="not valid gzip"):
            read(tmp_path, data, Compression.GZIP)
