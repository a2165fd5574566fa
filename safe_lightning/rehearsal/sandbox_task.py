"""The user's task, moved into a sandbox: same source and settings, another cluster, another checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safe_lightning.core.goflags import GoFlags
from safe_lightning.lightning.task import Task
from safe_lightning.rehearsal.target import Ports

#: Flags whose meaning the sandbox takes over; all others stay as they were given.
_MOVED_FLAGS = {
    "config",
    "c",
    "tidb-host",
    "tidb-port",
    "tidb-user",
    "tidb-password",
    "tidb-status",
    "pd-urls",
    "importer",
    "log-file",
    "status-addr",
    "sorted-kv-dir",
    "enable-checkpoint",
    "d",
    "f",
    "ca",
    "cert",
    "key",
    "server-mode",
}
#: Settings that would lead out of the sandbox, or that the stand-ins do not know.
_LEFT_OUT = {
    "tidb": ("password", "tls", "security"),
    "lightning": ("status-addr", "pprof-port", "server-mode"),
}


def sandbox_config(data: Mapping[str, Any], task: Task, folder: Path, ports: Ports) -> dict[str, Any]:
    """Derive the sandbox's task from the user's file and flags.

    The checkpoint is always a file here, also where the user keeps it in MySQL.
    """
    config = {name: _without(name, value) for name, value in data.items() if name != "security"}
    source = task.cwd / task.data_source_dir.removeprefix("file://")
    _update(
        config,
        "tidb",
        host="127.0.0.1",
        port=ports.mysql,
        user="root",
        **{"status-port": ports.status, "pd-addr": f"127.0.0.1:{ports.pd}"},
    )
    _update(config, "lightning", file=str(folder / "lightning.log"))
    _update(config, "checkpoint", driver="file", dsn=str(folder / "checkpoint.pb"), enable=task.checkpoint.enabled)
    _update(config, "tikv-importer", **{"sorted-kv-dir": str(folder / "sorted-kv")})
    _update(config, "mydumper", **{"data-source-dir": str(source.resolve())})
    if task.table_filter:
        _update(config, "mydumper", filter=list(task.table_filter))
    return config


def _without(name: str, value: object) -> object:
    left_out = _LEFT_OUT.get(name, ())
    return {k: v for k, v in value.items() if k not in left_out} if isinstance(value, Mapping) else value


def _update(config: dict[str, Any], name: str, **values: object) -> None:
    found = config.get(name)
    config[name] = {**(found if isinstance(found, dict) else {}), **values}


def sandbox_argv(flags: GoFlags, config: Path) -> list[str]:
    """Return the sandbox's command line: its own config, then the flags that keep their meaning."""
    kept = {name: value for name, value in flags.values.items() if name not in _MOVED_FLAGS}
    words = [f"--{name}={value}" for name, value in kept.items()]
    return ["--config", str(config), *words, *(f"--{name}" for name in flags.unknown)]
