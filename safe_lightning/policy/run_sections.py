"""The sections of a policy that concern the run itself: how it is shown, stopped, watched, locked and recorded."""

from __future__ import annotations

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.declaration import key


@dataclass(frozen=True)
class LogPolicy:
    """How events are shown."""

    format: str = key("auto", "console on a terminal, JSON lines otherwise", choices=("auto", "console", "json"))
    level: str = key(
        "info", "least level of the child's records that is shown", choices=("debug", "info", "warn", "error")
    )
    row_data: str = key("redact", "row data that ERROR records carry", choices=("redact", "keep"))
    progress: str = key("auto", "progress bar on a terminal", choices=("auto", "off"))


@dataclass(frozen=True)
class ChildPolicy:
    """How the child is stopped."""

    grace: float = key(300.0, "after a stop signal, time to save the checkpoint before SIGKILL", kind="duration")
    die_with_parent: bool = key(True, "the child is killed when safe-lightning itself dies (Linux)")


@dataclass(frozen=True)
class SupervisePolicy:
    """How an import is stopped so that the next start can resume it exactly: paused and drained before the signal."""

    safe_stop: str = key(
        "auto",
        "drain before a stop: where the task has a status address; with one added to its flags; never",
        choices=("auto", "always", "off"),
    )
    drain_timeout: float = key(300.0, "after this the signal goes out though the import still moves", kind="duration")
    quiet_logical: float = key(1.0, "nothing moved for so long: drained (backend tidb)", kind="duration", least=0.1)
    quiet_physical: float = key(2.5, "nothing moved for so long: drained (backend local)", kind="duration", least=0.1)


@dataclass(frozen=True)
class WatchPolicy:
    """What is watched while the import runs."""

    interval: float = key(10.0, "time between two looks at memory, CPU, files and disks", kind="duration", least=0.1)
    stall_after: float = key(7200.0, 'no progress for so long is a stall; "0s" turns the watch off', kind="duration")
    on_stall: str = key("warn", "warn only, or stop the child and report the run as hung", choices=("warn", "stop"))
    memory_available_least: float = key(5.0, "warn below this share of available memory", kind="percent")
    disk_free_least: float = key(5.0, "warn below this share of free disk (sorted-kv-dir, checkpoint)", kind="percent")
    open_files_most: float = key(90.0, "warn above this share of the open-files limit", kind="percent")
    cpu_lack_most: float = key(
        50.0, "warn where the child waits for a CPU for more than this share of the time it wants one", kind="percent"
    )


@dataclass(frozen=True)
class LockPolicy:
    """Two runs must not share a checkpoint or a target table; a lease says so to other hosts as well."""

    wait: float = key(0.0, "time to wait for a busy lock or lease before ending with 75", kind="duration")
    lease: str = key(
        "off", "a lease that other hosts see: none, or rows in a small schema of the target", choices=("off", "target")
    )
    lease_schema: str = key("safe_lightning", "the schema that holds the leases; made where it is missing")
    lease_expiry: float = key(
        60.0, "a lease not renewed for so long is free, by the server's clock", kind="duration", least=2.0
    )
    on_lease_lost: str = key(
        "warn", "another run took the lease: only never destroy any more, or stop the child", choices=("warn", "stop")
    )
    host: str = key("", "this host's name in leases; empty: its own")


@dataclass(frozen=True)
class RecordPolicy:
    """What is kept of earlier runs."""

    keep_runs: int = key(100, "newest runs kept; 0 keeps all", least=0)
    keep_for: float = key(
        90 * 86400.0, 'runs older than this are removed; "0s" keeps all', kind="duration", most=36500 * 86400.0
    )
