"""The policy as TOML for people: the commented default, and every effective value with its origin.

The layout is ours, the values are tomlkit's: it knows the right quotes for whatever a text holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

import tomlkit

from safe_lightning.policy.keys import Key, keys_of
from safe_lightning.policy.kinds import write_value
from safe_lightning.policy.model import HookRule, OverrideRule, Policy, RemedyRule

_HEAD = """\
The policy of safe-lightning: every key with its default.
Found as $SAFE_LIGHTNING_CONFIG, else as safe-lightning.toml beside Lightning's config file,
else as /etc/safe-lightning/config.toml.
Check it with `safe-lightning config validate FILE`; docs/policy.md explains it.
Lines like "#key = value", without a blank after the sign, are examples: remove the sign to use them.
Durations are written "90s", "5m", "1h30m", "2d"; relative paths start at the folder of this file.
"""
_NOTES = {
    "remedy": "Answers to a checksum that failed: the first entry that fits cause and table is applied, without one "
    "it is only reported.",
    "override": "Other answers than those of [checkpoint.on], for some tables: the last entry that fits wins.",
    "hooks": "What runs before and after the import, in this order. Entries here replace the default list as a "
    "whole, so keep these three beside your own; `hooks = []` above the first table means none at all.",
}
_EXAMPLES: Mapping[str, Sequence[Any]] = {
    "remedy": [RemedyRule(cause="checksum-incomplete", tables=("app.*", "!app.tmp_*"), then="retry", max_attempts=2)],
    "override": [OverrideRule(tables=("app.staging_*",), checkpoint={"failed": "remove", "stale": "remove"})],
    "hooks": [
        HookRule(run=("/etc/safe-lightning/page.sh", "--urgent"), stage="post-import", when=("damaged", "hung")),
        HookRule(use="checkpoint", name="leftovers"),
    ],
}
_WIDTH = 118


def write_example() -> str:
    """Return the commented default policy.

    It loads as the defaults; with the sign removed from the lines of its examples it still loads.
    """
    lines = list(_comment(_HEAD))
    for key in keys_of(Policy):
        lines.append("")
        if key.kind == "section":
            lines += _section(key, key.name)
        elif key.kind == "rules":
            lines += _rules(key)
        else:
            lines += _explained(key, key.default)
    return "\n".join(lines) + "\n"


def _section(section: Key, name: str) -> Iterator[str]:
    yield f"[{name}]"
    yield from _comment(type(section.default).__doc__ or "")
    for key in keys_of(type(section.default)):
        yield ""
        yield from _section(key, f"{name}.{key.name}") if key.kind == "section" else _explained(key, key.default)


def _rules(rules: Key) -> Iterator[str]:
    yield from _comment(_NOTES[rules.name])
    for rule in rules.default:
        yield from ("", *write_rule(rules.name, rule))
    for at, rule in enumerate(_EXAMPLES[rules.name]):
        yield ""
        lines = _rule_explained(rules.name, rule) if at == 0 else write_rule(rules.name, rule)
        yield from (line if line.startswith("#") else f"#{line}" for line in lines)


def _rule_explained(name: str, rule: object) -> Iterator[str]:
    yield f"[[{name}]]"
    for key in keys_of(type(rule)):
        yield from _explained(key, getattr(rule, key.name))


def write_rule(name: str, rule: object) -> Iterator[str]:
    """Write one entry of a list of tables: what differs from the defaults of its keys."""
    yield f"[[{name}]]"
    for key in keys_of(type(rule)):
        value = getattr(rule, key.name)
        if value != key.default or key.name == "stage":
            yield write_line(key, key.name, value)


def write_line(key: Key, name: str, value: object) -> str:
    """Write one key and its value."""
    return f"{name} = {toml_value(write_value(key.kind, value))}"


def _explained(key: Key, value: object) -> Iterator[str]:
    choices = f" ({' | '.join(word for word in key.rules['choices'] if word)})" if key.kind == "choice" else ""
    yield from _comment(key.why + choices)
    yield write_line(key, key.name, value)


def _comment(text: str) -> Iterator[str]:
    for line in text.splitlines():
        yield from (f"# {part}" for part in wrap(line, _WIDTH, break_on_hyphens=False, break_long_words=False))


def toml_value(value: object) -> str:
    """Write a plain value on one line."""
    if not isinstance(value, dict):
        return tomlkit.item(value).as_string()
    return "{ " + ", ".join(f"{name} = {toml_value(word)}" for name, word in value.items()) + " }" if value else "{}"
