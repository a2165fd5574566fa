"""The names of all causes, as JSON and policy have them."""

from __future__ import annotations

KEY_CONFLICTS = "key-conflicts"
COLLATION_CONFLICTS = "collation-conflicts"
LEFTOVER_CHECKPOINT = "leftover-checkpoint"
ENGINE_NEVER_INGESTED = "engine-never-ingested"
ROWS_BEFORE = "rows-before"
IMPORTED_TWICE = "imported-twice"
NOTHING_ARRIVED = "nothing-arrived"
STALE_CONFLICT_RECORDS = "stale-conflict-records"
LIGHTNING_SCHEMA_IN_DUMP = "lightning-schema-in-dump"
SAME_COUNT_OTHER_BYTES = "same-count-other-bytes"
VERSION_BUG = "version-bug"
CONCURRENT_WRITES = "concurrent-writes"
UNEXPLAINED = "unexplained"
#: Not a cause of a mismatch: the comparison itself did not take place (GC life time, time-out, privilege …).
CHECKSUM_INCOMPLETE = "checksum-incomplete"

#: What a policy's [[remedy]] may name.
CHOICES = (
    "any",
    KEY_CONFLICTS,
    COLLATION_CONFLICTS,
    LEFTOVER_CHECKPOINT,
    ENGINE_NEVER_INGESTED,
    ROWS_BEFORE,
    IMPORTED_TWICE,
    NOTHING_ARRIVED,
    STALE_CONFLICT_RECORDS,
    LIGHTNING_SCHEMA_IN_DUMP,
    SAME_COUNT_OTHER_BYTES,
    VERSION_BUG,
    CONCURRENT_WRITES,
    UNEXPLAINED,
    CHECKSUM_INCOMPLETE,
)
