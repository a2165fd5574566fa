"""Guessing where a row begins behind a cut in the middle of a CSV file; it has to be proven later."""

from __future__ import annotations

import os

import numpy as np

from safe_lightning.conflicts.kernel.vectorised.arrays import Bytes, count_before
from safe_lightning.conflicts.kernel.vectorised.structure import Scratch, Signs, scan_csv


def guess_start(file: int, start: int, size: int, signs: Signs, separators: int) -> int | None:
    """Take the first line end behind ``start`` under the hypothesis, within quotes or not, with fewer ragged rows."""
    content = np.frombuffer(os.pread(file, size, start - 1), np.uint8)
    skipped = 1
    while skipped < len(content) and content[skipped - 1] == signs.escape:
        skipped += 1
    best, best_score = None, -1.0
    for is_within in (False, True):
        ends, score = _score(content[skipped:], signs, separators, is_within=is_within)
        if score > best_score:
            best, best_score = start + skipped + ends, score
    return best


def _score(content: Bytes, signs: Signs, separators: int, *, is_within: bool) -> tuple[int, float]:
    """Return the first line end, and how many of the lines behind it are regular."""
    found = scan_csv(content, signs, Scratch(), is_within=is_within)
    if len(found.ends) < 2:
        return 0, -1.0
    counts = np.diff(count_before(found.separators, found.ends))
    good = int((counts == separators).sum())
    ragged = int(((counts != separators) & (np.diff(found.ends) > 1)).sum())
    bad = ragged + (found.bad_at < len(content))
    return int(found.ends[0]), (good + 1) / (good + bad + 2) + good * 1e-9
