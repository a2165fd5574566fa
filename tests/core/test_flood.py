"""Of an endless stream the beginning and the end are heard, and how Lightning says that it ends."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.flood import Flood


def heard(pieces: list[bytes], head_bytes: int = 20, tail_bytes: int = 20) -> bytes:
    taken: list[bytes] = []
    flood = Flood(taken.append, head_bytes, tail_bytes)
    for piece in pieces:
        flood.feed(piece)
    flood.close()
    return b"".join(taken)


@pytest.mark.parametrize("pieces", [[], [b"a"], [b"a\n"] * 20, [b"x" * 100], [b"x" * 20, b"y" * 20]])
def test_what_is_short_is_heard_whole(pieces: list[bytes]) -> None:
    assert heard(pieces) == b"".join(pieces)


def test_of_more_the_beginning_and_the_last_lines_are_heard_and_the_rest_is_counted() -> None:
    pieces = [b"line %04d\n" % number for number in range(100)]
    assert heard(pieces) == (b"line 0000\nline 0001\n\n[safe-lightning: 970 bytes not looked at here]\nline 0099\n")


@pytest.mark.parametrize("words", [b"tidb lightning encountered error: x\n", b"tidb lightning canceled\n"])
def test_how_lightning_ends_is_heard_in_the_middle_too(words: bytes) -> None:
    flood = [b"y\n"] * 1000
    assert words in heard([*flood, words, *flood])


def test_what_is_held_in_memory_is_bounded() -> None:
    flood = Flood(lambda data: None, 10, 1000)
    for _ in range(10_000):
        flood.feed(b"x" * 100)
    assert sum(map(len, flood._held)) <= 1100


@given(st.lists(st.binary(max_size=30)))
def test_every_byte_is_heard_or_counted(pieces: list[bytes]) -> None:
    everything = heard(pieces)
    notes = re.findall(rb"\n\[safe-lightning: (\d+) bytes not looked at here\]\n", everything)
    own_bytes = sum(len(b"\n[safe-lightning:  bytes not looked at here]\n") + len(note) for note in notes)
    assert len(everything) - own_bytes + sum(map(int, notes)) == sum(map(len, pieces))
