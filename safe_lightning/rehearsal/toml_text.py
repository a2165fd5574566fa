"""Plain data as TOML: the sandbox writes a task file, which nobody edits."""

from __future__ import annotations

import json
from collections.abc import Mapping


def write_toml(data: Mapping[str, object]) -> str:
    """Write nested tables as TOML. Raises TypeError for a value that TOML has no form for.

    >>> print(write_toml({"tidb": {"port": 4000, "vars": {"a.b": "x"}}, "routes": [{"to": "y"}]}), end="")
    "tidb" = {"port" = 4000, "vars" = {"a.b" = "x"}}
    "routes" = [{"to" = "y"}]
    """
    return "".join(f"{_text(name)} = {_value(value)}\n" for name, value in data.items())


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(k))} = {_value(v)}" for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")


def _text(text: str) -> str:
    # TOML's basic strings know JSON's escapes, but no surrogates and no raw DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
