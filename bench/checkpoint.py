"""How long a verdict on a huge leftover checkpoint takes, and how much memory: both drivers.

python bench/checkpoint.py file [TABLES ENGINES CHUNKS]     # default 2000 50 100: ten million chunks, 1.6 GB
python bench/checkpoint.py mysql [TABLES ENGINES CHUNKS]    # needs mariadbd; default 200 50 100
python bench/checkpoint.py target [TABLES]                  # needs mariadbd; default 2000: the look at the target
"""

from __future__ import annotations

import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import common
import psutil

sys.path.insert(0, str(common.ROOT / "tests"))

from safe_lightning.core.checkpoint import Checkpoint
from safe_lightning.core.checkpoint_verdict import judge_checkpoint
from safe_lightning.lightning.wire import write_span, write_varint
from safe_lightning.policy.model import Policy

if TYPE_CHECKING:
    import mariadb

CHUNKS_PER_FILE = 10
SIZE = 256 << 20


def write_file(path: Path, tables: int, engines: int, chunks: int) -> None:
    """Write a checkpoint of a physical import in its middle, one table after the other."""
    body = b"\x18\x1e" + b"".join(_engine(engine, engines, chunks) for engine in range(engines))
    table = write_span(1, write_span(1, b"`app`.`table_0000`") + write_span(2, body))
    with path.open("wb") as file:
        for number in range(tables):
            file.write(table.replace(b"table_0000", b"table_%04d" % number))  # the lengths stay as they are
        file.write(write_span(2, b"\x08\x07" + write_span(3, b"local")))


def _engine(engine: int, engines: int, chunks: int) -> bytes:
    is_imported = engine < engines // 2
    body = b"\x08" + write_varint(120 if is_imported else 30)
    for at in range(chunks):
        body += _chunk(engine * chunks + at, is_imported or at < chunks // 2)
    return write_span(8, b"\x08" + write_varint(engine << 1) + write_span(2, body))


def _chunk(number: int, is_done: bool) -> bytes:
    file, offset = number // CHUNKS_PER_FILE, number % CHUNKS_PER_FILE * SIZE
    path, first = f"app.table_0000.{file:06d}.csv".encode(), number * 1_300_000
    end = offset + SIZE
    numbers = {
        2: offset, 5: end, 6: end if is_done else offset, 7: first + 1_000_000 * is_done, 8: first + 1_300_000,
        9: 88_000_000 * is_done, 10: 2_000_000 * is_done,
    }  # fmt: skip
    body = write_span(1, path)
    body += b"".join(write_varint(field << 3) + write_varint(value) for field, value in numbers.items() if value)
    body += b"\x59" + struct.pack("<Q", 0x1234567890ABCDEF) + write_span(12, bytes(range(6)))
    body += b"\x69" + struct.pack("<q", 1_795_457_450) + b"\x70\x04" + write_span(16, b"%06d" % file)
    body += b"\x88\x01" + write_varint(CHUNKS_PER_FILE * SIZE)
    return write_span(2, write_span(1, path + b":%d" % offset) + write_span(2, body))


def measure(read: Callable[[], Checkpoint]) -> None:
    """Time one verdict, and tell the most memory that the process ever took."""
    started, used = time.perf_counter(), time.process_time()
    checkpoint = read()
    judgement = judge_checkpoint(checkpoint, None, time.time())
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    chunks = sum(record.chunks_total for record in checkpoint.tables)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(f"{chunks:,} chunks: {judgement.verdict} in {seconds:.1f} s ({cpu:.1f} s of CPU), {memory} MiB at most")


def measure_file(tables: int, engines: int, chunks: int) -> None:
    from safe_lightning.lightning.checkpoint_file import read_summary

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pb"
        write_file(path, tables, engines, chunks)
        print(f"file driver, {path.stat().st_size:,} bytes")
        measure(lambda: read_summary(path, 1 << 40))


def measure_mysql(tables: int, engines: int, chunks: int) -> None:
    import mariadb

    from safe_lightning.lightning.checkpoint_mysql import read_mysql
    from safe_lightning.lightning.secret import Secret
    from safe_lightning.lightning.task import Server

    with mariadb.start() as server:
        server.run(*_schema(tables, engines, chunks))
        print("mysql driver, MariaDB with a buffer pool of 32 MiB")
        there = Server(host=server.host, port=server.port, password=Secret(server.password))
        worked = _server_seconds(server)
        measure(lambda: read_mysql(there, "cp", "here", Policy().checkpoint.timeout))
        print(f"the server's own CPU time: {_server_seconds(server) - worked:.1f} s")


def measure_target(tables: int) -> None:
    import mariadb

    from safe_lightning.core.tables import TableName
    from safe_lightning.lightning.secret import Secret
    from safe_lightning.lightning.task import Server
    from safe_lightning.lightning.tidb import open_target

    names = [TableName("app", f"table_{number:04d}") for number in range(tables)]
    with mariadb.start() as server:
        server.run("CREATE SCHEMA app", *(f"CREATE TABLE {name} (a INT) ENGINE=MyISAM" for name in names))
        there = Server(host=server.host, port=server.port, password=Secret(server.password))
        for what, count in (("together", tables), ("one by one", min(tables, 200))):
            with open_target(there, 20.0) as target:
                before, started = _statements(server), time.perf_counter()
                if what == "together":
                    target.look_at(names)
                else:
                    for name in names[:count]:
                        target.table(name)
                seconds, asked = time.perf_counter() - started, _statements(server) - before
                print(f"{count:,} tables of the target {what}: {asked} statements, {seconds:.2f} s")


def _server_seconds(server: mariadb.MariaDB) -> float:
    used = psutil.Process(int((Path(server.unix_socket).parent / "pid").read_text())).cpu_times()
    return used.user + used.system


def _statements(server: mariadb.MariaDB) -> int:
    [(_, count)] = server.run("SHOW GLOBAL STATUS LIKE 'Com_select'")
    return int(str(count))


def _schema(tables: int, engines: int, chunks: int) -> list[str]:
    per_table = engines * chunks
    table = f"CONCAT('`app`.`table_', LPAD(seq DIV {per_table}, 4, '0'), '`')"
    number, most = f"(seq MOD {per_table})", tables * per_table - 1
    return [
        "CREATE SCHEMA cp CHARACTER SET utf8mb4",
        "CREATE TABLE cp.task_v2 (task_id BIGINT, backend VARCHAR(16))",
        "INSERT INTO cp.task_v2 VALUES (7, 'local')",
        "CREATE TABLE cp.table_v10 (table_name VARCHAR(261) PRIMARY KEY, status INT, table_id BIGINT)",
        f"INSERT INTO cp.table_v10 SELECT CONCAT('`app`.`table_', LPAD(seq, 4, '0'), '`'), 30, seq + 100 "
        f"FROM cp.seq_0_to_{tables - 1}",
        "CREATE TABLE cp.engine_v5 (table_name VARCHAR(261), engine_id INT, status TINYINT UNSIGNED, "
        "PRIMARY KEY (table_name, engine_id DESC))",
        f"INSERT INTO cp.engine_v5 SELECT CONCAT('`app`.`table_', LPAD(seq DIV {engines}, 4, '0'), '`'), "
        f"seq MOD {engines}, IF(seq MOD 2, 120, 30) FROM cp.seq_0_to_{tables * engines - 1}",
        "CREATE TABLE cp.chunk_v5 (table_name VARCHAR(261), engine_id INT UNSIGNED, path VARCHAR(2048), "
        "`offset` BIGINT, file_size BIGINT, compression INT, end_offset BIGINT, pos BIGINT, prev_rowid_max BIGINT, "
        "rowid_max BIGINT, kvc_kvs BIGINT UNSIGNED, PRIMARY KEY (table_name, engine_id, path(500), `offset`))",
        f"INSERT INTO cp.chunk_v5 SELECT {table}, {number} DIV {chunks}, "
        f"CONCAT('app.', LPAD({number} DIV {CHUNKS_PER_FILE}, 6, '0'), '.csv'), "
        f"{number} MOD {CHUNKS_PER_FILE} * {SIZE}, "
        f"{CHUNKS_PER_FILE * SIZE}, 0, ({number} MOD {CHUNKS_PER_FILE} + 1) * {SIZE}, 0, seq, seq + 9, 0 "
        f"FROM cp.seq_0_to_{most}",
    ]


if __name__ == "__main__":
    print(common.machine())
    what, *sizes = sys.argv[1:]
    defaults = {"file": [2000, 50, 100], "mysql": [200, 50, 100], "target": [2000]}
    measures: dict[str, Callable[..., None]] = {"file": measure_file, "mysql": measure_mysql, "target": measure_target}
    measures[what](*([int(size) for size in sizes] or defaults[what]))
