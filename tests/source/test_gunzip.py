"""Gzip with and without ISA-L: the same content, and the same error at the same byte."""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_lightning.source.findings import InputError
from safe_lightning.source.gunzip import gunzip
from safe_lightning.source.raw_bytes import ignore_bytes

TEXT = b"".join(b'%d,"user.%x@example.com"\n' % (number, number * 7919) for number in range(60_000))
MEMBER = gzip.compress(TEXT, 4, mtime=0)
Ending = tuple[str, int | None, bytes]


def read(path: Path) -> tuple[bytes, Ending]:
    content = b""
    try:
        for block in gunzip(path, "t.csv.gz", ignore_bytes):
            content += block
    except InputError as error:
        return content, (error.code, error.file_offset, error.reason.encode())
    return content, ("", None, b"")


def read_without(path: Path, patch: pytest.MonkeyPatch) -> tuple[bytes, Ending]:
    with patch.context() as context:
        context.setitem(sys.modules, "isal.isal_zlib", None)
        return read(path)


def with_header(flags: int, extra: bytes) -> bytes:
    return MEMBER[:3] + bytes([flags]) + MEMBER[4:10] + extra + MEMBER[10:]


def with_checked_header() -> bytes:
    header = MEMBER[:3] + bytes([2]) + MEMBER[4:10]
    return header + (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") + MEMBER[10:]


FILES = {
    "whole": MEMBER,
    "two members": MEMBER + gzip.compress(b"last\n"),
    "a name": with_header(8, b"t.csv\0"),
    "a name without an end": with_header(8, b"t" * 5000)[:5010],
    "a comment": with_header(16, b"by hand\0"),
    "an extra field": with_header(4, b"\x03\x00abc"),
    "a header with its checksum": with_checked_header(),
    "a header with a wrong checksum": with_header(2, b"zz"),
    "an empty member": gzip.compress(b"") + MEMBER,
    "nothing": b"",
    "a header only": MEMBER[:10],
    "cut within the trailer": MEMBER[:-3],
    "cut in the middle": MEMBER[: len(MEMBER) // 2],
    "cut in the second member": MEMBER + MEMBER[:1000],
    "a wrong checksum": MEMBER[:-8] + b"\0\0\0\0" + MEMBER[-4:],
    "a wrong length": MEMBER[:-4] + b"\0\0\0\0",
    "garbage behind": MEMBER + b"garbage",
    "zeros behind": MEMBER + bytes(512),
    "another format": b"plain,text\n",
    "damaged in the middle": MEMBER[:200_000] + b"\xff\xff\xff\xff" + MEMBER[200_004:],
}


@pytest.mark.parametrize("packed", FILES.values(), ids=FILES)
def test_both_ways_say_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bytes) -> None:
    pytest.importorskip("isal")
    path = tmp_path / "t.csv.gz"
    path.write_bytes(packed)
    fast, exact = read(path), read_without(path, monkeypatch)
    assert fast[1] == exact[1]
    # Of what is damaged anyway ISA-L may deliver a little more.
    assert fast[0].startswith(exact[0])
    assert fast[0] == exact[0] or exact[1][0] == "damaged-compression"


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_any_damage_is_told_the_same_way(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    pytest.importorskip("isal")
    r = random.Random(seed)
    packed = bytearray(gzip.compress(TEXT[: r.randrange(300_000)], r.randrange(10)) * r.choice([1, 1, 2]))
    for _ in range(r.randrange(3)):
        packed[r.randrange(len(packed))] ^= 1 << r.randrange(8)
    path = tmp_path_factory.mktemp("any") / "t.csv.gz"
    path.write_bytes(packed[: r.choice([len(packed), r.randrange(len(packed) + 1)])])
    fast, exact = read(path), read_without(path, pytest.MonkeyPatch())
    assert fast[1] == exact[1]
    assert fast[0].startswith(exact[0])
