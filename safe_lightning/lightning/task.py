"""The task as Lightning sees it: config file, flags and environment resolved into one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.lightning.secret import Secret

__all__ = ["CheckpointStore", "Problem", "Secret", "Server", "Task", "resolve_task"]


@dataclass(frozen=True)
class Server:
    """A MySQL-protocol server: the target, or the one that keeps the checkpoint.

    ``port`` is 0 where the task does not name it (Lightning then asks the status port).
    """

    host: str = "127.0.0.1"
    port: int = 0
    user: str = "root"
    password: Secret = field(default_factory=Secret)
    tls: str = ""
    ca_path: str = ""
    cert_path: str = ""
    key_path: str = ""
    status_port: int = 10080
    pd_addr: str = ""
    unix_socket: str = ""


@dataclass(frozen=True)
class CheckpointStore:
    """Where Lightning keeps its checkpoint.

    ``path`` is set for the file driver with a local path, ``url`` for a file DSN that is a storage URL (its
    query left out, as that holds keys), ``server`` for the mysql driver; ``schema`` is the mysql schema name.
    """

    enabled: bool = True
    driver: str = "file"
    schema: str = "tidb_lightning_checkpoint"
    path: Path | None = None
    url: str = ""
    server: Server | None = None
    keep_after_success: str = "remove"
    is_default_path: bool = False

    @property
    def location(self) -> str:
        """Name the store for people and for locks; never holds a password."""
        if self.server is not None:
            place = self.server.unix_socket or f"{self.server.host}:{self.server.port}"
            return f"mysql://{self.server.user}@{place}/{self.schema}"
        return str(self.path) if self.path is not None else self.url


@dataclass(frozen=True)
class Problem:
    """One thing wrong with the task: what Lightning would say, and how sure we are that it would."""

    key: str
    message: str
    is_certain: bool = True


@dataclass(frozen=True)
class Task:
    """One invocation of Lightning, resolved as it would resolve it.

    ``problems`` lists what Lightning would reject; an uncertain one leaves the decision to the child.
    ``is_info_only`` is true for -V, -h and --help. ``log_file`` is "" for the default (a new file in the
    temporary folder, announced on stdout) and "-" for stdout. ``values`` holds every effective dotted key
    that the file or the flags set (secrets masked), for the record.
    """

    argv: tuple[str, ...]
    cwd: Path
    config_file: Path | None = None
    is_info_only: bool = False
    is_control_tool_call: bool = False
    backend: str = ""
    target: Server = field(default_factory=Server)
    checkpoint: CheckpointStore = field(default_factory=CheckpointStore)
    data_source_dir: str = ""
    sorted_kv_dir: str = ""
    log_file: str = ""
    log_level: str = "info"
    status_addr: str = ""
    server_mode: bool = False
    checksum: str = "required"
    analyze: str = "optional"
    conflict_strategy: str = ""
    table_filter: tuple[str, ...] = ()
    has_routes: bool = False
    has_file_rules: bool = False
    parallel_import: bool = False
    check_requirements: bool = True
    unknown_flags: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)

    @property
    def is_bad(self) -> bool:
        """Whether Lightning certainly rejects it."""
        return any(problem.is_certain for problem in self.problems)


def resolve_task(argv: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> Task:
    """Resolve an invocation as Lightning 4.0 to 8.5 would. Never raises: what is wrong becomes a problem."""
    from safe_lightning.core.goflags import read_flags
    from safe_lightning.lightning.task_build import build_task

    return build_task(read_flags(argv), tuple(argv), cwd, environ)
