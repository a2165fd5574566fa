"""An engine of the local backend: pairs kept in sorted-kv-dir until they are ingested, so that a resume finds them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from safe_lightning.rehearsal.pairs import Pair

_FILE = "pairs.jsonl"


class EngineFolder:
    """One folder below sorted-kv-dir, named by the engine's uuid."""

    def __init__(self, sorted_kv_dir: Path, uuid: UUID) -> None:
        self.path = sorted_kv_dir / str(uuid)

    def open(self) -> None:
        """Create the folder, or keep what an earlier run left."""
        self.path.mkdir(parents=True, exist_ok=True)

    def append(self, pairs: Iterable[Pair]) -> None:
        """Add pairs; they are on disk when this returns, before the checkpoint says so."""
        with (self.path / _FILE).open("a", encoding="ascii") as file:
            file.writelines(json.dumps([pair.key.hex(), pair.value.hex(), pair.index]) + "\n" for pair in pairs)

    def read(self) -> list[Pair]:
        """Return all pairs, sorted by key as an ingest needs them; a line cut by a kill is left out."""
        pairs = []
        file = self.path / _FILE
        for line in file.read_text("ascii").splitlines(keepends=True) if file.exists() else ():
            if line.endswith("\n"):
                key, value, index = json.loads(line)
                pairs.append(Pair(bytes.fromhex(key), bytes.fromhex(value), index))
        return sorted(pairs, key=lambda pair: pair.key)

    def remove(self) -> None:
        """Delete the folder after the ingest."""
        shutil.rmtree(self.path, ignore_errors=True)
