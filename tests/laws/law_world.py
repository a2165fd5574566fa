"""A small world to import into: a source that grows, a table that others write to, tools that crash, and the wrapper.

Beside the real table stands a model: which rows somebody else put there, and which rows the source holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safe_lightning.core.tables import TableName
from safe_lightning.lightning.task import Server
from safe_lightning.policy.model import DROP_PHRASE
from safe_lightning.rehearsal.cluster import Cluster
from safe_lightning.rehearsal.sandbox import open_sandbox, run_tool
from safe_lightning.rehearsal.scenario import SCENARIO_FILE, Ending, Scenario
from safe_lightning.rehearsal.toml_text import write_toml

TABLE, OTHER = TableName("app", "items"), TableName("app", "others")
FILE_ROWS = 6
SCHEMAS = {"key": "id bigint PRIMARY KEY, n int", "no key": "id bigint, n int"}
_VERDICTS = ("stale", "failed", "unsafe", "finished")
_CLEARED = {"destroy": dict.fromkeys(_VERDICTS, "destroy"), "remove": dict.fromkeys(_VERDICTS, "remove")}

_DESTROY: Mapping[str, Any] = {
    "allow": [DROP_PHRASE],
    "checkpoint": {"on": _CLEARED["destroy"]},
    "remedy": [{"cause": "any", "action": "destroy", "then": "retry", "least_confidence": 0.0}],
}
#: What a DBA may have configured; nobody here has asked for a resume that is known to lose rows.
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "default": {},
    "destroy": _DESTROY,
    "remove": {"checkpoint": {"on": _CLEARED["remove"]}},
    "ignore": {
        "checkpoint": {"on": {"failed": "ignore"}},
        "remedy": [{"cause": "any", "action": "ignore", "then": "retry", "least_confidence": 0.0}],
    },
}


@dataclass(frozen=True)
class Told:
    """What the wrapper said of one run."""

    exit_code: int
    outcome: str
    reason: str
    screen: str

    @property
    def is_fine(self) -> bool:
        return self.exit_code == 0


@dataclass
class World:
    """One sandbox, its table and the model of it; ``hers`` are rows that no import has brought."""

    backend: str
    schema: str
    hers: set[int] = field(default_factory=set)
    files: dict[str, list[int]] = field(default_factory=dict)
    #: What the table held when the import that is under way, or was last, began from nothing.
    held: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._stack = ExitStack()
        self.folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="laws-")))
        self._next_id, self._next_hers = 1, 1_000_000
        self._write_source()
        self.sandbox = self._stack.enter_context(self._open())

    def _open(self) -> Any:
        task = {
            "tikv-importer": {"backend": self.backend, "sorted-kv-dir": str(self.folder / "sorted")},
            "mydumper": {"data-source-dir": str(self.folder / "export")},
            "tidb": {"port": 4000},
        }
        config = self.folder / "task.toml"
        config.write_text(write_toml(task))
        return open_sandbox(
            ["--config", str(config)], self.folder, Scenario(pd_tries=2, hang_seconds=2.0), self.folder / "sandbox"
        )

    def _write_source(self) -> None:
        (self.folder / "export").mkdir()
        (self.folder / "export" / "app-schema-create.sql").write_text("CREATE DATABASE app;")
        schema = f"CREATE TABLE items ({SCHEMAS[self.schema]});"
        (self.folder / "export" / "app.items-schema.sql").write_text(schema)
        self.grow_source()
        self.grow_source()

    def close(self) -> None:
        self._stack.close()

    # What others do.

    def grow_source(self) -> None:
        name = f"app.items.{len(self.files) + 1:03d}.csv"
        self.files[name] = list(range(self._next_id, self._next_id + FILE_ROWS))
        self._next_id += FILE_ROWS
        self._write_file(name)

    def replace_file(self, name: str) -> None:
        """Put other rows under a name that may have been imported before; its size stays the same or grows."""
        self.files[name] = list(range(self._next_id, self._next_id + FILE_ROWS))
        self._next_id += FILE_ROWS
        self._write_file(name)

    def _write_file(self, name: str) -> None:
        text = "id,n\n" + "".join(f"{i},{i % 5}\n" for i in self.files[name])
        (self.folder / "export" / name).write_text(text)

    def recreate_table(self) -> None:
        with self._cluster() as cluster:
            if cluster.table_id(TABLE):
                cluster.drop(TABLE)
                cluster.create_statement_of(TABLE, f"CREATE TABLE items ({SCHEMAS[self.schema]})")
        self._forget_rows()

    def drop_table(self) -> None:
        with self._cluster() as cluster:
            if cluster.table_id(TABLE):
                cluster.drop(TABLE)
        self._forget_rows()

    def empty_table(self) -> None:
        with self._cluster() as cluster:
            if cluster.table_id(TABLE):
                cluster.run(f"DELETE FROM {TABLE}")
        self._forget_rows()

    def _forget_rows(self) -> None:
        self.hers.clear()
        self.held.clear()

    def insert_hers(self) -> None:
        with self._cluster() as cluster:
            if not cluster.table_id(TABLE):
                cluster.run("CREATE DATABASE IF NOT EXISTS app")
                cluster.create_statement_of(TABLE, f"CREATE TABLE items ({SCHEMAS[self.schema]})")
            cluster.insert(TABLE, ("id", "n"), [(str(self._next_hers), "7")])
        self.hers.add(self._next_hers)
        self._next_hers += 1

    def insert_elsewhere(self) -> None:
        """Fill a table that no import is about."""
        with self._cluster() as cluster:
            cluster.run("CREATE DATABASE IF NOT EXISTS app")
            cluster.create_statement_of(OTHER, "CREATE TABLE others (id bigint PRIMARY KEY)")
            cluster.insert(OTHER, ("id",), [("1",)])

    def delete_checkpoint(self) -> None:
        (self.sandbox.folder / "checkpoint.pb").unlink(missing_ok=True)

    def import_bare(self, ending: Ending) -> None:
        """Run the importer without any guard, as somebody would by hand."""
        self._begin(ending)
        run_tool(self.sandbox)

    # What the wrapper does.

    def import_guarded(self, policy: str | Mapping[str, Any], ending: Ending) -> Told:
        self._begin(ending)
        return self._end(self._start(policy))

    def import_twice_at_once(self, policy: Mapping[str, Any], ending: Ending) -> list[Told]:
        """Start two wrappers on the same import and wait for both."""
        self._begin(ending)
        return [self._end(process) for process in [self._start(policy), self._start(policy)]]

    def _start(self, policy: str | Mapping[str, Any]) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "safe_lightning", *self.sandbox.argv]
        return subprocess.Popen(
            argv, cwd=self.sandbox.folder, env=self._environ(policy),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _end(self, process: subprocess.Popen[bytes]) -> Told:
        _, stderr = process.communicate(timeout=120)
        lines = [line for line in stderr.decode("utf-8", "replace").splitlines() if '"child":' not in line]
        ended = [json.loads(line) for line in lines if '"run-ended"' in line]
        told = ended[-1] if ended else {"outcome": "", "reason": ""}
        return Told(process.returncode, told["outcome"], told["reason"], "\n".join(lines))

    def _environ(self, policy: str | Mapping[str, Any]) -> dict[str, str]:
        path = self.folder / "policy.toml"
        text = write_toml({"schema": 1, **(POLICIES[policy] if isinstance(policy, str) else policy)})
        path.write_text(text)
        return self.sandbox.environ({**os.environ, "SAFE_LIGHTNING_CONFIG": str(path)})

    def _begin(self, ending: Ending) -> None:
        if not (self.sandbox.folder / "checkpoint.pb").exists():
            self.held = self.rows()
        scenario = self.sandbox.folder / SCENARIO_FILE
        found = json.loads(scenario.read_text())
        scenario.write_text(json.dumps({**found, "ending": ending}))
        Path(f"{scenario}.played").unlink(missing_ok=True)

    # What is there.

    def _cluster(self) -> Cluster:
        return Cluster(Server(port=self.sandbox.ports.mysql), self.sandbox.scenario)

    def rows(self, table: TableName = TABLE) -> Counter[int]:
        with self._cluster() as cluster:
            if not cluster.table_id(table):
                return Counter()
            return Counter(int(str(row[0])) for row in cluster.run(f"SELECT id FROM {table}"))

    @property
    def source_rows(self) -> set[int]:
        return {row for rows in self.files.values() for row in rows}

    def arrived(self) -> Counter[int]:
        """Count the rows of the source that this import has brought."""
        rows = self.rows()
        return Counter({row: rows[row] - self.held[row] for row in self.source_rows})
