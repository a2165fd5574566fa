"""How tidb-lightning-ctl is called: one table, one mode, and the user's own way to cluster and checkpoint."""

from __future__ import annotations

from pathlib import Path

from safe_lightning.core.goflags import read_flags
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import Action
from safe_lightning.lightning.task import Task

#: The control tool's mode of each act (lightning/cmd/tidb-lightning-ctl/main.go).
MODES = {
    Action.REMOVE: "checkpoint-remove",
    Action.IGNORE: "checkpoint-error-ignore",
    Action.DESTROY: "checkpoint-error-destroy",
}

#: Flags that say where cluster and checkpoint are; the tool knows them under the importer's names.
_HANDED_ON = {
    "config",
    "enable-checkpoint",
    "tidb-host",
    "tidb-port",
    "tidb-user",
    "tidb-password",
    "tidb-status",
    "pd-urls",
    "backend",
    "importer",
    "sorted-kv-dir",
    "ca",
    "cert",
    "key",
}


def control_tool_argv(tool: Path, task: Task, action: Action, table: TableName, pd_urls: str = "") -> list[str]:
    """Build the call for one act on one table.

    ``pd_urls`` is handed over where the task names no PD: with the tidb backend the tool would not look for
    it by itself and crash after 100 s. The user's ``-tidb-password``, if there is one, is handed on as it came:
    mask the result before it is shown. Raises ValueError for a report, which is no act of the tool.
    """
    if action not in MODES:
        raise ValueError(f"{action} is not done by the control tool")
    return [*_call(tool, task, pd_urls), f"--{MODES[action]}={table}"]


def fetch_mode_argv(tool: Path, task: Task, pd_urls: str = "") -> list[str]:
    """Build the call that asks every TiKV for its mode."""
    return [*_call(tool, task, pd_urls), "--fetch-mode"]


def normal_mode_argv(tool: Path, task: Task, pd_urls: str = "") -> list[str]:
    """Build the call that switches every TiKV back to normal."""
    return [*_call(tool, task, pd_urls), "--switch-mode=normal"]


def read_modes(said: str) -> dict[str, str]:
    r"""Read what the tool says of each store: its mode in a lower-case word, or ``error: …``.

    >>> read_modes("10.0.0.1:20160                 | Import mode\n10.0.0.2:20160 | Error: no\n[pd] client")
    {'10.0.0.1:20160': 'import', '10.0.0.2:20160': 'error: no'}
    """
    found = {}
    for line in said.splitlines():
        store, bar, what = (part.strip() for part in line.partition("|"))
        if bar and store and " " not in store and (what.endswith(" mode") or what.startswith("Error: ")):
            found[store] = what.removesuffix(" mode").lower() if what.endswith(" mode") else f"error: {what[7:]}"
    return found


def _call(tool: Path, task: Task, pd_urls: str) -> list[str]:
    flags = [f"--{name}={value}" for name, value in read_flags(task.argv).values.items() if name in _HANDED_ON]
    if pd_urls and not task.target.pd_addr:
        flags.append(f"--pd-urls={pd_urls}")
    return [str(tool), *flags]
