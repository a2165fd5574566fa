"""Keys of the source against the rows that stand in the target; MariaDB speaks the same protocol."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from mariadb import MariaDB
from source_folder import NO_HEADER, no_target, only_key, only_table, write
from target_rows import IN_TARGET, OPTIONS, STRICT, compare, engines, source
from verb_calls import call, document

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_model import FileCheckpoint, FileTable, encode
from safe_lightning.lightning.task import Server
from safe_lightning.scan.cache import ScanCache
from safe_lightning.scan.existing_rows import RowsOfTarget
from safe_lightning.scan.model import Engine, KeyStatus, Limits, ScanMode, Why
from safe_lightning.scan.plan import plan_scan
from safe_lightning.scan.run import ScanWatch, run_scan
from safe_lightning.scan.target import ask_target
from safe_lightning.scan.task_scan import scan_plan
from safe_lightning.source.settings import SourceSettings


@engines
def test_a_row_that_meets_one_of_the_target_is_a_conflict(
    server: MariaDB, at: Server, tmp_path: Path, engine: Engine
) -> None:
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY, b INT)", "INSERT INTO inc.t VALUES (1,1),(2,2),(3,3)")
    found = compare(at, source(tmp_path, (b"2", b"9"), (b"02", b"8"), (b"4", b"4")), engine=engine)
    key = only_key(found)
    assert (key.status, key.duplicate_keys, key.duplicate_rows) == (KeyStatus.CONFLICTS, 1, 3)
    assert key.examples[0].rows[-1] == IN_TARGET
    assert only_table(found).rows == 3


@engines
def test_rows_of_the_target_alone_are_none(tmp_path: Path, engine: Engine) -> None:
    """A table that an earlier import damaged has duplicates of its own, which this one does not add to."""
    write(tmp_path, inc_t_schema_sql="create table t(a int primary key);", inc_t_1_csv="1\n5\n")
    write(tmp_path, inc_t_2_csv="1\n2\n2\n3\n3\n3\n")
    plan = plan_scan(SourceSettings(str(tmp_path), tmp_path, NO_HEADER), OPTIONS, no_target)
    request = plan.tables[0].request
    assert request is not None
    found = engine.scan(replace(request, existing=1), Limits(), ScanWatch(1))
    assert (found.rows, found.keys[0].duplicate_keys, found.keys[0].duplicate_rows) == (2, 1, 2)
    assert [[place.file for place in group.places] for group in found.keys[0].groups] == [[0, 1]]


@engines
def test_every_key_of_a_table_meets_its_own_rows(server: MariaDB, at: Server, tmp_path: Path, engine: Engine) -> None:
    server.run(
        "CREATE TABLE inc.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(9), "
        "UNIQUE ab (a, b), UNIQUE b (b))",
        "INSERT INTO inc.t VALUES (1, 1, 'x'), (2, NULL, 'y'), (3, 3, NULL)",
    )
    rows = [(b"9", b"1", b"x"), (b"2", b"2", b"z"), (b"10", None, b"y"), (b"11", b"3", None)]
    keys = only_table(compare(at, source(tmp_path, *rows), engine=engine)).keys
    assert {key.name: (key.duplicate_keys, key.duplicate_rows) for key in keys} == {
        "PRIMARY": (1, 2), "ab": (1, 2), "b": (2, 4)
    }  # fmt: skip


@engines
def test_generated_ids_do_not_meet_those_that_stand_there(
    server: MariaDB, at: Server, tmp_path: Path, engine: Engine
) -> None:
    server.run(
        "CREATE TABLE inc.t (id BIGINT AUTO_INCREMENT PRIMARY KEY, a INT UNIQUE)", "INSERT INTO inc.t VALUES (1, 7)"
    )
    (tmp_path / "inc.t.csv").write_text("a\n7\n8\n")
    keys = only_table(compare(at, tmp_path, {"mydumper": {}}, engine=engine)).keys
    assert {key.name: key.status for key in keys} == {"PRIMARY": KeyStatus.CLEAN, "a": KeyStatus.CONFLICTS}


def test_a_row_left_out_of_one_key_makes_the_others_not_checked(server: MariaDB, at: Server, tmp_path: Path) -> None:
    server.run(
        "SET sql_mode = ''",
        "CREATE TABLE inc.t (a INT PRIMARY KEY, d DATE NOT NULL UNIQUE)",
        "INSERT INTO inc.t VALUES (1, '0000-00-00')",
    )
    keys = only_table(compare(at, source(tmp_path, (b"1", b"2024-01-01")), STRICT)).keys
    assert {key.name: key.status for key in keys} == {"PRIMARY": KeyStatus.NOT_CHECKED, "d": KeyStatus.CLEAN}


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (RowsOfTarget(Server(), 5, unreachable="it cannot be reached"), "it cannot be reached"),
        (RowsOfTarget(Server(), 5, untold={TableName("inc", "t"): "it has begun"}), "it has begun"),
        (RowsOfTarget(Server(port=1), 5), "cannot be reached"),
    ],
)
def test_a_target_that_is_not_read_is_never_clean(
    server: MariaDB, at: Server, tmp_path: Path, target: RowsOfTarget, reason: str
) -> None:
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY)")
    key = only_key(compare(at, source(tmp_path, (b"1",)), target=target))
    assert key.status is KeyStatus.NOT_CHECKED
    assert reason in str(key.reason)
    # Conflicts within the source are told all the same.
    key = only_key(compare(at, source(tmp_path, (b"1",), (b"1",)), target=target))
    assert (key.status, reason in str(key.reason)) == (KeyStatus.CONFLICTS, True)


def test_a_table_that_does_not_exist_has_no_rows(at: Server, tmp_path: Path) -> None:
    write(tmp_path, inc_t_schema_sql="create table t(a int primary key);", inc_t_csv="1\n")
    key = only_key(compare(at, tmp_path))
    assert (key.status, key.reason) == (KeyStatus.CLEAN, None)


def test_a_column_that_the_task_ignores_cannot_be_compared(server: MariaDB, at: Server, tmp_path: Path) -> None:
    server.run("CREATE TABLE inc.t (a INT NOT NULL DEFAULT 7, b INT, UNIQUE (a, b))", "INSERT INTO inc.t VALUES (1, 1)")
    config = {"mydumper": {"ignore-columns": [{"db": "inc", "table": "t", "columns": ["a"]}]}}
    (tmp_path / "inc.t.csv").write_text("a,b\n1,1\n")
    key = only_key(compare(at, tmp_path, config))
    assert (key.status, "ignores column a" in str(key.reason)) == (KeyStatus.NOT_CHECKED, True)


def filled(server: MariaDB, rows: int) -> None:
    server.run(
        "CREATE TABLE inc.t (a INT PRIMARY KEY, b VARCHAR(200) UNIQUE)",
        f"INSERT INTO inc.t SELECT seq, CONCAT(REPEAT('x', 180), seq) FROM inc.seq_1_to_{rows}",
    )


def test_a_server_that_goes_away_while_it_is_read_leaves_what_was_found(
    server: MariaDB, at: Server, tmp_path: Path
) -> None:
    filled(server, 200_000)

    def cut(_table: TableName, _read: int, _to_read: int) -> None:
        for (number,) in server.run(
            "SELECT id FROM information_schema.processlist WHERE info LIKE 'SELECT `a`%' AND command = 'Query'"
        ):
            server.run(f"KILL {number}")

    watch = ScanWatch(1, cut)
    key, other = only_table(compare(at, source(tmp_path, (b"1", b"y"), (b"200000", b"z")), watch=watch)).keys
    assert (key.status, key.duplicate_keys) == (KeyStatus.CONFLICTS, 1)
    assert "not read to the end" in str(key.reason)
    assert other.status is KeyStatus.NOT_CHECKED


def test_a_stop_while_the_target_is_read_ends_at_once(server: MariaDB, at: Server, tmp_path: Path) -> None:
    filled(server, 200_000)
    watch = ScanWatch(1)
    watch.progress = lambda _table, _read, _to_read: watch.stop.set()
    keys = only_table(compare(at, source(tmp_path, (b"1", b"y")), watch=watch)).keys
    assert {key.status for key in keys} == {KeyStatus.NOT_CHECKED}
    deadline = time.monotonic() + 30
    while server.run("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'SELECT `a`%'") != [(0,)]:
        assert time.monotonic() < deadline, "the server is still answering"


def test_a_table_altered_meanwhile_is_not_read(server: MariaDB, at: Server, tmp_path: Path) -> None:
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY)", "INSERT INTO inc.t VALUES (1)")
    settings = SourceSettings(str(tmp_path), source(tmp_path, (b"1",)), NO_HEADER)
    plan = plan_scan(settings, OPTIONS, lambda tables: ask_target(at, tables, 5))
    server.run("ALTER TABLE inc.t MODIFY a VARCHAR(9)")
    key = only_key(run_scan(replace(plan, target=RowsOfTarget(at, 5)), OPTIONS, ScanWatch(plan.bytes)))
    assert (key.status, "was altered" in str(key.reason)) == (KeyStatus.NOT_CHECKED, True)


def test_rows_that_come_in_meanwhile_do_not_alter_the_table(server: MariaDB, at: Server, tmp_path: Path) -> None:
    server.run("CREATE TABLE inc.t (a INT AUTO_INCREMENT PRIMARY KEY)", "INSERT INTO inc.t VALUES (1)")
    settings = SourceSettings(str(tmp_path), source(tmp_path, (b"7",)), NO_HEADER)
    plan = plan_scan(settings, OPTIONS, lambda tables: ask_target(at, tables, 5))
    server.run("INSERT INTO inc.t VALUES (7)")
    key = only_key(run_scan(replace(plan, target=RowsOfTarget(at, 5)), OPTIONS, ScanWatch(plan.bytes)))
    assert (key.status, key.reason) == (KeyStatus.CONFLICTS, None)


@engines
def test_a_sample_keeps_the_same_slice_on_both_sides(
    server: MariaDB, at: Server, tmp_path: Path, engine: Engine
) -> None:
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY)", "INSERT INTO inc.t SELECT seq FROM inc.seq_1_to_400")
    options = replace(OPTIONS, mode=ScanMode.SAMPLE, sample_fraction=0.5)
    rows = [(b"%d" % number,) for number in range(1, 401)]
    key = only_key(compare(at, source(tmp_path, *rows), options=options, engine=engine))
    assert 0 < key.duplicate_keys < 400
    assert {example.rows[-1] for example in key.examples} == {IN_TARGET}


def test_why_a_row_of_the_target_is_equal_is_told(server: MariaDB, at: Server, tmp_path: Path) -> None:
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY)", "INSERT INTO inc.t VALUES (1), (2)")
    key = only_key(compare(at, source(tmp_path, (b"1",), (b"02",))))
    assert [(example.key, example.why) for example in key.examples] == [
        (("1",), Why.IN_TARGET), (("2",), Why.AFTER_CAST)
    ]  # fmt: skip


def test_the_rows_of_the_target_are_no_rows_of_the_import(server: MariaDB, at: Server, tmp_path: Path) -> None:
    filled(server, 3000)
    rows = [(b"%d" % number, b"%d" % number) for number in range(5000, 30_000)]
    table = only_table(compare(at, source(tmp_path, *rows)))
    codes = [finding.code for finding in table.findings]
    assert (table.rows, table.files, table.status, codes) == (25_000, 1, KeyStatus.CLEAN, ["no-schema-file"])


def test_the_verb_looks_at_the_target_where_it_is_asked_to(server: MariaDB, at: Server, tmp_path: Path) -> None:
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY)", "INSERT INTO inc.t VALUES (1), (2)")
    (tmp_path / "data").mkdir()
    source(tmp_path / "data", (b"2",), (b"3",))
    write_task(tmp_path, at)
    told = document(call(tmp_path, "--json", "--", "--config", "task.toml"))
    assert [key["status"] for key in told["tables"][0]["keys"]] == ["clean"]
    ended = call(tmp_path, "--json", "--include-target", "--", "--config", "task.toml")
    told = document(ended)
    [example] = told["tables"][0]["keys"][0]["examples"]
    assert (ended.returncode, example["key"], example["why"]) == (65, ["2"], "in-target")
    assert example["rows"][1] == {"file": "target `inc`.`t`", "line": None, "offset": None, "row": None}
    assert "Held against the 2 rows of 1 table that stand in the target as well." in told["notes"]
    shown = call(tmp_path, "--include-target", "--html", "c.html", "--csv", "c.csv", "--", "--config", "task.toml")
    assert "            target `inc`.`t`\n" in shown.stdout
    assert "target `inc`.`t`,,,\n" in (tmp_path / "c.csv").read_text()


def write_task(folder: Path, at: Server, checkpoint: str = "[checkpoint]\nenable = false\n") -> None:
    (folder / "task.toml").write_text(
        f"[mydumper]\ndata-source-dir = '{folder / 'data'}'\n[mydumper.csv]\nheader = false\n"
        f"[tidb]\nhost = '{at.host}'\nport = {at.port}\nuser = 'root'\n"
        f"password = '{at.password.reveal()}'\n{checkpoint}"
    )


def test_a_scan_with_rows_of_the_target_is_neither_kept_nor_recalled(
    server: MariaDB, at: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safe_lightning.scan.cache.WORTH_SECONDS", 0.0)
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY)", "INSERT INTO inc.t VALUES (1)")
    settings = SourceSettings(str(tmp_path), source(tmp_path, (b"1",)), NO_HEADER)
    plan = plan_scan(settings, OPTIONS, lambda tables: ask_target(at, tables, 5))
    cache = ScanCache(tmp_path / "cache")
    scan_plan(replace(plan, target=RowsOfTarget(at, 5)), OPTIONS, cache=cache)
    assert not cache.folder.exists()
    assert not scan_plan(plan, OPTIONS, cache=cache).has_conflicts
    # The result that is kept now is that of the source alone.
    assert scan_plan(replace(plan, target=RowsOfTarget(at, 5)), OPTIONS, cache=cache).has_conflicts


def test_rows_that_this_import_may_have_written_are_not_compared(server: MariaDB, at: Server, tmp_path: Path) -> None:
    server.run("CREATE TABLE inc.t (a INT PRIMARY KEY)", "INSERT INTO inc.t VALUES (1)")
    (tmp_path / "data").mkdir()
    source(tmp_path / "data", (b"1",))
    checkpoint = tmp_path / "cp.pb"
    checkpoint.write_bytes(encode(FileCheckpoint(tables={"`inc`.`t`": FileTable(status=30)})))
    write_task(tmp_path, at, f"[checkpoint]\nenable = true\ndriver = 'file'\ndsn = '{checkpoint}'\n")
    told = document(call(tmp_path, "--json", "--include-target", "--", "--config", "task.toml"))
    [key] = told["tables"][0]["keys"]
    assert (key["status"], "this import has begun the table" in key["reason"]) == ("not-checked", True)
