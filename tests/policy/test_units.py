"""Durations, sizes and shares: what is written comes back exactly, and nothing else is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_lightning.policy.units import (
    read_duration,
    read_percent,
    read_size,
    write_duration,
    write_percent,
    write_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0.0),
        ("90s", 90.0),
        ("5m", 300.0),
        ("2h", 7200.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("0.25s", 0.25),
        ("250ms", 0.25),
        ("1m30s", 90.0),
        ("1d12h", 129600.0),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "0", "90", "s", "1 s", "+1s", "-1s", "1S", "1w", "1.s", ".5s", "1.5ms", "1e3s", "1s\n"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        read_duration(text)


@pytest.mark.parametrize(("text", "size"), [("0B", 0), ("1GiB", 1 << 30), ("1536MiB", 1536 << 20), ("7KiB", 7168)])
def test_a_size_is_read(text: str, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "1", "1GB", "1G", "1gib", "1.5GiB", "1 GiB", "-1B"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        read_size(text)


@pytest.mark.parametrize("text", ["", "5", "0.05", "101%", "100.1%", "5 %", "%", "1000%"])
def test_what_is_no_share(text: str) -> None:
    with pytest.raises(ValueError, match="not a share"):
        read_percent(text)


@given(st.integers(0, 10**13))
def test_a_duration_that_is_written_comes_back(milliseconds: int) -> None:
    assert read_duration(write_duration(milliseconds / 1000)) == milliseconds / 1000


@given(st.integers(0, 1 << 50))
def test_a_size_that_is_written_comes_back(size: int) -> None:
    assert read_size(write_size(size)) == size


@given(st.integers(0, 100_000))
def test_a_share_that_is_written_comes_back(thousandths: int) -> None:
    assert read_percent(write_percent(thousandths / 1000)) == thousandths / 1000
