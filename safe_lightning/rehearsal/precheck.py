"""Lightning's own checks before the import, in its order and words."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from safe_lightning.core.tables import TableName
from safe_lightning.rehearsal.checkpoints import STEP_NAMES, Table
from safe_lightning.rehearsal.cluster import emptiness_query
from safe_lightning.rehearsal.import_context import Import
from safe_lightning.rehearsal.screen import Check

_SCRATCH = (
    "You may also run `./tidb-lightning-ctl --checkpoint-error-destroy=all --config=...` to start from scratch,"
    "For details of this failure, read the log file from the PREVIOUS run"
)
_IGNORABLE_STEPS = {150, 210}


def run_checks(run: Import) -> list[Check]:
    """Make all checks; a critical one that fails stops the import."""
    is_resumed = bool(run.book.tables)
    checks = [Check("Source data files size is proper", False, True), _checkpoints(run)]
    if run.is_local:
        checks += [Check("table schemas are valid", True, True), _empty(run)]
    checks.append(Check("Cluster version check passed", True, True))
    checks.append(Check("Lightning has the correct storage permission", True, True))
    if run.is_local:
        checks += [] if is_resumed else list(_resources(run))
        checks.append(Check("no CDC or PiTR task found", True, True))
    return checks


def _checkpoints(run: Import) -> Check:
    found = [text for source in run.sources if (text := _refusal(run, source.name))]
    return Check(found[0] if found else "the checkpoints are valid", True, not found)


def _refusal(run: Import, name: TableName) -> str:
    table = run.book.tables.get(name)
    if table is None or table.status == 0:
        return ""
    if table.has_failed:
        return _failed_last_time(name, table)
    if table.table_id and table.table_id != run.cluster.table_id(name):
        return (
            "TiDB Lightning has detected tables with illegal checkpoints. To prevent data loss, this run will stop now,"
            f"please run command \"./tidb-lightning-ctl --checkpoint-remove='{name}' --config=...\"" + _SCRATCH
        )
    return ""


def _failed_last_time(name: TableName, table: Table) -> str:
    step = table.status * 10
    act = "ignore" if step in _IGNORABLE_STEPS else "destroy"
    return (
        "TiDB Lightning has failed last time. To prevent data loss, this run will stop now, "
        f"{name} failed in step({STEP_NAMES.get(step, 'invalid')}), "
        f"please run command ./tidb-lightning-ctl --checkpoint-error-{act}='{name}' --config=...,{_SCRATCH}"
    )


def _empty(run: Import) -> Check:
    if run.task.parallel_import or run.task.values.get("tikv-importer.incremental-import") is True:
        return Check("all importing tables on the target are empty", True, True)
    fresh = [source.name for source in run.sources if source.files and source.name not in run.book.tables]
    full = [str(name) for name in fresh if not _look_empty(run, name)]
    if full:
        return Check(f"table(s) [{', '.join(full)}] are not empty", True, False)
    return Check("all importing tables on the target are empty", True, True)


def _look_empty(run: Import, name: TableName) -> bool:
    if not run.cluster.is_empty(name):
        return False
    run.log.warn(
        "util.go:207",
        "check table empty failed with no retry",
        ("query", emptiness_query(name)),
        ("retryCnt", 0),
        ("error", "sql: no rows in result set"),
    )
    return True


def _resources(run: Import) -> Iterator[Check]:
    sorted_dir, source = run.sorted_kv_dir, run.folder
    size = f"{sum(file.size_bytes for table in run.sources for file in table.files) / 1024:.4g}KiB"
    if sorted_dir.parent.stat().st_dev == source.stat().st_dev:
        text = (
            f"sorted-kv-dir:{sorted_dir} and data-source-dir:{source} are in the same disk, may slow down performance"
        )
        yield Check(text, False, False)
    text = f"local disk resources are rich, estimate sorted data size {size}, local available is {_free(run)}"
    yield Check(text, True, True)
    text = f"The storage space is rich, which TiKV/Tiflash is 900GiB/0B. The estimated storage space is {size}/0B."
    yield Check(text, False, True)
    yield Check("Cluster doesn't have too many empty regions", False, True)
    yield Check("Cluster region distribution is balanced", False, True)


def _free(run: Import) -> str:
    return f"{shutil.disk_usage(run.sorted_kv_dir.parent).free / (1 << 30):.4g}GiB"
