"""Pre-import hook ``conflicts``: rows of the source that share a primary or unique key, before they meet a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from safe_lightning.api import Context, CouldNotLook, Finding, Policy, Status, Task, Verdict

if TYPE_CHECKING:
    from safe_lightning.api import Example, KeyScan, Place, Scan, TableScan

_FINDINGS_MOST = 200
_TABLES_MOST = 2000
_EXAMPLES_MOST = 20
_RESOLVING = {"replace", "ignore", "record", "remove"}
_NEXT = 'safe-lightning scan lists the rows; scan.mode = "off" turns this look off'


def look(context: Context) -> Verdict:
    """Scan the source and answer as the policy says.

    Blocks what Lightning would fail on, end in a mismatch with, or quietly break; where the task has conflicts
    resolved it warns and counts. A source out of reach is a warning: Lightning can read what this hook cannot.
    """
    try:
        scan = context.services.scan()
    except CouldNotLook as error:
        message = f"the keys of the source were not checked: {error}"
        return Verdict(Status.WARN, "scan-not-possible", message)
    if scan.mode == "off":
        return Verdict(Status.PASS, "scan-off", 'the policy turns the look off (scan.mode = "off")')
    return _answer(context, scan)


@dataclass(frozen=True)
class _Found:
    """What of a scan is worth a word: conflicts that block, those that only warn, and the rest."""

    blocking: list[tuple[TableScan, KeyScan]]
    warned: list[tuple[TableScan, KeyScan]]
    unchecked: list[tuple[TableScan, KeyScan]]
    odd_count: int
    quiet: list[tuple[TableScan, KeyScan]]

    @property
    def duplicates(self) -> str:
        """Say how many duplicate keys there are where none is worth a warning."""
        return f"{_counted(self.quiet)}, below scan.warn_rows or warn_share" if self.quiet else "no duplicate key"


def _answer(context: Context, scan: Scan) -> Verdict:
    policy = context.policy
    breaks = breaks_on_duplicates(context.task, policy)
    conflicts = [(table, key) for table in scan.tables for key in table.keys if key.duplicate_keys]
    blocking = [
        pair for pair in conflicts if breaks and _reaches(*pair, policy.scan.block_rows, policy.scan.block_share)
    ]
    warned = [
        pair
        for pair in conflicts
        if pair not in blocking and _reaches(*pair, policy.scan.warn_rows, policy.scan.warn_share)
    ]
    states = ("not-checked", "input-error")
    unchecked = [(table, key) for table in scan.tables for key in table.keys if key.status in states]
    odd_count = sum(finding.level != "note" for table in scan.tables for finding in table.findings)
    quiet = [pair for pair in conflicts if pair not in blocking and pair not in warned]
    found = _Found(blocking, warned, unchecked, odd_count, quiet)
    status, code, message = _word(context, scan, found)
    # What was only assumed is worth a line where something was found.
    notes = () if status is Status.PASS else scan.notes
    told = _findings(scan, found, notes, has_values=policy.scan.record_values)
    return Verdict(status, code, message, tuple(told), data=_data(scan))


def breaks_on_duplicates(task: Task, policy: Policy) -> bool:
    """Tell whether duplicate keys stop this import: because Lightning has no answer to them, or the policy says so."""
    if policy.scan.on_conflicts != "auto":
        return policy.scan.on_conflicts == "block"
    return task.conflict_strategy not in _RESOLVING


def _reaches(table: TableScan, key: KeyScan, rows: int, share: float) -> bool:
    return key.duplicate_rows >= rows and 100 * key.duplicate_rows >= share * table.rows


def _word(context: Context, scan: Scan, found: _Found) -> tuple[Status, str, str]:
    policy = context.policy.scan
    if found.blocking:
        return Status.BLOCK, "key-conflicts", f"{_counted(found.blocking)}; {_what_would_happen(context)}. {_NEXT}."
    if found.unchecked and policy.on_not_checked == "block":
        return Status.BLOCK, "keys-not-checked", f"{_open(found)}, and the policy wants all keys checked"
    if found.odd_count and policy.on_findings == "block":
        return Status.BLOCK, "source-findings", f"{_odd(found)}, and the policy blocks on that"
    if found.warned:
        return Status.WARN, "key-conflicts", f"{_counted(found.warned)}; {_what_would_happen(context)}"
    # A sample that nobody asked for, because the keys did not fit, is worth a warning.
    if found.unchecked and not (
        policy.mode == "sample" and all("sample" in (key.reason or "") for _, key in found.unchecked)
    ):
        return Status.WARN, "keys-not-checked", _open(found)
    if found.odd_count:
        return Status.WARN, "source-findings", f"{_odd(found)}; {_rows(scan)}, {found.duplicates}"
    if found.unchecked:
        return Status.PASS, "no-key-conflicts", f"{_rows(scan)}, {found.duplicates} in a sample of the keys"
    return Status.PASS, "no-key-conflicts", f"{_rows(scan)}, {found.duplicates}"


def _what_would_happen(context: Context) -> str:
    task, strategy = context.task, context.task.conflict_strategy
    if strategy in _RESOLVING:
        return f'conflict.strategy = "{strategy}" keeps one row of each and drops the others'
    if task.backend == "tidb":
        return "the import would stop at the first of them with error 1062, its earlier batches committed"
    if strategy == "error":
        return 'conflict.strategy = "error" would fail the import'
    if task.checksum == "off":
        return "no conflict.strategy and no checksum: table and indexes would disagree, and nobody would say so"
    return "no conflict.strategy: the import would end in a checksum mismatch, with table and indexes in disagreement"


def _counted(pairs: list[tuple[TableScan, KeyScan]]) -> str:
    keys = sum(key.duplicate_keys for _, key in pairs)
    rows = sum(key.duplicate_rows for _, key in pairs)
    tables = len({table.table for table, _ in pairs})
    return f"{keys:,} duplicate key{'s' * (keys != 1)} in {rows:,} rows of {tables:,} table{'s' * (tables != 1)}"


def _open(found: _Found) -> str:
    table, key = found.unchecked[0]
    count = len(found.unchecked)
    first = f"{table.table}: {key.reason}"
    return f"{count:,} key{'s' * (count != 1)} not checked to the end ({first})"


def _odd(found: _Found) -> str:
    return (
        f"{found.odd_count:,} thing{'s' * (found.odd_count != 1)} in the source that Lightning may pass over in silence"
    )


def _rows(scan: Scan) -> str:
    rows, tables = sum(table.rows for table in scan.tables), len(scan.tables)
    return f"{rows:,} row{'s' * (rows != 1)} of {tables:,} table{'s' * (tables != 1)} read"


def _findings(scan: Scan, found: _Found, notes: Sequence[str], *, has_values: bool) -> Iterator[Finding]:
    """Tell conflicts first, then what was not checked, then what is odd; capped, and the cap is said."""
    told = [*_told(scan, found, has_values=has_values), *(Finding("scan-note", note) for note in notes)]
    yield from told[:_FINDINGS_MOST]
    if len(told) > _FINDINGS_MOST:
        yield Finding("more-findings", f"and {len(told) - _FINDINGS_MOST:,} more; `safe-lightning scan` lists them")


def _told(scan: Scan, found: _Found, *, has_values: bool) -> Iterator[Finding]:
    for table, key in (*found.blocking, *found.warned):
        number = f"{key.duplicate_keys:,} key{'s' * (key.duplicate_keys != 1)}"
        text = f"{table.table}, key {key.name}: {number} in {key.duplicate_rows:,} rows{_first(key)}"
        why = Counter(str(example.why) for example in key.examples)
        data = {
            "key": key.name,
            "duplicate_keys": key.duplicate_keys,
            "duplicate_rows": key.duplicate_rows,
            "why": dict(why),
            "examples": [_example(one, has_values=has_values) for one in key.examples[:_EXAMPLES_MOST]],
        }
        yield Finding("key-conflicts", text, table.table, data)
    for table, key in found.unchecked:
        yield Finding(str(key.status), f"{table.table}, key {key.name}: {key.reason}", table.table)
    for table in scan.tables:
        for odd in table.findings:
            if odd.level != "note":
                place = f"{odd.file}:{odd.line}: " if odd.file and odd.line else ""
                known = odd.file is not None and odd.message.startswith(odd.file)
                yield Finding(odd.code, odd.message if known else f"{place}{odd.message}", table.table)


def _first(key: KeyScan) -> str:
    """Say where the first conflict is, and never its value: row data stays out of the log."""
    if not key.examples:
        return ""
    example = key.examples[0]
    return f", first {' and '.join(map(_place, example.rows[:2]))}"


def _place(place: Place) -> str:
    return place.file if place.offset is None else f"{place.file}:{place.line} (byte {place.offset})"


def _example(example: Example, *, has_values: bool) -> dict[str, object]:
    """Write an example for the record; its value only where the policy says so, as hooks and pages get it too."""
    rows = [
        {"file": place.file, "line": place.line, "offset": place.offset, "row": place.row} for place in example.rows
    ]
    return {"key": list(example.key) if has_values else None, "why": str(example.why), "rows": rows}


def _data(scan: Scan) -> dict[str, object]:
    """Keep what the source holds of each table, so that the end of the import can be held against it."""
    tables = {
        str(table.table): {"rows": table.rows, "files": table.files, "status": str(table.status)}
        for table in scan.tables[:_TABLES_MOST]
    }
    return {"mode": str(scan.mode), "notes": list(scan.notes), "tables": tables}
