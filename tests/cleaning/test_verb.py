"""``clean`` on a real server: every place looked at, a plan saved and applied, and refused where it must be."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from mariadb import MariaDB

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableBaseline
from safe_lightning.lightning.engine_folders import engine_folder
from safe_lightning.record.baselines import remember

from .conftest import MAY_DROP, Leavings, acts_of, fill
from .filling import DONE, FAILED, HALF, OTHER_TASK, TASK, insert

OF_FAILED = {
    f"metadata:lightning_metadata: {FAILED}": "delete",
    f"task-info:lightning_task_info: {FAILED}": "delete",
    f"engines:{FAILED}": "delete",
    f"entry:{FAILED}": "destroy",
}
OF_ALL = {
    **OF_FAILED,
    f"metadata:lightning_metadata: {HALF}": "delete",
    f"metadata:lightning_metadata: task {TASK}": "delete",
    f"task-info:lightning_task_info: {HALF}": "delete",
    f"engines:{HALF}": "delete",
    f"entry:{HALF}": "remove",
    f"entry:{DONE}": "remove",
}


SCHEMA = json.loads((resources.files("safe_lightning") / "schemas" / "clean.json").read_text())


def whole(made: Leavings) -> dict[str, str]:
    return {**OF_ALL, f"checkpoint:{made.location}": "delete"}


def test_a_plan_changes_nothing_and_is_valid(leavings: Leavings) -> None:
    before = leavings.facts()
    document = leavings.plan()
    assert (document.pop("code"), acts_of(document)) == (80, OF_FAILED)
    assert leavings.facts() == before
    jsonschema.validate(document, SCHEMA)
    assert json.loads(leavings.plan_file.read_text()) == document


def test_what_failed_goes_and_what_can_go_on_stays(leavings: Leavings) -> None:
    before = leavings.facts()
    leavings.plan()
    ended = leavings.apply()
    assert ended.returncode == 0, ended.stderr.decode()
    after = leavings.facts()
    gone = {engine_folder(leavings.sorted, FAILED, number).name for number in (-1, 0)}
    assert after == {
        **before,
        "app.failed": None,
        "lightning_metadata.table_meta": 2,
        "conflict_error_v4": 2,
        "type_error_v2": 0,
        "entries": [str(DONE), str(HALF)],
        "folders": [name for name in before["folders"] if name.removesuffix(".sst") not in gone],
    }
    assert leavings.count("lightning_task_info.conflict_error_v4", f"task_id = {OTHER_TASK}") == 1
    assert (leavings.plan()["code"], acts_of(leavings.plan())) == (69, {})  # TiKV's mode alone is not known


def test_giving_up_leaves_nothing_but_whole_tables_and_what_is_others(leavings: Leavings) -> None:
    assert leavings.acts("--give-up") == whole(leavings)
    ended = leavings.apply()
    assert ended.returncode == 0, ended.stderr.decode()
    after = leavings.facts()
    assert (after["entries"], after["app.failed"], after["app.half"], after["app.done"]) == (None, None, 0, 2)
    assert (after["lightning_metadata.table_meta"], after["lightning_metadata.task_meta_v2"]) == (1, 1)
    assert (after["conflict_error_v4"], after["folders"]) == (1, ["00000000-0000-0000-0000-000000000007"])


def test_what_was_deleted_is_in_the_record_as_it_was(leavings: Leavings) -> None:
    before = leavings.facts()
    leavings.plan("--give-up")
    assert leavings.apply().returncode == 0
    [folder] = (leavings.state / "cleanings").iterdir()
    rows = "".join(path.read_text() for path in folder.glob("rows-*.sql"))
    leavings.server.run(*(line for line in rows.splitlines() if "lightning_" in line))
    after = leavings.facts()
    names = ("lightning_metadata.table_meta", "lightning_metadata.task_meta_v2", "conflict_error_v4", "type_error_v2")
    assert {name: after[name] for name in names} == {name: before[name] for name in names}
    [(error,)] = leavings.server.run("SELECT error FROM lightning_task_info.type_error_v2")
    assert error == "it's bad \\"
    backups = [path.read_text() for path in folder.glob("checkpoint-*.sql")]
    assert any(str(FAILED) in text for text in backups)


def test_without_permission_nothing_is_dropped_and_what_would_be_needed_is_said(leavings: Leavings) -> None:
    leavings.policy()
    document = leavings.plan()
    assert acts_of(document) == {}
    [item] = [item for item in document["items"] if item["key"] == f"entry:{FAILED}"]
    assert 'allow = ["drop tables that this import filled"]' in item["reason"]
    assert "3 rows" in item["reason"]


#: What happens between plan and apply, and what is said of it.
MEANWHILE = {
    "rows were added to the table": ("INSERT INTO app.failed VALUES (99)", f"entry:{FAILED}: it is not as it was"),
    "the table was dropped": ("DROP TABLE app.failed", f"entry:{FAILED}: it is not as it was"),
    "an entry came": (
        "INSERT INTO cp.table_v10 (task_id, table_name, status, table_id) VALUES (1, '`app`.`new`', 30, 0)",
        "entry:`app`.`new`: it has come since",
    ),
    "an entry went on": (
        f"UPDATE cp.table_v10 SET status = 60 WHERE table_name = '{HALF}'",
        f"entry:{HALF}: it is not",
    ),
    "more conflicts were recorded": (
        f"INSERT INTO lightning_task_info.conflict_error_v4 (task_id, table_name) VALUES ({TASK}, '{FAILED}')",
        f"task-info:lightning_task_info: {FAILED}: it is not as it was",
    ),
    "another task is at work": (
        "INSERT INTO lightning_metadata.task_meta_v2 VALUES (6, 'schedule_set', 0)",
        "another Lightning",
    ),
    "another task has begun on the table": (
        f"UPDATE lightning_metadata.table_meta SET status = 'restore' WHERE task_id = {OTHER_TASK}",
        "",
    ),
}


@pytest.mark.parametrize(("statement", "said"), MEANWHILE.values(), ids=MEANWHILE)
def test_a_world_that_has_changed_is_left_alone(leavings: Leavings, statement: str, said: str) -> None:
    leavings.plan()
    leavings.server.run(statement)
    before = leavings.facts()
    ended = leavings.apply()
    if not said:  # its own row says that the task has ended
        assert ended.returncode == 0
        return
    assert ended.returncode == 88
    assert said in ended.stderr.decode()
    assert (leavings.facts(), (leavings.state / "cleanings").exists()) == (before, False)


EDITS: dict[str, Any] = {
    "an act more": lambda plan: {
        **plan,
        "items": [{**item, "action": "destroy"} if item["key"] == f"entry:{HALF}" else item for item in plan["items"]],
    },
    "another import": lambda plan: {**plan, "import": {**plan["import"], "target": "127.0.0.1:4000"}},
    "given up": lambda plan: {**plan, "gives_up": True},
    "no hash": lambda plan: {key: value for key, value in plan.items() if key != "plan"},
    "another hash": lambda plan: {**plan, "plan": "0" * 64},
    "of a later release": lambda plan: {**plan, "schema": 2},
    "a list": lambda plan: [plan],
}


@pytest.fixture(scope="module")
def sealed(server: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> tuple[Leavings, str]:
    """A plan that was saved, to be spoiled before it is applied: nothing is looked at then."""
    made = Leavings(server, tmp_path_factory.mktemp("sealed"))
    fill(made)
    made.policy(**MAY_DROP)
    made.plan()
    return made, made.plan_file.read_text()


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_a_plan_that_was_edited_is_refused(sealed: tuple[Leavings, str], change: Any) -> None:
    made, text = sealed
    made.plan_file.write_text(json.dumps(change(json.loads(text))))
    ended = made.apply()
    assert (ended.returncode, (made.state / "cleanings").exists()) == (88, False)
    assert "is refused" in ended.stderr.decode()


def test_a_plan_edited_with_its_hash_made_anew_does_no_more_than_a_new_plan_would(leavings: Leavings) -> None:
    from safe_lightning.record.cleaning_plan import _seal

    leavings.plan()
    document = EDITS["an act more"](json.loads(leavings.plan_file.read_text()))
    leavings.plan_file.write_text(json.dumps({**document, "plan": _seal(document)}))
    before = leavings.facts()
    ended = leavings.apply()
    assert (ended.returncode, leavings.facts()) == (88, before)
    assert f"entry:{HALF}: it would not be treated so any more" in ended.stderr.decode()


def test_a_plan_of_another_import_is_refused(leavings: Leavings) -> None:
    leavings.plan()
    task = leavings.folder / "task.toml"
    task.write_text(task.read_text().replace("export", "other"))
    ended = leavings.apply()
    assert ended.returncode == 88
    assert "made for another import (source differ)" in ended.stderr.decode()


@pytest.mark.parametrize("content", [None, b"", b"\xff", b"{", b"[]", b"5"])
def test_what_is_no_plan_is_said(sealed: tuple[Leavings, str], content: bytes | None) -> None:
    made, _ = sealed
    made.plan_file.unlink(missing_ok=True)
    if content is not None:
        made.plan_file.write_bytes(content)
    ended = made.apply()
    assert ended.returncode == (66 if content is None else 88)
    assert b"Traceback" not in ended.stderr


def test_a_dry_run_shows_what_would_be_done(leavings: Leavings) -> None:
    leavings.policy(**MAY_DROP, dry_run=True)
    leavings.plan()
    before = leavings.facts()
    ended = leavings.process("clean", "--apply", str(leavings.plan_file), "--json")
    assert (ended.returncode, leavings.facts()) == (80, before)
    document = json.loads(ended.stdout)
    jsonschema.validate(document, SCHEMA)
    assert [result["status"] for result in document["results"]] == ["planned"] * len(OF_FAILED)


def test_an_engine_that_a_process_has_open_is_kept(leavings: Leavings) -> None:
    lock = engine_folder(leavings.sorted, FAILED, 0) / "LOCK"
    with lock.open("wb") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        document = leavings.plan()
    [item] = [item for item in document["items"] if item["key"] == f"engines:{FAILED}"]
    assert (item["action"], item["safe"]) == ("keep", False)
    assert f"process {os.getpid()} holds the lock" in item["reason"]


def test_a_lightning_at_work_forbids_everything(leavings: Leavings) -> None:
    peer = leavings.folder / "tidb-lightning"
    peer.write_text(f"#!{sys.executable}\nimport sys, time\nprint('up', flush=True)\ntime.sleep(60)\n")
    peer.chmod(0o755)
    leavings.plan()
    before = leavings.facts()
    with subprocess.Popen([peer, *leavings.argv], cwd=leavings.folder, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        ended = leavings.apply()
        document = leavings.plan()
        process.kill()
    assert (ended.returncode, acts_of(document), document["code"]) == (88, {}, 69)
    assert b"another Lightning is at work" in ended.stderr
    assert leavings.facts() == before


def test_a_target_that_cannot_be_asked_is_not_taken_for_an_empty_one(leavings: Leavings) -> None:
    task = leavings.folder / "task.toml"
    text = task.read_text()
    task.write_text(text.replace(f'"port" = {leavings.server.port}', '"port" = 1'))
    document = leavings.plan()
    assert acts_of(document) == {}
    unseen = {item["kind"] for item in document["items"] if item["found"] is None}
    assert unseen == {"import-mode", "metadata", "task-info"}


def test_a_checkpoint_that_cannot_be_read_keeps_all_that_it_may_tell_of(leavings: Leavings) -> None:
    leavings.server.run("DROP TABLE cp.engine_v5")
    document = leavings.plan()
    assert acts_of(document) == {}
    [entry] = [item for item in document["items"] if item["kind"] == "entry"]
    assert (entry["found"], entry["reason"]) == (None, "could not look")


def test_rows_that_the_control_tool_left_of_a_table_go_by_the_id_of_the_task(leavings: Leavings) -> None:
    for kind in ("table_v10", "engine_v5", "chunk_v5"):
        leavings.server.run(f"DELETE FROM cp.{kind} WHERE table_name = '{FAILED}'")
    leavings.server.run("DROP TABLE app.failed")
    kept = {key: act for key, act in OF_FAILED.items() if not key.startswith("entry")}
    assert leavings.acts() == kept
    assert leavings.apply().returncode == 0
    assert leavings.count("lightning_task_info.conflict_error_v4", f"task_id = {TASK}") == 1


def test_names_that_are_hard_to_read_are_told_and_taken_exactly(leavings: Leavings) -> None:
    with leavings.server.connect() as connection, connection.cursor() as cursor:
        insert(cursor, "lightning_task_info.type_error_v2", task_id=TASK, table_name="no `name\n", error="x")
    document = leavings.plan()
    [item] = [item for item in document["items"] if "no `name" in item["key"]]
    assert (item["action"], item["ours"]) == ("keep", None)
    page = leavings.process("clean").stdout.decode()
    assert "no `name\\x0a" in page


def test_a_hostile_name_is_one_table_in_every_place(leavings: Leavings) -> None:
    hostile = TableName("app", "fa`il'ed; %_\\")
    with leavings.server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"RENAME TABLE {FAILED} TO {hostile}")
        for place in ("cp.table_v10", "cp.engine_v5", "cp.chunk_v5", "lightning_metadata.table_meta",
                      "lightning_task_info.conflict_error_v4", "lightning_task_info.type_error_v2"):  # fmt: skip
            cursor.execute(f"UPDATE {place} SET table_name = %s WHERE table_name = %s", (str(hostile), str(FAILED)))
    export = leavings.folder / "export"
    (export / "app.failed.csv").rename(export / f"app.{hostile.table}.csv")
    (export / "app.failed-schema.sql").rename(export / f"app.{hostile.table}-schema.sql")
    leavings.server.run("UPDATE cp.chunk_v5 SET path = REPLACE(path, 'app.failed', 'x')")
    remember(leavings.state, leavings.baseline_key, [TableBaseline(hostile, False, None, 1.0, "r1")])
    assert leavings.acts()[f"entry:{hostile}"] == "destroy"
    assert leavings.apply().returncode == 0
    after = leavings.facts()
    assert (after["entries"], after["conflict_error_v4"]) == ([str(DONE), str(HALF)], 2)
    assert leavings.server.run("SHOW TABLES FROM app") == [("done",), ("half",)]


def test_the_page_fits_a_terminal(leavings: Leavings) -> None:
    page = leavings.process("clean").stdout.decode()
    names = str(leavings.folder)
    assert [line for line in page.splitlines() if len(line) > 80 and names not in line] == []


def test_a_logical_import_leaves_no_engines_and_no_mode(leavings: Leavings) -> None:
    task = leavings.folder / "task.toml"
    task.write_text(task.read_text().replace('"local"', '"tidb"'))
    leavings.server.run("UPDATE cp.task_v2 SET backend = 'tidb'")
    document = leavings.plan()
    looked = {item["kind"]: item["found"] for item in document["items"]}
    assert (looked["import-mode"], looked["engines"], looked["metadata"]) == (False, False, False)
    assert leavings.apply().returncode == 0
    assert leavings.facts()["app.failed"] is None


@pytest.mark.parametrize(
    "words", [("--apply", "p", "--out", "q"), ("--apply", "p", "--give-up"), ("--plan", "--apply", "p")]
)
def test_what_belongs_to_the_plan_is_not_taken_with_apply(sealed: tuple[Leavings, str], words: tuple[str, ...]) -> None:
    assert sealed[0].process("clean", "--apply", "p", *words).returncode == 64


def test_a_run_of_ours_at_work_is_waited_for_by_nobody(leavings: Leavings, tmp_path: Path) -> None:
    holder = (
        "import os, sys, time\nfrom pathlib import Path\nfrom safe_lightning.record.claim import Claim\n"
        "from safe_lightning.record.lock import RunLocks\n"
        f"claim = Claim('r9', time.time(), os.getpid(), 'x', {leavings.location!r}, None)\n"
        f"locks = RunLocks.acquire(Path({str(leavings.state)!r}), claim)\nprint('held', flush=True)\ntime.sleep(60)\n"
    )
    leavings.plan()
    before = leavings.facts()
    with subprocess.Popen([sys.executable, "-c", holder], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        ended = leavings.apply()
        process.send_signal(signal.SIGKILL)
    assert (ended.returncode, leavings.facts()) == (75, before)


@pytest.mark.parametrize("has_entries", [True, False])
def test_a_checkpoint_of_another_import_and_all_that_carries_its_id_is_left_alone(
    leavings: Leavings, has_entries: bool
) -> None:
    leavings.server.run("UPDATE cp.task_v2 SET source_dir = 'file:///elsewhere'")
    for kind in () if has_entries else ("table_v10", "engine_v5", "chunk_v5"):
        leavings.server.run(f"DELETE FROM cp.{kind}")
    assert leavings.acts() == {}


def test_rows_of_an_instance_that_may_be_another_one_forbid_everything(leavings: Leavings) -> None:
    leavings.server.run("DROP SCHEMA cp")
    assert leavings.acts("--give-up") == {}


def test_engines_that_no_checkpoint_tells_of_may_be_another_checkpoints(leavings: Leavings) -> None:
    # Without it nothing tells that the rows of an unfinished instance are our own.
    leavings.server.run("DROP SCHEMA cp", "DROP SCHEMA lightning_metadata")
    [kept, *_] = [item for item in leavings.plan()["items"] if item["key"] == f"engines:{FAILED}"]
    assert (kept["action"], kept["ours"]) == ("keep", None)
    assert leavings.acts("--give-up") == {f"engines:{FAILED}": "delete", f"engines:{HALF}": "delete"}
