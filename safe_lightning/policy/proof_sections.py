"""The sections of a policy that concern looks of our own: at the keys of the source, and at the target afterwards."""

from __future__ import annotations

from safe_lightning.core.lean_dataclass import dataclass
from safe_lightning.policy.declaration import key


@dataclass(frozen=True)
class ScanPolicy:
    """What the pre-import hook `conflicts` and the verb `scan` do: duplicate keys of the source, before the import."""

    mode: str = key(
        "exact",
        "every key; a random slice of all keys, which needs less memory; nothing",
        choices=("exact", "sample", "off"),
    )
    sample_fraction: float = key(5.0, "share of the keys that a sample looks at", kind="percent", least=0.001)
    max_duration: float = key(
        1800.0, 'beyond it the rest of the source is not read, and that is said; "0s": no limit', kind="duration"
    )
    memory: int = key(512 << 20, "memory for keys; what is beyond it goes to disk", kind="size", least=16 << 20)
    threads: int = key(0, "threads that read; 0: one for each processor", most=256)
    spill_dir: str = key("", "where keys beyond the memory go; empty: the system's temporary folder", kind="path")
    include_target: bool = key(
        False, "hold the source's keys against the rows of the target as well, for incremental imports"
    )
    examples_most: int = key(1000, "conflicts listed of each key; all are counted", least=1, most=1_000_000)
    record_values: bool = key(
        False, "write the values of conflicting keys into the record, and so into the page of a run"
    )
    on_conflicts: str = key(
        "auto",
        "auto: block where Lightning would fail, mismatch or break the table, warn where the task resolves conflicts",
        choices=("auto", "warn", "block"),
    )
    block_rows: int = key(1, "a key with fewer duplicate rows than this does not block", least=1)
    block_share: float = key(0.0, "nor does one with a smaller share of its table's rows", kind="percent")
    warn_rows: int = key(1, "a key with fewer duplicate rows than this is not warned of", least=1)
    warn_share: float = key(0.0, "nor is one with a smaller share of its table's rows", kind="percent")
    on_findings: str = key(
        "warn", "what Lightning mangles without a word: cut files, odd rows, clamped keys", choices=("warn", "block")
    )
    on_not_checked: str = key("warn", "keys that could not be checked", choices=("warn", "block"))
    new_collation: str = key(
        "auto",
        "the new collation framework of a target that does not say; auto: both are answered",
        choices=("auto", "on", "off"),
    )
    time_zone: str = key("", "for times in keys, where neither task nor target names one; empty: this machine's")


@dataclass(frozen=True)
class VerifyPolicy:
    """How an import is proven by looks of our own at the target, all of which only read; docs/verify.md."""

    investigate: bool = key(
        False,
        "complete a checksum that Lightning did not complete (a run proven by it ends as succeeded, with 0), and make "
        "the checks that settle the cause of a mismatch",
    )
    timeout: float = key(
        7200.0, "time-out of one checksum of one table (ADMIN CHECKSUM TABLE)", kind="duration", least=1.0
    )
    tries: int = key(3, "tries of one checksum, each on a snapshot of its own", least=1, most=20)
    concurrency: int = key(
        0, "tidb_checksum_table_concurrency of our session; 0: as the server has it", least=0, most=256
    )
    hold_gc: bool = key(
        False,
        "while it completes a checksum: raise the target's GC life time (tikv_gc_life_time) to 100h and give it back; "
        "all else here only reads",
    )
    count_timeout: float = key(60.0, "time-out of counting the rows of one table", kind="duration", least=0.1)
    look_time: float = key(
        300.0, "time for all looks at tables whose checksum differs, together", kind="duration", least=0.1
    )
    checks_most: int = key(4, "checks that settle the cause of one mismatch, with investigate = true", most=20)
