"""Every answer of the policy to every state of a store and its target, with both drivers, against real servers.

The table below is what a reader needs: what the checkpoint says of a table (rows), how the target stands (columns),
and the verdict. "unsafe" is a resumable one whose resume would lose or double rows.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from mariadb import MariaDB
from recorded_stores import server_of
from safe_lightning_hooks.checkpoint import look

from safe_lightning.api import Action, Context, Policy, Stage, Status, TableName, Task, Verdict
from safe_lightning.lightning.checkpoint_file import FileCheckpoint, FileChunk, FileEngine, FileTable, FileTask, encode
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.policy.model import DROP_PHRASE, CheckpointAnswers, CheckpointPolicy
from safe_lightning.services import EngineServices

TABLE = """
checkpoint says | as recorded | more rows | gone      | emptied   | younger
not begun       | resumable   | unsafe    | resumable | resumable | resumable
half            | resumable   | unsafe    | stale     | stale     | stale
done            | finished    | finished  | stale     | stale     | stale
failed          | failed      | failed    | failed    | stale     | stale
"""
HEAD, *ROWS = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
VERDICTS = {(row[0], target): row[at] for row in ROWS for at, target in enumerate(HEAD) if at}
DRIVERS = ("file", "mysql")
ANSWERS = ("default", "resume", "refuse", "remove", "destroy", "ignore")
DEFAULTS = {"resumable": "resume"}
#: Stored status and chunks done of two; each chunk done accounts for ten rows.
RECORDS = {"not begun": (30, 0), "half": (30, 1), "done": (200, 2), "failed": (6, 1)}
CELLS = list(product(DRIVERS, RECORDS, HEAD[1:], ANSWERS))
ROWS_OF_A_CHUNK = 10


def test_the_matrix_has_at_least_two_hundred_cells() -> None:
    assert len(CELLS) >= 200


@pytest.mark.parametrize(("driver", "said", "target", "answer"), CELLS)
def test_each_state_gets_its_verdict_and_each_verdict_its_answer(
    world: World, driver: str, said: str, target: str, answer: str
) -> None:
    verdict = world.judge(driver, said, target, answer)
    expected = VERDICTS[said, target]
    assert verdict.code == f"checkpoint-{'resumable' if expected == 'unsafe' else expected}"
    word = answer if answer != "default" else DEFAULTS.get(expected, "refuse")
    steps = [step.action for step in verdict.plan.steps] if verdict.plan else []
    if word == "refuse":
        assert (verdict.status, steps) == (Status.BLOCK, [])
    else:
        assert verdict.status is not Status.BLOCK
        assert steps == ([] if word == "resume" else [Action(word)])


class World:
    """Stores and targets by state, made once each; a schema of its own for every one."""

    def __init__(self, server: MariaDB, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._made: dict[tuple[str, str, str], CheckpointStore] = {}

    def judge(self, driver: str, said: str, target: str, answer: str) -> Verdict:
        state = (driver, said, target)
        if state not in self._made:
            self._made[state] = self._make(*state)
        task = Task((), self._folder, backend="tidb", target=server_of(self._server), checkpoint=self._made[state])
        words = {} if answer == "default" else dict.fromkeys(
            ("fresh", "resumable", "unsafe", "finished", "failed", "stale"), answer
        )  # fmt: skip
        policy = Policy(allow=(DROP_PHRASE,), checkpoint=CheckpointPolicy(on=CheckpointAnswers(**words)))
        services = EngineServices(task, policy)
        return look(Context("r1", 1, Stage.PRE_IMPORT, None, (), task, policy, services))

    def _make(self, driver: str, said: str, target: str) -> CheckpointStore:
        name = TableName(f"{driver}_{said}_{target}".replace(" ", "_"), "t")
        status, done = RECORDS[said]
        entered = time.time() + (-3600 if target == "younger" else 0)
        self._fill(name, target, done * ROWS_OF_A_CHUNK)
        if driver == "file":
            return self._file(name, status, done, round(entered))
        return self._schema(name, status, done, round(entered))

    def _fill(self, name: TableName, target: str, rows: int) -> None:
        self._server.run(f"CREATE SCHEMA {name.schema}")
        if target == "gone":
            return
        self._server.run(f"CREATE TABLE {name} (a INT PRIMARY KEY)")
        count = {"emptied": 0, "more rows": rows + 3}.get(target, rows)
        if count:
            self._server.run(f"INSERT INTO {name} SELECT seq FROM {name.schema}.seq_1_to_{count}")

    def _file(self, name: TableName, status: int, done: int, entered: int) -> CheckpointStore:
        chunks = {f"{path}:0": FileChunk(path, 0, 9, end, *ids, kvc_kvs=kvs, timestamp=entered, file_size=9)
                  for path, end, ids, kvs in chunks_of(done)}  # fmt: skip
        table = FileTable(status, {-1: FileEngine(30), 0: FileEngine(30, chunks)})
        path = self._folder / f"{name.schema}.pb"
        path.write_bytes(encode(FileCheckpoint(FileTask(7, backend="tidb"), {str(name): table})))
        return CheckpointStore(path=path)

    def _schema(self, name: TableName, status: int, done: int, entered: int) -> CheckpointStore:
        at = f"FROM_UNIXTIME({entered})"
        schema = f"store_{name.schema}"
        self._server.run(
            f"CREATE SCHEMA {schema}",
            f"CREATE TABLE {schema}.task_v2 (task_id BIGINT, backend VARCHAR(16))",
            f"INSERT INTO {schema}.task_v2 VALUES (7, 'tidb')",
            f"CREATE TABLE {schema}.table_v10 (table_name VARCHAR(261), status INT, create_time TIMESTAMP)",
            f"INSERT INTO {schema}.table_v10 VALUES ('{name}', {status}, {at})",
            f"CREATE TABLE {schema}.engine_v5 (table_name VARCHAR(261), engine_id INT, status INT)",
            f"INSERT INTO {schema}.engine_v5 VALUES ('{name}', -1, 30), ('{name}', 0, 30)",
            f"CREATE TABLE {schema}.chunk_v5 (table_name VARCHAR(261), engine_id INT, path VARCHAR(99), "
            "`offset` BIGINT, end_offset BIGINT, pos BIGINT, prev_rowid_max BIGINT, rowid_max BIGINT, kvc_kvs BIGINT, "
            "file_size BIGINT, compression INT, create_time TIMESTAMP)",
        )
        for path, end, ids, kvs in chunks_of(done):
            values = f"'{name}', 0, '{path}', 0, 9, {end}, {ids[0]}, {ids[1]}, {kvs}, 9, 0, {at}"
            self._server.run(f"INSERT INTO {schema}.chunk_v5 VALUES ({values})")
        return CheckpointStore(driver="mysql", schema=schema, server=server_of(self._server))


def chunks_of(done: int) -> Iterator[tuple[str, int, tuple[int, int], int]]:
    """Yield path, position, first unused and last reserved row id, and pairs of two chunks of which some are done."""
    for number in range(2):
        first, is_done = number * 100, number < done
        used = first + ROWS_OF_A_CHUNK if is_done else first
        yield f"f{number}.csv", 9 if is_done else 0, (used, first + 100), ROWS_OF_A_CHUNK if is_done else 0


@pytest.fixture(scope="module")
def world(server: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    kept = {row[0] for row in server.run("SHOW SCHEMAS")}
    yield World(server, tmp_path_factory.mktemp("world"))
    for (schema,) in server.run("SHOW SCHEMAS"):
        if schema not in kept:
            server.run(f"DROP SCHEMA `{schema}`")
