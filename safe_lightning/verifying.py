"""What `verify` stands on: the totals that Lightning left of an import, and for the rest the rows of the source."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safe_lightning.api import CouldNotLook, Policy, RowFacts, TableName, Task, could_not, prove_rows
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.verdict import TableResult
from safe_lightning.core.verification import Expected, TableProof, logged_totals
from safe_lightning.explaining import UnreadableInput, explain_files
from safe_lightning.finishing import checksum_limits, compare_tables
from safe_lightning.record.lookup import read_source
from safe_lightning.record.same_import import had_rows_before, runs_like
from safe_lightning.services import EngineServices, known_state

if TYPE_CHECKING:
    from safe_lightning.scan.model import TableScan


@dataclass(frozen=True)
class Wanted:
    """The totals that tables must have; ``others`` are tables of the import whose totals nobody knows.

    ``notes`` says what could not be looked at on the way.
    """

    totals: Mapping[TableName, Expected] = field(default_factory=dict)
    others: tuple[TableName, ...] = ()
    notes: tuple[str, ...] = ()

    def only(self, is_meant: Callable[[TableName], bool]) -> Wanted:
        """Keep the tables that somebody asks for."""
        totals = {table: expected for table, expected in self.totals.items() if is_meant(table)}
        return replace(self, totals=totals, others=tuple(filter(is_meant, self.others)))


def find_wanted(task: Task, policy: Policy, logs: Sequence[str], environ: Mapping[str, str]) -> Wanted:
    """Find what Lightning summed up: in the logs given, else in the last recorded run, else in the checkpoint.

    Raises UnreadableInput for a log that cannot be read or holds no sum.
    """
    totals = _from_logs(logs, environ) if logs else {}
    notes: list[str] = []
    for look in () if totals else (_from_record, _from_checkpoint):
        try:
            found = look(task, policy, environ)
        except CouldNotLook as error:
            notes.append(str(error))
            continue
        if found:
            totals = found
            break
    return Wanted(totals, _others(task, policy, environ, totals, notes), tuple(notes))


def _from_logs(logs: Sequence[str], environ: Mapping[str, str]) -> dict[TableName, Expected]:
    sources = [read_source(word, environ) for word in logs]
    pieces = [piece for source in sources for piece in source.pieces]
    tables = explain_files(pieces).tables if pieces else [t for s in sources if s.result for t in s.result.tables]
    if not (found := _expected(tables, f"the log {logs[0]}")):
        raise UnreadableInput(f"no table's checksum is logged in {', '.join(logs)}: local backend, level info?")
    return found


def _expected(tables: Sequence[TableResult], origin: str) -> dict[TableName, Expected]:
    return {table: Expected(totals, origin) for table, totals in logged_totals(tables).items()}


def _from_record(task: Task, policy: Policy, environ: Mapping[str, str]) -> dict[TableName, Expected]:
    state = known_state(policy, environ)
    for _, run in runs_like(state, task.argv, task.cwd) if state else ():
        if found := _expected(run.tables, f"the record of run {run.run}"):
            return found
    return {}


def _from_checkpoint(task: Task, policy: Policy, environ: Mapping[str, str]) -> dict[TableName, Expected]:
    from safe_lightning.lightning.checkpoint_totals import read_totals

    if task.parallel_import:
        raise CouldNotLook("of a parallel import the checkpoint holds only the sum of one instance")
    if task.conflict_strategy not in ("", "error"):
        raise CouldNotLook("the checkpoint's sums count rows that were taken out as conflicts (conflict.strategy)")
    found = read_totals(task.checkpoint, policy.checkpoint)
    return {table: Expected(totals, f"the checkpoint {task.checkpoint.location}") for table, totals in found.items()}


def _others(
    task: Task, policy: Policy, environ: Mapping[str, str], known: Mapping[TableName, Expected], notes: list[str]
) -> tuple[TableName, ...]:
    try:
        names = EngineServices(task, policy, state=known_state(policy, environ)).source_tables()
    except CouldNotLook as error:
        notes.append(f"tables of the source without a sum are not verified: {error}")
        return ()
    return tuple(sorted(names - known.keys()))


def prove(
    task: Task, policy: Policy, wanted: Wanted, stop: threading.Event, environ: Mapping[str, str]
) -> list[TableProof]:
    """Look at the tables one after the other and hold them against what they must be. Never raises CouldNotLook."""
    proofs = compare_tables(task.target, wanted.totals, checksum_limits(policy), stop)
    return [*proofs, *_rows(task, policy, wanted.others, stop, environ)]


def _rows(
    task: Task, policy: Policy, tables: Sequence[TableName], stop: threading.Event, environ: Mapping[str, str]
) -> Iterator[TableProof]:
    if not tables:
        return
    state = known_state(policy, environ)
    services = EngineServices(task, policy, stop=stop, state=state)
    try:
        held = {table.table: table for table in services.scan().tables}
        before = _rows_before(task, state)
    except CouldNotLook as error:
        yield from (could_not(table, str(error)) for table in tables)
        return
    for table in tables:
        try:
            counted = services.count_rows(table)
            yield prove_rows(table, _facts(task, held.get(table), counted, before.get(table)))
        except CouldNotLook as error:
            yield could_not(table, str(error))


def _facts(task: Task, scan: TableScan | None, counted: int, had_rows: bool | None) -> RowFacts:
    is_whole = scan is not None and scan.status in ("clean", "conflicts")
    may_collapse = task.conflict_strategy not in ("", "error") or scan is None or scan.status != "clean"
    # Other instances of a parallel import may have filled the same table.
    had_rows = None if task.parallel_import else had_rows
    return RowFacts(scan.rows if scan and is_whole else None, counted, had_rows, may_collapse)


def _rows_before(task: Task, state: Path | None) -> dict[TableName, bool | None]:
    """Tell what stood in the tables before the import, by the newest of its recorded runs that looked at them.

    A run keeps what its import's first attempt saw; older runs may belong to an import that is over.
    """
    before: dict[TableName, bool | None] = {}
    for folder, _ in runs_like(state, task.argv, task.cwd) if state else ():
        before = had_rows_before(folder) | before
    return before
