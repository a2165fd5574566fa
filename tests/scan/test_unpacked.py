"""The content of a compressed file from several places, read once."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.scan.unpacked import UnpackedContent


@given(
    blocks=st.lists(st.binary(max_size=20), max_size=12),
    wanted=st.lists(st.tuples(st.integers(0, 150), st.integers(1, 60)), max_size=8),
)
def test_from_every_offset_the_content_goes_on(blocks: list[bytes], wanted: list[tuple[int, int]]) -> None:
    content, whole = UnpackedContent(iter(blocks)), b"".join(blocks)
    for offset, size in sorted(wanted):
        read = b""
        for piece in content.from_offset(offset):
            read += piece
            if len(read) >= size:
                break
        assert whole[offset:].startswith(read)
        assert len(read) >= min(size, len(whole[offset:]))


def test_only_as_much_is_decompressed_as_was_asked_for() -> None:
    delivered = []

    def blocks() -> Iterator[bytes]:
        for number in range(10):
            delivered.append(number)
            yield bytes(100)

    content = UnpackedContent(blocks())
    assert next(content.from_offset(150)) == bytes(50)
    assert next(content.from_offset(180)) == bytes(20)
    assert delivered == [0, 1]
