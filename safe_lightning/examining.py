"""Looking at everything that may tell why a table's checksum differs: target, record, source. All of it only reads."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safe_lightning.core.causes.surplus_judges import is_lightning_schema
from safe_lightning.core.clues import EngineClue
from safe_lightning.core.examination import Examination, count_conflicts
from safe_lightning.core.fingerprint import Fingerprint
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.settling import Check
from safe_lightning.core.source_state import SourceState, changes_since_launch
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy

if TYPE_CHECKING:
    from safe_lightning.lightning.checksum import Limits
    from safe_lightning.scan.model import Scan, TableScan
    from safe_lightning.source.schema_model import TableDefinition

_Look = Callable[[TableName], Examination]
_Named = tuple[str, _Look]

_RECORDS_SCHEMA = "lightning_task_info"
_SCANNED = ("clean", "conflicts")


class TargetOutOfReach(CouldNotLook):
    """The target does not answer at all."""


@dataclass(frozen=True)
class Examiner:
    """Looks at one table after another, and no longer than until a moment of the monotonic clock.

    ``task_id`` is that of this import, None where it is not known.
    """

    task: Task
    policy: Policy
    state: Path | None
    stop: threading.Event
    task_id: Callable[[], int | None]
    until: float
    _seen: dict[str, Any] = field(default_factory=dict, repr=False)

    def examine(self, table: TableName) -> Examination:
        """Take every look that is cheap, or bounded by the policy. What cannot be looked at is said, never raised."""
        seen = Examination()
        for what, look in (*self._looks_at_target(table), *self._looks_at_home()):
            seen = seen.joined(self._guarded(what, look, table))
        return seen

    def check(self, table: TableName, check: Check) -> Examination:
        """Make one check that may take long, within the time that is left. Raises CouldNotLook."""
        checks: dict[Check, Callable[[TableName, float], Examination]] = {
            Check.COUNT_ENTRIES: self._count_entries,
            Check.CHECKSUM_AGAIN: self._checksum,
            Check.CHECK_TABLE: self._check_table,
            Check.SCAN_KEYS: self._scan_keys,
        }
        return checks[check](table, self._left())

    def _once(self, what: str, look: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the look returns
        """Look at what is the same for every table only once. Raises what the look raises, each time."""
        if what not in self._seen:
            self._seen[what] = look()
        return self._seen[what]

    @property
    def seconds_left(self) -> float:
        """How long looks may still take, all together."""
        return max(self.until - time.monotonic(), 0.0)

    def _left(self, most: float | None = None) -> float:
        if self.stop.is_set():
            raise CouldNotLook("the look was stopped")
        left = self.seconds_left
        if not left:
            raise CouldNotLook("the time for looks at mismatched tables (verify.look_time) is used up")
        return left if most is None else min(left, most)

    def _looks_at_target(self, table: TableName) -> tuple[_Named, ...]:
        """Name the looks at the target; of one that is out of reach it is said once, and no other is waited for."""
        try:
            shape = self._shape(table)
        except TargetOutOfReach as error:
            return (("what the target holds now", _failing(error)),)
        except CouldNotLook as error:
            return (("its indexes", _failing(error)), *self._others_at_target())
        return (("its indexes", lambda _: shape), *self._others_at_target())

    def _others_at_target(self) -> tuple[_Named, ...]:
        return (
            ("its rows and index entries", self._counts),
            ("conflict records of other tasks", self._records),
            ("the sums of other instances", self._instances),
        )

    def _looks_at_home(self) -> tuple[_Named, ...]:
        return (
            ("the attempts before this one", self._launches),
            ("changes of the source", self._changes),
            ("the schemas of the source", self._schemas),
            ("an earlier scan", self._scan),
        )

    def _guarded(self, what: str, look: _Look, table: TableName) -> Examination:
        try:
            self._left()
            return look(table)
        except CouldNotLook as error:
            return Examination(not_known=(f"{what}: {error}",))

    @property
    def _timeout_seconds(self) -> float:
        return self._left(self.policy.checkpoint.timeout)

    def _shape(self, table: TableName) -> Examination:
        from safe_lightning.lightning.table_looks import look_at_ids
        from safe_lightning.source.table_shape import folds_keys, keys_per_row

        definition, new_collation = self._definition(table)
        least, most = keys_per_row(definition)
        ids = look_at_ids(self.task.target, table, self._timeout_seconds)
        return Examination(
            table_id=ids.table_id,
            index_names=ids.index_names,
            keys_per_row=least,
            keys_per_row_most=most if most != least else None,
            folds_keys=folds_keys(definition, new_collation),
        )

    def _definition(self, table: TableName) -> tuple[TableDefinition, bool | None]:
        from safe_lightning.scan.target import ask_target
        from safe_lightning.source.schema import Schema
        from safe_lightning.source.schema_tokens import SchemaError

        facts = ask_target(self.task.target, [table], self._timeout_seconds)
        if facts.unreachable:
            raise TargetOutOfReach(facts.unreachable)
        if table not in facts.definitions:
            raise CouldNotLook(facts.refused.get(table, "the table is not there"))
        schema = Schema()
        try:
            schema.apply(facts.definitions[table], table.table)
        except (SchemaError, RecursionError) as error:
            raise CouldNotLook(f"its definition is not understood: {error}") from error
        if (found := schema.table(table.table)) is None:
            raise CouldNotLook("it is no table")
        return found, facts.new_collation

    def _counts(self, table: TableName) -> Examination:
        return self._count_entries(table, self._left(self.policy.verify.count_timeout))

    def _count_entries(self, table: TableName, timeout_seconds: float) -> Examination:
        """Count rows and the entries of each index that holds one for each row. Raises CouldNotLook."""
        from safe_lightning.lightning.checksum import count_rows
        from safe_lightning.lightning.table_looks import count_entries
        from safe_lightning.source.table_shape import countable_indexes

        limits, server = self._limits(timeout_seconds), self.task.target
        rows = count_rows(server, table, limits, self.stop)
        try:
            names = countable_indexes(self._definition(table)[0])
            entries = {name: count_entries(server, table, name, limits, self.stop) for name in names}
        except CouldNotLook as error:
            return Examination(rows_in_target=rows, not_known=(f"its index entries: {error}",))
        return Examination(rows_in_target=rows, entries_in_target=entries)

    def _limits(self, timeout_seconds: float) -> Limits:
        from safe_lightning.lightning.checksum import Limits

        return Limits(timeout_seconds, tries=1, concurrency=self.policy.verify.concurrency)

    def _records(self, table: TableName) -> Examination:
        from safe_lightning.lightning.table_looks import count_stale_records

        schema = str(self.task.values.get("lightning.task-info-schema-name") or _RECORDS_SCHEMA)
        count = count_stale_records(self.task.target, schema, table, self.task_id(), self._timeout_seconds)
        return Examination(stale_conflict_records=count)

    def _launches(self, table: TableName) -> Examination:
        fingerprint = self._fingerprint()
        if fingerprint is None:
            return Examination()
        earlier = fingerprint.launches[:-1]
        if not earlier:
            return Examination(was_interrupted=False if fingerprint.is_first_launch else None)
        last = earlier[-1]
        lost = [engine for engine in last.engines_not_ingested if engine.table == table]
        clues = tuple(EngineClue(str(engine.engine), engine.kvs, engine.imported) for engine in lost)
        return Examination(was_interrupted=last.was_signalled or not last.is_known, lost_engines=clues)

    def _fingerprint(self) -> Fingerprint | None:
        from safe_lightning.record.fingerprints import recall_fingerprint

        state, location = self.state, self.task.checkpoint.location
        found: Fingerprint | None = (
            self._once("fingerprint", lambda: recall_fingerprint(state, location)) if state else None
        )
        return found

    def _changes(self, table: TableName) -> Examination:
        from safe_lightning.source.state import source_state

        fingerprint = self._fingerprint()
        then = fingerprint.source.tables.get(table) if fingerprint and fingerprint.source else None
        if then is None:
            return Examination()
        state: SourceState = self._once("source", lambda: source_state(self.task))
        now = state.tables.get(table)
        names = {file.name for file in now.files} if now else set()
        is_other = {file.name for file in then.files} != names
        return Examination(source_changed=is_other or bool(changes_since_launch(then, now)))

    def _schemas(self, table: TableName) -> Examination:
        from safe_lightning.source.tables import source_tables

        names: frozenset[TableName] = self._once("names", lambda: source_tables(self.task))
        schemas = sorted({name.schema for name in names})
        return Examination(lightning_schemas=tuple(filter(is_lightning_schema, schemas)))

    def _instances(self, table: TableName) -> Examination:
        if not self.task.parallel_import:
            return Examination()
        from safe_lightning.lightning.metadata import read_metadata

        timeout_seconds = self._timeout_seconds
        found = self._once("instances", lambda: read_metadata(self.task, timeout_seconds).instances)
        totals = [share.totals for instance in found for share in instance.shares if share.table == table]
        known = tuple(one for one in totals if one is not None)
        return Examination(instances=known if known and len(known) == len(totals) else None)

    def _scan(self, table: TableName) -> Examination:
        """Recall a scan of the very same source; none is made here, however little is known without one."""
        from safe_lightning.scan.task_scan import recall_scan

        state = self.state
        found = self._once("scan", lambda: recall_scan(self.task, self.policy, state)) if state else None
        return of_scan(found, table) if found is not None else Examination()

    def _scan_keys(self, table: TableName, timeout_seconds: float) -> Examination:
        """Scan the keys of one table. Raises CouldNotLook, also where not all of it could be read in that time."""
        from safe_lightning.scan.task_scan import scan_table

        seen = of_scan(scan_table(self.task, self.policy, table, timeout_seconds, self.stop), table)
        if seen.rows_in_source is None:
            raise CouldNotLook("not all keys could be read to the end")
        return seen

    def _checksum(self, table: TableName, timeout_seconds: float) -> Examination:
        """Ask the cluster for the table's sums again. Raises CouldNotLook."""
        from safe_lightning.lightning.checksum import checksum_table

        found = checksum_table(self.task.target, table, self._limits(timeout_seconds), self.stop)
        return Examination(checksum_now=found)

    def _check_table(self, table: TableName, timeout_seconds: float) -> Examination:
        """Let TiDB compare the table's rows and index entries. Raises CouldNotLook."""
        from safe_lightning.lightning.table_looks import check_table

        found = check_table(self.task.target, table, self._limits(timeout_seconds), self.stop)
        return Examination(is_consistent=not found)


def _failing(error: CouldNotLook) -> _Look:
    def fail(table: TableName) -> Examination:
        raise error

    return fail


def of_scan(scan: Scan, table: TableName) -> Examination:
    """Take from a scan what it says of one table; a table that was not read to its end, or a sample, proves nothing."""
    found = next((one for one in scan.tables if one.table == table), None)
    if found is None or scan.mode != "exact" or found.status not in _SCANNED:
        return Examination()
    written, read = count_conflicts(_conflicts(found))
    return Examination(rows_in_source=found.rows, conflicts_found=written, conflicts_folded=read)


def _conflicts(table: TableScan) -> Iterator[tuple[int, Mapping[str, int]]]:
    return ((key.duplicate_keys, Counter(str(one.why) for one in key.examples)) for key in table.keys)
