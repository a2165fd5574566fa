"""Known defects of releases that end in a mismatch: one data file, which the documentation is made from as well."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from safe_lightning.core.causes.model import Gap, MismatchFacts
from safe_lightning.core.lean_dataclass import dataclass

_NUMBERS = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-(alpha|beta|rc))?")
_COMPRESSED = re.compile(r"\.(?:gz|gzip|zst|zstd|snappy)(?::|$)")

Release = tuple[int, int, int, int]


@dataclass(frozen=True)
class VersionBug:
    """A defect: the releases that have it, in which it is mended (None: not known), and the trace it leaves."""

    issue: str
    title: str
    ranges: tuple[tuple[str, str], ...]
    fixed_in: str | None
    sign: str
    confidence: float

    @property
    def affected(self) -> str:
        """The affected releases in words."""
        spans = [first if first == last else f"{first} to {last}" for first, last in self.ranges]
        return f"releases {' and '.join(spans)}"

    @property
    def cure(self) -> str:
        """Where it is mended, in words."""
        return f"fixed in {self.fixed_in}" if self.fixed_in else "which release mends it is not known"


@lru_cache(maxsize=1)
def version_bugs() -> tuple[VersionBug, ...]:
    """Return all known defects; the file is a part of this package."""
    from importlib.resources import files

    text = files("safe_lightning.core.causes").joinpath("version_bugs.json").read_text("utf-8")
    return tuple(
        VersionBug(
            entry["issue"],
            entry["title"],
            tuple((first, last) for first, last in entry["ranges"]),
            entry["fixed_in"],
            entry["sign"],
            entry["confidence"],
        )
        for entry in json.loads(text)
    )


def bugs_of(facts: MismatchFacts, gap: Gap) -> list[VersionBug]:
    """Find the defects of this release whose trace is there; none where the release is not known."""
    release = read_release(facts.version or "")
    if release is None:
        return []
    return [bug for bug in version_bugs() if _has(bug, release) and SIGNS[bug.sign](facts, gap)]


def _has(bug: VersionBug, release: Release) -> bool:
    spans = [(read_release(first), read_release(last)) for first, last in bug.ranges]
    return any(first <= release <= last for first, last in spans if first and last)


def read_release(text: str) -> Release | None:
    """Read a release as numbers that order; a pre-release comes before its release, other endings are ignored.

    >>> read_release("v5.0.0-rc") < read_release("5.0.0"), read_release("v8.5.4-1-gabc"), read_release("None")
    (True, (8, 5, 4, 3), None)
    """
    found = _NUMBERS.match(text)
    if not found:
        return None
    stage = {"alpha": 0, "beta": 1, "rc": 2, None: 3}[found[4]]
    return int(found[1]), int(found[2]), int(found[3]), stage


Sign = Callable[[MismatchFacts, Gap], bool]

#: The traces that a defect may leave, by the words of the data file.
SIGNS: Mapping[str, Sign] = {
    "any": lambda facts, gap: True,
    "more-in-cluster": lambda facts, gap: gap.missing < 0 and facts.had_rows_before is not True,
    "fewer-in-cluster": lambda facts, gap: gap.missing > 0 and not facts.duplicate_keys_skipped,
    "conflicts-resolved": lambda facts, gap: (
        gap.missing > 0 and (facts.conflict_strategy not in (None, "", "none", "error"))
    ),
    "resumed-compressed": lambda facts, gap: (
        facts.was_resumed is True and any(_COMPRESSED.search(clue.path) for clue in facts.files)
    ),
}
