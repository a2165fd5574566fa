"""One call of the command, resolved: the task, the policy, the real binary, and where the record goes."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.lightning.binary import find_binary
from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.policy.load import LoadedPolicy, find_policy, load_policy

#: Ours alone: never handed to the child, to hooks or to the control tool.
OUR_VARIABLES = ("SAFE_LIGHTNING_CONFIG", "SAFE_LIGHTNING_BINARY")


@dataclass(frozen=True)
class Invocation:
    """Everything that is fixed before a run begins."""

    run: str
    started_at: float
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path
    task: Task
    loaded: LoadedPolicy

    @property
    def child_environ(self) -> dict[str, str]:
        """Return the environment of the child: the caller's, less what is ours."""
        return {
            name: value
            for name, value in self.environ.items()
            if name not in OUR_VARIABLES and not name.startswith("SAFE_LIGHTNING__")
        }

    def find_binary(self) -> Path:
        """Find the real tidb-lightning. Raises BinaryError."""
        return find_binary(self.loaded.policy.binary, self.environ, our_path(), self.cwd)


def resolve(argv: tuple[str, ...], environ: Mapping[str, str], cwd: Path) -> Invocation:
    """Resolve a call. Raises PolicyError; a bad task is kept in ``task.problems``."""
    started_at = time.time()
    task = resolve_task(argv, cwd, environ)
    loaded = load_policy(find_policy(environ, task.config_file), environ)
    return Invocation(new_run_id(), started_at, argv, environ, cwd, task, loaded)


def new_run_id() -> str:
    """Return a short id that is unique among the runs of a host."""
    return os.urandom(4).hex()


def our_path() -> Path:
    """Return the file we were started from, so that the search for the real binary can skip it."""
    import sys

    return Path(os.path.abspath(sys.argv[0]))  # noqa: PTH100 - resolve() would follow the very link we look for
