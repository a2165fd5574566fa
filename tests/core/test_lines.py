"""Cutting bytes into lines: the same lines come out however the bytes were cut on the way."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.lines import LineBuffer


def lines_of(pieces: list[bytes], most: int = 1 << 20) -> tuple[list[bytes], list[bytes], int]:
    buffer = LineBuffer(most)
    ended = [line for piece in pieces for line in buffer.feed(piece)]
    return ended, buffer.close(), buffer.cut_count


@pytest.mark.parametrize(
    ("pieces", "ended", "rest"),
    [
        ([b""], [], []),
        ([b"a\nb\n"], [b"a", b"b"], []),
        ([b"a", b"b\n", b"c"], [b"ab"], [b"c"]),
        ([b"\n\n"], [b"", b""], []),
        ([b"a\r\nb"], [b"a\r"], [b"b"]),
        ([b"\xff\x00\n"], [b"\xff\x00"], []),
    ],
)
def test_lines_end_at_line_breaks_only(pieces: list[bytes], ended: list[bytes], rest: list[bytes]) -> None:
    assert lines_of(pieces) == (ended, rest, 0)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200)))
def test_any_cut_of_any_bytes_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(places)]
    assert lines_of(pieces) == lines_of([data])


@given(st.lists(st.sampled_from([b"a", b"bb\n", b"\n", b"c" * 30, b"d\ne"]), max_size=30))
def test_nothing_is_lost_below_the_limit(pieces: list[bytes]) -> None:
    ended, rest, _ = lines_of(pieces)
    assert b"".join(line + b"\n" for line in ended) + b"".join(rest) == b"".join(pieces)


def test_of_an_over_long_line_the_beginning_comes_and_the_rest_is_skipped_and_counted() -> None:
    pieces = [b"x" * 6, b"y" * 6, b"z" * 6, b"end\nnext\n"]
    assert lines_of(pieces, most=10) == ([b"xxxxxxyyyyyy", b"next"], [], 1)


def test_memory_stays_bounded_by_a_line_that_never_ends() -> None:
    buffer = LineBuffer(1000)
    for _ in range(100):
        buffer.feed(b"x" * 100)
    assert sum(map(len, buffer._pieces)) <= 1000
