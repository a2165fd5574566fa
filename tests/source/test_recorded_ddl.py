"""Every recorded definition: the keys and columns that a real TiDB made of it, or its refusal."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from safe_lightning.source.schema import Schema
from safe_lightning.source.schema_charset import CharsetRules
from safe_lightning.source.schema_model import KeyDefinition, TableDefinition
from safe_lightning.source.schema_tokens import SchemaError

DDL = Path(__file__).resolve().parents[1] / "oracle" / "unique_ddl.jsonl"
VALUES = DDL.with_name("key_equality.jsonl.gz")
RECORDS = [json.loads(line) for line in DDL.read_text().splitlines()]


def applied(record: dict[str, Any]) -> Schema:
    sql_mode = frozenset((record.get("sql_mode") or "").split(","))
    schema = Schema(rules=CharsetRules(new_collation=record["new_collation"]), sql_mode=sql_mode)
    schema.set_options(record.get("database_options") or "")
    for statement in record["statements"]:
        schema.apply(statement)
    return schema


def by_id(records: list[dict[str, Any]]) -> dict[str, Any]:
    return {"argvalues": records, "ids": [record["id"] for record in records]}


@pytest.mark.parametrize("record", **by_id([record for record in RECORDS if record["error"] is None]))
def test_keys_and_columns_are_the_servers(record: dict[str, Any]) -> None:
    schema = applied(record)
    assert set(schema.tables) == set(record["tables"])
    for name, expected in record["tables"].items():
        found = schema.table(name)
        assert found is not None
        assert found.collation == expected["table_collation"]
        assert keys_of(found) == {key["name"]: recorded_key(key) for key in expected["unique_keys"]}
        assert columns_of(found, schema) == [recorded_column(column, schema) for column in expected["columns"]]


@pytest.mark.parametrize("record", **by_id([record for record in RECORDS if record["error"] is not None]))
def test_nothing_is_concluded_from_what_the_server_refuses(record: dict[str, Any]) -> None:
    try:
        schema = applied(record)
    except SchemaError:
        return
    keys = [key for table in schema.tables.values() for key in table.unique_keys]
    assert all(key.not_checked for key in keys)


def test_every_recorded_key_type_is_understood() -> None:
    definitions = {
        (record["new_collation"], json.dumps(record["type"]), record["key"])
        for record in map(json.loads, gzip.decompress(VALUES.read_bytes()).splitlines())
    }
    failed = []
    for new_collation, written, key in sorted(definitions):
        types = json.loads(written)
        columns = [("c", types)] if isinstance(types, str) else [(f"c{n}", one) for n, one in enumerate(types, 1)]
        statement = f"create table t ({', '.join(map(' '.join, columns))}, {key})"
        schema = Schema(rules=CharsetRules(new_collation=new_collation))
        try:
            schema.apply(statement)
        except SchemaError as error:
            failed.append(f"{statement}: {error}")
            continue
        (found,) = schema.tables["t"].unique_keys
        failed += [statement] if found.not_checked else []
    assert len(definitions) > 1000
    assert failed == []


def keys_of(table: TableDefinition) -> dict[str, Any]:
    def parts(key: KeyDefinition) -> list[tuple[str | None, int | None, bool | None]]:
        columns = [table.column(part.column) if part.column else None for part in key.parts]
        return [
            (part.column, part.prefix, column.is_nullable if column else None)
            for part, column in zip(key.parts, columns, strict=True)
        ]

    return {
        key.name: (key.is_visible, key.is_clustered, key.is_global, parts(key), is_computed(key, table))
        for key in table.unique_keys
    }


def is_computed(key: KeyDefinition, table: TableDefinition) -> bool:
    columns = [table.column(part.column) if part.column else None for part in key.parts]
    expected = any(column is None or column.generated for column in columns)
    assert bool(key.not_checked) == expected
    return any(column is None for column in columns)


def recorded_key(key: dict[str, Any]) -> Any:
    parts = [
        (part["column"], part["sub_part"], part["nullable"]) if part["expression"] is None else (None, None, None)
        for part in key["parts"]
    ]
    has_expression = any(part["expression"] is not None for part in key["parts"])
    return key["visible"], key["clustered"], key["global"], parts, has_expression


def columns_of(table: TableDefinition, schema: Schema) -> list[Any]:
    return [
        (column.name, column.is_nullable, column.type, column.generated, column.auto == "increment")
        for column in table.columns
    ]


def recorded_column(column: dict[str, Any], schema: Schema) -> Any:
    again = Schema(rules=schema.rules)
    collate = f" collate {column['collation']}" if column["collation"] else ""
    again.apply(f"create table x (c {column['type']}{collate})")
    (read,) = again.tables["x"].columns
    extra = column["extra"].lower()
    generated = extra.split()[0] if "stored generated" in extra or "virtual generated" in extra else ""
    return column["name"], column["nullable"], read.type, generated, "auto_increment" in extra
