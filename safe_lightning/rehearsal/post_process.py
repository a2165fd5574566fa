"""After all tables are in: checksum and analyze, table by table."""

from __future__ import annotations

import time

from safe_lightning.core.tables import TableName, Totals
from safe_lightning.rehearsal.checkpoints import (
    ANALYZE_SKIPPED,
    ANALYZED,
    CHECKSUM_SKIPPED,
    CHECKSUMMED,
    Table,
    all_chunks,
)
from safe_lightning.rehearsal.chunk_import import totals_text
from safe_lightning.rehearsal.cluster import ClusterError
from safe_lightning.rehearsal.import_context import Import, ImportStepError
from safe_lightning.rehearsal.pairs import add
from safe_lightning.rehearsal.scenario import Mishap
from safe_lightning.rehearsal.zap import took

#: What a comparison that reads too early does not see yet: checksum, pairs, bytes.
_UNSEEN = (0x5AFE, 3, 120)
_GO_TIME = "%Y-%m-%d %H:%M:%S +0000 UTC"


def post_process(run: Import, name: TableName, table: Table) -> None:
    """Compare checksums and analyze as the task asks. Raises ImportStepError for a mismatch."""
    if table.status >= ANALYZE_SKIPPED:
        return
    if table.status < CHECKSUM_SKIPPED:
        is_compared = run.is_local and run.task.checksum != "off"
        if is_compared:
            _compare(run, name, table)
        table.status = CHECKSUMMED if is_compared else CHECKSUM_SKIPPED
        run.book.save()
    is_analyzed = run.is_local and run.task.analyze != "off"
    if is_analyzed:
        _analyze(run, name)
    table.status = ANALYZED if is_analyzed else ANALYZE_SKIPPED
    run.book.save()


def _compare(run: Import, name: TableName, table: Table) -> None:
    started, field = time.monotonic(), ("table", name)
    local = Totals(0, 0, 0)
    for chunk in all_chunks([table]):
        local = add(local, chunk.totals)
    run.log.info("table_import.go:1034", "local checksum", field, ("checksum", totals_text(local)))
    if run.adds_to_rows:
        local = add(local, table.base)
        run.log.info("table_import.go:1100", "merged local checksum", field, ("checksum", totals_text(local)))
    run.log.info("checksum_helper.go:73", "remote checksum start", ("table", name.table))
    try:
        remote = _remote_checksum(run, name)
    except ClusterError as error:
        run.log.error(
            "checksum_helper.go:76", "remote checksum failed", ("table", name.table), took(started), ("error", error)
        )
        raise ImportStepError(4, str(error)) from error
    run.log.info("checksum_helper.go:76", "remote checksum completed", ("table", name.table), took(started), None)
    if remote == local:
        run.log.info("table_import.go:1402", "checksum pass", field, ("local", totals_text(local)))
        return
    message = mismatch_text(remote, local)
    if run.task.checksum == "optional":
        words = "compare checksum failed, will skip this error and go on"
        run.log.warn("table_import.go:1122", words, field, ("error", message))
        return
    run.record_failure(name, table, CHECKSUMMED, message)
    raise ImportStepError(4, message)


def _remote_checksum(run: Import, name: TableName) -> Totals:
    if run.play.is_overtaken():
        began, safe_point = (time.strftime(_GO_TIME, time.gmtime(time.time() - ago)) for ago in (1, 0))
        raise ClusterError(
            "[tikv:9006]GC life time is shorter than transaction duration, transaction starts at "
            f"{began}, GC safe point is {safe_point}"
        )
    found = run.cluster.checksum(name)
    if not run.play.has(Mishap.FALSE_SUM):
        return found
    checksum, kvs, size = _UNSEEN
    return Totals((found.checksum or 0) ^ checksum, found.kvs - kvs, found.bytes - size)


def mismatch_text(remote: Totals, local: Totals) -> str:
    """Write the error of a mismatch, the odd prefix included."""
    return (
        "[Lighting:Restore:ErrChecksumMismatch]checksum mismatched remote vs local => "
        f"(checksum: {remote.checksum} vs {local.checksum}) (total_kvs: {remote.kvs} vs {local.kvs}) "
        f"(total_bytes:{remote.bytes} vs {local.bytes})"
    )


def _analyze(run: Import, name: TableName) -> None:
    started, field = time.monotonic(), ("table", name)
    run.log.info("table_import.go:1407", "analyze start", field)
    run.cluster.run(f"ANALYZE TABLE {name}")
    run.log.info("table_import.go:1413", "analyze completed", field, took(started), None)
