"""[[routes]]: several source tables may become one."""

from __future__ import annotations

import tomllib

import pytest

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.source.findings import ConfigProblem
from safe_lightning.source.table_routes import RouteConflict, TableRoutes, read_table_routes, routed


def routes(*rules: str, mydumper: str = "") -> TableRoutes:
    text = f"[mydumper]\n{mydumper}\n" + "".join(f"[[routes]]\n{rule}\n" for rule in rules)
    return read_table_routes(tomllib.loads(text))


SHARDS = "schema-pattern='shard_*'\ntable-pattern='t?'\ntarget-schema='all'\ntarget-table='t'"
SCHEMAS = "schema-pattern='shard_*'\ntarget-schema='other'"


@pytest.mark.parametrize(
    ("rules", "source", "target"),
    [
        ((SHARDS,), ("shard_1", "t1"), ("all", "t")),
        ((SHARDS,), ("SHARD_1", "T1"), ("all", "t")),
        ((SHARDS,), ("shard_1", "t12"), ("shard_1", "t12")),
        ((SHARDS,), ("shard_1", ""), ("shard_1", "")),
        ((SHARDS, SCHEMAS), ("shard_1", "t1"), ("all", "t")),
        ((SHARDS, SCHEMAS), ("shard_1", "x"), ("other", "x")),
        ((SCHEMAS,), ("shard_1", ""), ("other", "")),
        (("schema-pattern='~^s(1|2)$'\ntarget-schema='n'",), ("S2", "x"), ("n", "x")),
        (("schema-pattern='a[0-9]'\ntarget-schema='n'",), ("a7", "x"), ("n", "x")),
        (("schema-pattern='a[!0-9]'\ntarget-schema='n'",), ("a7", "x"), ("a7", "x")),
        (("schema-pattern='a[!]'\ntarget-schema='n'",), ("a!", "x"), ("n", "x")),
        (("schema-pattern='a['\ntarget-schema='n'",), ("a[", "x"), ("n", "x")),
        (("schema-pattern='*'\ntarget-schema='n'",), ("", "x"), ("n", "x")),
        (("schema-pattern='s'\ntable-pattern='*'\ntarget-schema='n'",), ("s", "x"), ("n", "x")),
        ((), ("s", "x"), ("s", "x")),
    ],
)
def test_targets(rules: tuple[str, ...], source: tuple[str, str], target: tuple[str, str]) -> None:
    assert routes(*rules).target(TableName(*source)) == TableName(*target)


def test_case_counts_where_the_run_says_so() -> None:
    found = routes(SHARDS, mydumper="case-sensitive = true")
    assert found.target(TableName("SHARD_1", "t1")) == TableName("SHARD_1", "t1")


@pytest.mark.parametrize("rules", [(SHARDS, SHARDS), (SCHEMAS, SCHEMAS)])
def test_two_routes_of_a_level_are_a_conflict(rules: tuple[str, ...]) -> None:
    with pytest.raises(RouteConflict, match="more than one rule"):
        routes(*rules).target(TableName("shard_1", "t1"))


def test_shards_are_grouped_by_target() -> None:
    names = [TableName("shard_1", "t1"), TableName("shard_2", "t1"), TableName("x", "y")]
    assert routed(names, routes(SHARDS)) == {TableName("all", "t"): names[:2], TableName("x", "y"): names[2:]}


def test_constants_are_extracted_in_lightnings_order() -> None:
    rule = SHARDS + (
        "\n[routes.extract-schema]\nschema-regexp='shard_(.*)'\ntarget-column='c_schema'"
        "\n[routes.extract-table]\ntable-regexp='(t)(.)'\ntarget-column='c_table'"
        "\n[routes.extract-source]\nsource-regexp='x(y)?'\ntarget-column='c_source'"
    )
    found = routes(rule, mydumper="source-id = 'x'")
    assert found.constants(TableName("shard_7", "t1")) == (("c_table", "t1"), ("c_schema", "7"), ("c_source", ""))
    assert found.constants(TableName("other", "t1")) == ()


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("schema-pattern='a*b'\ntarget-schema='n'", "not valid"),
        ("target-schema='n'", "must be set"),
        ("schema-pattern='a'", "must be set"),
        ("schema-pattern='~(?=a)'\ntarget-schema='n'", "Perl"),
    ],
)
def test_routes_that_lightning_refuses(rule: str, words: str) -> None:
    with pytest.raises(ConfigProblem, match=words):
        routes(rule)


def test_routes_and_own_file_rules_exclude_each_other() -> None:
    with pytest.raises(ConfigProblem, match="can't config both"):
        routes(SHARDS, mydumper="files = [{pattern = 'a', type = 'ignore'}]")


def test_a_pattern_that_cannot_be_reproduced_is_not_guessed() -> None:
    with pytest.raises(CouldNotLook):
        routes("schema-pattern='~\\pL'\ntarget-schema='n'")
