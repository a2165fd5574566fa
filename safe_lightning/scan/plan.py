"""The plan of a scan: for every table its definition, its keys, its files, and the mode in which values are cast."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from safe_lightning.core.columns import CHARACTER_TYPES, KeyMode
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tablefilter import parse_filter
from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task_file import section, text_of
from safe_lightning.scan.model import EVERY_KEY, KeyRequest, ScanOptions, TableScanRequest
from safe_lightning.scan.target import TargetFacts
from safe_lightning.source.files import Source, SourceTable
from safe_lightning.source.findings import SourceFinding
from safe_lightning.source.opening import ReadingRules
from safe_lightning.source.schema import Schema
from safe_lightning.source.schema_charset import CharsetRules
from safe_lightning.source.schema_files import table_schema
from safe_lightning.source.schema_model import KeyDefinition, TableDefinition
from safe_lightning.source.schema_tokens import SchemaError
from safe_lightning.source.settings import SourceSettings

if TYPE_CHECKING:
    from safe_lightning.scan.existing_rows import RowsOfTarget

AskTarget = Callable[[Sequence[TableName]], TargetFacts]

_FROM_TARGET = "the target's own definition"
_FROM_FILE = "its schema file"
_UNKNOWN = "no definition"


@dataclass(frozen=True)
class PlannedTable:
    """A table of the source: a request where its definition is known, else the reason why not.

    ``existing`` is the target's definition as it was sent, "" where the table does not exist there.
    """

    source: SourceTable
    request: TableScanRequest | None
    basis: str
    unknown: str = ""
    findings: tuple[SourceFinding, ...] = ()
    existing: str = ""


@dataclass(frozen=True)
class ScanPlan:
    """All tables of a source; ``notes`` say what was assumed, ``unreachable`` why the target was not asked.

    ``target`` is set where its rows count as well. ``is_collation_assumed`` tells that keys have texts and nobody says
    whether the new collation framework is on.
    """

    source: Source
    tables: tuple[PlannedTable, ...]
    notes: tuple[str, ...] = ()
    unreachable: str = ""
    target: RowsOfTarget | None = None
    is_collation_assumed: bool = False

    @property
    def bytes(self) -> int:
        """The bytes of all files."""
        return sum(table.source.size_bytes for table in self.tables)


def plan_scan(settings: SourceSettings, options: ScanOptions, ask: AskTarget) -> ScanPlan:
    """Plan a scan. Raises CouldNotLook where the source is out of reach, ConfigProblem for what Lightning refuses."""
    source = settings.discover()
    tables = [table for table in source.tables if _is_wanted(table.table, options)]
    facts = ask([table.table for table in tables]) if tables else TargetFacts()
    answers = (options.new_collation, facts.new_collation, options.assumed_collation)
    new_collation = next((answer for answer in answers if answer is not None), None)
    zone, zone_note = _time_zone(settings.config, options.time_zone, facts)
    mode = KeyMode(settings.sql_mode, new_collation is not False, zone, settings.backend)
    rules = CharsetRules(mode.new_collation, facts.utf8mb4_collation or "utf8mb4_bin")
    planner = _Planner(source, settings, mode, rules, facts, settings.reading_rules())
    planned = tuple(planner.table(table) for table in tables if not table.is_view)
    notes = [f"The target was not asked: {facts.unreachable}."] if facts.unreachable else []
    notes += [zone_note] if zone_note and _has_key_of(planned, _TIMES) else []
    is_assumed = new_collation is None and _has_key_of(planned, _TEXTS)
    return ScanPlan(source, planned, tuple(notes), facts.unreachable, is_collation_assumed=is_assumed)


def _is_wanted(table: TableName, options: ScanOptions) -> bool:
    return not options.tables or parse_filter(options.tables).matches(table)


_TEXTS = CHARACTER_TYPES | {"enum", "set"}
_TIMES = frozenset({"datetime", "timestamp"})


def _has_key_of(tables: Sequence[PlannedTable], types: frozenset[str]) -> bool:
    """Tell whether a key has a column of one of these types, so that what was assumed matters."""
    requests = [table.request for table in tables if table.request is not None]
    return any(
        request.definition.columns[place].type.name in types
        for request in requests
        for key in request.keys
        for place, _ in key.parts
    )


def _time_zone(config: Mapping[str, Any], preferred: str, facts: TargetFacts) -> tuple[str, str]:
    """Find the zone of the import's sessions: the task's, the target's, the policy's, the host's."""
    written = text_of(section(section(config, "tidb"), "session-vars"), "time_zone")
    for zone in (written, facts.time_zone, preferred):
        if zone and zone.upper() != "SYSTEM":
            return zone, ""
    zone = host_time_zone()
    return zone, f"Times are read in this machine's zone, {zone}: neither task nor target nor policy names one."


def host_time_zone(environ: Mapping[str, str] | None = None, root: Path = Path("/")) -> str:
    """Name the zone of this machine, as Go finds it: $TZ, then /etc/localtime, then UTC."""
    named = (os.environ if environ is None else environ).get("TZ")
    if named is not None:
        zone = named.removeprefix(":")
        return zone if _is_zone(zone) else _zone_of_path(zone) or "UTC"
    return _zone_of_path(os.path.realpath(root / "etc" / "localtime")) or "UTC"


def _zone_of_path(path: str) -> str:
    _, found, name = path.partition("/zoneinfo/")
    return name if found and _is_zone(name) else ""


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


@dataclass(frozen=True)
class _Planner:
    source: Source
    settings: SourceSettings
    mode: KeyMode
    rules: CharsetRules
    facts: TargetFacts
    reading: ReadingRules

    def table(self, table: SourceTable) -> PlannedTable:
        """Plan one table: the target's definition where it has one, else the schema file's."""
        findings = tuple(found for found in self.source.findings if found.table == table.table)
        name = table.table
        if name in self.facts.refused:
            return PlannedTable(table, None, _UNKNOWN, self.facts.refused[name], findings)
        if name in self.facts.definitions:
            definition, reason = self._from_target(name)
            basis = _FROM_TARGET
        else:
            found = table_schema(self.source, table, self.settings.schema_options(self.rules))
            findings += tuple(one for one in found.findings if one not in findings and one.code != "no-schema-file")
            definition, basis = found.definition, _FROM_FILE
            reason = "; ".join(one.message for one in found.findings)
        if definition is None:
            return PlannedTable(table, None, _UNKNOWN, reason or "its definition is not known", findings)
        existing = self.facts.definitions.get(name, "")
        return PlannedTable(table, self._request(table, definition), basis, "", findings, existing)

    def _from_target(self, name: TableName) -> tuple[TableDefinition | None, str]:
        schema = Schema(rules=self.rules)
        try:
            schema.apply(self.facts.definitions[name], name.table)
        except (SchemaError, RecursionError) as error:
            return None, f"the target's definition of {name} is not understood: {error}"
        return schema.table(name.table), ""

    def _request(self, table: SourceTable, definition: TableDefinition) -> TableScanRequest:
        keys = tuple(key_request(key, definition) for key in definition.unique_keys)
        ignored = self.settings.ignored_columns(table.table)
        return TableScanRequest(table.table, table.files, definition, keys, self.mode, self.reading, ignored)


def key_request(key: KeyDefinition, definition: TableDefinition) -> KeyRequest:
    """Turn a definition's key into what an engine is asked."""
    columns = tuple(part.column or f"({part.expression})" for part in key.parts)
    parts: list[tuple[int, int | None]] = []
    for part in key.parts:
        place = definition.position(part.column) if part.column else None
        if place is not None:
            parts.append((place, part.prefix))
    if key.not_checked is not None:
        return KeyRequest(key.name, columns, (), key.not_checked)
    return KeyRequest(key.name, columns, tuple(parts))


def unknown_key(reason: str) -> KeyRequest:
    """Stand for all keys of a table whose definition is not known."""
    return KeyRequest(EVERY_KEY, (), (), reason)


def without_files(plan: ScanPlan) -> bool:
    """Whether no table has any data to read."""
    return not any(table.source.files for table in plan.tables)


def odd_findings(source: Source) -> tuple[SourceFinding, ...]:
    """List the findings that belong to no table."""
    return tuple(found for found in source.findings if found.table is None)
