"""What stood in the target before: the first look counts, until the import is over."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from record_helpers import Start

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableBaseline
from safe_lightning.record.baselines import baseline_key, forget, recall, referenced_runs, remember

A, B = TableName("app", "a"), TableName("app", "we`ird.b")
KEY = baseline_key("file:///cp.pb", "db:4000")


def empty(table: TableName = A, run: str = "r1") -> TableBaseline:
    return TableBaseline(table, existed=True, was_empty=True, at=1_795_536_000.5, run=run)


def full(table: TableName = A, run: str = "r2") -> TableBaseline:
    return TableBaseline(table, existed=True, was_empty=False, at=1_795_536_099.0, run=run)


def test_what_is_remembered_is_recalled_exactly(state: Path) -> None:
    unseen = TableBaseline(B, existed=False, was_empty=None, at=1_795_536_000.25, run="r1")
    remember(state, KEY, [empty(), unseen])
    assert recall(state, KEY) == {A: empty(), B: unseen}


def test_a_later_look_never_replaces_the_first(state: Path) -> None:
    remember(state, KEY, [empty()])
    assert remember(state, KEY, [full(), full(B)]) == {A: empty(), B: full(B)}
    assert recall(state, KEY)[A] == empty()


def test_another_target_behind_the_same_checkpoint_is_another_import(state: Path) -> None:
    remember(state, KEY, [empty()])
    assert recall(state, baseline_key("file:///cp.pb", "db:4001")) == {}


@pytest.mark.parametrize(("gone", "left"), [([A], {B}), (None, set()), ([A, B], set()), ([], {A, B})])
def test_tables_are_forgotten(state: Path, gone: list[TableName] | None, left: set[TableName]) -> None:
    remember(state, KEY, [empty(A), empty(B)])
    forget(state, KEY, gone)
    assert set(recall(state, KEY)) == left
    assert bool(list((state / "baselines").glob("*.json"))) == bool(left)


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"schema": 2}', b"[]", b'{"schema": 1, "key": "of another"}', b"\xff"]
)
def test_a_record_that_cannot_be_read_is_not_an_empty_one(state: Path, content: bytes) -> None:
    remember(state, KEY, [empty()])
    [path] = (state / "baselines").glob("*.json")
    path.write_bytes(content)
    for look in (recall, lambda s, k: remember(s, k, [full()]), lambda s, k: forget(s, k, [A])):
        with pytest.raises(CouldNotLook, match="cannot be read"):
            look(state, KEY)
    assert path.read_bytes() == content


def test_runs_that_observations_come_from_are_named(state: Path) -> None:
    remember(state, KEY, [empty(run="r1"), empty(B, run="r2")])
    remember(state, baseline_key("", "db"), [empty(run="r3")])
    assert referenced_runs(state) == {"r1", "r2", "r3"}


REMEMBERING = """
import sys
from pathlib import Path
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import TableBaseline
from safe_lightning.record.baselines import remember
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    table = TableName(sys.argv[2], str(number))
    remember(Path(sys.argv[1]), "key", [TableBaseline(table, True, True, 1.0, sys.argv[2])])
"""


def test_several_processes_remember_at_once_and_nothing_is_lost(state: Path, start: Start) -> None:
    writers = [start(REMEMBERING, state, name) for name in ("a", "b")]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    assert len(recall(state, "key")) == 40


def test_what_cannot_be_written_is_raised(state: Path) -> None:
    (state / "baselines" / "lock").unlink(missing_ok=True)
    (state / "baselines").rmdir()
    with pytest.raises(OSError, match="No such file"):
        remember(state, KEY, [empty()])
    assert not os.path.lexists(state / "baselines")
