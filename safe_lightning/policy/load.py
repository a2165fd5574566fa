"""Finds the policy file, reads it, lays the environment over it, and returns typed settings or every error."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.check import Checker
from safe_lightning.policy.environment import Override, read_environment
from safe_lightning.policy.model import Policy
from safe_lightning.policy.problem import KeyPath, Place, PolicyError, Problem

__all__ = ["LoadedPolicy", "PolicyError", "find_policy", "load_policy"]

VARIABLE = "SAFE_LIGHTNING_CONFIG"
NAME_BESIDE_TASK = "safe-lightning.toml"
SYSTEM = Path("/etc/safe-lightning/config.toml")


@dataclass(frozen=True)
class LoadedPolicy:
    """The policy in force, the file that it comes from (None: there is none), and where each key was set.

    ``origins`` maps dotted keys to "default", "FILE:LINE" or "environment NAME"; entries of lists are counted
    from 1 (``hooks[1].use``).
    """

    policy: Policy
    path: Path | None
    origins: Mapping[str, str]


def find_policy(environ: Mapping[str, str], task_config_file: Path | None, system: Path = SYSTEM) -> Path | None:
    """Name the policy file: the variable's, else the one beside Lightning's config file, else the system's.

    An empty variable counts as unset. A file that cannot be looked for is named all the same, so that loading it
    says why; nothing is skipped in silence but what is certainly not there.
    """
    if named := environ.get(VARIABLE, ""):
        return Path(named)
    beside = [task_config_file.parent / NAME_BESIDE_TASK] if task_config_file else []
    return next((path for path in (*beside, system) if not _is_absent(path)), None)


def _is_absent(path: Path) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def load_policy(path: Path | None, environ: Mapping[str, str]) -> LoadedPolicy:
    """Load a policy file (None: the defaults) with the overrides of the environment.

    Raises PolicyError with every error of file and environment, never anything else.
    """
    source = _read_source(path) if path else _Source()
    overrides, unknown = read_environment(environ)
    places = _Places(source, {override.path: override.place for override in overrides}, environ.get("HOME", ""))
    checker = Checker(places.place_of, places.anchor)
    policy = checker.policy(_merge(source.data, overrides))
    problems = sorted([*source.problems(), *checker.problems, *unknown], key=_reading_order)
    if problems:
        raise PolicyError(problems)
    return LoadedPolicy(policy, path, checker.origins)


def _reading_order(problem: Problem) -> tuple[bool, int]:
    return not problem.place.line, problem.place.line


@dataclass(frozen=True)
class _Source:
    """A policy file's raw values and the lines on which they stand; empty where there is no file."""

    path: Path | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[KeyPath, int] = field(default_factory=dict)

    def problems(self) -> list[Problem]:
        if self.path is None or "schema" in self.data:
            return []
        return [Problem(Place(str(self.path), 1), "schema", "found none; allowed: schema = 1")]

    def line(self, key: KeyPath) -> int:
        return next((self.lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in self.lines), 0)


def _read_source(path: Path) -> _Source:
    # Only here: without a policy file neither parser nor scanner is loaded.
    from safe_lightning.policy.policy_file import read_policy_file
    from safe_lightning.policy.positions import key_lines

    data, text = read_policy_file(path)
    return _Source(path, data, key_lines(text))


def _merge(data: Mapping[str, Any], overrides: Sequence[Override]) -> Mapping[str, Any]:
    merged = dict(data)
    for override in overrides:
        *sections, name = override.path
        table: Any = merged
        for section in sections:
            if not isinstance(table, dict):
                break  # the file has something in its place, which is reported
            held = table.get(str(section), {})
            table[str(section)] = table = dict(held) if isinstance(held, dict) else held
        if isinstance(table, dict):
            table[str(name)] = override.value
    return merged


@dataclass(frozen=True)
class _Places:
    """Where each key was set, and what its paths are relative to."""

    source: _Source
    by_environment: Mapping[KeyPath, Place]
    home: str

    def place_of(self, key: KeyPath) -> Place:
        return self._variable(key) or Place(str(self.source.path), self.source.line(key))

    def _variable(self, key: KeyPath) -> Place | None:
        return next((self.by_environment[key[:n]] for n in (1, 2, 3) if key[:n] in self.by_environment), None)

    def anchor(self, key: KeyPath, value: str) -> str:
        """Resolve a path as its writer meant it: from the file's folder, or where a variable sets it, from ours."""
        if self.home and (value == "~" or value.startswith("~/")):
            return self.home + value[1:]
        if not value or value.startswith(("/", "~")) or self.source.path is None or self._variable(key):
            return value
        return str(self.source.path.parent.absolute() / value)
