"""The policy as typed settings: every key, its default, its allowed values and one line why.

This is the single source for loading, checking, showing, generating and the JSON Schema.
Durations are kept in seconds and sizes in bytes; the file writes them as "90s", "5m", "2h", "1GiB".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from safe_lightning.core.causes.names import CHOICES

#: The words a policy must repeat before anything may drop a table.
DROP_PHRASE = "drop tables that this import filled"


def key(default: object, why: str, **rules: object) -> Any:  # noqa: ANN401 - takes the type of the attribute
    """Declare a policy key: its default, the line that explains it, and its rules.

    Rules: ``choices`` (allowed words), ``kind`` (a name in policy/kinds.py, where the default's type does not
    tell it), ``least`` and ``most`` (numbers, seconds or bytes, inclusive).
    """
    return field(default=default, metadata={"why": why, **rules})


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

    interval: float = key(10.0, "time between two looks at memory, files and disks", kind="duration", least=0.1)
    stall_after: float = key(7200.0, 'no progress for so long is a stall; "0s" turns the watch off', kind="duration")
    on_stall: str = key("warn", "warn only, or stop the child and report the run as hung", choices=("warn", "stop"))
    memory_available_least: float = key(5.0, "warn below this share of available memory", kind="percent")
    disk_free_least: float = key(5.0, "warn below this share of free disk (sorted-kv-dir, checkpoint)", kind="percent")
    open_files_most: float = key(90.0, "warn above this share of the open-files limit", kind="percent")


@dataclass(frozen=True)
class LockPolicy:
    """Two runs must not share a checkpoint or a target table."""

    wait: float = key(0.0, "time to wait for a busy lock before ending with 75", kind="duration")


@dataclass(frozen=True)
class RecordPolicy:
    """What is kept of earlier runs."""

    keep_runs: int = key(100, "newest runs kept; 0 keeps all", least=0)
    keep_for: float = key(
        90 * 86400.0, 'runs older than this are removed; "0s" keeps all', kind="duration", most=36500 * 86400.0
    )


_ANSWERS = ("resume", "refuse", "remove", "destroy", "ignore")


@dataclass(frozen=True)
class CheckpointAnswers:
    """The answer to each verdict on a leftover checkpoint; docs/checkpoints.md explains verdicts and answers."""

    fresh: str = key("resume", "the store is there but holds no table", choices=_ANSWERS)
    resumable: str = key("resume", "an unfinished import that can go on", choices=_ANSWERS)
    unsafe: str = key(
        "refuse", "one that looks resumable, yet a resume would lose or double rows, or fail", choices=_ANSWERS
    )
    finished: str = key("refuse", "everything in it is done: Lightning would import nothing", choices=_ANSWERS)
    failed: str = key("refuse", "a table's failure is recorded: Lightning would refuse", choices=_ANSWERS)
    stale: str = key("refuse", "target table or source are not those of the checkpoint any more", choices=_ANSWERS)
    foreign: str = key(
        "refuse",
        "it belongs to another import: other source, target or backend",
        choices=("resume", "refuse", "remove"),
    )
    live: str = key("refuse", "another Lightning is at work on it", choices=("refuse", "ignore"))
    unreadable: str = key("refuse", "the store cannot be read", choices=("refuse", "ignore"))


@dataclass(frozen=True)
class CheckpointPolicy:
    """How the pre-import hook `checkpoint` looks at what an earlier run left, and how far it may go."""

    timeout: float = key(
        20.0, "time-out for connecting to a server and for each of its answers", kind="duration", least=0.1
    )
    size_most: int = key(2047 << 20, "a checkpoint file larger than this is not read", kind="size", least=1)
    require_fingerprint: bool = key(
        False, "nothing is resumed or treated that was not seen by safe-lightning at its first launch"
    )
    require_empty_before: bool = key(
        False, "nothing is treated but what is recorded to have been empty before (destroy never touches other tables)"
    )
    max_tables: int = key(100, "entries treated in one run at most; more is refused; 0: no limit")
    max_rows_dropped: int = key(
        0, "a table that holds more rows, or whose rows cannot be counted, is not destroyed; 0: no limit"
    )
    on: CheckpointAnswers = field(default_factory=CheckpointAnswers)


@dataclass(frozen=True)
class ControlToolPolicy:
    """What acts on checkpoint and table, and how tidb-lightning-ctl is called."""

    clean_with: str = key(
        "ctl", "by the tool, which needs PD; or by safe-lightning itself, which does not", choices=("ctl", "direct")
    )
    path: str = key("", "tidb-lightning-ctl; empty: beside the binary, else on PATH", kind="executable")
    timeout: float = key(180.0, "time-out of one call", kind="duration", least=1.0)
    probe_timeout: float = key(
        3.0, "time-out of the look whether PD answers, which every call needs", kind="duration", least=0.1
    )

    @property
    def is_direct(self) -> bool:
        """Whether acts are done by ourselves."""
        return self.clean_with == "direct"


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
    examples_most: int = key(1000, "conflicts listed of each key; all are counted", least=1, most=1_000_000)
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
        "the target's new collation framework; auto: the target is asked, else on",
        choices=("auto", "on", "off"),
    )
    time_zone: str = key("", "for times in keys, where neither task nor target names one; empty: this machine's")


@dataclass(frozen=True)
class VerifyPolicy:
    """How an import is proven by looks of our own at the target, all of which only read; docs/verify.md."""

    investigate: bool = key(
        False, "complete a checksum that Lightning did not complete: a run proven by it ends as succeeded, with 0"
    )
    timeout: float = key(
        7200.0, "time-out of one checksum of one table (ADMIN CHECKSUM TABLE)", kind="duration", least=1.0
    )
    tries: int = key(3, "tries of one checksum, each on a snapshot of its own", least=1, most=20)
    concurrency: int = key(
        0, "tidb_checksum_table_concurrency of our session; 0: as the server has it", least=0, most=256
    )
    count_timeout: float = key(60.0, "time-out of counting the rows of one table", kind="duration", least=0.1)


@dataclass(frozen=True)
class RemedyRule:
    """One entry of [[remedy]]: the first whose cause and tables match is applied."""

    cause: str = key(
        "any",
        "which cause of a failed checksum this is for",
        choices=CHOICES,
    )
    least_confidence: float = key(0.5, "below this confidence the cause is only reported", kind="confidence")
    tables: tuple[str, ...] = key(("*.*",), "for which tables: Lightning's own filter patterns", kind="patterns")
    action: str = key("report", "what to do", choices=("report", "ignore", "remove", "destroy"))
    then: str = key("stop", "afterwards", choices=("stop", "retry"))
    max_attempts: int = key(1, "retries of the whole import at most", least=0, most=10)


@dataclass(frozen=True)
class OverrideRule:
    """One entry of [[override]]: other answers for some tables; the last that matches wins."""

    tables: tuple[str, ...] = key(("*.*",), "for which tables: Lightning's own filter patterns", kind="patterns")
    checkpoint: Mapping[str, str] = field(
        default_factory=dict,
        metadata={"why": "answers as in [checkpoint.on], for these tables only", "kind": "answers"},
    )


@dataclass(frozen=True)
class HookRule:
    """One entry of [[hooks]]; exactly one of `use` and `run` is set."""

    use: str = key("", "a built-in hook, or the entry point of an installed package")
    run: tuple[str, ...] = key((), "an executable and its arguments; no shell", kind="command")
    stage: str = key("pre-import", "when it runs", choices=("pre-import", "post-import"))
    name: str = key("", "shown in logs; default: what is used or run")
    when: tuple[str, ...] = key((), "post-import: only for these outcomes; empty: for all", kind="outcomes")
    timeout: float = key(600.0, "after this the hook and all its children are killed", kind="duration", least=0.1)
    on_error: str = key(
        "", "the hook itself broke; default: abort before, warn after the import", choices=("", "abort", "warn")
    )


DEFAULT_HOOKS = (
    HookRule(use="checkpoint", stage="pre-import"),
    HookRule(use="conflicts", stage="pre-import", timeout=6 * 3600.0),
    HookRule(use="checksum", stage="post-import"),
)


@dataclass(frozen=True)
class Policy:
    """Everything a policy file can say."""

    schema: int = key(1, "version of this file's format", least=1, most=1)
    binary: str = key(
        "", "the real tidb-lightning; empty: the first on PATH that is not safe-lightning", kind="executable"
    )
    state_dir: str = key("", "where runs, ledger and locks live; empty: see docs/record.md", kind="path")
    exit_codes: str = key("child", "the child's own code, or one code per outcome", choices=("child", "outcome"))
    dry_run: bool = key(False, "print plans, run the import, but change nothing in checkpoint or target by ourselves")
    allow_nothing: bool = key(False, "an import of nothing is a success")
    allow: tuple[str, ...] = key(
        (), f'dangers accepted in words; "{DROP_PHRASE}" is needed for any destroy', kind="phrases"
    )
    log: LogPolicy = field(default_factory=LogPolicy)
    child: ChildPolicy = field(default_factory=ChildPolicy)
    supervise: SupervisePolicy = field(default_factory=SupervisePolicy)
    watch: WatchPolicy = field(default_factory=WatchPolicy)
    lock: LockPolicy = field(default_factory=LockPolicy)
    record: RecordPolicy = field(default_factory=RecordPolicy)
    checkpoint: CheckpointPolicy = field(default_factory=CheckpointPolicy)
    control_tool: ControlToolPolicy = field(default_factory=ControlToolPolicy)
    scan: ScanPolicy = field(default_factory=ScanPolicy)
    verify: VerifyPolicy = field(default_factory=VerifyPolicy)
    remedy: tuple[RemedyRule, ...] = key((), "answers to a checksum that failed", kind="rules", rule=RemedyRule)
    override: tuple[OverrideRule, ...] = key((), "other answers for some tables", kind="rules", rule=OverrideRule)
    hooks: tuple[HookRule, ...] = key(DEFAULT_HOOKS, "what runs before and after it", kind="rules", rule=HookRule)
    #: Dotted names of the keys that somebody set: no key itself, but what "per policy" and "per default" rest on.
    given: frozenset[str] = field(default=frozenset(), compare=False)

    @property
    def may_drop(self) -> bool:
        """Whether the policy accepts in words that tables are dropped."""
        return DROP_PHRASE in self.allow
