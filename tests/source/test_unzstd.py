"""How zstd files are cut so that a bomb stays small and an ordinary file is read in few calls."""

from __future__ import annotations

import random

import pytest

from safe_lightning.source.unzstd import BLOCKS_MOST, PIECE_BYTES, BlockCounter

zstandard = pytest.importorskip("zstandard")
BLOCK = 128 << 10
SKIPPABLE = b"\x50\x2a\x4d\x18\x05\x00\x00\x00abcde"


def packed(content: bytes, **options: bool) -> bytes:
    return bytes(zstandard.ZstdCompressor(level=1, **options).compress(content))


@pytest.mark.parametrize("size", [1, 7, 100, 4096, 1 << 20])
@pytest.mark.parametrize("has_checksum", [True, False])
def test_every_block_is_counted_wherever_the_pieces_are_cut(size: int, has_checksum: bool) -> None:
    zeros = packed(bytes(9 * BLOCK), write_checksum=has_checksum)
    noise = packed(random.Random(1).randbytes(3 * BLOCK), write_checksum=has_checksum)
    # What is counted of the last frame may come with the bytes behind it: a header is read whole.
    content = zeros + SKIPPABLE + noise + zeros + SKIPPABLE * 2
    counter = BlockCounter(zstandard)
    assert sum(counter.count(content[at : at + size]) for at in range(0, len(content), size)) == 9 + 3 + 9


def test_a_bomb_has_more_blocks_in_a_piece_than_are_taken_at_once() -> None:
    bomb = packed(bytes(BLOCK << 12))
    assert BlockCounter(zstandard).count(bomb[:PIECE_BYTES]) > BLOCKS_MOST


def test_ordinary_content_has_few() -> None:
    text = b"".join(b"%d,name %x\n" % (number, number * 7919) for number in range(200_000))
    counter, content = BlockCounter(zstandard), packed(text)
    counts = [counter.count(content[at : at + PIECE_BYTES]) for at in range(0, len(content), PIECE_BYTES)]
    assert max(counts) <= BLOCKS_MOST


@pytest.mark.parametrize("content", [b"plain,text\n" * 9, packed(bytes(99)) + b"garbage" * 9])
def test_what_is_no_zstd_is_taken_for_as_many_as_can_be(content: bytes) -> None:
    assert BlockCounter(zstandard).count(content) == len(content)
