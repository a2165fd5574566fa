"""What to write into `[conflict]`, what each strategy would do to these rows, and what to run next.

Source: what the real binaries of 8.5 did (docs/scan.md), and pkg/lightning/config for the limits.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from safe_lightning.core.columns import Backend
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import redact_argv
from safe_lightning.scan.model import KeyStatus, Scan, Why

THRESHOLD_LEAST = 10_000
"""Lightning's own default for replace and ignore."""


@dataclass(frozen=True)
class Strategy:
    """A value of conflict.strategy and what it would do to the rows that were found."""

    name: str
    consequence: str


_PHYSICAL = (
    Strategy(
        '"" (none)',
        "the default of the physical backend: the later row silently overwrites entries of the earlier one, table and "
        "indexes disagree, and only the checksum at the very end shows it (with checksum off, nothing does)",
    ),
    Strategy(
        '"error"', "the import fails, after the data was written or, with the precheck, before; it names one pair"
    ),
    Strategy(
        '"replace"',
        "one row of each key stays (with the precheck the last one), the others are lost; exit code 0, but checksum "
        "and analyze are skipped, so nothing is verified",
    ),
    Strategy('"ignore"', "refused by the physical backend"),
)
_LOGICAL = (
    Strategy(
        '"error"',
        "the default of the logical backend: it stops with error 1062 at the first duplicate; the batches before it "
        "stay committed",
    ),
    Strategy(
        '"replace"',
        "REPLACE INTO: the last row of each key stays; a row is also deleted where it collides on another unique key",
    ),
    Strategy(
        '"ignore"',
        "INSERT IGNORE: the first row of each key stays; wrong values become warnings as well, and rows that are sent "
        "twice count against the threshold",
    ),
)


def strategies(backend: Backend) -> tuple[Strategy, ...]:
    """List what conflict.strategy can be, with the consequences for duplicate keys in the source."""
    return _LOGICAL if backend is Backend.LOGICAL else _PHYSICAL


def conflict_block(scan: Scan, backend: Backend) -> tuple[str, ...]:
    """Write the `[conflict]` table of Lightning 8.1 to 8.5 that lets the import end, as lines of TOML."""
    rows = max((key.duplicate_rows for table in scan.tables for key in table.keys), default=0)
    lines = ["[conflict]", 'strategy = "replace"', f"threshold = {max(THRESHOLD_LEAST, 2 * rows)}"]
    if backend is Backend.PHYSICAL:
        lines.append("precheck-conflict-before-import = true")
    return tuple(lines)


def recommendation(scan: Scan) -> str:
    """Say in a sentence or two what would be best."""
    examples = [one for table in scan.tables for key in table.keys for one in key.examples]
    if any(place.offset is None for one in examples for place in one.rows):
        return (
            "Some rows have a key that stands in the target already. Take them out of the source, or out of the target "
            "first; the strategies below are told for duplicates within the source, and none of them was tried on rows "
            "that were there before."
        )
    if examples and all(one.why is Why.IDENTICAL_ROWS for one in examples):
        return (
            "All examples are rows that stand in the source twice, alike in every field: which of them stays makes no "
            "difference. Removing the second copy is the cleaner way; the block below lets Lightning do it."
        )
    return (
        "Rows with other values share a key: whichever strategy is chosen, rows are lost. Mend the source if it can be "
        "mended. The block below lets the import end with one row for each key (Lightning 8.1 to 8.5; 7.5 takes "
        "threshold and strategy alike)."
    )


def next_commands(scan: Scan, argv: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield commands that are ready to run, each with what it is for."""
    flags = shlex.join(redact_argv(tuple(argv)))
    if scan.has_conflicts:
        yield "list all of them", f"safe-lightning scan --csv conflicts.csv --html conflicts.html -- {flags}"
        yield "scan again after mending the source", f"safe-lightning scan --fresh -- {flags}"
    if any(key.status is KeyStatus.INPUT_ERROR for table in scan.tables for key in table.keys):
        yield "see the files in Lightning's order", f"safe-lightning scan --files -- {flags}"
    if not scan.has_conflicts:
        yield "import", f"safe-lightning {flags}"
