"""Two hosts that import into one target: folders, states and names of their own, and a child that waits to be let go.

The hosts are two processes of this machine whose policies give them two names; what tells them apart is what tells
real hosts apart: no shared state folder, and a lease in the target.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from instances import ORDERS
from mariadb import MariaDB
from run.conftest import Place

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.checkpoint_file import FileCheckpoint, FileEngine, FileTable, FileTask, encode

_WAIT = """
with open("ready", "w") as ready:
    ready.write("x")
with open("go") as go:
    go.read()
"""
_MISMATCH = """
import shutil
SAID = "checksum mismatched remote vs local => (checksum: 1 vs 2) (total_kvs: 4 vs 6) (total_bytes: 2 vs 3)"
shutil.copy("failed.pb", "cp.pb")
with open("lightning.log", "a") as log:
    log.write(LOG.partition('[2026/01/01 00:00:01.000')[0])
    log.write('[2026/01/01 00:00:01.000 +00:00] [ERROR] [t.go:1] ["restore table failed"] [table=`shop`.`orders`] '
        '[error="' + SAID + '"]\\n')
    log.write('[2026/01/01 00:00:01.000 +00:00] [ERROR] [m.go:3] ["tidb lightning encountered error stack info"] '
        '[error="' + SAID + '"]\\n')
print("tidb lightning encountered error: checksum mismatched", flush=True)
sys.exit(1)
"""


@dataclass
class Host(Place):
    """A host with its own folder; ``ready`` and ``go`` are FIFOs between the test and the child."""

    def wait_for_child(self) -> None:
        (self.folder / "ready").read_text()

    def let_child_go(self) -> None:
        (self.folder / "go").write_text("x")

    def importing(self) -> subprocess.Popen[bytes]:
        """Start an import and return once its child runs."""
        process = self.start("--config", "task.toml")
        self.wait_for_child()
        return process

    def notes(self) -> list[str]:
        return [event["message"] for event in self.events() if event["event"] == "note"]


def host(
    folder: Path, name: str, target: MariaDB, lock: str = "", more: str = "", port: int = 0, *, parallel: bool = False
) -> Host:
    """Make a host whose import fills `shop`.`orders`; ``port`` is a door before the target."""
    source = folder / "data"
    source.mkdir(parents=True)
    (source / "shop.orders.csv").write_text("id\n1\n")
    (folder / "sorted").mkdir()
    (folder / "task.toml").write_text(
        "[lightning]\nfile = 'lightning.log'\n[tikv-importer]\nbackend = 'local'\n"
        f"sorted-kv-dir = '{folder / 'sorted'}'\nparallel-import = {str(parallel).lower()}\n"
        f"[checkpoint]\ndriver = 'file'\ndsn = '{folder / 'cp.pb'}'\n[mydumper]\ndata-source-dir = '{source}'\n"
        f"[tidb]\nhost = '127.0.0.1'\nport = {port or target.port}\nuser = 'root'\npassword = '{target.password}'\n"
    )
    for pipe in ("ready", "go"):
        os.mkfifo(folder / pipe)
    made = Host(folder)
    made.child(_WAIT + "import_all()\n")
    leases = f'[lock]\nhost = "{name}"\nlease = "target"\nlease_schema = "sl_leases"\n'
    made.policy(f"{'' if more else 'hooks = []'}\n{leases}{lock}\n{more}")
    return made


def fail_with_a_mismatch(made: Host, table: TableName = ORDERS) -> None:
    """Have the child end in a mismatch whose entry the policy wants removed, by ourselves."""
    entry = FileTable(status=18, engines={0: FileEngine(status=120)}, table_id=7)
    task = FileTask(task_id=1, backend="local", tidb_host="127.0.0.1", tidb_port=4000)
    (made.folder / "failed.pb").write_bytes(encode(FileCheckpoint(task, {str(table): entry})))
    made.child(_WAIT + _MISMATCH)
