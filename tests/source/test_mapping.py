"""Which field goes into which column, and what rows of another length become."""

from __future__ import annotations

import tomllib

import pytest

from safe_lightning.core.columns import Backend
from safe_lightning.core.tables import TableName
from safe_lightning.source.findings import ConfigProblem, Level
from safe_lightning.source.mapping import (
    Missing,
    Origin,
    UnknownColumns,
    field_count_finding,
    ignored_columns,
    map_columns,
)
from safe_lightning.source.schema import Schema
from safe_lightning.source.schema_model import TableDefinition


def table(columns: str) -> TableDefinition:
    schema = Schema()
    schema.apply(f"create table t ({columns})")
    found = schema.table("t")
    assert found is not None
    return found


PLAIN = table("Id int primary key, a int, b int")
GENERATED = table("a int, g int as (a + 1), b int, key (a)")
ABSENT, IGNORED, COMPUTED = Origin.ABSENT, Origin.IGNORED, Origin.GENERATED


@pytest.mark.parametrize(
    ("definition", "names", "ignored", "places"),
    [
        (PLAIN, None, (), (0, 1, 2)),
        (PLAIN, ("b", "id", "a"), (), (1, 2, 0)),
        (PLAIN, ("id",), (), (0, ABSENT, ABSENT)),
        (PLAIN, ("id", "a", "a"), (), (0, 2, ABSENT)),
        (PLAIN, ("id", "a", "b"), ("a",), (0, IGNORED, 2)),
        (PLAIN, ("id", "x", "b"), ("x",), (0, ABSENT, 2)),
        (PLAIN, None, ("a",), (0, IGNORED, 2)),
        (GENERATED, None, (), (0, COMPUTED, 2)),
        (GENERATED, ("a", "g", "b"), (), (0, COMPUTED, 2)),
        (GENERATED, ("a", "b"), (), (0, COMPUTED, 1)),
    ],
)
def test_places(
    definition: TableDefinition, names: tuple[str, ...] | None, ignored: tuple[str, ...], places: tuple[object, ...]
) -> None:
    assert map_columns(definition, names, ignored).places == places


@pytest.mark.parametrize("names", [("id", "x"), ("id", "b "), ("id", ""), ("ID",)])
def test_unknown_columns_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(UnknownColumns, match="unknown columns in header"):
        map_columns(PLAIN, names)


def test_the_row_id_counts_only_where_the_table_uses_it() -> None:
    assert map_columns(PLAIN, ("id", "_tidb_rowid")).row_id is None
    assert map_columns(GENERATED, ("a", "_tidb_rowid")).row_id == 1
    assert map_columns(GENERATED, ("a", "_tidb_rowid")).row_id_of([1, 7]) == 7
    assert map_columns(GENERATED, ("a",)).row_id_of([1]) == Missing(ABSENT)


def test_values_of_a_row() -> None:
    mapping = map_columns(GENERATED, ("b", "a"))
    assert [mapping.value([b"1", None], column) for column in range(3)] == [None, Missing(COMPUTED), b"1"]
    assert mapping.value([b"1"], 0) == Missing(ABSENT)


def test_constants_stand_behind_the_fields_of_the_row_as_it_is() -> None:
    definition = table("a int, b int, shard varchar(9)")
    mapping = map_columns(definition, None, (), (("shard", "7"),), first_row_fields=2)
    assert [mapping.value([1, 2], column) for column in range(3)] == [1, 2, b"7"]
    assert [mapping.value([1], column) for column in range(3)] == [1, b"7", Missing(ABSENT)]
    assert [mapping.value([1, 2, 3], column) for column in range(3)] == [1, 2, 3]


def test_a_constant_fits_a_column_only_in_its_own_case() -> None:
    assert map_columns(table("a int, Shard int"), ("a",), (), (("shard", "7"),)).places == (0, ABSENT)


@pytest.mark.parametrize(
    ("backend", "count", "code", "level"),
    [
        (Backend.PHYSICAL, 3, None, None),
        (Backend.PHYSICAL, 2, "missing-fields", Level.WARN),
        (Backend.PHYSICAL, 9, "surplus-fields", Level.WARN),
        (Backend.LOGICAL, 3, None, None),
        (Backend.LOGICAL, 2, "wrong-field-count", Level.ERROR),
        (Backend.LOGICAL, 4, "surplus-fields", Level.WARN),
        (Backend.LOGICAL, 5, "wrong-field-count", Level.ERROR),
    ],
)
def test_rows_of_another_length(backend: Backend, count: int, code: str | None, level: Level | None) -> None:
    found = field_count_finding(map_columns(PLAIN, ("id", "a", "b")), count, len(PLAIN.columns), backend)
    assert (found.code if found else None, found.level if found else None) == (code, level)


IGNORE = "[[mydumper.ignore-columns]]\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (IGNORE + "db='s'\ntable='t'\ncolumns=['A','b']", ("a", "b")),
        (IGNORE + "db='S'\ntable='T'\ncolumns=['a']", ()),
        ("[mydumper]\ncase-sensitive=true\n" + IGNORE + "db='S'\ntable='T'\ncolumns=['a']", ("a",)),
        (IGNORE + "table-filter=['s.*']\ncolumns=['a']", ("a",)),
        (IGNORE + "table-filter=['S.*']\ncolumns=['a']", ()),
        (IGNORE + "db='s'\ntable='t'\ncolumns=['a']\n" + IGNORE + "table-filter=['*.*']\ncolumns=['b']", ("a",)),
        ("[[mydumper.ignore-data-columns]]\ndb='s'\ntable='t'\ncolumns=['a']", ()),
        ("", ()),
    ],
)
def test_ignored_columns(text: str, expected: tuple[str, ...]) -> None:
    assert ignored_columns(tomllib.loads(text), TableName("S", "T")) == expected


@pytest.mark.parametrize("text", ["[mydumper]\nignore-columns=1", IGNORE + "table-filter=['bad']\ncolumns=['a']"])
def test_ignored_columns_that_lightning_refuses(text: str) -> None:
    with pytest.raises(ConfigProblem, match="ignore"):
        ignored_columns(tomllib.loads(text), TableName("s", "t"))
