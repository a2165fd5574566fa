"""The model's keys as data: what loading, showing, documenting and the JSON Schema have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.model import CheckpointAnswers, Policy
from safe_lightning.policy.problem import KeyPath, dotted

#: Verdicts on the store as a whole: no table has them, so none can answer them differently.
_STORE_ONLY = {"live", "unreadable"}


@dataclass(frozen=True)
class Key:
    """One key: its name, its default, why it is there, the name of its kind, and the rules of that kind.

    ``kind`` is "section" for a table of its own (its default is an instance), "rules" for a list of tables, whose
    class ``rules["rule"]`` names, and else a name in kinds.py.
    """

    name: str
    default: Any
    why: str
    kind: str
    rules: Mapping[str, Any]


def keys_of(settings: type[Any]) -> tuple[Key, ...]:
    """Return the keys of a class of the model in their order."""
    return tuple(_key(field) for field in fields(settings) if _is_key(field))


def _is_key(field: Field[Any]) -> bool:
    return "why" in field.metadata or (field.default_factory is not MISSING and is_dataclass(field.default_factory))


def _key(field: Field[Any]) -> Key:
    default = field.default if field.default_factory is MISSING else field.default_factory()
    return Key(field.name, default, field.metadata.get("why", ""), _kind(field, default), field.metadata)


def _kind(field: Field[Any], default: object) -> str:
    if is_dataclass(default):
        return "section"
    if "choices" in field.metadata:
        return "choice"
    by_type = {bool: "flag", int: "number", str: "text"}
    return str(field.metadata.get("kind") or by_type[type(default)])


@cache
def answer_keys() -> tuple[Key, ...]:
    """Return the verdicts to which an [[override]] can give other answers than [checkpoint.on] does."""
    return tuple(key for key in keys_of(CheckpointAnswers) if key.name not in _STORE_ONLY)


def single_keys() -> Iterator[tuple[KeyPath, Key]]:
    """Yield every key outside the lists of tables with its path, those of the top level first."""
    yield from _single_keys(Policy, ())


def _single_keys(settings: type[Any], path: KeyPath) -> Iterator[tuple[KeyPath, Key]]:
    keys = keys_of(settings)
    yield from (((*path, key.name), key) for key in keys if key.kind not in ("section", "rules"))
    for section in (key for key in keys if key.kind == "section"):
        yield from _single_keys(type(section.default), (*path, section.name))


@cache
def single_names() -> tuple[str, ...]:
    """Return the dotted names of `single_keys`."""
    return tuple(dotted(path) for path, _ in single_keys())


def rule_keys() -> tuple[Key, ...]:
    """Return the keys that hold lists of tables."""
    return tuple(key for key in keys_of(Policy) if key.kind == "rules")
