"""What Lightning prints on stdout: the banner, the table of its pre-checks, the final sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from safe_lightning.core.lean_dataclass import dataclass

#: Width at which 8.5 breaks a check's text (pkg/lightning, precheck table).
_ITEM_WIDTH_MOST = 130
_RED, _YELLOW = "31", "33"


@dataclass(frozen=True)
class Check:
    """One line of the pre-check table."""

    item: str
    is_critical: bool
    is_passed: bool


def banner(log_file: str) -> str:
    """Return the first line of a run."""
    return f"Verbose debug logs will be written to {log_file}\n\n"


def check_table(checks: Sequence[Check]) -> str:
    """Draw the table with its colours, which Lightning prints to pipes as well."""
    lines = [[str(number), *_row(check)] for number, check in enumerate(checks, start=1)]
    widths = [len(str(len(checks))), 0, len("performance"), len("PASSED")]
    widths[1] = min(_ITEM_WIDTH_MOST, max(len("CHECK ITEM"), *(len(check.item) for check in checks)))
    plain_rule = _rule(widths, "")
    drawn = [plain_rule, _line(["#", "CHECK ITEM", "TYPE", "PASSED"], widths, ""), plain_rule]
    for check, cells in zip(checks, lines, strict=True):
        colour = "" if check.is_passed else _RED if check.is_critical else _YELLOW
        drawn += _drawn(cells, widths, colour)
    return "\n".join(drawn) + "\n\n"


def _row(check: Check) -> list[str]:
    return [check.item, "critical" if check.is_critical else "performance", str(check.is_passed).lower()]


def _drawn(cells: Sequence[str], widths: Sequence[int], colour: str) -> Iterable[str]:
    pieces = [cells[1][at : at + widths[1]] for at in range(0, len(cells[1]), widths[1])] or [""]
    yield _line([cells[0], pieces[0], *cells[2:]], widths, colour)
    for piece in pieces[1:]:
        yield _line(["", piece, "", ""], widths, colour)
    yield _rule(widths, colour)


def _line(cells: Sequence[str], widths: Sequence[int], colour: str) -> str:
    padded = [cells[0].rjust(widths[0]), *(c.ljust(w) for c, w in zip(cells[1:], widths[1:], strict=True))]
    return "|" + "|".join(_painted(f" {cell} ", colour) for cell in padded) + "|"


def _rule(widths: Sequence[int], colour: str) -> str:
    return "+" + "+".join(_painted("-" * (width + 2), colour) for width in widths) + "+"


def _painted(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m" if colour else text
