"""Pack the recorded collation weights into the tables that the package ships.

    python scripts/pack_weights.py

Reads tests/oracle/weights/*.tsv.gz, writes safe_lightning/conflicts/data/*.tsv.xz. A line of a table is a code point,
or the first and last of a run, TAB, the rule for its weight (tests/oracle/README.md). Of GBK only the equalities are
kept: the weight of a character is the first character that weighs the same.
"""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "tests" / "oracle" / "weights"
TARGET = ROOT / "safe_lightning" / "conflicts" / "data"
UNICODE_TABLES = ("utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_0900_ai_ci")


def read(table: str) -> list[list[str]]:
    """Read the lines of a recording, split into fields."""
    text = gzip.decompress((SOURCE / f"{table}.tsv.gz").read_bytes()).decode("ascii")
    return [line.split("\t") for line in text.splitlines()]


def unicode_lines(table: str) -> list[str]:
    """Keep code points and rules; U+0000 was not recorded: it weighs 0000 in general_ci, nothing in the others."""
    zero = "0\t0000" if table == "utf8mb4_general_ci" else "0\t"
    return [zero, *("\t".join(fields[:2]) for fields in read(table))]


def gbk_lines() -> list[str]:
    """Return runs of characters that stand for themselves, and those that weigh as much as an earlier one."""
    first: dict[str, int] = {}
    alone: list[tuple[int, int]] = []
    lines: dict[int, str] = {}
    for point, weight in ((int(fields[0], 16), fields[2]) for fields in read("gbk_chinese_ci")):
        same = first.setdefault(weight, point)
        if same != point:
            lines[point] = f"{point:X}\t{same:04X}"
        elif alone and alone[-1][1] == point - 1:
            alone[-1] = (alone[-1][0], point)
        else:
            alone.append((point, point))
    lines |= {start: f"{start:X}-{end:X}\t=" for start, end in alone}
    return [lines[point] for point in sorted(lines)]


def write(table: str, lines: Iterable[str]) -> int:
    """Write one table and return its size."""
    packed = lzma.compress("\n".join(lines).encode("ascii"), preset=9 | lzma.PRESET_EXTREME)
    (TARGET / f"{table}.tsv.xz").write_bytes(packed)
    return len(packed)


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    sizes = {table: write(table, unicode_lines(table)) for table in UNICODE_TABLES}
    sizes["gbk_chinese_ci"] = write("gbk_chinese_ci", gbk_lines())
    print("\n".join(f"{size:8} {table}" for table, size in sizes.items()))
