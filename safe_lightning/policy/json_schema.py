"""The policy file as JSON Schema 2020-12, so that editors complete, explain and check it while it is written.

It says all that a schema can; the order of magnitude of durations and the syntax of filter patterns are left to
`config validate`.
"""

from __future__ import annotations

from typing import Any

from safe_lightning.policy.keys import Key, answer_keys, keys_of, rule_keys
from safe_lightning.policy.kinds import KINDS, write_value
from safe_lightning.policy.model import DROP_PHRASE, HookRule, OverrideRule, Policy

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_DESTROY: Schema = {"const": "destroy"}


def policy_schema() -> Schema:
    """Return the schema of a policy file."""
    return {
        "$schema": DIALECT,
        "title": "safe-lightning policy",
        "description": "How safe-lightning runs TiDB Lightning, and what it may do about what it finds.",
        **_object(keys_of(Policy)),
        "required": ["schema"],
        "if": {"anyOf": _destroying()},
        "then": {"required": ["allow"], "properties": {"allow": {"contains": {"const": DROP_PHRASE}}}},
    }


def _object(keys: tuple[Key, ...]) -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": {key.name: _schema(key) for key in keys}}


def _schema(key: Key) -> Schema:
    if key.kind == "section":
        return {"description": type(key.default).__doc__, **_object(keys_of(type(key.default)))}
    if key.kind == "rules":
        return {"description": key.why, "type": "array", "items": _rule(key.rules["rule"])}
    if key.kind == "answers":
        return {"description": key.why, "minProperties": 1, **_object(answer_keys())}
    return {"description": key.why, "default": write_value(key.kind, key.default), **_value(key)}


def _value(key: Key) -> Schema:
    kind = KINDS[key.kind]
    schema = kind.schema(key.rules)
    return {"type": "array", "minItems": kind.least_elements, "items": schema} if kind.is_list else schema


def _rule(rule: type[Any]) -> Schema:
    schema = _object(keys_of(rule))
    if rule is OverrideRule:
        schema["required"] = ["checkpoint"]
    return {**schema, **_HOOK} if rule is HookRule else schema


def _set_to(name: str, value: Schema) -> Schema:
    return {"required": [name], "properties": {name: value}}


_USES = _set_to("use", {"minLength": 1})
_HOOK: Schema = {
    "oneOf": [{**_USES, "not": {"required": ["run"]}}, {"required": ["run"], "not": _USES}],
    "if": _set_to("when", {"minItems": 1}),
    "then": _set_to("stage", {"const": "post-import"}),
}


def _destroying() -> list[Schema]:
    """Describe the files that ask for a table to be dropped."""
    answers = {"anyOf": [_set_to(key.name, _DESTROY) for key in answer_keys()]}
    in_rules = {"remedy": _set_to("action", _DESTROY), "override": _set_to("checkpoint", answers)}
    assert set(in_rules) <= {key.name for key in rule_keys()}
    return [
        _set_to("checkpoint", _set_to("on", answers)),
        *(_set_to(name, {"contains": rule}) for name, rule in in_rules.items()),
    ]
