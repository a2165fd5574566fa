"""A plan to clean up as a document: what is shown, saved, sealed by a hash, and read again before it is applied."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safe_lightning.core.cleaning import Act, Item, Planned, Wish
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.record.durable import to_bytes, write_durably
from safe_lightning.record.run_folder import read_json
from safe_lightning.record.strict_json import Keys, UnreadableRecord

SCHEMA = 1
#: Shown of a plan's hash wherever it is named.
SHORT = 12


@dataclass(frozen=True)
class SavedPlan:
    """A plan that was read and whose seal holds."""

    name: str
    wish: Wish
    items: tuple[Planned, ...]
    document: Mapping[str, Any]


def to_document(
    items: Sequence[Item], wish: Wish, import_: Mapping[str, object], made_at: str, notes: Sequence[str]
) -> dict[str, Any]:
    """Return the contract of ``clean --json``, sealed; ``results`` are those of an application."""
    document = {
        "schema": SCHEMA,
        "made_at": made_at,
        "import": dict(import_),
        "gives_up": wish.gives_up,
        "with_logs": wish.with_logs,
        "acts": sum(item.is_act for item in items),
        "items": [_item(item) for item in items],
        "notes": list(notes),
        "results": None,
    }
    return {**document, "plan": _seal(document)}


def _item(item: Item) -> dict[str, Any]:
    leaving = item.leaving
    return {
        "key": item.key,
        "kind": str(leaving.kind),
        "name": leaving.name,
        "table": str(leaving.table) if leaving.table else None,
        "found": leaving.found,
        "ours": leaving.is_ours,
        "safe": item.is_safe,
        "action": str(item.act),
        "said": leaving.said,
        "reason": item.reason,
        "facts": dict(leaving.facts),
        "moments": dict(leaving.moments),
        "digest": item.digest,
    }


def _seal(document: Mapping[str, Any]) -> str:
    rest = {key: value for key, value in document.items() if key != "plan"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def save_plan(path: Path, document: Mapping[str, Any]) -> None:
    """Write a plan durably. Raises OSError."""
    write_durably(path, to_bytes(document, indent=1) + b"\n")


def read_plan(path: Path) -> SavedPlan:
    """Read a saved plan. Raises OSError, and UnreadableRecord where it is none or was changed since it was made."""
    document = read_json(path)
    keys = Keys(document, "")
    if keys.number("schema") != SCHEMA:
        raise UnreadableRecord(f"schema: {keys.number('schema')}, known is {SCHEMA}")
    if keys.text("plan") != _seal(document):
        raise UnreadableRecord("it was changed since it was made: its contents are not those of its hash (key `plan`)")
    wish = Wish(keys.flag("gives_up"), keys.flag("with_logs"))
    return SavedPlan(keys.text("plan"), wish, keys.each("items", _planned), document)


def _planned(keys: Keys) -> Planned:
    return Planned(keys.text("key"), keys.word("action", Act), keys.text("digest"))
