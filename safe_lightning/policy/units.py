"""How the policy file writes durations, sizes and shares: as text with a unit, so that no number is a riddle.

Each reader takes exactly what its pattern describes and raises ValueError for all else; each writer gives the
shortest text that is read back as the same value.
"""

from __future__ import annotations

import re

_UNIT_MILLISECONDS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_UNIT_BYTES = {"TiB": 1 << 40, "GiB": 1 << 30, "MiB": 1 << 20, "KiB": 1 << 10, "B": 1}

DURATION_PATTERN = r"([0-9]{1,12}ms|[0-9]{1,12}(\.[0-9]{1,3})?[smhd])+"
SIZE_PATTERN = r"[0-9]{1,16}(B|KiB|MiB|GiB|TiB)"
PERCENT_PATTERN = r"(100|[0-9]{1,2}(\.[0-9]{1,3})?)%"

_DURATION = re.compile(DURATION_PATTERN)
_SIZE = re.compile(SIZE_PATTERN)
_PERCENT = re.compile(PERCENT_PATTERN)
_TERM = re.compile(r"([0-9]+)(?:\.([0-9]+))?(ms|[smhd])")


def read_duration(text: str) -> float:
    """Return seconds. Go's notation, as in Lightning's own config, and ``d`` for 24 hours. Raises ValueError.

    >>> read_duration("1h30m"), read_duration("1.5s"), read_duration("90d")
    (5400.0, 1.5, 7776000.0)
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"not a duration: {text!r}")
    return sum(_milliseconds(*term) for term in _TERM.findall(text)) / 1000


def _milliseconds(whole: str, fraction: str, unit: str) -> int:
    # Whole numbers throughout: what is written comes back exactly.
    return (int(whole) * 1000 + int(fraction.ljust(3, "0"))) * _UNIT_MILLISECONDS[unit] // 1000


def write_duration(seconds: float) -> str:
    """Write seconds in the largest units that fit.

    >>> write_duration(5400.0), write_duration(0.25), write_duration(0.0)
    ('1h30m', '250ms', '0s')
    """
    left, terms = round(seconds * 1000), list[str]()
    for unit, size in _UNIT_MILLISECONDS.items():
        count, left = divmod(left, size)
        terms += [f"{count}{unit}"] if count else []
    return "".join(terms) or "0s"


def read_size(text: str) -> int:
    """Return bytes. Raises ValueError, also for "1GB": it means two things.

    >>> read_size("1GiB")
    1073741824
    """
    found = _SIZE.fullmatch(text)
    if not found:
        raise ValueError(f"not a size: {text!r}")
    return int(text.removesuffix(found[1])) * _UNIT_BYTES[found[1]]


def write_size(size_bytes: int) -> str:
    """Write bytes in the largest unit that divides them.

    >>> write_size(1536 << 20), write_size(1000)
    ('1536MiB', '1000B')
    """
    unit, size = next(
        (unit, size) for unit, size in _UNIT_BYTES.items() if size_bytes % size == 0 < size_bytes or size == 1
    )
    return f"{size_bytes // size}{unit}"


def read_percent(text: str) -> float:
    """Return a share of a hundred. Raises ValueError.

    >>> read_percent("2.5%")
    2.5
    """
    if not _PERCENT.fullmatch(text):
        raise ValueError(f"not a share: {text!r}")
    return float(text.removesuffix("%"))


def write_percent(share: float) -> str:
    """Write a share of a hundred.

    >>> write_percent(5.0)
    '5%'
    """
    return f"{share:g}%"
