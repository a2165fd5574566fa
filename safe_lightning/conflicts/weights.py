"""Collation weights of every character, read from the tables in `data/` when first needed.

The tables hold what a TiDB v8.5.4 answered to `WEIGHT_STRING(c)` for each code point; `scripts/pack_weights.py` made
them from the recordings under `tests/oracle/weights`. No contraction exists in TiDB's collations: the weight of a
string is the row of its characters' weights.
"""

from __future__ import annotations

import lzma
from bisect import bisect_right
from functools import cache
from importlib.resources import files

ASCII = range(0x80)
SPLIT = 0x10000
"""Where units that clash with the characters standing for ASCII weights are moved to."""


class ServerFails(Exception):
    """A character on which TiDB itself fails as soon as it is in a key."""


class Weights(dict[int, str]):
    """Maps a code point to the text that stands for its weight; made for `str.translate`.

    Every 16-bit unit of a weight is one character: an ASCII character where an ASCII character has this weight, else
    the unit itself. Two strings translate to the same text exactly if their weights are equal, and ASCII strings stay
    ASCII, so that a 256-byte table does the same for them.
    """

    def __init__(self, table: str) -> None:
        super().__init__()
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._rules: list[str] = []
        for line in table.splitlines():
            points, rule = line.split("\t")[:2]
            first, _, last = points.partition("-")
            self._starts.append(int(first, 16))
            self._ends.append(int(last or first, 16))
            self._rules.append(rule)
        self._signs = self._ascii_signs()

    def __missing__(self, point: int) -> str:
        """Work out a code point's text and keep it."""
        text = "".join(
            self._signs.get(unit) or chr(unit if unit >= 0x80 else SPLIT + unit) for unit in self.units(point)
        )
        self[point] = text
        return text

    def units(self, point: int) -> list[int]:
        """Return the 16-bit units of a code point's weight; raises `ServerFails` where TiDB has none."""
        index = bisect_right(self._starts, point) - 1
        if index < 0 or point > self._ends[index]:
            return []
        rule = self._rules[index]
        if rule == "=":
            return [point]
        if rule == "!":
            raise ServerFails(f"U+{point:04X}")
        if rule.startswith("+"):
            return [int(rule[1:], 16) + (point >> 15), point & 0x7FFF | 0x8000]
        return [int(rule[index : index + 4], 16) for index in range(0, len(rule), 4)]

    def _ascii_signs(self) -> dict[int, str]:
        signs: dict[int, str] = {}
        for point in ASCII:
            units = self.units(point)
            assert len(units) <= 1, "an ASCII character with a longer weight"
            for unit in units:
                signs.setdefault(unit, chr(point))
        return signs

    def covered(self) -> list[tuple[int, int]]:
        """Return the runs of code points that the table lists, first and last."""
        return list(zip(self._starts, self._ends, strict=True))


@cache
def load_weights(table: str) -> Weights:
    """Load one table: `utf8mb4_general_ci`, `utf8mb4_unicode_ci`, `utf8mb4_0900_ai_ci` or `gbk_chinese_ci`."""
    packed = files("safe_lightning.conflicts").joinpath(f"data/{table}.tsv.xz").read_bytes()
    return Weights(lzma.decompress(packed).decode("ascii"))


@cache
def gbk_characters() -> frozenset[str]:
    """Return all characters that TiDB's GBK can hold."""
    runs = load_weights("gbk_chinese_ci").covered()
    return frozenset(chr(point) for first, last in runs for point in range(first, last + 1))
