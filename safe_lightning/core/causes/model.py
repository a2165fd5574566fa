"""The facts that a cause is judged by, and what such a judgement says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from safe_lightning.core.clues import EngineClue, FileClue
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import Comparison, TableName, Totals


@dataclass(frozen=True)
class MismatchFacts:
    """What is known of one mismatched table; None is 'not known' and never 'no'.

    Totals: ``own`` is what this run encoded itself, ``base`` what Lightning summed in the table before (incremental
    and parallel imports), ``instances`` the sums of all instances of a parallel import (`lightning_metadata`).
    ``keys_per_row`` counts the pairs of a row, ``keys_per_row_most`` where partial or multi-valued indexes make it a
    range. ``entries_in_target`` maps an index to the number of its entries.

    ``duplicate_keys_skipped`` counts the log's ``duplicated key found, skip write`` lines of the whole run;
    ``tables_sharing_skips`` says among how many mismatched tables they may be spread; ``keys_shown`` are some of
    them, decoded. ``conflicts_found`` counts the source's keys that occur more than once byte by byte,
    ``conflicts_folded`` those that only do so under their collation or after the cast. ``checksum_now`` is what the
    cluster says of the table after the import, ``is_consistent`` whether its rows and index entries agree.
    """

    comparison: Comparison
    table: TableName | None = None
    own: Totals | None = None
    base: Totals | None = None
    instances: tuple[Totals, ...] | None = None
    keys_per_row: int | None = None
    keys_per_row_most: int | None = None
    rows_in_source: int | None = None
    rows_in_target: int | None = None
    entries_in_target: dict[str, int] | None = None
    had_rows_before: bool | None = None
    admits_old_rows: bool = False
    is_parallel: bool | None = None
    was_resumed: bool | None = None
    was_interrupted: bool | None = None
    checkpoint_verdict: str | None = None
    source_changed: bool | None = None
    duplicate_keys_skipped: int = 0
    tables_sharing_skips: int = 1
    keys_shown: tuple[str, ...] = ()
    has_text_keys: bool | None = None
    folds_keys: bool | None = None
    conflicts_found: int | None = None
    conflicts_folded: int | None = None
    conflict_strategy: str | None = None
    stale_conflict_records: int | None = None
    checksum_now: Totals | None = None
    is_consistent: bool | None = None
    lightning_schemas: tuple[str, ...] | None = None
    engines: tuple[EngineClue, ...] = ()
    lost_engines: tuple[EngineClue, ...] = ()
    files: tuple[FileClue, ...] = ()
    version: str | None = None


@dataclass(frozen=True)
class Cause:
    """A possible cause: how sure we are (0 to 1), why, and what would settle it."""

    name: str
    confidence: float
    evidence: tuple[str, ...]
    settle: str


@dataclass(frozen=True)
class Gap:
    """Both sides of a comparison; ``missing`` pairs are in the source's sum but not in the cluster."""

    remote: Totals
    local: Totals

    @property
    def missing(self) -> int:
        """Pairs that the cluster lacks; negative where it has too many."""
        return self.local.kvs - self.remote.kvs

    @property
    def has_bytes(self) -> bool:
        """Whether the bytes of both sides are known."""
        return self.local.has_bytes and self.remote.has_bytes

    @property
    def missing_bytes(self) -> int:
        """Bytes that the cluster lacks, as far as they are known; negative where it has too many."""
        return self.local.bytes - self.remote.bytes

    @property
    def difference(self) -> int | None:
        """The XOR over all pairs that are on one side only; None where a checksum was shortened."""
        if self.remote.checksum is None or self.local.checksum is None:
            return None
        return self.remote.checksum ^ self.local.checksum

    @property
    def source_times(self) -> int:
        """How many times the cluster's pairs and bytes the source's are, exactly; 0 where they are no multiple."""
        return _times(self.local, self.remote)

    @property
    def cluster_times(self) -> int:
        """How many times the source's pairs and bytes the cluster's are, exactly; 0 where they are no multiple."""
        return _times(self.remote, self.local)

    def __str__(self) -> str:
        if not self.has_bytes:
            pairs = f"in the cluster {self.remote.kvs:,} key-value pairs, from the source {self.local.kvs:,}"
            return f"{pairs}: {-self.missing:+,} pairs (bytes and checksums are not told)"
        return (
            f"in the cluster {self.remote.kvs:,} key-value pairs ({self.remote.bytes:,} bytes), from the source "
            f"{self.local.kvs:,} ({self.local.bytes:,} bytes): {-self.missing:+,} pairs, {-self.missing_bytes:+,} bytes"
        )


def _times(large: Totals, small: Totals) -> int:
    if not (small.kvs and small.has_bytes):
        return 0
    times, rest = divmod(large.kvs, small.kvs)
    return times if not rest and large.bytes == times * small.bytes else 0


@dataclass(frozen=True)
class Score:
    """What one judge found: a confidence and its lines; the catalogue adds name and what would settle it."""

    confidence: float
    lines: tuple[str, ...] = field(default=())


#: A judge answers with a score, or with None where the facts exclude its cause or nothing speaks for it.
Judge = Callable[[MismatchFacts, Gap], Score | None]


def score(confidence: float, *lines: str) -> Score:
    """Make a score; empty lines are left out."""
    return Score(confidence, tuple(line for line in lines if line))
