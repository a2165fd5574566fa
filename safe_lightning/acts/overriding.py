"""Going on with a logical import with another conflict strategy than its task names: asked for, examined, prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from safe_lightning.acts.remedy_steps import Surroundings
from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.columns import Backend
from safe_lightning.core.override import Resumption, interrupted, objections_to_override, strategy_key
from safe_lightning.core.step_proof import Proof
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableFacts
from safe_lightning.scan.model import TableScanRequest
from safe_lightning.scan.plan import PlannedTable
from safe_lightning.session import Session
from safe_lightning.source.files import SourceFile
from safe_lightning.source.findings import Level
from safe_lightning.source.mapping import Missing
from safe_lightning.source.table_rows import TableRows

#: Of a table in more files than this it is not looked into each what it brings.
_FILES_MOST = 10_000


def objections_now(around: Surroundings, checkpoint: Checkpoint) -> tuple[str, ...]:
    """Say what forbids the override as things stand now. Raises CouldNotLook where that cannot be learned."""
    task, wanted = around.task, [record.table for record in interrupted(checkpoint)]
    newcomers = _newcomers(around, checkpoint)
    known = Resumption(
        task.backend,
        task.parallel_import,
        _keyless(around, wanted) if task.backend == "tidb" else {},
        around.services.baselines(),
        _targets(around, [*wanted, *(newcomers or ())]),
        newcomers,
    )
    return objections_to_override(checkpoint, known)


def _newcomers(around: Surroundings, checkpoint: Checkpoint) -> frozenset[TableName] | None:
    try:
        return around.services.source_tables() - {record.table for record in checkpoint.tables}
    except CouldNotLook:
        return None


def _targets(around: Surroundings, tables: Sequence[TableName]) -> Mapping[TableName, TableFacts]:
    with around.services.target() as target:
        return {table: target.table(table) for table in tables}


def _keyless(around: Surroundings, tables: Sequence[TableName]) -> Mapping[TableName, str]:
    """Say of the tables whose rows no key tells apart why that is so."""
    from safe_lightning.scan.task_scan import options_of, plan_task
    from safe_lightning.source.findings import ConfigProblem

    try:
        planned = plan_task(around.task, options_of(around.policy), around.policy.checkpoint.timeout).tables
    except ConfigProblem as error:
        raise CouldNotLook(f"Lightning refuses this task: {error}") from error
    by_name = {one.source.table: one for one in planned}
    reasons = {table: _why_unfit(by_name.get(table)) for table in tables}
    return {table: why for table, why in reasons.items() if why}


def _why_unfit(planned: PlannedTable | None) -> str:
    if planned is None:
        return "the source holds no file of it any more"
    if planned.request is None:
        return f"its definition is not known: {planned.unknown}"
    return _why_keyless(planned.request)


def _why_keyless(request: TableScanRequest) -> str:
    """Say why no key tells the rows of a table apart; "" where one does: NOT NULL, and the source brings all of it."""
    definition = request.definition
    solid = [
        {place for place, _ in key.parts}
        for key, made in zip(request.keys, definition.unique_keys, strict=True)
        if len(key.parts) == len(made.parts) and not any(definition.columns[at].is_nullable for at, _ in key.parts)
    ]
    if not solid:
        return "it has no PRIMARY KEY and no UNIQUE key of NOT NULL columns, so rows sent again would be there twice"
    if len(request.files) > _FILES_MOST:
        return f"it has more than {_FILES_MOST} files: whether each brings the key's columns was not looked at"
    for file in request.files:
        brought = _columns_of(file, request)
        solid = [key for key in solid if brought is None or key <= brought]
        if not solid:
            return f"{file.name} does not bring the columns of its key: the server makes new ones for rows sent again"
    return ""


def _columns_of(file: SourceFile, request: TableScanRequest) -> set[int] | None:
    """Return the columns that the first row of a file has values of; None for a file without rows."""
    rows = TableRows(file, request.table, request.definition, request.rules, request.ignored, Backend.LOGICAL)
    first = next(islice(rows, 1), None)
    if first is None or rows.mapping is None:
        if any(found.level is Level.ERROR for found in rows.findings):
            raise CouldNotLook(f"{file.name}: {rows.findings[0].message}")
        return None
    values = {at: rows.mapping.value(first.fields, at) for at in range(len(request.definition.columns))}
    return {at for at, value in values.items() if value is not None and not isinstance(value, Missing)}


def override(session: Session, checkpoint: Checkpoint) -> Proof:
    """Have the child started with conflict.strategy = "replace"; proven by resolving the changed task."""
    from safe_lightning.lightning.task_override import write_override
    from safe_lightning.record.run_folder import TASK_OVERRIDE

    if session.record.path is None:
        return Proof(False, "no-record", "there is no record to put the changed task beside")
    key = strategy_key(checkpoint.task.lightning_version if checkpoint.task else "")
    path = session.record.path / TASK_OVERRIDE
    try:
        write_override(session.task, path, key, session.call.environ)
    except CouldNotLook as error:
        return Proof(False, "no-override", str(error))
    session.task_override = path
    session.log.info("task-overridden", key=key, value="replace", given=session.task.conflict_strategy or "by default")
    return Proof(True, "overridden", f'the import is started with {key} = "replace"')
