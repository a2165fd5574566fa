"""Many tables of a target are looked at in few statements, with the answers that one look at each would give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from mariadb import MariaDB, free_port
from recorded_stores import server_of
from test_checkpoint_hook_mysql import HOSTILE

from safe_lightning.core.checkpoint import TableRecord
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableFacts
from safe_lightning.leftover import look_at_tables
from safe_lightning.lightning.task import Server, Task
from safe_lightning.lightning.tidb import open_target
from safe_lightning.policy.model import Policy
from safe_lightning.services import EngineServices

FILLED, EMPTY, VIEW, GONE = (TableName("many", name) for name in ("filled", "empty", "seen", "gone"))


@pytest.fixture
def target(server: MariaDB) -> Iterator[MariaDB]:
    """A schema with a table of each kind; what a test adds to it goes with it."""
    server.run(
        "CREATE SCHEMA many", f"CREATE TABLE {FILLED} (a INT)", f"INSERT INTO {FILLED} VALUES (1), (2)",
        f"CREATE TABLE {EMPTY} (a INT)", f"CREATE VIEW {VIEW} AS SELECT * FROM {FILLED}",
    )  # fmt: skip
    yield server
    for schema in ("many", "select", "app", "a.b"):
        server.run(f"DROP SCHEMA IF EXISTS `{schema}`")


def look_together(server: MariaDB, names: Sequence[TableName]) -> dict[TableName, TableFacts]:
    with open_target(server_of(server), 20.0) as target:
        facts, reasons = target.look_at(names)
    assert reasons == ()
    return facts


def look_alone(server: MariaDB, names: Sequence[TableName]) -> dict[TableName, TableFacts]:
    with open_target(server_of(server), 20.0) as target:
        return {name: target.table(name) for name in names}


def without_time(facts: dict[TableName, TableFacts]) -> dict[TableName, TableFacts]:
    # A time is moved to this machine's clock by a difference that each session measures anew.
    return {name: replace(fact, created_at=None if fact.created_at is None else 0.0) for name, fact in facts.items()}


def test_each_kind_of_table_is_told_as_by_a_look_at_it_alone(target: MariaDB) -> None:
    names = [FILLED, EMPTY, VIEW, GONE]
    facts = look_together(target, names)
    assert without_time(facts) == without_time(look_alone(target, names))
    assert [(facts[name].exists, facts[name].is_empty) for name in names] == [
        (True, False), (True, True), (True, None), (False, None),
    ]  # fmt: skip


def test_hostile_names_are_looked_up_as_they_are(target: MariaDB) -> None:
    for name in HOSTILE:
        schema = name.schema.replace("`", "``")
        target.run(f"CREATE SCHEMA IF NOT EXISTS `{schema}`", f"CREATE TABLE {name} (a INT)")
    target.run(f"INSERT INTO {HOSTILE[2]} VALUES (1)")
    facts = look_together(target, HOSTILE)
    assert without_time(facts) == without_time(look_alone(target, HOSTILE))
    assert [name for name in HOSTILE if facts[name].is_empty is False] == [HOSTILE[2]]


def test_names_that_a_collation_takes_for_equal_are_told_apart(target: MariaDB) -> None:
    names = [TableName("many", name) for name in ("cafe", "café", "CAFE", "filled")]
    for name in names[:3]:
        target.run(f"CREATE TABLE {name} (a INT)")
    target.run(f"INSERT INTO {names[1]} VALUES (1)")
    facts = look_together(target, [*names, EMPTY])
    assert [facts[name].is_empty for name in names] == [True, False, True, False]


def selects(server: MariaDB) -> int:
    [(_, count)] = server.run("SHOW GLOBAL STATUS LIKE 'Com_select'")
    return int(str(count))


def test_the_number_of_statements_does_not_grow_with_that_of_tables(target: MariaDB) -> None:
    names = [TableName("many", f"t{number:03}") for number in range(300)]
    target.run(*(f"CREATE TABLE {name} (a INT)" for name in names[:200]))
    before = selects(target)
    facts = look_together(target, names)
    assert selects(target) - before <= 10
    assert sum(fact.exists for fact in facts.values()) == 200


@pytest.fixture
def clerk(target: MariaDB) -> Iterator[Server]:
    """Somebody who may read two tables, may only add to a third, and knows nothing of any other."""
    target.run(
        "CREATE USER clerk@'127.0.0.1' IDENTIFIED BY 'x'", f"GRANT SELECT ON {FILLED} TO clerk@'127.0.0.1'",
        f"GRANT SELECT ON {EMPTY} TO clerk@'127.0.0.1'", "CREATE TABLE many.locked (a INT)",
        "GRANT INSERT ON many.locked TO clerk@'127.0.0.1'", "CREATE TABLE many.hidden (a INT)",
    )  # fmt: skip
    root = server_of(target)
    yield replace(root, user="clerk", password=type(root.password)("x"))
    target.run("DROP USER clerk@'127.0.0.1'")


def test_a_table_that_cannot_be_read_or_seen_does_not_hide_the_others(clerk: Server) -> None:
    locked, hidden = TableName("many", "locked"), TableName("many", "hidden")
    with open_target(clerk, 20.0) as target:
        facts, reasons = target.look_at([FILLED, locked, EMPTY, hidden])
    assert {name: fact.is_empty for name, fact in facts.items()} == {FILLED: False, EMPTY: True, locked: None}
    (reason,) = reasons
    assert "refused (1142)" in reason
    assert "hidden" in reason


def test_what_is_hidden_is_not_said_to_be_gone(clerk: Server) -> None:
    with open_target(clerk, 20.0) as target, pytest.raises(CouldNotLook, match="1142"):
        target.table(TableName("many", "hidden"))


def test_a_target_out_of_reach_tells_nothing_of_any(target: MariaDB) -> None:
    gone = Task(argv=(), cwd=None, target=Server(port=free_port()))  # type: ignore[arg-type]
    facts, reasons = look_at_tables(EngineServices(gone, Policy()), [TableRecord(FILLED, 30), TableRecord(EMPTY, 30)])
    assert facts is None
    assert "cannot be reached" in reasons[0]
