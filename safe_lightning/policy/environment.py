"""Single keys set by environment variables, for containers: ``SAFE_LIGHTNING__CHECKPOINT__ON__STALE=remove``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.keys import Key, single_keys
from safe_lightning.policy.kinds import KINDS
from safe_lightning.policy.problem import KeyPath, Place, Problem

PREFIX = "SAFE_LIGHTNING__"

_FLAGS = {"true": True, "false": False}
_NUMBER = re.compile(r"-?[0-9]{1,15}")


@dataclass(frozen=True)
class Override:
    """One variable: which key it sets, and the value as a TOML file would hold it."""

    name: str
    path: KeyPath
    value: object

    @property
    def place(self) -> Place:
        """Name the place for errors and origins."""
        return _place(self.name)


def _place(name: str) -> Place:
    return Place(f"environment {name}")


def variables() -> dict[str, tuple[KeyPath, Key]]:
    """Return every variable's name with the key that it sets.

    All keys but those of [[remedy]], [[override]] and [[hooks]], which have no name of their own, and ``schema``, which
    speaks of the file.
    """
    return {
        PREFIX + "__".join(str(part).upper() for part in path): (path, key)
        for path, key in single_keys()
        if path != ("schema",)
    }


def read_environment(environ: Mapping[str, str]) -> tuple[list[Override], list[Problem]]:
    """Return the overrides and the variables with our prefix that mean nothing. Values are not checked here."""
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    if not ours:
        return [], []
    known = variables()
    overrides = [
        Override(name, known[name][0], _raw(known[name][1], value)) for name, value in ours.items() if name in known
    ]
    unknown = [_unknown(name, tuple(known)) for name in ours if name not in known]
    return overrides, unknown


def _unknown(name: str, known: tuple[str, ...]) -> Problem:
    rule = f"{PREFIX} and a key in capitals, parts joined by two underscores (not remedy, override, hooks, schema)"
    return Problem(_place(name), "", f"found an unknown variable; allowed: {rule}", name, known)


def _raw(key: Key, text: str) -> object:
    """Turn a variable's text into what TOML would hold; what does not fit stays text and is refused as such."""
    if key.kind == "flag":
        return _FLAGS.get(text, text)
    if key.kind == "number":
        return int(text) if _NUMBER.fullmatch(text) else text
    return _list(text) if KINDS[key.kind].is_list else text


def _list(text: str) -> object:
    import tomllib

    try:
        data = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return data["value"] if len(data) == 1 else text
