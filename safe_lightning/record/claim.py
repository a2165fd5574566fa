"""What a run claims for itself, and which claims cannot stand side by side."""

from __future__ import annotations

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName, shared_names
from safe_lightning.record.clock import rfc3339
from safe_lightning.record.strict_json import Keys


@dataclass(frozen=True)
class Claim:
    """A run's claim on a checkpoint and on tables of a target.

    ``checkpoint_location`` is empty where no checkpoint is kept; ``tables`` is None where they are not known
    before the import. ``argv`` must be redacted: it is shown to whoever waits.
    """

    run: str
    started_at: float
    pid: int
    target: str
    checkpoint_location: str
    tables: frozenset[TableName] | None
    is_parallel_import: bool = False
    argv: tuple[str, ...] = ()

    def describe(self) -> str:
        """Name the holder for whoever has to wait for it."""
        return f"run {self.run} (process {self.pid}, since {rfc3339(self.started_at)}): {' '.join(self.argv)}".rstrip(
            ": "
        )

    def to_json(self) -> dict[str, object]:
        """Return it as the claim's file holds it."""
        return {
            "run": self.run,
            "started": rfc3339(self.started_at),
            "pid": self.pid,
            "target": self.target,
            "checkpoint_location": self.checkpoint_location,
            "tables": None if self.tables is None else sorted(map(str, self.tables)),
            "is_parallel_import": self.is_parallel_import,
            "argv": list(self.argv),
        }

    @classmethod
    def from_json(cls, document: object) -> Claim:
        """Read a claim's file. Raises UnreadableRecord."""
        keys = Keys(document, "")
        tables = keys.maybe("tables", keys.tables)
        return cls(
            keys.text("run"), keys.time("started"), keys.number("pid"), keys.text("target"),
            keys.text("checkpoint_location"), None if tables is None else frozenset(tables),
            keys.flag("is_parallel_import"), keys.texts("argv"),
        )  # fmt: skip


def shared_tables(ours: Claim, theirs: Claim) -> frozenset[TableName]:
    """Return the tables that both would fill though they must not.

    Names are compared as TiDB does, without regard to case. Instances of a parallel import may fill one table
    together. Where one side's tables are not known nothing is found: only the checkpoint's lock counts then.
    """
    if ours.target != theirs.target or (ours.is_parallel_import and theirs.is_parallel_import):
        return frozenset()
    return shared_names(ours.tables, theirs.tables)
