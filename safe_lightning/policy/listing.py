"""Every key in a row: with its value and origin as they are in force, or with its default for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.redact import redact_data
from safe_lightning.policy.check import DEFAULT
from safe_lightning.policy.keys import Key, keys_of, rule_keys, single_keys
from safe_lightning.policy.kinds import KINDS, write_value
from safe_lightning.policy.load import LoadedPolicy
from safe_lightning.policy.problem import KeyPath, dotted
from safe_lightning.policy.writing import toml_value


@dataclass(frozen=True)
class Effective:
    """One key as it is in force: its value as the file writes it (secrets masked), and where it was set."""

    path: KeyPath
    value: object
    origin: str

    @property
    def key(self) -> str:
        """Return the dotted key."""
        return dotted(self.path)


def effective_values(loaded: LoadedPolicy) -> Iterator[Effective]:
    """Yield every key: first those that stand alone, then empty lists of tables, then the entries of the others."""
    for path, key in single_keys():
        holder: object = loaded.policy
        for part in path:
            holder = getattr(holder, str(part))
        yield _effective(loaded, path, key, holder)
    lists = [(key, getattr(loaded.policy, key.name)) for key in rule_keys()]
    for key, _ in (pair for pair in lists if not pair[1]):
        yield Effective((key.name,), [], loaded.origins.get(key.name, DEFAULT))
    for key, rules in lists:
        for at, rule in enumerate(rules):
            for inner in keys_of(type(rule)):
                yield _effective(loaded, (key.name, at, inner.name), inner, getattr(rule, inner.name))


def _effective(loaded: LoadedPolicy, path: KeyPath, key: Key, value: object) -> Effective:
    return Effective(path, redact_data(write_value(key.kind, value)), loaded.origins.get(dotted(path), DEFAULT))


def key_tables() -> str:
    """Return the Markdown tables of all keys, as docs/policy.md shows them."""
    singles = _table((dotted(path), key) for path, key in single_keys())
    entries = [
        f"### [[{key.name}]]\n\n{_table((inner.name, inner) for inner in keys_of(key.rules['rule']))}"
        for key in rule_keys()
    ]
    return "\n\n".join([singles, *entries])


def _table(rows: Iterable[tuple[str, Key]]) -> str:
    lines = ["| key | default | allowed | what it is for |", "|---|---|---|---|"]
    for name, key in rows:
        default = toml_value(write_value(key.kind, key.default))
        lines.append(f"| `{name}` | `{default}` | {_allowed(key)} | {key.why} |")
    return "\n".join(lines)


def _allowed(key: Key) -> str:
    if key.kind == "answers":
        return "a table: verdict = answer"
    if key.kind == "choice":
        return ", ".join(f"`{word}`" for word in key.rules["choices"] if word)
    if key.kind == "outcomes":
        return "a list of [outcomes](outcomes.md)"
    kind = KINDS[key.kind]
    allowed = kind.allowed(key.rules)
    if key.kind in ("duration", "size", "percent"):
        return f"{key.kind}, {allowed.rpartition(', ')[2]}"  # how they are written is told once for all
    return f"a list of {allowed}" if kind.is_list else allowed
