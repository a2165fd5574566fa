"""Text for people at 80 columns: a label on the left, its words beside it, nothing that could steer a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from safe_lightning.core.tables import Comparison, Totals
from safe_lightning.core.verdict import TableResult

WIDTH = 80
_LABEL = 12
_TABLES_MOST = 50
FINE = {"checksum-passed", "imported"}


def printable(text: str) -> str:
    """Keep control characters of a hostile name or message away from the terminal."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def paragraph(label: str, text: str) -> Iterator[str]:
    """Write a label and its words, wrapped; nothing where there are no words. Line breaks in the text stay."""
    lead = f"{label:<{_LABEL}}" if len(label) < _LABEL else f"{label} "
    for line in text.strip().splitlines():
        words = printable(line.expandtabs())
        for part in textwrap.wrap(words, WIDTH - _LABEL, break_long_words=False, break_on_hyphens=False):
            yield lead + part
            lead = " " * _LABEL


def table_lines(tables: Sequence[TableResult]) -> Iterator[str]:
    """Write what became of each table, those that went wrong first."""
    if not tables:
        return
    yield ""
    yield "Tables"
    for result in sorted(tables, key=lambda table: table.status in FINE)[:_TABLES_MOST]:
        yield f"    {printable(str(result.table or '(not named)'))}  {printable(result.status)}"
        yield from (f"        {line}" for line in _totals(result.checksum))
    if len(tables) > _TABLES_MOST:
        yield f"    … and {len(tables) - _TABLES_MOST} more"


def _totals(checksum: Comparison | None) -> Iterator[str]:
    if checksum is None:
        return
    is_equal = checksum.remote == checksum.local
    sides = (("in the cluster", checksum.remote), ("from the source", None if is_equal else checksum.local))
    for name, side in sides:
        if side is not None:
            yield f"{'on both sides' if is_equal else name:<16} {side.kvs:,} pairs{_bytes(side)}"
            if side.checksum is not None:
                yield f"{'':<16} checksum {side.checksum}"


def _bytes(side: Totals) -> str:
    return f", {side.bytes:,} bytes" if side.has_bytes else ""
