"""What an import was at its first launch, and how each of its attempts ended: the memory a checkpoint lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field, replace

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.core.source_state import SourceState
from safe_lightning.core.stop import EngineNotIngested, Stop, StopKind
from safe_lightning.core.tables import TableName
from safe_lightning.core.verdict import ImportReport

_LOOPBACK = {"localhost", "127.0.0.1", "::1", "[::1]"}


@dataclass(frozen=True)
class Launch:
    """One attempt: when it began, and how it ended. ``outcome`` is "" for one of which nobody saw the end."""

    run: str
    attempt: int
    at: float
    outcome: str = ""
    signal: int | None = None
    stop: Stop | None = None
    engines_not_ingested: tuple[EngineNotIngested, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether its end was seen."""
        return bool(self.outcome)

    @property
    def was_drained(self) -> bool:
        """Whether it was paused until nothing moved before it was stopped: then nothing was in flight."""
        return self.stop is not None and self.stop.kind is StopKind.DRAINED

    @property
    def was_signalled(self) -> bool:
        """Whether a signal ended it that was not preceded by a drain."""
        return not self.was_drained and (self.signal is not None or self.outcome in ("canceled", "killed", "hung"))

    def describe(self) -> str:
        """Say in words how it ended."""
        if not self.is_known:
            return f"the end of run {self.run} was not seen: safe-lightning itself was killed"
        how = f"run {self.run} ended as {self.outcome}"
        if self.stop is not None:
            return f"{how}, {self.stop.kind} ({self.stop.reason})"
        return f"{how}, by signal {self.signal}" if self.signal else how


@dataclass(frozen=True)
class Place:
    """What must be the same for a checkpoint to go on: empty where it is not known."""

    backend: str = ""
    source_dir: str = ""
    host: str = ""
    port: int = 0
    pd_addr: str = ""
    sorted_kv_dir: str = ""
    cluster_id: str = ""


@dataclass(frozen=True)
class Fingerprint:
    """An import at its first launch. ``source`` is None where ``source_unknown`` says why.

    ``is_first_launch`` is False where the checkpoint was older than its fingerprint: then it only tells of what
    came afterwards. ``table_ids`` are those of the target, each as it was seen first.
    """

    run: str
    at: float
    host: str
    checkpoint: str
    place: Place
    is_first_launch: bool = True
    lightning_version: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)
    source: SourceState | None = None
    source_unknown: str = ""
    table_ids: Mapping[TableName, int] = field(default_factory=dict)
    launches: tuple[Launch, ...] = ()

    @property
    def last(self) -> Launch | None:
        """The attempt before this one."""
        return self.launches[-1] if self.launches else None

    def begun(self, launch: Launch) -> Fingerprint:
        """Add an attempt whose end is not known yet."""
        return replace(self, launches=(*self.launches, launch))

    def ended(self, report: ImportReport) -> Fingerprint:
        """Enter how the last attempt ended.

        Engines that an earlier attempt left empty stay so until a checksum of their table has passed.
        """
        *before, last = self.launches
        passed = {result.table for result in report.tables if result.status == "checksum-passed"}
        kept = [e for launch in before[-1:] for e in launch.engines_not_ingested if e.table not in passed]
        known = {(engine.table, engine.engine) for engine in report.engines_not_ingested}
        engines = (*report.engines_not_ingested, *(e for e in kept if (e.table, e.engine) not in known))
        end = replace(
            last,
            outcome=str(report.outcome),
            signal=report.child_signal,
            stop=report.stop,
            engines_not_ingested=engines,
        )
        return replace(self, launches=(*before, end), lightning_version=report.version or self.lightning_version)


def differences(then: Place, now: Place) -> Iterator[str]:
    """Say what makes a checkpoint somebody else's: other backend, source, target, or folder for sorted pairs."""
    if then.backend and now.backend and then.backend != now.backend:
        yield f"it was made with backend {then.backend}, this task uses {now.backend}"
    if then.source_dir and now.source_dir and plain_source(then.source_dir) != plain_source(now.source_dir):
        yield f"it was made for the source {then.source_dir}, this task reads {now.source_dir}"
    if not is_same_target(then, now):
        yield f"it was made for the target {then.host}:{then.port}, this task writes to {now.host}:{now.port}"
    if now.backend == "local" and then.sorted_kv_dir and now.sorted_kv_dir and then.sorted_kv_dir != now.sorted_kv_dir:
        yield f"its sorted pairs lie in {then.sorted_kv_dir}, this task looks in {now.sorted_kv_dir}"


def is_same_target(then: Place, now: Place) -> bool:
    """Tell whether nothing shows that two places mean different clusters.

    Several TiDB servers share one cluster, so another port of the same host proves nothing (see `target_doubt`).
    """
    if then.cluster_id and now.cluster_id:
        return then.cluster_id == now.cluster_id
    before, after = _members(then.pd_addr), _members(now.pd_addr)
    if before & after:
        return True
    if not (then.host and now.host and then.port and now.port):
        return True
    if _host(then.host) != _host(now.host):
        return False
    return then.port == now.port or not (before and after)


def target_doubt(then: Place, now: Place) -> str:
    """Say where it is not known whether two addresses are one cluster."""
    is_known = bool(then.cluster_id and now.cluster_id) or bool(_members(then.pd_addr) & _members(now.pd_addr))
    if is_known or not (then.port and now.port) or then.port == now.port or not is_same_target(then, now):
        return ""
    return (
        f"the checkpoint was made over port {then.port} of {then.host}, this task uses port {now.port}: whether both "
        "are one cluster is not known"
    )


def _host(host: str) -> str:
    return "localhost" if host.lower() in _LOOPBACK else host.lower()


def _members(pd_addr: str) -> set[str]:
    members = (part.strip().lower().removeprefix("http://") for part in pd_addr.split(","))
    return {f"{_host(host)}:{port}" for host, _, port in (member.rpartition(":") for member in members) if port}


def plain_source(source_dir: str) -> str:
    """Bring the ways to write one folder into one form.

    >>> plain_source("file:///srv/data"), plain_source("/srv/data/"), plain_source("S3://b/d")
    ('/srv/data', '/srv/data', 's3://b/d')
    """
    scheme, mark, rest = source_dir.partition("://")
    if mark and scheme.lower() not in ("file", "local"):
        return f"{scheme.lower()}://{rest}".rstrip("/")
    return (rest if mark else source_dir).rstrip("/") or "/"
