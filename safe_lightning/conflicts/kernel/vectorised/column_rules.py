"""A key column's rule, taken out of the struct that the kernels share."""

from __future__ import annotations

import ctypes
from datetime import date

import numpy as np

from safe_lightning.conflicts.kernel.binding import Beyond, Column, ColumnFlag, Form
from safe_lightning.conflicts.kernel.vectorised.arrays import Flags
from safe_lightning.conflicts.kernel.vectorised.folding import Weights
from safe_lightning.core.lean_dataclass import dataclass

FIRST_YEAR, LAST_YEAR = 1971, 2037
_DAYS = date(LAST_YEAR + 1, 1, 1).toordinal() - date(FIRST_YEAR, 1, 1).toordinal()
_LONGEST = 1 << 62


@dataclass(frozen=True)
class ColumnRule:
    """What is plain in a column, and what becomes of it; `kernel.h` tells what each means.

    ``calm_days`` tells for each day from 1971 on that the zone's offset does not change; None where it never does.
    ``weights`` are those of a collation that folds, where they are known.
    """

    form: Form
    flags: ColumnFlag
    beyond: Beyond
    scale: int
    size_most: int
    prefix: int
    highest: bytes
    lowest: bytes
    calm_days: Flags | None
    weights: Weights | None

    @classmethod
    def of(cls, column: Column) -> ColumnRule:
        """Take a rule out of its struct, which need not outlive it."""
        return cls(
            Form(column.form),
            ColumnFlag(column.flags),
            Beyond(column.beyond),
            column.scale,
            min(column.size_most, _LONGEST),
            min(column.prefix, _LONGEST),
            bytes(column.highest[: column.highest_size]),
            bytes(column.lowest[: column.lowest_size]),
            _read_days(column.calm_days) if column.calm_days else None,
            Weights(column.ascii, column.weights) if column.ascii and column.weights else None,
        )

    def has(self, flag: ColumnFlag) -> bool:
        """Tell whether a flag is set."""
        return bool(self.flags & flag)


def _read_days(address: int) -> Flags:
    packed = np.frombuffer(ctypes.string_at(address, _DAYS // 8 + 1), np.uint8)
    return np.unpackbits(packed, bitorder="little").astype(bool)
