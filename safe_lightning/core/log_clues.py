"""What a log tells of a mismatch's cause, beside its end: rules for more messages, and the clues made of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator

from safe_lightning.core.causes.surplus_judges import is_lightning_schema
from safe_lightning.core.clues import Clues, EngineClue, FileClue, TableClues
from safe_lightning.core.evidence import Ingest, Record, TableTrace, TaskEvidence, totals_field
from safe_lightning.core.key_codec import BadKey
from safe_lightning.core.row_key import decode_key
from safe_lightning.core.tables import TableName, Totals

#: Keys of the logged task that decide about a cause.
_CONFIG_KEYS = (
    ("conflict", "strategy"),
    ("tikv-importer", "backend"),
    ("tikv-importer", "duplicate-resolution"),
    ("tikv-importer", "incremental-import"),
    ("tikv-importer", "parallel-import"),
    ("post-restore", "checksum"),
)
_CONFIG_CHARACTERS_MOST = 1 << 20
_EMPTY_PROBE = re.compile(r"SELECT 1 FROM (`(?:[^`]|``)+`\.`(?:[^`]|``)+`)")
_ENGINE_FOLDER = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.sst/")
ENGINES_OPEN_MOST = 512


def note_config(task: TaskEvidence, record: Record) -> None:
    """Note the few keys that decide, out of the task that Lightning logs as JSON."""
    task.saw_config = True
    text = record.fields.get("cfg", "")
    if len(text) > _CONFIG_CHARACTERS_MOST:
        return
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):  # cut or redacted: these keys are then not known
        return
    for section, key in _CONFIG_KEYS:
        part = config.get(section) if isinstance(config, dict) else None
        value = part.get(key) if isinstance(part, dict) else None
        if isinstance(value, str | bool):
            task.config[f"{section}.{key}"] = value


def note_fresh(task: TaskEvidence, record: Record) -> None:
    """Note that a table's engines were made anew: nothing of it comes from a checkpoint."""
    if trace := task.trace(record.fields.get("table", "")):
        trace.loaded_fresh = True


def note_empty(task: TaskEvidence, record: Record) -> None:
    """Note a table that was found empty; Lightning words it as a failed query."""
    found = _EMPTY_PROBE.match(record.fields.get("query", ""))
    if found and "no rows in result set" in record.fields.get("error", "") and (trace := task.trace(found[1])):
        trace.was_empty = True


def note_base(task: TaskEvidence, record: Record) -> None:
    """Note what Lightning summed in the table before it began."""
    if trace := task.trace(record.fields.get("table", "")):
        trace.base = totals_field(record, "checksum")


def note_engine(task: TaskEvidence, record: Record) -> None:
    """Note which table an engine belongs to; the latest engines are enough."""
    tag, uuid = record.fields.get("engineTag", ""), record.fields.get("engineUUID", "")
    if tag.startswith("`") and uuid:
        if len(task.engines_opened) >= ENGINES_OPEN_MOST:
            del task.engines_opened[next(iter(task.engines_opened))]
        task.engines_opened[uuid] = tag


def note_table_id(task: TaskEvidence, record: Record) -> None:
    """Learn a table's id from the first key of one of its engines, once a key without a name was logged."""
    if len(task.table_ids) >= len(task.skipped_keys):
        return
    folder = _ENGINE_FOLDER.search(record.fields.get("file", ""))
    table, _ = task.engine_of(folder[1]) if folder else (None, "")
    if table is None:
        return
    try:
        task.table_ids[decode_key(record.fields.get("firstKey", "")).table_id] = table
    except BadKey:  # redacted: the id stays unknown
        return


CLUE_RULES: dict[str, Callable[[TaskEvidence, Record], None]] = {
    "cfg": note_config,
    "load engines and files start": note_fresh,
    "load engines and files completed": note_fresh,
    "check table empty failed with no retry": note_empty,
    "checksum before restore table": note_base,
    "open engine": note_engine,
    "write data to local DB": note_table_id,
}


def lost_of(task: TaskEvidence) -> dict[TableName, list[Ingest]]:
    """Return the engines that count as imported although none of their pairs, or not all, were ingested."""
    lost = {table: list(ingests) for table, ingests in task.lost_before.items()}
    for ingest in task.ingests.values():
        if ingest.table is None:
            continue
        known = [other for other in lost.get(ingest.table, []) if other.engine != ingest.engine]
        if ingest.kvs and not ingest.imported:
            known.append(ingest)
        lost[ingest.table] = known
    return {table: ingests for table, ingests in lost.items() if ingests}


def gather_clues(task: TaskEvidence) -> Clues:
    """Gather the clues of one run; of tables that were verified none is kept, for there is nothing to explain."""
    failed = {trace.table: _of_table(task, trace) for trace in task.tables.values() if not trace.passed}
    schemas = dict.fromkeys(trace.table.schema for trace in task.tables.values())
    return Clues(
        config=dict(task.config),
        first_launch=True if task.first_launch else None,
        skipped_keys=tuple(task.skipped_keys),
        table_ids=dict(task.table_ids),
        tables=failed,
        lightning_schemas=tuple(name for name in schemas if is_lightning_schema(name)),
        conflicts_resolved=task.conflicts_resolved,
    )


def _of_table(task: TaskEvidence, trace: TableTrace) -> TableClues:
    return TableClues(
        was_empty=trace.was_empty,
        was_resumed=True if trace.reused else False if trace.loaded_fresh else None,
        own=trace.own,
        base=trace.base,
        engines=tuple(_clue(ingest) for ingest in _ingests(task, trace.table)),
        lost_engines=tuple(_clue(ingest) for ingest in task.lost_before.get(trace.table, ())),
        files=() if trace.has_more_files else tuple(_file(*file) for file in trace.files),
    )


def _file(path: str, checksum: int | None, size: int, kvs: int) -> FileClue:
    return FileClue(path, Totals(checksum, kvs, size))


def _ingests(task: TaskEvidence, table: TableName) -> Iterator[Ingest]:
    return (ingest for ingest in task.ingests.values() if ingest.table == table)


def _clue(ingest: Ingest) -> EngineClue:
    return EngineClue(ingest.engine, ingest.kvs, ingest.imported)
