"""What a real TiDB said of 109,280 values: refused or not, what was stored, which rows share a key."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import key_oracle
import pytest

from safe_lightning.conflicts.canonical import Altered, Canonical
from safe_lightning.conflicts.canonicaliser import canonicalise, join_key
from safe_lightning.core.columns import Backend, ColumnType

FAMILIES = sorted({record.identity.split("-")[0] for record in key_oracle.records()})


def refused(record: key_oracle.Record, row: list[Canonical], key: list[Canonical]) -> int:
    """Return the code of the first column that is refused, as the server names it."""
    return next((part.refused for part in row + key if part.refused), 0)


def evaluate(record: key_oracle.Record, backend: Backend) -> list[tuple[int, list[Canonical], list[Canonical]]]:
    mode = record.mode(backend)
    columns = [canonicalise(column, mode) for column in record.columns]
    parts = [(place, canonicalise(record.columns[place], mode, prefix)) for place, prefix in record.parts]
    results = []
    for fields in record.rows:
        row = [column(field) for column, field in zip(columns, fields, strict=True)]
        key = [part(fields[place]) for place, part in parts]
        results.append((refused(record, row, key), row, key))
    return results


def groups(results: list[tuple[int, list[Canonical], list[Canonical]]]) -> list[list[int]]:
    rows = defaultdict(list)
    for number, (code, _, parts) in enumerate(results):
        key = None if code else join_key(parts)
        if key is not None:
            rows[key].append(number)
    return sorted(rows.values())


def printed(column: ColumnType, canonical: Canonical) -> Any:
    """Write a stored value as the records do."""
    stored = canonical.stored
    if stored is None:
        return None
    if column.name in ("enum", "set"):
        assert canonical.key is not None
        return [stored.decode(), int(canonical.key)]
    if column.name == "bit":
        return {"hex": f"{int.from_bytes(stored, 'big'):x}"}
    if column.name in ("float", "double"):
        return float(stored)
    try:
        return stored.decode()
    except UnicodeDecodeError:
        return {"hex": stored.hex()}


def recorded(column: ColumnType, value: Any) -> Any:
    if column.name in ("float", "double") and value is not None:
        return float(value)
    if isinstance(value, dict) and column.name != "bit":
        raw = bytes.fromhex(value["hex"])
        return printed(column, Canonical(raw, raw))
    return value


def disagreements(record: key_oracle.Record) -> Iterator[str]:
    results = evaluate(record, Backend.LOGICAL)
    codes = [code for code, _, _ in results]
    if codes != list(record.verdicts):
        yield f"{record.identity}: refused {codes}, not {record.verdicts}"
    for (code, row, _), stored in zip(results, record.stored, strict=True):
        if code == 0 and stored is not None:
            ours = [printed(column, part) for column, part in zip(record.columns, row, strict=True)]
            theirs = [recorded(column, value) for column, value in zip(record.columns, stored, strict=True)]
            if ours != theirs:
                yield f"{record.identity}: stored {ours}, not {theirs}"
    if groups(results) != sorted(record.groups):
        yield f"{record.identity}: groups {groups(results)}, not {record.groups}"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_server_agrees_on_every_value(family: str) -> None:
    assert [line for record in key_oracle.records_of(family) for line in disagreements(record)] == []


@pytest.mark.parametrize("family", FAMILIES)
def test_lightnings_own_encoder_agrees_on_every_value(family: str) -> None:
    different = []
    for record in key_oracle.records_of(family):
        results = evaluate(record, Backend.PHYSICAL)
        if tuple(code == 0 for code, _, _ in results) != record.is_physical_ok:
            different.append(record.identity)
    assert different == []


def test_the_records_are_all_there() -> None:
    assert len(key_oracle.records()) == 10_064
    assert sum(len(record.rows) for record in key_oracle.records()) == 109_280


RESPELLED = ("int", "decimal", "float", "year", "time", "datetime", "string", "prefix", "bit")


def can_be_read_again(canonical: Canonical) -> bool:
    """Tell whether the stored text is a spelling of its own value.

    The zero date may be refused where a bad date is taken for it, and a string in which a bad byte was replaced is
    stored uncut but would be cut when read again.
    """
    stored = canonical.stored
    return stored is not None and not stored.startswith(b"0000-00-00") and Altered.REPLACED not in canonical.altered


@pytest.mark.parametrize("family", RESPELLED)
def test_what_was_stored_is_stored_again_as_the_same_key(family: str) -> None:
    for record in key_oracle.records_of(family):
        place, prefix = record.parts[0]
        canonical = canonicalise(record.columns[place], record.mode(Backend.LOGICAL), prefix)
        for fields in record.rows:
            first = canonical(fields[place])
            if can_be_read_again(first):
                again = canonical(first.stored)
                assert (again.key, again.refused) == (first.key, 0), (record.identity, fields, first, again)
