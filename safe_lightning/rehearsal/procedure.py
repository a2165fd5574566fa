"""The whole procedure of a stand-in import, step by step as Lightning numbers them."""

from __future__ import annotations

import sys
import time
from contextlib import suppress

from safe_lightning.rehearsal.checkpoints import VERSION, Table, task_record
from safe_lightning.rehearsal.import_context import Import, ImportStepError
from safe_lightning.rehearsal.play import CanceledError
from safe_lightning.rehearsal.post_process import post_process
from safe_lightning.rehearsal.precheck import run_checks
from safe_lightning.rehearsal.schema import SchemaError, read_create_table
from safe_lightning.rehearsal.screen import check_table
from safe_lightning.rehearsal.source import SourceTable
from safe_lightning.rehearsal.table_import import TableImport
from safe_lightning.rehearsal.zap import took

_SERVER = (("type", "TiDB"), ("version", "8.5.4"))


def run_procedure(run: Import) -> None:
    """Import everything. Raises ImportStepError, or CanceledError after a signal."""
    started = time.monotonic()
    _open(run)
    run.log.info("import.go:555", "the whole procedure start")
    if run.is_local:
        run.log.info("import.go:1759", "new_collation_enabled", ("enabled", True))
    try:
        _restore_schema(run)
        _check(run)
        _initialise(run)
        _restore_tables(run)
        _finish(run)
    except CanceledError:
        run.log.info("import.go:570", "task canceled", ("step", 4), ("error", "context canceled"))
        raise
    except ImportStepError as error:
        _say_failed(run, started, error)
        raise
    run.log.info("import.go:583", "the whole procedure completed", took(started), None)


def _open(run: Import) -> None:
    if run.is_local:
        run.log.info("lightning.go:591", "acquired keyspace name", ("keyspaceName", ""))
    if run.book.path is not None and not run.book.existed:
        words = "open checkpoint file failed, going to create a new one"
        run.log.info("checkpoints.go:1154", words, ("path", run.book.path), None)
    _verify_checkpoint(run)
    if run.is_local:
        run.sorted_kv_dir.mkdir(parents=True, exist_ok=True)
        run.log.info("local.go:734", "multi ingest support")
        run.log.info("local.go:756", "TiKV server side free space check is enabled, so lightning will turn it off")


def _verify_checkpoint(run: Import) -> None:
    """Compare the stored task with ours as Lightning does before anything else. Raises ImportStepError (step -1)."""
    stored, now = run.book.task, task_record(run.task)
    if stored is None or not stored.task_id:
        return
    again = f"delete the file '{run.book.path}' and remove all restored tables and try again"
    text = ""
    if stored.backend != now.backend:
        text = (
            f"config 'tikv-importer.backend' value '{now.backend}' different from checkpoint value '{stored.backend}'"
        )
        text += f", please {again}"
    elif run.task.check_requirements and stored.lightning_ver != VERSION:
        text = (
            f"lightning version is '{VERSION}', but checkpoint was created at '{stored.lightning_ver}', please {again}"
        )
    elif run.task.check_requirements and stored.source_dir != now.source_dir:
        text = f"config 'mydumper.data-source-dir' value '{now.source_dir}' different from checkpoint value "
        text += f"'{stored.source_dir}'. You may set 'check-requirements = false' to skip this check or {again}"
    if text:
        error = f"[Lightning:Checkpoint:ErrInvalidCheckpoint]{text}"
        run.log.error("lightning.go:660", "restore failed", ("error", error))
        raise ImportStepError(-1, error)


def _restore_schema(run: Import) -> None:
    started = time.monotonic()
    run.log.info("schema_import.go:88", "restore all schema start")
    there = run.cluster.databases()
    for schema in run.schemas:
        if schema in there:
            run.log.info("schema_import.go:137", "database already exists in downstream, skip", ("db", schema))
        else:
            run.cluster.run(f"CREATE DATABASE IF NOT EXISTS `{schema.replace('`', '``')}`")
    for source in run.sources:
        _restore_table_schema(run, source)
    run.log.info("schema_import.go:90", "restore all schema completed", took(started), None)


def _restore_table_schema(run: Import, source: SourceTable) -> None:
    if source.schema_file is None:
        text = f"[Lightning:Restore:ErrSchemaNotExists]table {source.name} schema not found"
        raise ImportStepError(1, text)
    ddl = source.schema_file.read_text("utf-8", "surrogateescape")
    try:
        run.table_schemas[source.name] = read_create_table(ddl)
    except SchemaError as error:
        raise ImportStepError(
            1, f"[Lightning:Restore:ErrInvalidSchemaStmt]invalid schema statement: {error}"
        ) from error
    name = source.name
    if name.table in run.cluster.tables(name.schema):
        field = (("db", name.schema), ("table", name.table))
        run.log.info("schema_import.go:192", "table already exists in downstream, skip", *field)
    else:
        run.cluster.create_statement_of(name, ddl)


def _check(run: Import) -> None:
    for source in run.sources:
        if run.is_local and source.files and source.name not in run.book.tables:
            run.log.info(
                "precheck_impl.go:1019",
                "datafile to check",
                ("db", source.name.schema),
                ("table", source.name.table),
                ("path", source.files[0].path),
            )
    checks = run_checks(run)
    if run.sources:
        run.log.info("version.go:448", "detect server version", *_SERVER)
    if run.is_local:
        run.log.info("version.go:448", "detect server version", *_SERVER)
    else:
        run.log.info("tidb.go:296", "skipping check requirements for tidb backend")
    if run.task.check_requirements:
        sys.stdout.write(check_table(checks))
        sys.stdout.flush()
    failed = next((check for check in checks if check.is_critical and not check.is_passed), None)
    if failed:
        raise ImportStepError(
            2, f"[Lightning:PreCheck:ErrPreCheckFailed]tidb-lightning pre-check failed: {failed.item}"
        )


def _initialise(run: Import) -> None:
    record = task_record(run.task)
    stored = run.book.task
    run.book.task = stored if stored is not None and stored.task_id else record
    for source in run.sources:
        table_id = run.cluster.table_id(source.name) if run.is_local else 0
        run.book.tables.setdefault(source.name, Table(table_id=table_id))
    run.book.save()


def _restore_tables(run: Import) -> None:
    started = time.monotonic()
    run.log.info("import.go:1265", "restore all tables data start")
    if run.is_local:
        run.log.info("checksum_helper.go:52", "set tidb_backoff_weight to default", ("backoff_weight", 30))
    try:
        _import_all(run)
    except CanceledError:
        run.log.info("main.go:53", "got signal to exit", ("signal", run.play.cancellation.signal_name))
        run.log.warn("import.go:1001", "stopping periodic actions", ("error", "context canceled"))
        run.log.info("import.go:1149", "cancel periodic actions", ("do", run.is_local))
        run.log.info("import.go:1401", "restore all tables data completed", took(started), None)
        raise
    except ImportStepError as error:
        if not run.are_periodic_actions_over:
            run.log.info("import.go:1149", "cancel periodic actions", ("do", run.is_local))
        run.log.error("import.go:1397", "restore all tables data failed", took(started), ("error", error))
        raise
    run.log.info("import.go:1401", "restore all tables data completed", took(started), None)
    if run.is_local:
        run.log.info("import.go:1404", "cleanup task metas")


def _import_all(run: Import) -> None:
    """Import every table, then check every table; one that fails does not keep the others from being checked."""
    failed: ImportStepError | None = None
    if run.is_local:
        run.log.info("tikv_mode.go:61", "switch tikv mode", ("mode", "Import"))
    with_data = [source for source in run.sources if source.files]
    for source in with_data:
        run.play.cancellation.check()
        TableImport(run, source, run.book.tables[source.name]).restore()
    run.log.info("import.go:1149", "cancel periodic actions", ("do", run.is_local))
    run.are_periodic_actions_over = True
    if run.is_local:
        run.log.info("tikv_mode.go:61", "switch tikv mode", ("mode", "Normal"))
    for source in with_data:
        run.play.cancellation.check()
        try:
            post_process(run, source.name, run.book.tables[source.name])
        except ImportStepError as error:
            failed = failed or error
    if failed:
        raise failed


def _finish(run: Import) -> None:
    run.log.info("import.go:1004", "everything imported, stopping periodic actions")
    run.log.info("import.go:1632", "skip full compaction")
    fields = (
        ("keepAfterSuccess", run.task.checkpoint.keep_after_success),
        ("taskID", run.book.task and run.book.task.task_id),
    )
    started = time.monotonic()
    run.log.info("import.go:1782", "clean checkpoints start", *fields)
    if run.task.checkpoint.keep_after_success == "remove":
        run.book.remove()
    run.log.info("import.go:1790", "clean checkpoints completed", *fields, took(started), None)
    if run.is_local:
        with suppress(OSError):  # it stays where something else lies in it
            run.sorted_kv_dir.rmdir()


def _say_failed(run: Import, started: float, error: ImportStepError) -> None:
    if error.step < 0:
        return
    if error.step >= 4:
        run.log.info("import.go:1004", "everything imported, stopping periodic actions")
    run.log.error("import.go:573", "run failed", ("step", error.step), ("error", error))
    run.log.error("import.go:583", "the whole procedure failed", took(started), ("error", error))
    if run.failures:
        run.log.error("import.go:171", "tables failed to be imported", ("count", len(run.failures)))
    for failure in run.failures:
        run.log.error(
            "import.go:173", "-", ("table", failure.table), ("status", failure.step_name), ("error", failure.message)
        )
