"""A table set aside by policy instead of dropped, through the whole wrapper into a real server."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
from mariadb import MariaDB

from .conftest import ALLOW, QUARANTINE, ROWS, SCHEMA, Import


def aside(made: Import) -> str:
    """Return the one name that a table was given."""
    (name,) = [name for name in made.tables() if "__sl_" in name]
    return name


def test_what_failed_is_aside_and_the_import_begins_anew(failed: Import) -> None:
    partial = failed.tables()["items"]
    failed.policy(**QUARANTINE)
    ended = failed.run()
    assert ended.returncode == 0, ended.stderr.decode()
    name = aside(failed)
    assert failed.tables() == {"items": ROWS, name: partial}
    ((action, result),) = failed.steps()
    assert action == "quarantine"
    assert result == f"done: `app`.`items` is now `app`.`{name}`, and its entry is gone"
    (listed,) = failed.listed()
    assert (listed["table"], listed["original"], listed["rows"]) == (f"`app`.`{name}`", "`app`.`items`", partial)
    assert listed["table"].endswith(f"__sl_{listed['run']}`")


def test_the_plan_names_what_it_will_be_called(failed: Import) -> None:
    failed.policy(**QUARANTINE)
    ended = failed.run()
    plan = json.loads((max((failed.state / "runs").iterdir()) / "plan.json").read_text())
    assert plan["steps"][0]["into"] == f"`app`.`{aside(failed)}`"
    assert plan["steps"][0]["into"].encode() in ended.stderr


def test_a_dry_run_shows_it_and_renames_nothing(failed: Import) -> None:
    before = failed.tables(), failed.checkpoint
    failed.policy(**QUARANTINE, dry_run=True)
    assert failed.run().returncode == 88
    assert (failed.tables(), failed.checkpoint, failed.listed()) == (*before, [])
    assert failed.steps()[0][1].startswith("planned: ")


def test_a_table_that_stood_there_empty_is_made_again_with_its_own_definition(made: Import) -> None:
    made.server.run("CREATE SCHEMA app", f"CREATE TABLE app.items ({SCHEMA}, KEY hers (code, id))")
    made.fail()
    made.policy(**QUARANTINE)
    ended = made.run()
    assert ended.returncode == 0, ended.stderr.decode()
    assert made.tables()["items"] == ROWS
    assert "hers" in str(made.server.run("SHOW CREATE TABLE app.items"))


def test_a_table_with_rows_from_before_is_never_renamed(made: Import) -> None:
    made.server.run("CREATE SCHEMA app", f"CREATE TABLE app.items ({SCHEMA})", "INSERT INTO app.items VALUES (77, 'x')")
    made.fail()
    before = made.tables(), made.checkpoint
    made.policy(**QUARANTINE)
    assert made.run().returncode == 88
    assert (made.tables(), made.checkpoint) == before
    assert made.steps()[0][1].startswith("refused: safety law 1: `app`.`items` had rows before")


def test_a_refused_rename_is_one_error_and_changes_nothing(made: Import) -> None:
    made.server.run(
        "CREATE SCHEMA app", "CREATE OR REPLACE USER loader@'127.0.0.1' IDENTIFIED BY 'pw'",
        "GRANT SELECT ON *.* TO loader@'127.0.0.1'", "GRANT INSERT, CREATE ON app.* TO loader@'127.0.0.1'",
    )  # fmt: skip
    made.user, made.password = "loader", "pw"
    made.write_task()
    made.fail()
    before = made.tables(), made.checkpoint
    made.policy(**QUARANTINE)
    assert made.run().returncode == 88
    assert (made.tables(), made.checkpoint, made.listed()) == (*before, [])
    ((_, result),) = made.steps()
    assert result.startswith("failed: MySQL server 127.0.0.1:")
    assert "command denied to user" in result
    assert result.endswith("nothing was changed")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE TABLE app.child (i bigint, CONSTRAINT fk FOREIGN KEY (i) REFERENCES app.items (id))", "key fk"),
        ("CREATE TRIGGER app.watch AFTER DELETE ON app.items FOR EACH ROW SET @a = 1", "trigger watch"),
    ],
)  # fmt: skip
def test_what_would_follow_the_table_forbids_it(failed: Import, statement: str, said: str) -> None:
    failed.server.run(statement)
    before = failed.tables(), failed.checkpoint
    failed.policy(**QUARANTINE)
    assert failed.run().returncode == 88
    assert (failed.tables(), failed.checkpoint) == before
    assert f"{said} would follow it" in failed.steps()[0][1]


def test_a_remedy_sets_aside_and_tries_again(made: Import) -> None:
    """The first attempt fails by a collision; nothing mends it, so the second one does as well."""
    rule = {"cause": "any", "action": "quarantine", "then": "retry", "least_confidence": 0.0}
    made.policy(remedy=[rule], **QUARANTINE)
    assert made.run().returncode == 1
    assert made.run().returncode == 1
    assert [name.partition("__sl_")[0] for name in made.tables()] == ["items", "items"]


@pytest.mark.parametrize("limits", [{"require_fingerprint": True}, {"require_empty_before": True}])
def test_limits_that_are_kept_let_it_be_done(failed: Import, limits: dict[str, Any]) -> None:
    failed.policy(checkpoint={**QUARANTINE["checkpoint"], **limits})
    ended = failed.run()
    assert ended.returncode == 0, ended.stderr.decode()


def test_the_verbs_documents_fit_their_schema(failed: Import) -> None:
    failed.policy(**QUARANTINE, **ALLOW)
    failed.run()
    schema = json.loads((resources.files("safe_lightning") / "schemas" / "quarantine.json").read_text())
    for words in (["list"], ["restore", "`app`.`items`"], ["purge", "--older-than", "0s"]):
        jsonschema.validate(json.loads(failed.verb(*words, "--json").stdout), schema)


def test_the_server_never_overwrites(server: MariaDB, made: Import) -> None:
    from recorded_stores import server_of

    from safe_lightning.core.tables import TableName
    from safe_lightning.lightning.mysql_connection import ServerRefused
    from safe_lightning.lightning.renaming import set_aside

    server.run("CREATE SCHEMA app", "CREATE TABLE app.a (i int)", "CREATE TABLE app.b (i int)")
    server.run("INSERT INTO app.a VALUES (1)", "INSERT INTO app.b VALUES (2), (3)")
    with pytest.raises(ServerRefused) as refused:
        set_aside(server_of(server), TableName("app", "a"), TableName("app", "b"), recreate=True, timeout_seconds=10)
    assert refused.value.code == 1050
    assert made.tables() == {"a": 1, "b": 2}
