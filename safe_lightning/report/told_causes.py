"""What the hooks' verdicts carry as data: causes with their arithmetic, and keys that occur more than once.

Read leniently, for a verdict may be of another release or of anybody's hook: what does not fit is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from safe_lightning.core.causes.model import Cause
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.settling import CHECK_WORDS, Check
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Finding
from safe_lightning.record.trail import TrailVerdict

_ROWS_MOST = 20


@dataclass(frozen=True)
class TableCauses:
    """What a hook says of one table after an attempt, the likeliest cause first; ``table`` None: all of them.

    ``checks`` are those that were made to settle it, in words; ``not_known`` is what could not be looked at.
    """

    table: TableName | None
    attempt: int
    causes: tuple[Cause, ...]
    checks: tuple[str, ...] = ()
    not_known: tuple[str, ...] = ()


@dataclass(frozen=True)
class DuplicateExample:
    """One key that occurs more than once: its value, None where the hook keeps row data to itself, and where."""

    key: str | None
    places: tuple[str, ...]


@dataclass(frozen=True)
class Duplicates:
    """A key of a table with rows that share it; what is not told is None, ``message`` tells it in words."""

    table: TableName | None
    key: str
    keys: int | None
    rows: int | None
    message: str
    examples: tuple[DuplicateExample, ...]


def causes_of(verdicts: Sequence[TrailVerdict]) -> list[TableCauses]:
    """List the causes that verdicts carry, in their order."""
    found = []
    for verdict in verdicts:
        attempt = verdict.entry.attempt
        told = [(finding.table, finding.data) for finding in verdict.findings]
        for table, data in (*told, (None, verdict.data)):
            if causes := tuple(_causes(data.get("causes"))):
                found.append(TableCauses(table, attempt, causes, _checks(data.get("checks")), _words(data)))
    return found


def duplicates_of(verdicts: Sequence[TrailVerdict]) -> list[Duplicates]:
    """List the keys that verdicts found more than once in the source."""
    return [
        _duplicates(finding) for verdict in verdicts for finding in verdict.findings if "duplicate_keys" in finding.data
    ]


def _checks(documents: object) -> tuple[str, ...]:
    told = [one for one in documents if isinstance(one, Mapping)] if isinstance(documents, list) else []
    return tuple(f"{_check_words(one.get('check'))}: {one.get('result')}" for one in told)


def _check_words(check: object) -> str:
    return CHECK_WORDS[Check(str(check))] if check in set(Check) else str(check)


def _words(data: Mapping[str, Any]) -> tuple[str, ...]:
    told = data.get("not_known")
    return tuple(map(str, told)) if isinstance(told, list) else ()


def _causes(documents: object) -> Iterator[Cause]:
    for document in documents if isinstance(documents, list) else []:
        if not isinstance(document, Mapping) or not isinstance(document.get("cause"), str):
            continue
        confidence, evidence = document.get("confidence"), document.get("evidence")
        yield Cause(
            document["cause"],
            float(confidence) if isinstance(confidence, int | float) else 0.0,
            tuple(map(str, evidence)) if isinstance(evidence, list) else (),
            str(document.get("settle") or ""),
        )


def _duplicates(finding: Finding) -> Duplicates:
    data = finding.data
    examples = data.get("examples")
    return Duplicates(
        finding.table,
        str(data.get("key", "")),
        _number(data.get("duplicate_keys")),
        _number(data.get("duplicate_rows")),
        finding.message,
        tuple(_example(item) for item in examples if isinstance(item, Mapping)) if isinstance(examples, list) else (),
    )


def _example(document: Mapping[str, Any]) -> DuplicateExample:
    key, rows = document.get("key"), document.get("rows")
    value = ", ".join("NULL" if part is None else str(part) for part in key) if isinstance(key, list) else None
    places = [_place(row) for row in rows[:_ROWS_MOST] if isinstance(row, Mapping)] if isinstance(rows, list) else []
    return DuplicateExample(value, tuple(place for place in places if place))


def _place(row: Mapping[str, Any]) -> str:
    file, line, number = row.get("file"), _number(row.get("line")), _number(row.get("row"))
    if not isinstance(file, str):
        return ""
    return f"{file}:{line}" if line is not None else f"{file}, row {number:,}" if number is not None else file


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
