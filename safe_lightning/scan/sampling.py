"""What a slice of the keys says about all of them."""

from __future__ import annotations

import math

CONFIDENCE = 0.95


def duplicates_most(fraction: float, confidence: float = CONFIDENCE) -> int:
    """Return how many duplicated keys there may be at most where a slice shows none.

    Each duplicated key is in the slice with the chance ``fraction``, all its copies or none, so D of them are all
    missed with the chance (1 - fraction) ** D.

    >>> duplicates_most(1 / 64)
    191
    """
    return math.ceil(math.log(1 - confidence) / math.log(1 - fraction))


def conclude(found: int, fraction: float) -> str:
    """Say what can be concluded from a sample, and no more."""
    percent = f"{100 * fraction:g} %"
    if not found:
        return (
            f"a sample of {percent} of the keys shows no key twice: with {CONFIDENCE:.0%} confidence at most "
            f"{duplicates_most(fraction):,} keys occur twice in all"
        )
    return (
        f"a sample of {percent} of the keys: the counts are those of the sample, about "
        f"{round(found / fraction):,} keys in all"
    )
