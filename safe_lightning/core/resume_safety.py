"""Whether going on from a checkpoint that looks fine is safe, table by table, and what shows it.

Two things go wrong without a word. The logical backend commits batches before it records them, so what was in flight
at a stop is sent again: error 1062 where there is a key, rows twice where there is none. The physical backend with
the file driver records engines as imported whose ingest a signal cut short: they stay empty.
"""

from __future__ import annotations

from safe_lightning.core.checkpoint import ALL_WRITTEN, IMPORTED, MAX_INVALID, TableRecord
from safe_lightning.core.fingerprint import Launch
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.stop import EngineNotIngested
from safe_lightning.core.verdict import Action, TableFacts

_CHECKSUMMED = 180
_OVERWRITING = ("replace", "ignore")
_LOGICAL = "tidb"


@dataclass(frozen=True)
class TaskNow:
    """What the task says that decides whether a resume is safe."""

    backend: str = ""
    driver: str = "file"
    conflict_strategy: str = ""
    checksum: str = "required"
    shares_target: bool = False


@dataclass(frozen=True)
class Safety:
    """``danger`` says why a resume would lose or double rows, or may; ``proof`` why it does not; else doubts.

    ``cure``: what makes the resume of a table in danger a safe one, where anything does.
    """

    danger: str = ""
    proof: str = ""
    doubts: tuple[str, ...] = ()
    cure: Action | None = None


def judge_resume(record: TableRecord, facts: TableFacts | None, task: TaskNow, last: Launch | None) -> Safety:
    """Judge the resume of one unfinished table. ``last`` is the attempt before, None where nobody saw it."""
    if half_read := _half_read(record):
        return Safety(f"{half_read} is compressed and was read half: a position in it cannot be gone back to")
    if task.backend == _LOGICAL:
        return _judge_logical(record, facts, task, last)
    return _judge_physical(record, facts, task, last)


def _half_read(record: TableRecord) -> str:
    return next((file.path for file in record.files or () if file.is_compressed and file.is_half_read), "")


def _judge_logical(record: TableRecord, facts: TableFacts | None, task: TaskNow, last: Launch | None) -> Safety:
    if record.chunks_done >= record.chunks_total or record.status >= ALL_WRITTEN:
        return Safety(proof="all its rows are written and recorded")
    if facts is not None and not record.kvs and (facts.is_empty or not facts.exists):
        return Safety(proof="nothing of it is in the target yet")
    counted, recorded = facts.row_count if facts is not None else None, record.rows
    if counted is not None and recorded is not None and counted == recorded:
        return Safety(proof=f"the target holds exactly the {recorded} rows that the checkpoint accounts for")
    if counted is not None and recorded is not None and counted < recorded:
        return Safety(f"the target holds only {counted} of the {recorded} rows that the checkpoint accounts for")
    shown = _shown_in_flight(counted, recorded)
    if not shown and last is not None and last.was_drained:
        return Safety(proof=f"nothing was in flight: {last.describe()}")
    return _in_flight(shown or _how_it_ended(last), facts, task)


def needs_weighing(record: TableRecord, backend: str) -> bool:
    """Tell whether the rows in the target decide if a resume is safe."""
    is_unfinished = record.chunks_done < record.chunks_total and MAX_INVALID < record.status < ALL_WRITTEN
    return backend == _LOGICAL and is_unfinished


def _shown_in_flight(counted: int | None, recorded: int | None) -> str:
    if counted is None or recorded is None:
        return ""
    return f"the target holds {counted} rows, the checkpoint accounts for {recorded}"


def _how_it_ended(last: Launch | None) -> str:
    if last is None:
        return "how the earlier run ended is not known, and it left files read in part"
    return last.describe()


def _in_flight(shown: str, facts: TableFacts | None, task: TaskNow) -> Safety:
    """Answer for rows that may be sent twice: with a key and a strategy that overwrites it is well, else it is not."""
    has_key = facts.has_key if facts is not None else None
    if task.conflict_strategy in _OVERWRITING and has_key:
        how = "overwritten" if task.conflict_strategy == "replace" else "skipped, and counted as conflicts"
        said = f"{shown}; rows sent again are {how} (conflict.strategy = {task.conflict_strategy})"
        return Safety(proof=said, doubts=(said,))
    if has_key is False:
        return Safety(f"{shown}; the table has no key: rows in flight would be there twice, with exit 0")
    what = "error 1062" if has_key else "error 1062 where it has a key, rows twice where it has none"
    cure = Action.RESUME_REPLACE if has_key else None
    return Safety(f"{shown}; rows in flight would be sent again: {what}", cure=cure)


def _never_ingested(record: TableRecord, last: Launch | None) -> list[EngineNotIngested]:
    return [
        engine
        for engine in (last.engines_not_ingested if last is not None else ())
        if engine.table == record.table and record.engines.get(engine.engine, 0) >= IMPORTED
    ]


def is_expected_empty(record: TableRecord, last: Launch | None) -> bool:
    """Whether every engine that counts as imported was cut short: then nobody has emptied the table, it is unsafe."""
    empty = {engine.engine for engine in _never_ingested(record, last) if not engine.imported}
    counted = {number for number, status in record.engines.items() if number >= 0 and status >= IMPORTED}
    return bool(counted) and counted <= empty


def _has_rows_of_others(record: TableRecord, facts: TableFacts | None, task: TaskNow) -> bool:
    """Whether the table holds rows that no import of ours put there, and the checksum will stumble over."""
    has_rows = facts is not None and facts.exists and facts.is_empty is False
    is_asked_for = task.shares_target or task.checksum == "off"
    return has_rows and not is_asked_for and max(record.engines.values(), default=0) < ALL_WRITTEN


def _judge_physical(record: TableRecord, facts: TableFacts | None, task: TaskNow, last: Launch | None) -> Safety:
    if _has_rows_of_others(record, facts, task):
        return Safety(
            "the target holds rows, and nothing of this import was ingested yet: its checksum would not match"
        )
    if empty := _never_ingested(record, last):
        said = ", ".join(f"engine {e.engine} ({e.imported} of {e.kvs} pairs arrived)" for e in empty)
        cut_short = f"{said} counts as imported, yet its ingest was cut short: a resume skips it"
        return Safety(cut_short, cure=Action.REWIND)
    is_past_doubt = record.status >= _CHECKSUMMED or not _has_imported(record) or task.driver != "file"
    if is_past_doubt or (last is not None and last.is_known):
        return Safety(proof=last.describe() if last is not None and last.is_known else "")
    doubt = (
        "how the earlier run ended is not known: after a signal during an ingest engines count as imported and are "
        "empty; only the checksum would show it"
    )
    return Safety(doubt) if task.checksum == "off" else Safety(doubts=(doubt,))


def _has_imported(record: TableRecord) -> bool:
    # The table's own status counts as well: it is what is left where all engines are through.
    return any(status >= IMPORTED for number, status in record.engines.items() if number >= 0) and (
        record.status > MAX_INVALID
    )
