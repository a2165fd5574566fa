"""Causes of what stands in the cluster beside the import: old rows, a second import, other writers."""

from __future__ import annotations

from safe_lightning.core.causes.model import Gap, MismatchFacts, Score, score
from safe_lightning.core.tables import Totals

#: How far a surplus may be from a whole multiple and still be told as one.
_NEARLY = 0.02


def rows_before(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect rows that stood in the table before the import."""
    if facts.base is not None and facts.base.kvs:
        return _over_base(facts, facts.base, gap)
    if facts.had_rows_before is False:
        return None
    if gap.missing < 0:
        return _surplus(facts, gap)
    if facts.had_rows_before is True and facts.duplicate_keys_skipped:
        return score(
            0.3, "the table was not empty before, but the log's skipped duplicate keys explain the gap as well"
        )
    if facts.had_rows_before is True:
        line = "the table was not empty before; old rows whose key a new row has count twice, yet are stored once"
        return score(0.5, line)
    if facts.admits_old_rows and gap.missing > 0:
        return score(0.3, "the task imports into tables that may hold rows (incremental or parallel import)")
    return None


def _over_base(facts: MismatchFacts, base: Totals, gap: Gap) -> Score:
    own = facts.own.kvs if facts.own else gap.local.kvs - base.kvs
    line = (
        f"before the import the table held {base.kvs:,} pairs, the import encoded {own:,}: {base.kvs + own:,} together"
    )
    if gap.missing <= 0:
        return score(0.6, line, f"in the cluster are {-gap.missing:,} more")
    if facts.duplicate_keys_skipped:
        return score(0.3, line, "the log's skipped duplicate keys explain the gap as well")
    return score(0.9, line, f"in the cluster are {gap.missing:,} fewer: new rows took the keys of old ones")


def _surplus(facts: MismatchFacts, gap: Gap) -> Score:
    surplus = -gap.missing
    if facts.had_rows_before:
        return score(0.95, f"the table was not empty before; {surplus:,} pairs are not from this import")
    line = f"{surplus:,} pairs are not from this import; if the table was empty before is not known"
    return score(0.4 if _whole_times(gap) else 0.5, line)


def imported_twice(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect that the data was imported again with new row ids, or that a parallel instance was compared alone."""
    if gap.missing >= 0 or not gap.local.kvs:
        return None
    if facts.instances and _is_sum(facts.instances, gap.remote):
        line = f"the sums of all {len(facts.instances)} instances are together what the cluster holds"
        return score(0.97, f"{line}: this instance was compared alone")
    if times := _whole_times(gap):
        how = "exactly" if gap.cluster_times == times else "very nearly"
        sign = "=" if gap.remote.kvs == times * gap.local.kvs else "≈"
        product = f"{gap.remote.kvs:,} {sign} {times} × {gap.local.kvs:,}"
        line = f"the cluster holds {how} {times} times the source's pairs: {product}"
        note = "a table without a clustered key takes the same rows again" if facts.is_parallel is not True else ""
        peer = "or another instance, whose sums are not part of this one's, wrote as much"
        return score(0.85 if how == "exactly" and not facts.had_rows_before else 0.55, line, note, peer)
    if facts.is_parallel:
        return score(0.4, "the import is parallel: the surplus may be another instance's, whose sums are not known")
    return None


def _whole_times(gap: Gap) -> int:
    times = round(gap.remote.kvs / gap.local.kvs) if gap.local.kvs else 0
    if times < 2:
        return 0
    is_near = abs(gap.remote.kvs - times * gap.local.kvs) <= _NEARLY * gap.local.kvs
    is_near &= abs(gap.remote.bytes - times * gap.local.bytes) <= _NEARLY * gap.local.bytes
    return times if is_near else 0


def _is_sum(instances: tuple[Totals, ...], remote: Totals) -> bool:
    kvs, size = sum(t.kvs for t in instances), sum(t.bytes for t in instances)
    if (kvs, size) != (remote.kvs, remote.bytes):
        return False
    sums = [t.checksum for t in instances]
    together = 0
    for checksum in sums:
        if checksum is None or remote.checksum is None:
            return True
        together ^= checksum
    return together == remote.checksum


def concurrent_writes(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect that somebody else wrote to the table while it was imported, or that a second Lightning did."""
    if gap.remote.kvs == 0 or facts.duplicate_keys_skipped:
        return None
    if told := _still_changing(facts):
        return score(0.95, told)
    if gap.missing == 0:
        return score(0.4, "rows may have been changed while they were imported: an UPDATE keeps the number of pairs",
                     _stands_still(facts))  # fmt: skip
    if gap.missing > 0:
        return None
    surplus = f"{-gap.missing:,} pairs are not from this import"
    if facts.had_rows_before is False:
        others = "somebody else wrote to it since, or a second Lightning did"
        line = f"{surplus}; the table was empty before, so {others}"
        return score(0.5 if _whole_times(gap) else 0.8, line, _stands_still(facts))
    if facts.had_rows_before is None:
        return score(0.35, f"{surplus}; if the table was empty before is not known")
    return score(0.2, f"{surplus}; rows that stood there before explain that as well")


def _still_changing(facts: MismatchFacts) -> str:
    now, then = facts.checksum_now, facts.comparison.remote
    if now is None or then is None or then.checksum is None or now == then:
        return ""
    return (
        f"ADMIN CHECKSUM TABLE gives other sums now ({now.kvs:,} pairs, {now.bytes:,} bytes) than when the import "
        f"compared ({then.kvs:,} pairs, {then.bytes:,} bytes): the table is being written to"
    )


def _stands_still(facts: MismatchFacts) -> str:
    is_still = facts.checksum_now is not None and facts.checksum_now == facts.comparison.remote
    return "ADMIN CHECKSUM TABLE still gives the same sums: nobody writes to the table now" if is_still else ""


def lightning_schema_in_dump(facts: MismatchFacts, gap: Gap) -> Score | None:
    """Suspect that the table is Lightning's own: it is written to while it is imported."""
    if facts.table is None or not is_lightning_schema(facts.table.schema):
        return None
    return score(0.97, f"{facts.table.schema} is where Lightning itself keeps notes while it imports")


def is_lightning_schema(schema: str) -> bool:
    """Tell the schemas that Lightning makes for itself, by their default names."""
    lowered = schema.lower()
    return lowered in {"lightning_metadata", "lightning_task_info"} or lowered.startswith("tidb_lightning_checkpoint")
