"""Copies of endless output keep the beginning and the end, whatever comes between."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.core.redact import redact
from safe_lightning.record.bounded_file import BoundedFile, StreamCopy
from safe_lightning.record.durable import WriteHealth

HEAD, TAIL = 40, 20
NOTE = b"<%d left out>"


def bounded(path: Path, health: WriteHealth | None = None) -> BoundedFile:
    return BoundedFile(path, HEAD, TAIL, lambda count: NOTE % count, health or WriteHealth())


PIECES = st.lists(st.binary(min_size=1, max_size=30), max_size=30)


@given(PIECES)
def test_beginning_and_end_are_kept_and_what_is_left_out_is_counted(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("b") / "stdout"
    file, whole = bounded(path), b"".join(pieces)
    for piece in pieces:
        file.write(piece)
    file.close()
    kept = path.read_bytes()
    assert len(kept) <= HEAD + 2 * TAIL + len(NOTE) + 10
    head = next((at for at in range(len(kept) + 1) if kept[:at] != whole[:at]), len(kept) + 1) - 1
    assert kept == whole or b" left out>" in kept
    if kept != whole:
        assert head >= 1 or len(pieces[0]) > HEAD
        assert kept.endswith(whole[-min(len(pieces[-1]), TAIL) :])
        left_out = len(whole) - (len(kept) - len(NOTE % 0) - len(str(_count(kept))) + 1)
        assert _count(kept) == left_out
    assert [p.name for p in path.parent.iterdir()] == ["stdout"]


def _count(kept: bytes) -> int:
    return int(kept.rpartition(b" left out>")[0].rpartition(b"<")[2])


def test_what_came_last_is_on_disk_before_the_file_is_closed(tmp_path: Path) -> None:
    file = bounded(tmp_path / "stdout")
    for number in range(100):
        file.write(b"line %3d\n" % number)
    parts = [tmp_path / name for name in ("stdout", "stdout.tail.old", "stdout.tail")]
    on_disk = b"".join(path.read_bytes() for path in parts)
    assert on_disk.startswith(b"line   0\nline   1\n")
    assert on_disk.endswith(b"line  98\nline  99\n")


def test_writing_after_the_end_does_nothing(tmp_path: Path) -> None:
    file = bounded(tmp_path / "stdout")
    file.write(b"a")
    file.close()
    file.write(b"b")
    file.close()
    assert (tmp_path / "stdout").read_bytes() == b"a"


def test_a_file_that_cannot_be_made_is_trouble_and_no_error(tmp_path: Path) -> None:
    health = WriteHealth()
    file = bounded(tmp_path / "no such folder" / "stdout", health)
    file.write(b"a")
    file.close()
    assert "stdout could not be recorded" in health.trouble


LINES = b"\xff\xfe no text\nmysql://root:hunter2@h:4000/ tried\n\npassword=swordfish without an end"


@given(st.lists(st.integers(0, len(LINES)), max_size=5))
def test_secrets_are_masked_however_the_bytes_are_cut(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int]
) -> None:
    path = tmp_path_factory.mktemp("s") / "stderr"
    copy = StreamCopy(BoundedFile(path, 1000, 1000, lambda count: b"", WriteHealth()), redact)
    edges = [0, *sorted(cuts), len(LINES)]
    for begin, end in itertools.pairwise(edges):
        copy.write(LINES[begin:end])
    copy.close()
    assert path.read_bytes() == b"\xff\xfe no text\nmysql://root:***@h:4000/ tried\n\npassword=*** without an end"


def test_a_line_without_end_is_passed_on_in_pieces_cut_at_a_blank(tmp_path: Path) -> None:
    copy = StreamCopy(BoundedFile(tmp_path / "s", 1 << 20, 1, lambda count: b"", WriteHealth()), redact)
    copy.write(b"word " * 20_000)
    assert (tmp_path / "s").stat().st_size > 64_000
    copy.write(b"end")
    copy.close()
    assert (tmp_path / "s").read_bytes() == b"word " * 20_000 + b"end"
