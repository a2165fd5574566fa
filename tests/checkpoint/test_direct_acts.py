"""Our own acts do to a checkpoint what the control tool did in every recorded call; the rewind, what a hand did."""

from __future__ import annotations

import re
import shutil
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mariadb import MariaDB
from recorded_stores import load_tsv, server_of
from recordings import roots

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action, CouldNotLook
from safe_lightning.lightning.checkpoint_edit import with_engines_rewound, with_errors_ignored, without_table
from safe_lightning.lightning.checkpoint_file import read_file
from safe_lightning.lightning.checkpoint_model import FileCheckpoint, decode, encode
from safe_lightning.lightning.checkpoint_mysql import read_mysql
from safe_lightning.lightning.checkpoint_writing import change_entry, rewind_engines
from safe_lightning.lightning.task import CheckpointStore
from safe_lightning.lightning.wire import WireError, write_span
from safe_lightning.policy.model import CheckpointPolicy

MODES = {"remove": Action.REMOVE, "error-ignore": Action.IGNORE, "error-destroy": Action.DESTROY}
FLAG = re.compile(r"--checkpoint-(remove|error-ignore|error-destroy)='?(`.*`)'?$")
POLICY = CheckpointPolicy()


def calls() -> list[tuple[Path, Action, TableName]]:
    """List the recorded calls of the control tool that named one table and did something to it."""
    found = []
    for path in sorted(path for root in roots() for path in root.glob("*/*/case.toml")):
        case = tomllib.loads(path.read_text())
        flags = [match for word in case["argv"] if (match := FLAG.match(word))]
        if case["program"] == "tidb-lightning-ctl" and len(flags) == 1:
            found.append((path.parent, MODES[flags[0][1]], TableName.parse(flags[0][2])))
    return found


def files_of(folder: Path) -> tuple[Path, Path] | None:
    sides = [sorted((folder / side).rglob("*checkpoint*.pb")) for side in ("before", "after")]
    return (sides[0][0], sides[1][0]) if all(len(side) == 1 for side in sides) else None


def dumps_of(folder: Path, side: str) -> list[Path]:
    tables = (folder / side / "tables").glob("tidb_lightning_checkpoint.*.tsv")
    return sorted(path for path in tables if re.search(r"\.(task|table|engine|chunk)_v\d+$", path.stem))


def content(checkpoint: FileCheckpoint) -> FileCheckpoint:
    """Return what a file says: a task of id 0 is none, and the order of the entries says nothing."""
    task = checkpoint.task if checkpoint.task and checkpoint.task.task_id else None
    return FileCheckpoint(task, dict(sorted(checkpoint.tables.items())))


def did_nothing(folder: Path, before: bytes, after: bytes) -> bool:
    """Tell the calls in which the tool gave up before it began: no PD, no target."""
    case = tomllib.loads((folder / "case.toml").read_text())
    return case["exit_code"] != 0 and content(decode(before)) == content(decode(after))


def acts(action: Action, before: FileCheckpoint, table: TableName) -> bool:
    entry = before.tables.get(str(table))
    return entry is not None and (action is not Action.DESTROY or entry.status <= 25)


FILES = [(*call, files) for call in calls() if (files := files_of(call[0]))]
SERVERS = [call for call in calls() if dumps_of(call[0], "before") and dumps_of(call[0], "after")]


@pytest.mark.parametrize(("folder", "action", "table", "files"), FILES, ids=[call[0].name for call in FILES])
def test_a_file_reads_afterwards_as_after_the_tool(
    folder: Path, action: Action, table: TableName, files: tuple[Path, Path], tmp_path: Path
) -> None:
    path = tmp_path / "cp.pb"
    shutil.copy(files[0], path)
    try:
        before = decode(path.read_bytes())
    except WireError:
        # The tool overwrites what it cannot read; ours leaves it to be looked at.
        with pytest.raises(CouldNotLook):
            change_entry(CheckpointStore(path=path), POLICY, action, table)
        assert path.read_bytes() == files[0].read_bytes()
        return
    if did_nothing(folder, files[0].read_bytes(), files[1].read_bytes()):
        pytest.skip("the tool gave up before it began")
    if acts(action, before, table):
        change_entry(CheckpointStore(path=path), POLICY, action, table)
    after = read_file(path, 1 << 30)
    assert after is not None
    assert content(after) == content(decode(files[1].read_bytes()))


@pytest.mark.parametrize(("folder", "action", "table"), SERVERS, ids=[call[0].name for call in SERVERS])
def test_a_server_reads_afterwards_as_after_the_tool(
    server: MariaDB, folder: Path, action: Action, table: TableName
) -> None:
    load_tsv(server, "expected", dumps_of(folder, "after"))
    load_tsv(server, "changed", dumps_of(folder, "before"))
    before = read_mysql(server_of(server), "changed", "here", 20)
    entry = next((record for record in before.tables if record.table == table), None)
    if entry and (action is not Action.DESTROY or entry.status <= 25):
        store = CheckpointStore(driver="mysql", schema="changed", server=server_of(server))
        change_entry(store, POLICY, action, table)
    columns = (
        "table_name, status, table_id",
        "table_name, engine_id, status",
        "table_name, engine_id, path, `offset`, pos",
    )
    for kind, chosen in zip(("table_v%", "engine_v%", "chunk_v%"), columns, strict=True):
        [(name,)] = server.run(f"SHOW TABLES FROM expected LIKE '{kind.replace('_', chr(92) + '_')}'")
        told = [sorted(server.run(f"SELECT {chosen} FROM {schema}.{name}")) for schema in ("expected", "changed")]
        assert told[0] == told[1]


def rewound() -> list[tuple[Path, Path, list[int]]]:
    pairs = [("40-rewind-one-engine", [0]), ("40b-rewind-third-of-three-engines", [2])]
    return [
        (root / f"v8.5.4-local-backend/{name}.1-TERM/after/checkpoint.pb",
         root / f"v8.5.4-local-backend/{name}.2-rerun-after-rewind/before/checkpoint.pb", engines)
        for root in roots() for name, engines in pairs
    ]  # fmt: skip


@pytest.mark.parametrize(("stopped", "by_hand", "engines"), rewound(), ids=["one engine", "the third of three"])
def test_a_rewind_is_what_was_done_by_hand_and_gives_the_row_ids_back(
    stopped: Path, by_hand: Path, engines: list[int]
) -> None:
    if not stopped.is_file() or not by_hand.is_file():
        pytest.skip("the recording is not at hand")
    [(name, before)] = decode(stopped.read_bytes()).tables.items()
    ours = decode(with_engines_rewound(stopped.read_bytes(), TableName.parse(name), engines)).tables[name]
    theirs = decode(by_hand.read_bytes()).tables[name]
    firsts = {
        engine.status: [chunk.prev_rowid_max for chunk in engine.chunks.values()] for engine in ours.engines.values()
    }
    assert firsts[30] == ([0] if engines == [0] else [15735])
    for number in engines:
        # The table that was tried has an integer primary key, which no row id stands in for.
        chunks = {
            key: replace(chunk, prev_rowid_max=theirs.engines[number].chunks[key].prev_rowid_max)
            for key, chunk in ours.engines[number].chunks.items()
        }
        ours = replace(ours, engines={**ours.engines, number: replace(ours.engines[number], chunks=chunks)})
    assert ours == theirs
    assert before.engines.keys() == ours.engines.keys()


@pytest.mark.parametrize(("stopped", "by_hand", "engines"), rewound(), ids=["one engine", "the third of three"])
def test_a_rewind_in_a_server_is_that_of_the_file(
    server: MariaDB, stopped: Path, by_hand: Path, engines: list[int]
) -> None:
    if not stopped.is_file():
        pytest.skip("the recording is not at hand")
    [(name, table)] = decode(with_engines_rewound(stopped.read_bytes(), *_named(stopped, engines))).tables.items()
    put(server, "rewound", stopped)
    store = CheckpointStore(driver="mysql", schema="rewound", server=server_of(server))
    rewind_engines(store, POLICY, TableName.parse(name), engines)
    told = server.run("SELECT engine_id, path, pos, prev_rowid_max, kvc_kvs, kvc_bytes, kvc_checksum "
                      "FROM rewound.chunk_v5 ORDER BY engine_id")  # fmt: skip
    assert told == [
        (number, c.path, c.pos, c.prev_rowid_max, c.kvc_kvs, c.kvc_bytes, c.kvc_checksum)
        for number, engine in sorted(table.engines.items()) for c in engine.chunks.values()
    ]  # fmt: skip
    statuses = server.run("SELECT engine_id, status FROM rewound.engine_v5 ORDER BY engine_id")
    assert statuses == [(number, engine.status) for number, engine in sorted(table.engines.items())]


def _named(stopped: Path, engines: list[int]) -> tuple[TableName, list[int]]:
    [name] = decode(stopped.read_bytes()).tables
    return TableName.parse(name), engines


def put(server: MariaDB, schema: str, path: Path) -> None:
    """Put what a checkpoint file says into a server, in the columns of release 8.5 that are asked for."""
    [(name, table)] = decode(path.read_bytes()).tables.items()
    server.run(
        f"DROP SCHEMA IF EXISTS {schema}", f"CREATE SCHEMA {schema}",
        f"CREATE TABLE {schema}.table_v10 (table_name varchar(261), status int, table_id bigint)",
        f"CREATE TABLE {schema}.engine_v5 (table_name varchar(261), engine_id int, status int)",
        f"CREATE TABLE {schema}.chunk_v5 (table_name varchar(261), engine_id int, path varchar(2048), `offset` bigint, "
        "pos bigint, end_offset bigint, prev_rowid_max bigint, rowid_max bigint, kvc_bytes bigint unsigned, "
        "kvc_kvs bigint unsigned, kvc_checksum bigint unsigned)",
    )  # fmt: skip
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {schema}.table_v10 VALUES (%s, %s, %s)", (name, table.status, table.table_id))
        for number, engine in table.engines.items():
            cursor.execute(f"INSERT INTO {schema}.engine_v5 VALUES (%s, %s, %s)", (name, number, engine.status))
            for c in engine.chunks.values():
                row = (name, number, c.path, c.offset, c.pos, c.end_offset, c.prev_rowid_max, c.rowid_max,
                       c.kvc_bytes, c.kvc_kvs, c.kvc_checksum)  # fmt: skip
                cursor.execute(f"INSERT INTO {schema}.chunk_v5 VALUES ({', '.join(['%s'] * len(row))})", row)


def rich() -> tuple[bytes, TableName]:
    if not FILES:
        pytest.skip("no recorded call is at hand")
    data = next(d for d in (files[0].read_bytes() for *_, files in FILES) if len(decode_or_none(d).tables) > 1)
    return data, TableName.parse(next(iter(decode(data).tables)))


def decode_or_none(data: bytes) -> FileCheckpoint:
    try:
        return decode(data)
    except WireError:
        return FileCheckpoint()


def test_fields_of_a_later_version_stay() -> None:
    data, table = rich()
    later = write_span(99, b"a later version's") + data
    for changed in (without_table(later, table), with_errors_ignored(later, table)):
        assert b"a later version's" in changed


def test_what_is_not_changed_stays_byte_for_byte() -> None:
    data, table = rich()
    left = decode(data)
    expected = encode(FileCheckpoint(left.task, {n: t for n, t in left.tables.items() if n != str(table)}))
    assert without_table(data, table) == expected


@pytest.mark.parametrize("name", [TableName("shop", "nosuch"), TableName("SHOP", "ORDERS")])
def test_a_table_without_an_entry_is_refused_not_passed_over(name: TableName) -> None:
    for act in (without_table, with_errors_ignored):
        with pytest.raises(CouldNotLook, match="no entry"):
            act(rich()[0], name)


def test_an_engine_that_is_not_there_is_refused() -> None:
    data, table = rich()
    with pytest.raises(CouldNotLook, match="knows no engine 7"):
        with_engines_rewound(data, table, [7])


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_file_is_never_changed(draw: st.DataObject) -> None:
    data, table = rich()
    cut = draw.draw(st.integers(1, len(data) - 1))
    broken = data[:cut] if draw.draw(st.booleans()) else data[:cut] + b"\xff" + data[cut + 1 :]
    try:
        changed = without_table(broken, table)
    except (WireError, CouldNotLook):
        return
    assert decode(changed).tables.keys() == decode(broken).tables.keys() - {str(table)}


def test_a_kill_leaves_the_old_file_or_the_new_one_and_a_link_stays_a_link(tmp_path: Path) -> None:
    data, table = rich()
    (tmp_path / "real.pb").write_bytes(data)
    (tmp_path / "link.pb").symlink_to("real.pb")
    change_entry(CheckpointStore(path=tmp_path / "link.pb"), POLICY, Action.REMOVE, table)
    assert (tmp_path / "link.pb").is_symlink()
    assert (tmp_path / "real.pb").read_bytes() == without_table(data, table)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.pb", "real.pb"]
