"""Who else may be at work, by what the target tells: instances of a parallel import, and runs that hold a lease."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from instances import ITEMS, ORDERS, add_share, add_task, lay_out
from mariadb import MariaDB, free_port
from safe_lightning_hooks.checkpoint import look
from test_lease_store import NORTH, store_of
from two_hosts import Host, host

from safe_lightning.api import Context, Policy, Stage, Task, Verdict
from safe_lightning.core.lease import LeaseClaim
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.checkpoint_file import FileCheckpoint, FileEngine, FileTable, FileTask, encode
from safe_lightning.lightning.task import resolve_task
from safe_lightning.policy.model import LockPolicy
from safe_lightning.services import EngineServices

OWN, OTHER = 7, 8
SCHEMAS = Path(__file__).resolve().parents[2] / "safe_lightning" / "schemas"


@pytest.fixture
def here(tmp_path: Path, target: MariaDB) -> Host:
    """An instance of a parallel import whose checkpoint is that of task 7, half way through `shop`.`orders`."""
    made = host(tmp_path / "here", "here", target, parallel=True)
    write_checkpoint(made, status=30)
    return made


def write_checkpoint(made: Host, status: int) -> None:
    task = FileTask(task_id=OWN, source_dir=str(made.folder / "data"), backend="local", tidb_host="127.0.0.1")
    entry = FileTable(status=status, engines={0: FileEngine(status=30)})
    (made.folder / "cp.pb").write_bytes(encode(FileCheckpoint(task, {str(ORDERS): entry})))


def task_of(made: Host) -> Task:
    return resolve_task(["--config", "task.toml"], made.folder, {})


def services_of(made: Host, run: str = "") -> EngineServices:
    return EngineServices(task_of(made), Policy(lock=LockPolicy(lease_schema="sl_leases", host="here")), run=run)


Row = tuple[int, str, int, Mapping[TableName, str]]


@pytest.mark.parametrize(
    ("rows", "sentences", "alive"),
    [
        ([], [], False),
        ([(OWN, "initialized", 0, {ORDERS: "restore"})], [], False),
        ([(OTHER, "switched", 0, {ORDERS: "finish"})], [], False),
        ([(OTHER, "skip_switch", 0, {ORDERS: "checksum_skipped"})], [], False),
        ([(OTHER, "schedule_set", 1, {ORDERS: "restore"})], [], False),
        ([(OTHER, "schedule_set", 0, {ITEMS: "restore"})], [], False),
        (
            [(OTHER, "schedule_set", 0, {ORDERS: "restore"})],
            ["task 8 shares `shop`.`orders` (being imported) in `lightning_metadata`"],
            None,
        ),
        (
            [(OTHER, "initialized", 0, {TableName("SHOP", "ORDERS"): "checksuming"})],
            ["task 8 shares `SHOP`.`ORDERS` (comparing the checksum of all) in `lightning_metadata`"],
            None,
        ),
        ([(OTHER, "initialized", 0, {})], ["task 8 shares the schema `lightning_metadata`"], None),
    ],
    ids=[
        "no rows", "our own", "done", "left to the last", "stopped in order", "on other tables", "at work or killed",
        "by another spelling", "before its first table",
    ],
)  # fmt: skip
def test_an_instance_that_is_not_at_its_end_may_be_at_work(
    target: MariaDB, here: Host, rows: list[Row], sentences: list[str], alive: bool | None
) -> None:
    lay_out(target)
    for number, status, exited, tables in rows:
        add_task(target, number, status, exited)
        for table, word in tables.items():
            add_share(target, number, table, word)
    services, said = services_of(here), list[str]()
    assert [f"{peer.who} shares {peer.shares}" for peer in services.peers()] == sentences
    assert services.others_alive(said.append) is alive
    assert all(sentence in text for sentence, text in zip(sentences, said, strict=True))


def test_where_our_own_task_is_not_known_every_instance_counts(target: MariaDB, here: Host) -> None:
    lay_out(target)
    add_task(target, OWN, "initialized")
    (here.folder / "cp.pb").write_bytes(b"\xff")
    assert services_of(here).others_alive() is None


@pytest.mark.parametrize(
    ("claim", "kind", "is_in_the_way"),
    [
        (LeaseClaim("elsewhere", frozenset({ORDERS}), is_parallel_import=True), "parallel import", False),
        (LeaseClaim("elsewhere", frozenset({ORDERS})), "target tables", True),
        (LeaseClaim("elsewhere", None), "target", False),
    ],
    ids=["another instance", "an import of its own", "of tables that are not known"],
)
def test_a_run_that_holds_a_lease_is_at_work(
    target: MariaDB, here: Host, claim: LeaseClaim, kind: str, is_in_the_way: bool
) -> None:
    store_of(target).take(claim, NORTH)
    services = services_of(here)
    (peer,) = services.peers()
    assert (peer.kind, peer.is_in_the_way, peer.who) == (kind, is_in_the_way, "run aaaa (process 11 of north)")
    assert services.others_alive() is True


@pytest.mark.parametrize("who", ["over", "ours", "on other tables"])
def test_a_lease_that_is_over_or_ours_or_elsewhere_is_nobodys(target: MariaDB, here: Host, who: str) -> None:
    claim = LeaseClaim("elsewhere", frozenset({ITEMS if who == "on other tables" else ORDERS}))
    store_of(target).take(claim, NORTH)
    if who == "over":
        target.run("UPDATE sl_leases.leases SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")
    services = services_of(here, run="aaaa" if who == "ours" else "")
    assert (services.peers(), services.others_alive()) == ((), False)


def test_a_target_that_cannot_be_asked_is_never_taken_for_nobody(here: Host) -> None:
    gone = replace(task_of(here), target=replace(task_of(here).target, port=free_port()))
    services, said = EngineServices(gone, Policy()), list[str]()
    assert services.others_alive(said.append) is None
    assert "cannot be reached" in said[0]
    with pytest.raises(CouldNotLook):
        services.peers()


def whole(target: MariaDB) -> None:
    """Four instances: ours and another at work, one stopped, one that is done."""
    lay_out(target)
    for number, status, exited, word in (
        (OWN, "schedule_set", 0, "restore"),
        (OTHER, "initialized", 0, "restore_finished"),
        (9, "schedule_set", 1, "allocated"),
        (10, "skip_switch", 0, "checksum_skipped"),
    ):
        add_task(target, number, status, exited)
        add_share(target, number, ORDERS, word, kvs=3000)


def test_the_verb_shows_the_instance_and_the_whole(target: MariaDB, here: Host) -> None:
    whole(target)
    told = here.run("checkpoint", "--", "--config", "task.toml")
    assert told.returncode == 0, told.stderr.decode()
    assert told.stdout.decode().partition("Parallel import in ")[2].splitlines() == [
        "`lightning_metadata`",
        "    4 instances: 2 at work or killed, 1 stopped before its end, 1 finished",
        "    a killed one's row keeps all others from comparing the checksum",
        "    task 7 (this checkpoint's): at work or killed",
        "        `shop`.`orders`: being imported",
        "    task 8: at work or killed",
        "        `shop`.`orders`: imported",
        "    task 9: stopped before its end",
        "        `shop`.`orders`: row ids allotted",
        "    task 10: finished",
        "        `shop`.`orders`: imported, its checksum left to the last instance",
    ]


def verb_json(made: Host) -> dict[str, Any]:
    told = made.run("checkpoint", "--json", "--", "--config", "task.toml")
    document: dict[str, Any] = json.loads(told.stdout)
    jsonschema.validate(document, json.loads((SCHEMAS / "checkpoint.json").read_text()))
    return document


def test_the_verb_tells_machines_of_the_whole(target: MariaDB, here: Host) -> None:
    whole(target)
    document = verb_json(here)
    assert document["parallel_import"]["state"] == "unfinished"
    assert [(each["task_id"], each["is_own"], each["state"]) for each in document["parallel_import"]["instances"]] == [
        (7, True, "unfinished"), (8, False, "unfinished"), (9, False, "stopped"), (10, False, "finished"),
    ]  # fmt: skip
    assert document["parallel_import"]["instances"][3]["tables"] == [
        {
            "table": "`shop`.`orders`",
            "status": "checksum_skipped",
            "totals": {"checksum": 2**64 - 3001, "kvs": 3000, "bytes": 150_000},
        }
    ]


def test_without_metadata_the_whole_is_none(target: MariaDB, here: Host) -> None:
    assert verb_json(here)["parallel_import"] == {"schema": "lightning_metadata", "state": "none", "instances": []}


def test_an_import_on_its_own_has_no_whole(tmp_path: Path, target: MariaDB) -> None:
    alone = host(tmp_path / "alone", "alone", target)
    write_checkpoint(alone, status=30)
    assert verb_json(alone)["parallel_import"] is None


def judge(made: Host) -> Verdict:
    services = services_of(made)
    return look(Context("r1", 1, Stage.PRE_IMPORT, None, (), services.task, services.policy, services))


def test_the_hook_tells_of_peers_the_whole_and_what_is_missing(target: MariaDB, here: Host) -> None:
    whole(target)
    told = [(finding.code, finding.message) for finding in judge(here).findings]
    assert ("instance-stopped", "task 9: stopped before its end, `shop`.`orders` "
            "(row ids allotted)") in told  # fmt: skip
    assert [code for code, _ in told if code in ("parallel-import", "live")] == ["parallel-import", "live"]
    assert "another Lightning may be at work: task 8 shares `shop`.`orders`" in dict(told)["live"]


def test_the_row_of_a_killed_instance_is_told_before_a_fresh_import(tmp_path: Path, target: MariaDB) -> None:
    fresh = host(tmp_path / "fresh", "fresh", target, parallel=True)
    lay_out(target)
    add_task(target, OTHER, "initialized")
    add_share(target, OTHER, ORDERS, "restore")
    verdict = judge(fresh)
    assert (verdict.status, verdict.code) == ("warn", "checkpoint-none")
    assert "its rows stay and every later instance leaves the checksum to it" in verdict.findings[-1].message


def test_a_lease_of_another_import_on_the_same_tables_blocks_though_we_take_none(
    tmp_path: Path, target: MariaDB
) -> None:
    alone = host(tmp_path / "alone", "alone", target)
    store_of(target).take(LeaseClaim("elsewhere", frozenset({ORDERS})), NORTH)
    verdict = judge(alone)
    assert (verdict.status, verdict.code) == ("block", "checkpoint-live")
    assert "run aaaa (process 11 of north) shares `shop`.`orders`" in verdict.message
