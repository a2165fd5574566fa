"""From a file's raw values to the policy: every key is checked, and every error is collected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from safe_lightning.policy.keys import Key, answer_keys, keys_of, single_names
from safe_lightning.policy.kinds import KINDS, BadValue, Kind
from safe_lightning.policy.model import DROP_PHRASE, HookRule, OverrideRule, Policy
from safe_lightning.policy.problem import KeyPath, Place, Problem, dotted, shown

#: Tells where a key was set.
PlaceOf = Callable[[KeyPath], Place]
#: Turns a path that stands at a key into the one that is meant.
Anchor = Callable[[KeyPath, str], str]

DEFAULT = "default"


class Checker:
    """Checks raw values against the model. ``problems`` and ``origins`` fill as it goes.

    A bad value is replaced by its default, so that the rest can be checked; whoever finds problems afterwards
    must not use the policy.
    """

    def __init__(self, place_of: PlaceOf, anchor: Anchor) -> None:
        self.problems: list[Problem] = []
        self.origins: dict[str, str] = {}
        self._place_of = place_of
        self._anchor = anchor

    def policy(self, data: Mapping[str, Any]) -> Policy:
        """Check everything and return the policy."""
        policy = self._settings(Policy, data, ())
        for path in _destroys(policy) if not policy.may_drop else ():
            needed = f'allow = ["{DROP_PHRASE}"]'
            self._report(path, f'found "destroy"; it drops tables: allowed only together with {needed}')
        given = frozenset(key for key, origin in self.origins.items() if origin != DEFAULT)
        return Policy(**{key.name: getattr(policy, key.name) for key in keys_of(Policy)}, given=given)

    def _report(self, path: KeyPath, message: str, found: str = "", options: tuple[str, ...] = ()) -> None:
        self.problems.append(Problem(self._place_of(path), dotted(path), message, found, options))

    def _settings(self, settings: type[Any], data: Mapping[str, Any], path: KeyPath) -> Any:  # noqa: ANN401
        keys = keys_of(settings)
        self._report_unknown(data, keys, path)
        return settings(**{key.name: self._key(key, data, (*path, key.name)) for key in keys})

    def _report_unknown(self, data: Mapping[str, Any], keys: Sequence[Key], path: KeyPath) -> None:
        names = tuple(key.name for key in keys)
        for name in data:
            if name not in names:
                message = f"found an unknown key; allowed: {', '.join(names)}"
                self._report((*path, name), message, name, (*names, *single_names()))

    def _key(self, key: Key, data: Mapping[str, Any], path: KeyPath) -> object:
        if key.kind == "section":
            return self._settings(type(key.default), self._table(data.get(key.name, {}), path), path)
        self.origins[dotted(path)] = str(self._place_of(path)) if key.name in data else DEFAULT
        if key.name not in data:
            return key.default
        if key.kind == "rules":
            return self._rules(key, data[key.name], path)
        if key.kind == "answers":
            return self._answers(self._table(data[key.name], path), path)
        kind = KINDS[key.kind]
        read = self._list if kind.is_list else self._single
        return read(key, kind, data[key.name], path)

    def _table(self, value: object, path: KeyPath) -> Mapping[str, Any]:
        if isinstance(value, dict):
            return value
        self._report(path, f"found {shown(value)}; allowed: a table")
        return {}

    def _single(self, key: Key, kind: Kind, value: object, path: KeyPath) -> object:
        try:
            read = kind.read(value, key.rules)
        except BadValue as bad:
            found = value if isinstance(value, str) else ""
            self._report(path, f"found {shown(value)}; allowed: {bad.allowed}", found, bad.options)
            return key.default
        return self._anchor(path, str(read)) if _is_path(key, path, str(read)) else read

    def _list(self, key: Key, kind: Kind, value: object, path: KeyPath) -> object:
        if not isinstance(value, list) or len(value) < kind.least_elements:
            found = shown(value) if value != [] else "an empty list"
            self._report(path, f"found {found}; allowed: a list of {kind.allowed(key.rules)}")
            return key.default
        return tuple(self._single(key, kind, item, (*path, at)) for at, item in enumerate(value))

    def _answers(self, data: Mapping[str, Any], path: KeyPath) -> object:
        keys = answer_keys()
        self._report_unknown(data, keys, path)
        return {key.name: self._key(key, data, (*path, key.name)) for key in keys if key.name in data}

    def _rules(self, key: Key, value: object, path: KeyPath) -> object:
        if not isinstance(value, list):
            self._report(path, f"found {shown(value)}; allowed: a list of tables, [[{key.name}]]")
            return key.default
        return tuple(self._rule(key.rules["rule"], item, (*path, at)) for at, item in enumerate(value))

    def _rule(self, rule: type[Any], value: object, path: KeyPath) -> object:
        data = self._table(value, path)
        if data is value:
            self._check_hook(data, path) if rule is HookRule else None
            self._check_override(data, path) if rule is OverrideRule else None
            self._check_tables(data.get("tables"), path)
        return self._settings(rule, data, path)

    def _check_hook(self, data: Mapping[str, Any], path: KeyPath) -> None:
        named = [name for name in ("use", "run") if data.get(name) not in (None, "")]
        if len(named) != 1:
            found = "both" if named else "neither"
            self._report(path, f"found {found} of use and run; allowed: exactly one of them")
        if data.get("when") and data.get("stage", "pre-import") == "pre-import":
            self._report((*path, "when"), 'found with stage "pre-import"; allowed: only with stage = "post-import"')
        if isinstance(data.get("run"), list) and data["run"][:1] == [""]:
            self._report((*path, "run", 0), 'found ""; allowed: an executable')

    def _check_tables(self, patterns: object, path: KeyPath) -> None:
        if isinstance(patterns, list) and patterns and all(str(item).strip().startswith("!") for item in patterns):
            message = 'found exclusions only, which fit no table; allowed: with what they exclude from, such as "*.*"'
            self._report((*path, "tables"), message)

    def _check_override(self, data: Mapping[str, Any], path: KeyPath) -> None:
        if data.get("checkpoint", {}) == {}:
            self._report(
                path, 'found no answer in it; allowed: at least one, such as checkpoint = { stale = "remove" }'
            )


def _is_path(key: Key, path: KeyPath, value: str) -> bool:
    """Tell paths from what is looked up on PATH and from arguments."""
    is_executable = key.kind == "executable" or (key.kind == "command" and path[-1] == 0)
    return key.kind == "path" or (is_executable and "/" in value)


def _destroys(policy: Policy) -> list[KeyPath]:
    """Find the places that ask for a table to be dropped."""
    places: list[KeyPath] = [
        ("checkpoint", "on", key.name) for key in answer_keys() if getattr(policy.checkpoint.on, key.name) == "destroy"
    ]
    places += [("remedy", at, "action") for at, rule in enumerate(policy.remedy) if rule.action == "destroy"]
    for at, rule in enumerate(policy.override):
        places += [("override", at, "checkpoint", name) for name, word in rule.checkpoint.items() if word == "destroy"]
    return places
