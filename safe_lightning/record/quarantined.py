"""The tables that runs have set aside, one file each: written before the rename, and kept until the table is gone.

They outlive the runs that made them. Only what is remembered here is ever renamed back or dropped.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from safe_lightning.core.quarantine import Quarantined
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.record.durable import sync_folder, to_bytes, write_durably
from safe_lightning.record.run_folder import read_json
from safe_lightning.record.strict_json import Keys, UnreadableRecord

SCHEMA = 1
_FOLDER = "quarantine"


def remember(state: Path, found: Quarantined) -> None:
    """Keep what is known of a table; durable when it returns. Raises OSError."""
    folder = state / _FOLDER
    if not folder.is_dir():
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(state)
    write_durably(_file(state, found), to_bytes(_to_json(found), indent=1) + b"\n")


def forget(state: Path, found: Quarantined) -> None:
    """Forget a table that is proven to be gone from its new name. Raises OSError."""
    _file(state, found).unlink(missing_ok=True)
    sync_folder(state / _FOLDER)


def recall(state: Path, target: str) -> tuple[Quarantined, ...]:
    """Return what was set aside in a target, oldest first. Raises CouldNotLook: unreadable is not empty."""
    found = []
    for path in sorted((state / _FOLDER).glob("*.json")):
        try:
            found.append(_from_json(read_json(path)))
        except FileNotFoundError:
            continue
        except (OSError, UnreadableRecord) as error:
            raise CouldNotLook(f"what was set aside cannot be read: {path}: {error}") from error
    return tuple(sorted((item for item in found if item.target == target), key=lambda item: item.at))


def _file(state: Path, found: Quarantined) -> Path:
    digest = hashlib.sha256(f"{found.target}\n{found.name}".encode("utf-8", "surrogateescape")).hexdigest()
    return state / _FOLDER / f"{digest[:32]}.json"


def _to_json(found: Quarantined) -> Mapping[str, object]:
    return {
        "schema": SCHEMA,
        "name": str(found.name),
        "original": str(found.original),
        "run": found.run,
        "at_milliseconds": round(found.at * 1000),
        "target": found.target,
        "checkpoint": found.checkpoint,
        "table_id": found.table_id,
        "created_at_milliseconds": None if found.created_at is None else round(found.created_at * 1000),
        "is_settled": found.is_settled,
    }


def _from_json(document: object) -> Quarantined:
    keys = Keys(document, "")
    if keys.number("schema") != SCHEMA:
        raise UnreadableRecord("schema: not one that this release knows")
    created = keys.maybe("created_at_milliseconds", keys.number)
    return Quarantined(
        keys.table("name"), keys.table("original"), keys.text("run"), keys.number("at_milliseconds") / 1000,
        keys.text("target"), keys.text("checkpoint"), keys.maybe("table_id", keys.number),
        None if created is None else created / 1000, keys.flag("is_settled"),
    )  # fmt: skip
