"""The regular rows of a chunk: bounds of their fields, words of their keys, rows and values that are handed out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from safe_lightning.conflicts.kernel.binding import UNLIMITED, Dialect, Kind, Plan
from safe_lightning.conflicts.kernel.vectorised.arrays import Index, Numbers, RowNumbers, count_before
from safe_lightning.conflicts.kernel.vectorised.column_rules import ColumnRule
from safe_lightning.conflicts.kernel.vectorised.columns import (
    Bounds,
    Column,
    Special,
    Values,
    constant_column,
    hard_bits,
    join_marks,
    read_column,
)
from safe_lightning.conflicts.kernel.vectorised.hashing import join_hashes
from safe_lightning.conflicts.kernel.vectorised.lanes import Content
from safe_lightning.conflicts.kernel.vectorised.meanings import Meanings
from safe_lightning.core.lean_dataclass import dataclass


@dataclass(frozen=True)
class Fields:
    """The fields of regular rows: within [start, stop), apart by separators, ``first`` of which stand in front."""

    start: Index
    stop: Index
    first: Index
    separators: Index
    last: int

    def bounds(self, field: int) -> Bounds:
        """Return where one field of each row is; ``last`` ends with the row."""
        start = self.start if field == 0 else self.separators.take(self.first + (field - 1)) + 1
        return Bounds(start, self.stop if field == self.last else self.separators.take(self.first + field))


@dataclass(frozen=True)
class Batch:
    """Regular rows of a chunk: where each begins and ends with all that belongs to it, and its number."""

    start: Index
    behind: Index
    row: Index
    fields: Fields

    def of(self, chosen: Index) -> Batch:
        """Return some of the rows."""
        fields = self.fields
        part = Fields(fields.start[chosen], fields.stop[chosen], fields.first[chosen], fields.separators, fields.last)
        return Batch(self.start[chosen], self.behind[chosen], self.row[chosen], part)


@dataclass(frozen=True)
class Table:
    """What is the same for all files of a table."""

    rules: tuple[ColumnRule, ...]
    keys: tuple[tuple[int, ...], ...]
    seed: int

    @classmethod
    def of(cls, plan: Plan) -> Table:
        """Take it out of a plan."""
        rules = tuple(ColumnRule.of(plan.column[number]) for number in range(plan.columns))
        keys = tuple(tuple(plan.key_order[key][: plan.key_parts[key]]) for key in range(plan.keys))
        return cls(rules, keys, plan.seed)


@dataclass(frozen=True)
class FileRules:
    """What is the same for all rows of a file: per key column its field, or -1 and the constant for it."""

    values: Values
    places: tuple[int, ...]
    constants: tuple[tuple[int, bool], ...]

    @classmethod
    def of(cls, dialect: Dialect, columns: int) -> FileRules:
        """Take it out of a dialect."""
        constants = tuple(
            (dialect.constant[number], bool(dialect.constant_nulls >> number & 1)) for number in range(columns)
        )
        return cls(Values.of(dialect), tuple(dialect.field[:columns]), constants)


def read_columns(
    table: Table,
    rules: FileRules,
    content: Content,
    batch: Batch,
    special: Sequence[Index],
    meanings: Sequence[Meanings],
) -> list[Column]:
    """Hash all key columns."""
    columns = []
    found = Special.of(special, batch.start, batch.behind)
    for rule, place, constant, known in zip(table.rules, rules.places, rules.constants, meanings, strict=True):
        if place < 0:
            columns.append(constant_column(len(batch.row), *constant))
            continue
        bounds = batch.fields.bounds(place)
        columns.append(read_column(rule, rules.values, content, bounds, found, known, table.seed))
    return columns


def key_words(table: Table, columns: Sequence[Column], key: int, batch: Batch) -> tuple[Numbers, RowNumbers]:
    """Return the hashes and rows of a key, of the rows whose parts are all known."""
    order = table.keys[key]
    hashes, rows = join_hashes([columns[number].hashes for number in order]), batch.row.astype(np.uint32)
    excepted = join_marks(columns, order)
    if excepted.any():
        chosen = np.flatnonzero(~excepted)
        return hashes[chosen], rows[chosen]
    return hashes, rows


@dataclass(frozen=True)
class Handed:
    """A row to hand out, by its place in the chunk."""

    start: int
    stop: int
    line: int
    row: int
    kind: Kind
    columns: int
    bounds: bytes


def odd_rows(start: Index, behind: Index, row: Index, feeds: Index, *, is_capture: bool) -> list[Handed]:
    """Hand out whole rows that are not regular."""
    columns = 0 if is_capture else UNLIMITED
    lines = count_before(feeds, start)
    numbers = zip(start.tolist(), behind.tolist(), lines.tolist(), row.tolist(), strict=True)
    return [Handed(*places, Kind.ROW, columns, b"") for places in numbers]


def regular_rows(rules: FileRules, batch: Batch, feeds: Index, kind: Kind, columns: Sequence[int]) -> list[Handed]:
    """Hand out regular rows, with the bounds of their key columns where these help."""
    bounds = [b""] * len(batch.row)
    if kind is not Kind.ROW and not rules.values.is_sql:
        bounds = _packed_bounds(rules, batch)
    numbers = zip(
        batch.start.tolist(),
        batch.behind.tolist(),
        count_before(feeds, batch.start).tolist(),
        batch.row.tolist(),
        [kind] * len(batch.row),
        columns,
        bounds,
        strict=True,
    )
    return [Handed(*places) for places in numbers]


def _packed_bounds(rules: FileRules, batch: Batch) -> list[bytes]:
    pairs = np.zeros((len(batch.row), 2 * len(rules.places)), np.uint32)
    for number, place in enumerate(rules.places):
        if place >= 0:
            bounds = batch.fields.bounds(place)
            pairs[:, 2 * number] = bounds.start - batch.start
            pairs[:, 2 * number + 1] = bounds.stop - bounds.start
    return [row.tobytes() for row in pairs]


def hard_rows(rules: FileRules, batch: Batch, feeds: Index, columns: Sequence[Column]) -> list[Handed]:
    """Hand out the rows that have values to be made elsewhere."""
    if not columns:
        return []
    bits = hard_bits(columns)
    chosen = np.flatnonzero(bits)
    if not len(chosen):
        return []
    kind = Kind.ROW if rules.values.is_sql else Kind.VALUE
    return regular_rows(rules, batch.of(chosen), feeds, kind, bits[chosen].tolist())
