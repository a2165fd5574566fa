"""A scan for people at a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from safe_lightning.core.columns import Backend
from safe_lightning.report.labels import WIDTH, paragraph, printable
from safe_lightning.scan.advice import conflict_block, next_commands, recommendation, strategies
from safe_lightning.scan.model import (
    EVERY_KEY,
    WHY_WORDS,
    Example,
    KeyScan,
    KeyStatus,
    Place,
    Scan,
    ScanMode,
    TableScan,
    worst_first,
)
from safe_lightning.source.findings import Level, SourceFinding

EXAMPLES_SHOWN_MOST = 3
_ROWS_SHOWN_MOST = 4
_FINDINGS_SHOWN_MOST = 8
_STATUS_WORDS = {
    KeyStatus.CLEAN: "clean",
    KeyStatus.CONFLICTS: "CONFLICTS",
    KeyStatus.NOT_CHECKED: "NOT CHECKED",
    KeyStatus.INPUT_ERROR: "INPUT ERROR",
}


def to_text(scan: Scan, backend: Backend, argv: Sequence[str]) -> Iterator[str]:
    """Write the summary: tables that went wrong first, then what to do about them."""
    yield from _head(scan)
    for table in worst_first(scan.tables):
        yield ""
        yield from _table(table)
    yield from _findings(scan.findings, "")
    yield ""
    if scan.has_conflicts:
        yield from _advice(scan, backend)
    for what, command in next_commands(scan, argv):
        yield f"To {what}:"
        yield f"    {command}"


def _head(scan: Scan) -> Iterator[str]:
    rows, size = sum(table.rows for table in scan.tables), sum(table.bytes for table in scan.tables)
    yield f"Scan        {scan.mode}, {counted(len(scan.tables), 'table')}, {counted(rows, 'row')}, {size_text(size)}"
    yield from paragraph("Result", verdict_sentence(scan))
    for note in scan.notes:
        yield from paragraph("Note", note)


def verdict_sentence(scan: Scan) -> str:
    """Say in one sentence what the scan found."""
    keys = [key for table in scan.tables for key in table.keys]
    conflicts = [key for key in keys if key.status is KeyStatus.CONFLICTS]
    open_keys = [key for key in keys if key.status in (KeyStatus.NOT_CHECKED, KeyStatus.INPUT_ERROR)]
    parts = []
    if conflicts:
        duplicates = counted(sum(key.duplicate_keys for key in conflicts), "duplicate key value")
        parts.append(f"{duplicates} in {counted(len(conflicts), 'key')}")
    if open_keys:
        parts.append(f"{counted(len(open_keys), 'key')} not checked to the end")
    if not parts:
        return "no duplicate key" if keys else "no unique key in any table, so nothing can conflict"
    sampled = ", of a sample" if scan.mode is ScanMode.SAMPLE else ""
    return "; ".join(parts) + sampled


def _table(table: TableScan) -> Iterator[str]:
    facts = f"{counted(table.rows, 'row')}, {counted(table.files, 'file')}, {size_text(table.bytes)}"
    yield printable(str(table.table))
    yield f"    {facts}; keys from {table.basis}"
    if not table.keys:
        yield "    no primary or unique key: nothing can conflict"
    for key in table.keys:
        yield from _key(key)
    yield from _findings(table.findings, "    ")


def key_title(key: KeyScan) -> str:
    """Name a key with its columns."""
    return "all keys" if key.name == EVERY_KEY else f"{key.name} ({', '.join(key.columns)})"


def _key(key: KeyScan) -> Iterator[str]:
    name = key_title(key)
    counts = ""
    if key.duplicate_keys:
        counts = f"  {counted(key.duplicate_keys, 'key')} twice or more, in {counted(key.duplicate_rows, 'row')}"
    yield f"    {printable(name):<24}  {_STATUS_WORDS[key.status]}{counts}"
    if key.reason:
        yield from _wrapped(key.reason, "        ")
    for example in key.examples[:EXAMPLES_SHOWN_MOST]:
        yield from _example(example)
    if len(key.examples) > EXAMPLES_SHOWN_MOST:
        yield f"        … and {counted(key.duplicate_keys - EXAMPLES_SHOWN_MOST, 'key')} more"


def _example(example: Example) -> Iterator[str]:
    shown = ", ".join("NULL" if part is None else part for part in example.key)
    yield from _wrapped(f"{shown!s}: {WHY_WORDS[example.why]}" if shown else WHY_WORDS[example.why], "        ")
    for place in example.rows[:_ROWS_SHOWN_MOST]:
        yield f"            {place_text(place)}"


def place_text(place: Place) -> str:
    """Write a place so that an editor can jump to it; a row of the target has none but its table."""
    if place.offset is None:
        return printable(place.file)
    line = f":{place.line}" if place.line is not None else ""
    return f"{printable(place.file)}{line} (byte {place.offset}, row {place.row})"


def _findings(findings: Sequence[SourceFinding], indent: str) -> Iterator[str]:
    told = [finding for finding in findings if finding.level is not Level.NOTE]
    for finding in told[:_FINDINGS_SHOWN_MOST]:
        yield from _wrapped(f"{finding.level}: {finding_text(finding)}", indent)
    if len(told) > _FINDINGS_SHOWN_MOST:
        yield f"{indent}… and {len(told) - _FINDINGS_SHOWN_MOST} more findings"


def finding_text(finding: SourceFinding) -> str:
    """Write a finding with its place, where its message does not already begin with it."""
    place = finding.file or ""
    if finding.line is not None:
        place += f":{finding.line} (byte {finding.offset})"
    known = not finding.file or finding.message.startswith(finding.file)
    return finding.message if known else f"{place}: {finding.message}"


def _advice(scan: Scan, backend: Backend) -> Iterator[str]:
    yield from paragraph("Advice", recommendation(scan))
    yield ""
    yield from (f"    {line}" for line in conflict_block(scan, backend))
    yield ""
    yield "What conflict.strategy does to these rows:"
    for strategy in strategies(backend):
        yield from _wrapped(f"{strategy.name}: {strategy.consequence}", "    ")
    yield ""


def _wrapped(text: str, indent: str) -> Iterator[str]:
    import textwrap

    safe = printable(text)
    yield from textwrap.wrap(
        safe, WIDTH, initial_indent=indent, subsequent_indent=f"{indent}  ", break_on_hyphens=False
    )


def size_text(size_bytes: int) -> str:
    """Write a size for people."""
    size, units = float(size_bytes), ["KiB", "MiB", "GiB", "TiB"]
    if size < 1024:
        return f"{size_bytes} B"
    while size >= 1024 and units:
        size, unit = size / 1024, units.pop(0)
    return f"{size:.1f} {unit}"


def counted(number: int, what: str) -> str:
    """Write a number with what is counted."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"
