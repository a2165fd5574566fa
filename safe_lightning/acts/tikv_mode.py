"""Whether TiKV was left in import mode, and back to normal: only the control tool can do either, and it needs PD."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from safe_lightning.core.cleaning import Kind, Leaving
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import redact
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.binary import BinaryError, find_binary, find_control_tool
from safe_lightning.lightning.ctl import fetch_mode_argv, normal_mode_argv, read_modes
from safe_lightning.lightning.pd import ask_pd
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import Policy
from safe_lightning.supervise.command import CommandEnd, CommandNotStarted, run_command

_IMPORT = "import"


@dataclass(frozen=True)
class Tooling:
    """The control tool and how it reaches PD; ``why_not`` says why it cannot work, "" if it can."""

    control_tool: Path | None
    environ: Mapping[str, str]
    pd_urls: str = ""
    why_not: str = ""


def find_tooling(task: Task, policy: Policy, environ: Mapping[str, str]) -> Tooling:
    """Look for the control tool, and whether PD answers, without which it hangs and crashes."""
    tool = find_control_tool(policy.control_tool.path, _beside(policy, environ, task.cwd), environ, task.cwd)
    if tool is None:
        return Tooling(None, environ, why_not="no tidb-lightning-ctl was found (policy key control_tool.path)")
    try:
        return Tooling(tool, environ, ask_pd(task.target, policy.control_tool.probe_timeout).addresses)
    except CouldNotLook as error:
        return Tooling(tool, environ, why_not=str(error))


def _beside(policy: Policy, environ: Mapping[str, str], cwd: Path) -> Path:
    try:
        return find_binary(policy.binary, environ, Path(sys.argv[0]), cwd)
    except BinaryError:
        return Path(os.devnull)  # nothing lies beside it: PATH alone counts


def look_at_mode(task: Task, policy: Policy, tooling: Tooling) -> list[Leaving]:
    """Ask every TiKV for its mode. Raises CouldNotLook.

    TiKV goes back by itself some ten minutes after the last Lightning has ended; until then it is slow for others.
    """
    name = "TiKV's mode"
    if task.backend != "local":
        return [Leaving(Kind.IMPORT_MODE, name, False, "only the local backend switches it")]
    modes = fetch_modes(task, policy, tooling)
    left = sorted(store for store, mode in modes.items() if mode == _IMPORT)
    if failed := [f"{store}: {mode}" for store, mode in modes.items() if mode.startswith("error")]:
        raise CouldNotLook(f"a store did not tell its mode: {failed[0]}")
    if not left:
        return [Leaving(Kind.IMPORT_MODE, name, False, f"{len(modes)} store(s) in normal mode")]
    said = f"{len(left)} of {len(modes)} store(s) in import mode"
    return [Leaving(Kind.IMPORT_MODE, name, True, said, True, facts={"stores": left})]


def fetch_modes(task: Task, policy: Policy, tooling: Tooling) -> dict[str, str]:
    """Ask every TiKV for its mode, by store. Raises CouldNotLook."""
    tool = _able(tooling)
    end = _run(fetch_mode_argv(tool, task, tooling.pd_urls), task, policy, tooling)
    modes = read_modes((end.stdout + b"\n" + end.stderr).decode("utf-8", "replace"))
    if not modes:
        raise CouldNotLook(f"the control tool named no store{_words(end)}")
    return modes


def switch_to_normal(task: Task, policy: Policy, tooling: Tooling) -> str:
    """Switch every TiKV back to normal; return how the tool ended where not well. Raises CouldNotLook."""
    end = _run(normal_mode_argv(_able(tooling), task, tooling.pd_urls), task, policy, tooling)
    return _words(end)


def _able(tooling: Tooling) -> Path:
    if tooling.control_tool is None or tooling.why_not:
        raise CouldNotLook(tooling.why_not)
    return tooling.control_tool


def _run(argv: list[str], task: Task, policy: Policy, tooling: Tooling) -> CommandEnd:
    try:
        return run_command(
            argv, timeout_seconds=policy.control_tool.timeout, env=dict(tooling.environ), cwd=task.cwd,
        )  # fmt: skip
    except CommandNotStarted as error:
        raise CouldNotLook(str(error)) from error


def _words(end: CommandEnd) -> str:
    if end.exit_code == 0:
        return ""
    last = end.stderr.decode("utf-8", "replace").strip().splitlines()[-1:] or ["without a word"]
    return f" (exit code {end.exit_code}: {redact(last[0])[:200]})"
