"""Looks for everything that an import may have left: each place by itself, and what cannot be looked at is said."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import field
from pathlib import Path

from safe_lightning.acts.tikv_mode import Tooling, find_tooling, look_at_mode
from safe_lightning.core.checkpoint import Checkpoint, CheckpointVerdict, TableRecord, UnreadableCheckpoint
from safe_lightning.core.checkpoint_verdict import place_of
from safe_lightning.core.cleaning import Item, Kind, Leaving, Wish, plan_leavings
from safe_lightning.core.cleaning_entries import Entry, Limits, plan_entries
from safe_lightning.core.fingerprint import differences
from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import CouldNotLook
from safe_lightning.leftover import place_of_task
from safe_lightning.lightning import leavings_disk, leavings_rows
from safe_lightning.lightning.leavings_store import store_leaving
from safe_lightning.lightning.task import Task
from safe_lightning.policy.model import DROP_PHRASE, Policy
from safe_lightning.record.baselines import baseline_key, recall
from safe_lightning.record.cleanings import Trace, read_traces
from safe_lightning.services import EngineServices

_DEFAULT_LOG = re.compile(r"lightning\.log\.\d{4}-\d\d-\d\dT\d\d\.\d\d\.\d\d(Z|[+-]\d{4})")


@dataclass(frozen=True)
class World:
    """Everything that was seen; ``checkpoint`` is None where it could not be read. ``dead`` died before their end."""

    checkpoint: Checkpoint | None
    entries: tuple[Entry, ...]
    unread: tuple[Item, ...]
    leavings: tuple[Leaving, ...]
    others_alive: bool | None
    tooling: Tooling
    dead: tuple[Trace, ...] = ()
    notes: tuple[str, ...] = ()

    def plan(self, wish: Wish, policy: Policy) -> tuple[Item, ...]:
        """Plan what becomes of it all."""
        limits = Limits(
            DROP_PHRASE,
            policy.checkpoint.max_tables,
            policy.checkpoint.max_rows_dropped,
            policy.checkpoint.require_empty_before,
        )
        entries = self.unread or plan_entries(self.entries, wish, limits)
        return plan_leavings(self.leavings, entries, self.others_alive, wish)


@dataclass
class Looker:
    """Looks at one import's leavings; what it cannot learn becomes a note, or a leaving that was not looked at."""

    task: Task
    policy: Policy
    state: Path
    environ: Mapping[str, str]
    wish: Wish
    notes: list[str] = field(default_factory=list)

    def look(self) -> World:
        """Look at every place. Raises OSError where our own record cannot be read."""
        services = self.services()
        dead = tuple(trace for trace in read_traces(self.state) if trace.is_dead and self._is_same_import(trace))
        checkpoint, unread = self._checkpoint(services, dead)
        tooling = find_tooling(self.task, self.policy, self.environ)
        others_alive = services.others_alive(self.notes.append)
        entries = self._entries(services, checkpoint, others_alive, dead) if checkpoint is not None else ()
        tables = self._tables(services, checkpoint, entries)
        is_foreign = checkpoint is not None and self._is_foreign(checkpoint, entries)
        task_id = (checkpoint.task.task_id or None) if checkpoint and checkpoint.task and not is_foreign else None
        is_told_of = self.wish.gives_up or task_id is not None
        leavings = [
            *self._attempt(Kind.IMPORT_MODE, "TiKV's mode", lambda: look_at_mode(self.task, self.policy, tooling)),
            *self._rows(Kind.METADATA, leavings_rows.look_at_metadata, task_id, tables),
            *self._rows(Kind.TASK_INFO, leavings_rows.look_at_task_info, task_id, tables),
            *self._attempt(Kind.ENGINES, "engine folders", lambda: self._engines(tables, is_told_of=is_told_of)),
            *self._store(checkpoint, dead, is_foreign=is_foreign),
            *self._attempt(
                Kind.TEMPORARY, "beside the checkpoint", lambda: leavings_disk.look_at_temporary_files(self.task)
            ),
            *self._attempt(Kind.LOG, "temporary logs", self._logs),
        ]
        return World(
            checkpoint, entries, unread, tuple(leavings), others_alive, tooling, dead, tuple(dict.fromkeys(self.notes))
        )

    def services(self) -> EngineServices:
        """Return services with the recorded baselines of this import."""
        return services_of(self.task, self.policy, self.state)

    def _is_same_import(self, trace: Trace) -> bool:
        return dict(trace.plan.document.get("import", {})) == import_of(self.task)

    def _attempt(self, kind: Kind, name: str, look: Callable[[], list[Leaving]]) -> list[Leaving]:
        try:
            return look()
        except (CouldNotLook, OSError) as error:
            return [Leaving(kind, name, None, str(error))]

    def _rows(
        self, kind: Kind, look: Callable[..., list[Leaving]], task_id: int | None, tables: Mapping[TableName, object]
    ) -> list[Leaving]:
        def at_target() -> list[Leaving]:
            if not self.task.target.port:
                raise CouldNotLook("the task names no port of the target (tidb.port)")
            return look(self.task, task_id, tuple(tables), self.policy.checkpoint.timeout)

        return self._attempt(kind, "rows in the target", at_target)

    def _checkpoint(
        self, services: EngineServices, dead: tuple[Trace, ...]
    ) -> tuple[Checkpoint | None, tuple[Item, ...]]:
        try:
            return services.read_checkpoint(), ()
        except CouldNotLook as error:
            store = self.task.checkpoint
            if isinstance(error, UnreadableCheckpoint) and _began(dead, f"{Kind.CHECKPOINT}:{store.location}"):
                return Checkpoint(store.driver, store.location, True, None, ()), ()
            leaving = Leaving(Kind.ENTRY, store.location, None, str(error))
            return None, plan_leavings([leaving], (), None, self.wish)

    def _engines(self, tables: Mapping[TableName, tuple[int, ...]], *, is_told_of: bool) -> list[Leaving]:
        return leavings_disk.look_at_engines(self.task, tables, is_told_of=is_told_of)

    def _is_foreign(self, checkpoint: Checkpoint, entries: tuple[Entry, ...]) -> bool:
        """Whether it is another import's, also where it holds no entry that would be judged so."""
        if any(entry.verdict is CheckpointVerdict.FOREIGN for entry in entries):
            return True
        return checkpoint.task is not None and any(differences(place_of(checkpoint.task), place_of_task(self.task)))

    def _store(self, checkpoint: Checkpoint | None, dead: tuple[Trace, ...], *, is_foreign: bool) -> Iterator[Leaving]:
        if checkpoint is None:
            yield Leaving(Kind.CHECKPOINT, self.task.checkpoint.location, None, "it cannot be read")
            return
        if checkpoint.exists and _began(dead, f"{Kind.CHECKPOINT}:{checkpoint.location}") and not checkpoint.tables:
            said = "a clean-up that died began to delete it"
            yield Leaving(Kind.CHECKPOINT, checkpoint.location, True, said, is_ours=True)
            return
        yield store_leaving(checkpoint, is_foreign=is_foreign)

    def _entries(
        self, services: EngineServices, checkpoint: Checkpoint, others_alive: bool | None, dead: tuple[Trace, ...]
    ) -> tuple[Entry, ...]:
        from safe_lightning.acts.leavings_entries import half_destroyed, judged_entries

        found, notes = judged_entries(services, self.task, self.policy, checkpoint, others_alive, self.wish)
        known = {record.table for record in checkpoint.tables}
        rest, more = half_destroyed(services, self.task, self.policy, checkpoint, others_alive, dead, known)
        self.notes += [*notes, *more]
        return (*found, *rest)

    def _tables(
        self, services: EngineServices, checkpoint: Checkpoint | None, entries: tuple[Entry, ...]
    ) -> dict[TableName, tuple[int, ...]]:
        """Name the tables of the import and the engines that the checkpoint knows of each."""
        tables: dict[TableName, tuple[int, ...]] = {}
        try:
            tables |= dict.fromkeys(services.source_tables(), ())
        except CouldNotLook as error:
            self.notes.append(str(error))
        records: list[TableRecord] = list(checkpoint.tables) if checkpoint is not None else []
        tables |= {entry.leaving.table: () for entry in entries if entry.leaving.table is not None}
        return tables | {record.table: tuple(record.engines) for record in records}

    def _logs(self) -> list[Leaving]:
        """List the logs that Lightning wrote into the temporary folder, as it does where the task names no file."""
        folder = Path(tempfile.gettempdir())
        found = sorted(path for path in folder.iterdir() if _DEFAULT_LOG.fullmatch(path.name))
        recorded = _recorded_logs(self.state, self.task.checkpoint.location)
        own = [path for path in found if path in recorded]
        leavings = [leavings_disk.file_leaving(Kind.LOG, path) for path in own]
        if others := len(found) - len(own):
            said = f"{others} log(s) of runs that are not recorded"
            leavings.append(Leaving(Kind.LOG, f"{folder}, others", True, said))
        return leavings or [Leaving(Kind.LOG, str(folder), False, "it holds no log of Lightning's")]


def services_of(task: Task, policy: Policy, state: Path) -> EngineServices:
    """Return services that know the recorded baselines of an import."""
    key = baseline_key(task.checkpoint.location, f"{task.target.host}:{task.target.port}")
    return EngineServices(task, policy, lambda: recall(state, key), state=state)


def import_of(task: Task) -> dict[str, object]:
    """Name an import so that a plan is never applied to another one."""
    return {
        "checkpoint": task.checkpoint.location if task.checkpoint.enabled else None,
        "target": f"{task.target.host}:{task.target.port}",
        "backend": task.backend,
        "source": task.data_source_dir,
        "sorted_kv_dir": str(task.cwd / task.sorted_kv_dir) if task.sorted_kv_dir else None,
    }


def look_around(task: Task, policy: Policy, state: Path, environ: Mapping[str, str], wish: Wish) -> World:
    """Look at every place where an import leaves things. Raises OSError where our own record cannot be read."""
    return Looker(task, policy, state, environ, wish).look()


def _began(dead: tuple[Trace, ...], key: str) -> bool:
    return any(key in trace.begun for trace in dead)


def _recorded_logs(state: Path, location: str) -> set[Path]:
    from safe_lightning.record.log_link import LogLink
    from safe_lightning.record.run_folder import read_call, run_folders
    from safe_lightning.record.strict_json import UnreadableRecord

    found = set()
    for folder in run_folders(state):
        with suppress(UnreadableRecord, FileNotFoundError):
            if read_call(folder).get("checkpoint_location") == location and (link := LogLink.read(folder)):
                found.add(link.path)
    return found
