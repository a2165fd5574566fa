"""All causes by name: what each means, what it looks like, what would settle it, and what to do about it.

The policy's choices, the hook's words and the table in docs/causes.md are made from this one list.
"""

from __future__ import annotations

from types import MappingProxyType

from safe_lightning.core.causes import checkpoint_judges, key_judges, other_judges, surplus_judges
from safe_lightning.core.causes.model import Judge
from safe_lightning.core.causes.names import (
    CHECKSUM_INCOMPLETE,
    COLLATION_CONFLICTS,
    CONCURRENT_WRITES,
    ENGINE_NEVER_INGESTED,
    IMPORTED_TWICE,
    KEY_CONFLICTS,
    LEFTOVER_CHECKPOINT,
    LIGHTNING_SCHEMA_IN_DUMP,
    NOTHING_ARRIVED,
    ROWS_BEFORE,
    SAME_COUNT_OTHER_BYTES,
    STALE_CONFLICT_RECORDS,
    UNEXPLAINED,
    VERSION_BUG,
)
from safe_lightning.core.causes.version_bugs import version_bugs
from safe_lightning.core.lean_dataclass import dataclass


@dataclass(frozen=True)
class Entry:
    """One cause in words; ``judge`` is None for what is only told where nothing else fits."""

    name: str
    meaning: str
    looks_like: str
    settle: str
    next_step: str
    judge: Judge | None = None


CATALOGUE: tuple[Entry, ...] = (
    Entry(
        KEY_CONFLICTS,
        "rows of the source share a primary or unique key",
        "R < L; the log's `duplicated key found, skip write`; XOR checksums equal (exact copies); engines that "
        "imported fewer pairs than they held",
        "count rows per primary and unique key in the source, or run ADMIN CHECK TABLE in the cluster",
        "mend the source or set conflict.strategy, empty the table, import again",
        key_judges.key_conflicts,
    ),
    Entry(
        COLLATION_CONFLICTS,
        "keys differ in the source and are equal under their collation or after the cast",
        "R < L; no key twice byte by byte, but under the collation; text in the keys",
        "compare the keys of the source under the column's collation and type",
        "mend the keys or choose another collation, empty the table, import again",
        key_judges.collation_conflicts,
    ),
    Entry(
        LEFTOVER_CHECKPOINT,
        "an earlier run's checkpoint claims what is not there: data was skipped",
        "R < L in a resumed table, often by whole files; the cluster holds only what this run encoded; or R = 0",
        "compare the table's id and age with the checkpoint's, or count one source file's rows there",
        "remove the checkpoint entry, empty the table, import from the beginning",
        checkpoint_judges.leftover_checkpoint,
    ),
    Entry(
        ENGINE_NEVER_INGESTED,
        "an engine counts as imported, but a stop or a failure kept it out of the cluster",
        "R < L by just the pairs of one engine or file; `import engine success` with a smaller importedCount",
        "read `import engine success` in the log of the run before: importedCount against kvs, engine by engine",
        "set that engine back in the checkpoint (`safe-lightning rewind`) and import it again, or start over",
        checkpoint_judges.engine_never_ingested,
    ),
    Entry(
        ROWS_BEFORE,
        "rows stood in the table before the import",
        "R > L; or R < base + own where new rows took the keys of old ones",
        "look in the cluster for rows whose keys are not in the source",
        "if those rows are rubbish, empty the table and import again; if they are wanted, use an incremental import",
        surplus_judges.rows_before,
    ),
    Entry(
        IMPORTED_TWICE,
        "the same data is there twice, or a parallel instance was compared alone",
        "R ≈ k × L, k ≥ 2; or R is the sum over all instances",
        "look for rows that agree in every column, and in lightning_metadata for other instances",
        "wait for the other instances; else empty the table and import once",
        surplus_judges.imported_twice,
    ),
    Entry(
        NOTHING_ARRIVED,
        "nothing of the import is in the table that was asked",
        "R = 0",
        "compare the table's id now with the one at the start, and pd-addr's cluster with tidb.host's",
        "clean nothing; check which cluster tidb.host and pd-addr name, then run again",
        other_judges.nothing_arrived,
    ),
    Entry(
        STALE_CONFLICT_RECORDS,
        "conflict records of an earlier task deleted good rows",
        "R < L with a strategy that deletes, and rows of other tasks in lightning_task_info",
        "count the records of other task ids in lightning_task_info for this table",
        "delete those records, empty the table, import again",
        other_judges.stale_conflict_records,
    ),
    Entry(
        LIGHTNING_SCHEMA_IN_DUMP,
        "the dump contains Lightning's own schema, which it writes to while it imports",
        "the mismatched table is in tidb_lightning_checkpoint, lightning_metadata or lightning_task_info",
        "list the source's schemas",
        "leave those schemas out by mydumper.filter",
        surplus_judges.lightning_schema_in_dump,
    ),
    Entry(
        SAME_COUNT_OTHER_BYTES,
        "as many pairs as expected, with other content",
        "R = L, but bytes or checksum differ",
        "compare some rows with the source, character set and header settings first; see if files changed meanwhile",
        "nothing is cleaned by itself; mend character set, header or types, then import again",
        other_judges.same_count_other_bytes,
    ),
    Entry(
        VERSION_BUG,
        "a known defect of this release",
        "the release is affected and the defect's trace is there",
        "run ADMIN CHECKSUM TABLE and ADMIN CHECK TABLE now and compare with the log's `local checksum`",
        "use a release that is not affected",
        other_judges.version_bug,
    ),
    Entry(
        CONCURRENT_WRITES,
        "somebody else, or a second Lightning, wrote to the table during the import",
        "R > L in a table that was empty before; or R = L with other content",
        "run ADMIN CHECKSUM TABLE twice, and look for other sessions and other Lightnings on that table",
        "stop the writers, empty the table, import again",
        surplus_judges.concurrent_writes,
    ),
    Entry(
        UNEXPLAINED,
        "nothing that is known here fits well",
        "no other cause reaches one half",
        "run ADMIN CHECKSUM TABLE and ADMIN CHECK TABLE now and compare with the log's `local checksum`",
        "clean nothing before the cause is known",
    ),
    Entry(
        CHECKSUM_INCOMPLETE,
        "not a mismatch: the checksum was not completed, so nothing is proven either way",
        "status `checksum` without `checksum mismatched`: GC life time, time-out, memory quota, privilege, server "
        "gone, region unavailable",
        "run ADMIN CHECKSUM TABLE and compare with the log's `local checksum`",
        "run the same command again; never destroy the table",
    ),
)
BY_NAME = MappingProxyType({entry.name: entry for entry in CATALOGUE})


def cause_table() -> str:
    """Return the table of causes as docs/causes.md shows it."""
    rows = [
        f"| `{e.name}` | {e.meaning} | {e.looks_like} | {e.settle} | {e.next_step} |".replace("||", "|")
        for e in CATALOGUE
    ]
    head = "| cause | what happened | what it looks like | what would settle it | what to do |\n|---|---|---|---|---|"
    return "\n".join([head, *rows])


def version_table() -> str:
    """Return the table of known defects as docs/causes.md shows it."""
    rows = [f"| {bug.issue} | {bug.title} | {bug.affected} | {bug.cure} |" for bug in version_bugs()]
    return "\n".join(["| issue | defect | affected | cure |\n|---|---|---|---|", *rows])
