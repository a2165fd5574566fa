"""Fingerprints of imports at their first launch, and how each attempt ended, across runs.

An import is named by its checkpoint's place alone: that another target or another source meets it is what is to be
noticed. One file tells what it was, a second one its attempts, so that an attempt costs little to note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from safe_lightning.core.fingerprint import Fingerprint, Launch, Place
from safe_lightning.core.source_state import FileState, SourceState, TableSource
from safe_lightning.core.stop import EngineNotIngested, Stop, StopKind
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.record.durable import to_bytes, write_durably
from safe_lightning.record.flock import exclusive
from safe_lightning.record.run_folder import read_json
from safe_lightning.record.strict_json import Keys, UnreadableRecord

SCHEMA = 1
_FOLDER = "fingerprints"
_LAUNCHES_KEPT = 50


def recall_fingerprint(state: Path, checkpoint: str) -> Fingerprint | None:
    """Return what is known of the import that this checkpoint belongs to; None where nothing is.

    Raises CouldNotLook: an unreadable record is not an absent one.
    """
    path = _file(state, checkpoint)
    try:
        found = _from_json(Keys(read_json(path), ""))
        if found.checkpoint != checkpoint:
            raise UnreadableRecord("checkpoint: not the one that belongs here")
        return replace(found, launches=_read_launches(path))
    except FileNotFoundError:
        return None
    except (OSError, UnreadableRecord) as error:
        raise CouldNotLook(f"what the import was at its first launch cannot be read: {path}: {error}") from error


def keep_fingerprint(state: Path, fingerprint: Fingerprint) -> None:
    """Write a fingerprint in place of the one that its checkpoint had. Durable when it returns. Raises OSError."""
    path = _file(state, fingerprint.checkpoint)
    with exclusive(state / _FOLDER / "lock"):
        write_durably(path, to_bytes(to_json(fingerprint)))
        _write_launches(path, fingerprint.launches)


def keep_launches(state: Path, fingerprint: Fingerprint) -> None:
    """Write only the attempts of a fingerprint that is kept already. Durable when it returns. Raises OSError."""
    with exclusive(state / _FOLDER / "lock"):
        _write_launches(_file(state, fingerprint.checkpoint), fingerprint.launches)


def forget_fingerprint(state: Path, checkpoint: str) -> None:
    """Forget an import: after proven success, or once its checkpoint is verified to be gone. Raises OSError."""
    path = _file(state, checkpoint)
    with exclusive(state / _FOLDER / "lock"):
        # The attempts go last: without the first file they mean nothing.
        path.unlink(missing_ok=True)
        _launches_file(path).unlink(missing_ok=True)


def _file(state: Path, checkpoint: str) -> Path:
    digest = hashlib.sha256(checkpoint.encode("utf-8", "surrogateescape")).hexdigest()
    return state / _FOLDER / f"{digest[:32]}.json"


def _launches_file(path: Path) -> Path:
    return path.with_suffix(".launches.json")


def _read_launches(path: Path) -> tuple[Launch, ...]:
    try:
        return Keys(read_json(_launches_file(path)), "").each("launches", _launch_from_json)
    except FileNotFoundError:
        return ()


def _write_launches(path: Path, launches: tuple[Launch, ...]) -> None:
    entries = [_launch_to_json(launch) for launch in launches[-_LAUNCHES_KEPT:]]
    write_durably(_launches_file(path), to_bytes({"schema": SCHEMA, "launches": entries}, indent=1))


def to_json(fingerprint: Fingerprint) -> dict[str, Any]:
    """Return a fingerprint without its attempts, as it is kept and as a run's record shows it."""
    return {
        "schema": SCHEMA,
        "checkpoint": fingerprint.checkpoint,
        "run": fingerprint.run,
        "at_milliseconds": round(fingerprint.at * 1000),
        "host": fingerprint.host,
        "is_first_launch": fingerprint.is_first_launch,
        "lightning_version": fingerprint.lightning_version,
        "place": asdict(fingerprint.place),
        "settings": dict(fingerprint.settings),
        "source_unknown": fingerprint.source_unknown,
        "source": None if fingerprint.source is None else _source_to_json(fingerprint.source),
        "table_ids": [{"table": str(name), "id": number} for name, number in sorted(fingerprint.table_ids.items())],
    }


def _source_to_json(source: SourceState) -> list[dict[str, Any]]:
    return [
        {
            "table": str(name),
            "schema_hash": table.schema_hash,
            "files": [[file.name, file.size_bytes, file.modified_nanoseconds] for file in table.files],
        }
        for name, table in sorted(source.tables.items())
    ]


def _from_json(keys: Keys) -> Fingerprint:
    if keys.number("schema") != SCHEMA:
        raise UnreadableRecord("schema: not one that is known")
    place = keys.object("place")
    names = ("backend", "source_dir", "host", "pd_addr", "sorted_kv_dir", "cluster_id")
    return Fingerprint(
        run=keys.text("run"),
        at=keys.number("at_milliseconds") / 1000,
        host=keys.text("host"),
        checkpoint=keys.text("checkpoint"),
        place=Place(port=place.number("port"), **{name: place.text(name) for name in names}),
        is_first_launch=keys.flag("is_first_launch"),
        lightning_version=keys.text("lightning_version"),
        settings=keys.object("settings").all_texts(),
        source=keys.maybe("source", lambda key: SourceState(dict(keys.each(key, _table_from_json)))),
        source_unknown=keys.text("source_unknown"),
        table_ids=dict(keys.each("table_ids", lambda entry: (entry.table("table"), entry.number("id")))),
    )


def _table_from_json(keys: Keys) -> tuple[TableName, TableSource]:
    files = keys.rows("files", (str, int, int))
    return keys.table("table"), TableSource(tuple(FileState(*row) for row in files), keys.text("schema_hash"))


def _launch_to_json(launch: Launch) -> Mapping[str, Any]:
    stop = launch.stop
    return {
        "run": launch.run,
        "attempt": launch.attempt,
        "at_milliseconds": round(launch.at * 1000),
        "outcome": launch.outcome,
        "signal": launch.signal,
        "stop": stop and {"kind": str(stop.kind), "reason": stop.reason, "drain": stop.drain},
        "engines_not_ingested": [
            {"table": str(e.table), "engine": e.engine, "kvs": e.kvs, "imported": e.imported}
            for e in launch.engines_not_ingested
        ],
    }


def _launch_from_json(keys: Keys) -> Launch:
    stop = keys.part("stop")
    return Launch(
        keys.text("run"),
        keys.number("attempt"),
        keys.number("at_milliseconds") / 1000,
        keys.text("outcome"),
        keys.maybe("signal", keys.number),
        Stop(stop.word("kind", StopKind), stop.text("reason"), stop.text("drain")) if stop else None,
        keys.each(
            "engines_not_ingested",
            lambda e: EngineNotIngested(e.table("table"), e.number("engine"), e.number("kvs"), e.number("imported")),
        ),
    )
