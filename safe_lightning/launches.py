"""What is remembered of an import's launches: what it was at the first, and how each of them ended."""

from __future__ import annotations

import socket
import time
from dataclasses import replace

from safe_lightning.api import Checkpoint, CouldNotLook, ImportReport, Outcome, TableName
from safe_lightning.core.fingerprint import Fingerprint, Launch, Place
from safe_lightning.core.source_state import SourceState
from safe_lightning.leftover import look_at_tables, place_of_task
from safe_lightning.record.fingerprints import (
    forget_fingerprint,
    keep_fingerprint,
    keep_launches,
    recall_fingerprint,
    to_json,
)
from safe_lightning.session import Session

#: More files than this are not remembered one by one.
_FILES_MOST = 200_000
_TABLES_LOOKED_AT_MOST = 5000
#: What decides how the source is read and what becomes of it.
_SETTINGS = ("mydumper.filter", "mydumper.character-set", "tidb.sql-mode", "conflict.strategy", "post-restore.checksum",
             "tikv-importer.on-duplicate", "tikv-importer.incremental-import", "mydumper.csv.header")  # fmt: skip


def begin_launch(session: Session) -> None:
    """Remember that an attempt begins; at the first launch also what the import is. Nothing of it may stop the run.

    A checkpoint without entries belongs to nobody any more: what was remembered of it is replaced.
    """
    if session.state is None or not _is_remembered(session):
        return
    try:
        found: Checkpoint = session.services.read_checkpoint()
        known = recall_fingerprint(session.state, session.task.checkpoint.location) if found.tables else None
        fingerprint = known or _take(session, is_first_launch=not found.tables)
        launch = Launch(session.call.run, session.attempt, time.time())
        (keep_launches if known else keep_fingerprint)(session.state, fingerprint.begun(launch))
        session.record.write_fingerprint(to_json(fingerprint))
    except (CouldNotLook, OSError) as error:
        session.note(f"what the import is at this launch is not remembered: {error}")


def end_launch(session: Session, report: ImportReport) -> None:
    """Remember how an attempt ended, and the ids of tables that had none yet; forget all of it after a success."""
    if session.state is None or not _is_remembered(session):
        return
    location = session.task.checkpoint.location
    try:
        if report.outcome is Outcome.SUCCEEDED:
            forget_fingerprint(session.state, location)
        elif (known := recall_fingerprint(session.state, location)) and known.last and not known.last.is_known:
            ids = {**_table_ids(session), **known.table_ids}
            keep_fingerprint(session.state, replace(known.ended(report), table_ids=ids))
    except (CouldNotLook, OSError) as error:
        session.note(f"how the import ended is not remembered for its next launch: {error}")


def _is_remembered(session: Session) -> bool:
    return bool(session.hooks) and session.is_import and session.task.checkpoint.enabled


def _take(session: Session, *, is_first_launch: bool) -> Fingerprint:
    task = session.task
    source, unknown = _source(session)
    return Fingerprint(
        run=session.call.run,
        at=time.time(),
        host=socket.gethostname(),
        checkpoint=task.checkpoint.location,
        place=_place(session),
        is_first_launch=is_first_launch,
        settings={key: str(task.values[key]) for key in _SETTINGS if key in task.values},
        source=source,
        source_unknown=unknown,
    )


def _place(session: Session) -> Place:
    from safe_lightning.core.checkpoint import without_keys
    from safe_lightning.lightning.pd import ask_cluster_id

    place = place_of_task(session.task)
    place = replace(place, source_dir=without_keys(place.source_dir))
    if not place.pd_addr:
        return place
    try:
        timeout = session.policy.control_tool.probe_timeout
        return replace(place, cluster_id=ask_cluster_id(session.task.target, timeout))
    except CouldNotLook as error:
        session.log.debug("cluster-id-unknown", reason=str(error))
        return place


def _source(session: Session) -> tuple[SourceState | None, str]:
    from safe_lightning.source.state import source_state

    try:
        found = source_state(session.task)
    except CouldNotLook as error:
        return None, str(error)
    count = sum(len(table.files) for table in found.tables.values())
    return (found, "") if count <= _FILES_MOST else (None, f"{count} files are too many to be remembered one by one")


def _table_ids(session: Session) -> dict[TableName, int]:
    """Look at the ids of the tables that have an entry: the logical backend's entries hold none."""
    records = session.services.read_checkpoint().tables
    facts, failures = look_at_tables(session.services, records[:_TABLES_LOOKED_AT_MOST]) if records else ({}, ())
    for failure in failures:
        session.log.debug("table-ids-unknown", reason=failure)
    return {name: fact.table_id for name, fact in (facts or {}).items() if fact.table_id}
