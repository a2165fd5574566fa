"""A task with one setting changed: a config file of its own in the run's record, and the command line that names it.

Lightning has no flag for the conflict strategy. The user's file stays as it is; the copy holds what it holds, secrets
included, so nobody but its owner can read it, and it goes when the run ends.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomlkit

from safe_lightning.core.goflags import read_flags
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.lightning.task import Task, resolve_task
from safe_lightning.lightning.task_file import TaskFileError, read_task_file

_STRATEGY = "replace"


def write_override(task: Task, path: Path, key: str, environ: Mapping[str, str]) -> None:
    """Write the task's config with the strategy "replace", and prove that nothing else differs.

    Raises CouldNotLook where the config cannot be read or would say anything else; nothing is left then.
    """
    try:
        _write(path, tomlkit.dumps(_changed(_read(task), key)))
    except OSError as error:
        raise CouldNotLook(f"{path} cannot be written: {error.strerror}") from error
    try:
        _check(task, path, environ)
    except CouldNotLook:
        path.unlink(missing_ok=True)
        raise


def with_config(argv: Sequence[str], path: Path) -> tuple[str, ...]:
    """Name another config file on a command line: the last one counts, and flags end where a stray word begins."""
    words = list(argv)
    at = len(words) - len(read_flags(words).stray)
    if at and at < len(words) and words[at - 1] == "--":
        at -= 1
    return (*words[:at], f"--config={path}", *words[at:])


def _read(task: Task) -> dict[str, Any]:
    if task.config_file is None:
        return {}
    try:
        read_task_file(task.config_file)  # bounded, and never a pipe that would be emptied
        return tomllib.loads(task.config_file.read_text("utf-8").removeprefix("\ufeff"))
    except (TaskFileError, OSError, ValueError) as error:
        raise CouldNotLook(f"{task.config_file} cannot be read: {error}") from error


def _changed(data: dict[str, Any], key: str) -> dict[str, Any]:
    # Lightning matches names without regard to case.
    section, _, name = key.partition(".")
    kept = {word: value for word, value in data.items() if word.lower() != section}
    old = next((value for word, value in data.items() if word.lower() == section and isinstance(value, dict)), {})
    return {**kept, section: {**{w: v for w, v in old.items() if w.lower() != name}, name: _STRATEGY}}


def _write(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _check(task: Task, path: Path, environ: Mapping[str, str]) -> None:
    made = resolve_task(with_config(task.argv, path), task.cwd, environ)
    if made.config_file != path or made.conflict_strategy != _STRATEGY:
        raise CouldNotLook('the task would not come to have the conflict strategy "replace"')
    fresh = [problem.message for problem in made.problems if problem not in task.problems]
    if fresh:
        raise CouldNotLook(f"Lightning would not take the changed task: {fresh[0]}")
    alike = replace(
        made, argv=task.argv, config_file=task.config_file, conflict_strategy=task.conflict_strategy, values=task.values
    )
    if (repr(alike), _passwords(alike)) != (repr(task), _passwords(task)):
        raise CouldNotLook("the changed task would differ in more than its conflict strategy")


def _passwords(task: Task) -> tuple[str, ...]:
    # Secrets neither compare nor print themselves.
    stores = (task.target, *([task.checkpoint.server] if task.checkpoint.server is not None else []))
    return tuple(server.password.reveal() for server in stores)
