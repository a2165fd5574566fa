"""What stood in the target before the first attempt of an import.

A table may be dropped only where it is proven that it held nothing before. The proof must outlive the run that
made it: the attempt that ends in a mismatch is often not the first one. So the first observation counts until the
import has ended in proven success, or until its checkpoint is verified to be gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook, TableBaseline
from safe_lightning.record.durable import to_bytes, write_durably
from safe_lightning.record.flock import exclusive
from safe_lightning.record.run_folder import read_json
from safe_lightning.record.strict_json import Keys, UnreadableRecord

SCHEMA = 1


def baseline_key(checkpoint_location: str, target: str) -> str:
    """Name an import across its attempts.

    The target belongs to it: the default checkpoint is one file for all clusters, and what stood in one of them
    proves nothing of another.
    """
    return f"{checkpoint_location}\n{target}"


def remember(state: Path, key: str, baselines: Iterable[TableBaseline]) -> Mapping[TableName, TableBaseline]:
    """Add observations and return all that count; a table that is known already keeps its first one.

    Durable when it returns. Raises CouldNotLook where earlier ones cannot be read, OSError where it cannot be written.
    """
    with exclusive(state / "baselines" / "lock"):
        known = dict(recall(state, key))
        kept = {baseline.table: baseline for baseline in baselines} | known
        if kept != known:
            _write(state, key, kept)
        return kept


def recall(state: Path, key: str) -> Mapping[TableName, TableBaseline]:
    """Return the recorded observations. Raises CouldNotLook: an unreadable record is not an empty one."""
    try:
        keys = Keys(read_json(_file(state, key)), "")
        if keys.number("schema") != SCHEMA or keys.text("key") != key:
            raise UnreadableRecord("schema or key: not what belongs here")
        return {baseline.table: baseline for baseline in keys.each("tables", _from_json)}
    except FileNotFoundError:
        return {}
    except (OSError, UnreadableRecord) as error:
        raise CouldNotLook(f"what stood in the target before cannot be read: {_file(state, key)}: {error}") from error


def forget(state: Path, key: str, tables: Iterable[TableName] | None = None) -> None:
    """Forget the observations of some tables, or of all. Raises CouldNotLook, OSError.

    To be called only after proven success, or once it is verified that the checkpoint holds no entry of them.
    """
    with exclusive(state / "baselines" / "lock"):
        gone = None if tables is None else set(tables)
        left = {} if gone is None else {t: b for t, b in recall(state, key).items() if t not in gone}
        if left:
            _write(state, key, left)
        else:
            _file(state, key).unlink(missing_ok=True)


def referenced_runs(state: Path) -> frozenset[str]:
    """Return the runs that a remembered observation was made by. Raises CouldNotLook, OSError."""
    runs = set()
    for path in (state / "baselines").glob("*.json"):
        try:
            runs |= {baseline.run for baseline in Keys(read_json(path), "").each("tables", _from_json)}
        except FileNotFoundError:
            continue
        except UnreadableRecord as error:
            raise CouldNotLook(f"{path}: {error}") from error
    return frozenset(runs)


def _file(state: Path, key: str) -> Path:
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
    return state / "baselines" / f"{digest[:32]}.json"


def _write(state: Path, key: str, baselines: Mapping[TableName, TableBaseline]) -> None:
    tables = [_to_json(baselines[table]) for table in sorted(baselines)]
    write_durably(_file(state, key), to_bytes({"schema": SCHEMA, "key": key, "tables": tables}, indent=1))


def _to_json(baseline: TableBaseline) -> dict[str, object]:
    return {
        "table": str(baseline.table),
        "existed": baseline.existed,
        "was_empty": baseline.was_empty,
        "at_milliseconds": round(baseline.at * 1000),
        "run": baseline.run,
    }


def _from_json(keys: Keys) -> TableBaseline:
    return TableBaseline(
        keys.table("table"), keys.flag("existed"), keys.maybe("was_empty", keys.flag),
        keys.number("at_milliseconds") / 1000, keys.text("run"),
    )  # fmt: skip
